// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Every CPU kernel on random shapes and boxes, degenerate and enormous ones included: compared with slow.h, and to be built with
// -fsanitize=address,undefined. What is compared closely is moderate or exact; of the rest only that it is survived.
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>

#include "kernels.h"
#include "slow.h"

using namespace fcis;

namespace {

std::mt19937 generator(1);
int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }
float real(float low, float high) { return std::uniform_real_distribution<float>(low, high)(generator); }

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}
void expect_near(double found, double expected, double tolerance, const char* what) {
  if (std::fabs(found - expected) <= tolerance) return;
  std::fprintf(stderr, "%s: %.9g, expected %.9g\n", what, found, expected);
  std::abort();
}

float coordinate() {
  static const float odd[] = {0.0f,
                              -0.0f,
                              0.5f,
                              -0.5f,
                              1e9f,
                              -1e9f,
                              3e38f,
                              -3e38f,
                              1e-40f,
                              16777216.0f,
                              std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()};
  if (integer(0, 4) == 0) return odd[integer(0, 12)];
  return integer(0, 1) == 0 ? static_cast<float>(integer(-160, 600)) / 2.0f : real(-80.0f, 300.0f);  // halves: roundings, ties
}

std::vector<float> values(int64_t count) {
  std::vector<float> result(count);
  for (float& value : result) value = real(-1.0f, 1.0f);
  return result;
}
// In steps of 1/64: sums of them are exact, so that which side of a square wins does not depend on the order of summation.
std::vector<float> exact_values(int64_t count) {
  std::vector<float> result(count);
  for (float& value : result) value = static_cast<float>(integer(-64, 64)) / 64.0f;
  return result;
}
std::vector<BFloat16> halved(const std::vector<float>& wide) {
  std::vector<BFloat16> result(wide.size());
  for (size_t i = 0; i < wide.size(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &wide[i], sizeof bits);
    result[i].bits = static_cast<uint16_t>(bits >> 16);
  }
  return result;
}

struct Layout {
  int64_t channels, height, width;
  bool channels_last;
  int64_t place(int64_t image, int64_t channel, int64_t y, int64_t x) const {
    return channels_last ? ((image * height + y) * width + x) * channels + channel
                         : ((image * channels + channel) * height + y) * width + x;
  }
};

void assembling() {
  const int bins = integer(1, 4), size = bins * integer(1, 3), stride = integer(1, 32), all_bins = bins * bins;
  const int64_t classes = integer(1, 40), images = integer(1, 2), height = integer(1, 12), width = integer(1, 12),
                count = integer(0, 8), squares = size * size;
  const bool channels_last = integer(0, 1) == 1;
  std::vector<float> rois(count * 5);
  std::vector<int64_t> labels(count);
  for (int64_t r = 0; r < count; ++r) {
    rois[r * 5] = integer(0, 3) == 0 ? coordinate() : static_cast<float>(integer(-1, 2));
    for (int c = 1; c < 5; ++c) rois[r * 5 + c] = coordinate();
    labels[r] = integer(-2, static_cast<int>(classes) + 1);
  }
  const Layout score{all_bins * 2 * classes, height, width, channels_last}, box{all_bins * 4, height, width, channels_last};
  const std::vector<float> score_maps = exact_values(images * score.channels * height * width),
                           box_maps = exact_values(images * box.channels * height * width);
  const bool brain = integer(0, 1) == 1;
  const std::vector<BFloat16> score_brain = halved(score_maps), box_brain = halved(box_maps);
  const Element element = brain ? Element::kBFloat16 : Element::kFloat32;
  const void* score_data = brain ? static_cast<const void*>(score_brain.data()) : score_maps.data();
  const void* box_data = brain ? static_cast<const void*>(box_brain.data()) : box_maps.data();
  const Maps scores{score_data, images, score.channels, height, width, element, channels_last};
  const Maps boxes{box_data, images, box.channels, height, width, element, channels_last};
  const RoiSpans found = find_spans({rois.data(), count, bins, size, stride}, scores);
  std::vector<float> buffer, result_buffer, sums(count * classes), pairs(count * 2 * squares), deltas(count * 4);
  std::vector<float> score_grad(score_maps.size()), mask_grad(score_maps.size()), box_grad(box_maps.size());
  const std::vector<float> logits_wanted = values(sums.size()), pairs_wanted = values(pairs.size()),
                           deltas_wanted = values(deltas.size());
  for (int bin = 0; bin < all_bins; ++bin) {
    add_class_logits(scores, found, classes, bin, buffer, sums.data());
    class_logits_gradient(logits_wanted.data(), scores, found, classes, bin, buffer, result_buffer, score_grad.data());
    mask_logits_gradient(pairs_wanted.data(), labels.data(), scores, found, classes, bin, mask_grad.data());
    box_deltas_gradient(deltas_wanted.data(), boxes, found, 4, bin, box_grad.data());
  }
  for (int64_t r = 0; r < count; ++r) {
    mask_logits_of_roi(scores, found, classes, r, labels[r], pairs.data() + r * 2 * squares);
    add_box_deltas(boxes, found, 4, r, deltas.data() + r * 4);
  }

  const slow::Value score_at = [&](auto... place) { return score_maps[score.place(place...)]; };
  const slow::Value box_at = [&](auto... place) { return box_maps[box.place(place...)]; };
  std::vector<double> slow_sums(sums.size()), slow_pairs(pairs.size()), slow_deltas(deltas.size());
  std::vector<double> slow_score_grad(score_maps.size()), slow_mask_grad(score_maps.size()), slow_box_grad(box_maps.size());
  for (int64_t r = 0; r < count; ++r) {
    const float* own = rois.data() + r * 5;
    const slow::Roi roi{own[0], {own[1], own[2]}, {own[3], own[4]}};
    if (!roi.lies_in(images)) continue;
    const int64_t image = static_cast<int64_t>(own[0]);
    const auto all = slow::squares(roi, bins, size, stride, height, width);
    for (int64_t s = 0; s < squares; ++s) {
      const slow::Square& square = all[s];
      const double share = square.cells.empty() ? 0.0 : 1.0 / static_cast<double>(square.cells.size());
      for (int64_t c = 0; c < classes; ++c) {
        const int64_t outside = square.bin * 2 * classes + c, inside = outside + classes;
        const double out = slow::sum(square, score_at, image, outside), in = slow::sum(square, score_at, image, inside);
        slow_sums[r * classes + c] += std::max(out, in) * share;
        for (const auto& [y, x] : square.cells) {
          slow_score_grad[score.place(image, in > out ? inside : outside, y, x)] += share * logits_wanted[r * classes + c];
        }
        if (c != labels[r]) continue;
        for (int side = 0; side < 2; ++side) {
          const int64_t at = (r * 2 + side) * squares + s;
          slow_pairs[at] = (side ? in : out) * share;
          for (const auto& [y, x] : square.cells) {
            slow_mask_grad[score.place(image, side ? inside : outside, y, x)] += share * pairs_wanted[at];
          }
        }
      }
      for (int d = 0; d < 4; ++d) {
        slow_deltas[r * 4 + d] += slow::sum(square, box_at, image, square.bin * 4 + d) * share;
        for (const auto& [y, x] : square.cells) {
          slow_box_grad[box.place(image, square.bin * 4 + d, y, x)] += share * deltas_wanted[r * 4 + d];
        }
      }
    }
  }
  const auto compare = [](const std::vector<float>& fast, const std::vector<double>& slowly, const char* what) {
    for (size_t i = 0; i < fast.size(); ++i) expect_near(fast[i], slowly[i], 1e-4, what);
  };
  compare(sums, slow_sums, "class logits");
  compare(pairs, slow_pairs, "mask logits");
  compare(deltas, slow_deltas, "box deltas");
  compare(score_grad, slow_score_grad, "gradient of class logits");
  compare(mask_grad, slow_mask_grad, "gradient of mask logits");
  compare(box_grad, slow_box_grad, "gradient of box deltas");
}

// All of them finite, and small enough that nothing overflows.
bool moderate(std::initializer_list<const double*> groups) {
  for (const double* group : groups) {
    for (int i = 0; i < 4; ++i) {
      if (!(std::fabs(group[i]) < 1000.0)) return false;
    }
  }
  return true;
}
void expect_box(const float* box, const slow::Moved& expected, const char* what) {
  for (int c = 0; c < 4; ++c) expect_near(box[c], expected.corner[c], 1e-3, what);
}

void regressing() {
  const int64_t count = integer(1, 4), rows = integer(0, 6), columns = integer(1, 6), rois = integer(0, 20),
                classes = integer(1, 5), cells = rows * columns;
  const auto odd_values = [](int64_t size, float scale) {
    std::vector<float> result(size);
    for (float& value : result) value = integer(0, 9) == 0 ? coordinate() : real(-1.0f, 1.0f) * scale;
    return result;
  };
  const std::vector<float> logits = odd_values(2 * count * cells, 5), deltas = odd_values(4 * count * cells, 1),
                           anchors = odd_values(count * 4, 50);
  const Strided logit_map{logits.data(), cells, columns, 1}, delta_map{deltas.data(), 1, columns * 4 * count, 4 * count};
  const float height = static_cast<float>(integer(1, 99)), width = static_cast<float>(integer(1, 99)), least = coordinate();
  const int stride = integer(1, 32);
  const Rpn rpn{logit_map, delta_map, anchors.data(), count, rows, columns, static_cast<float>(stride), height, width, least};
  std::vector<float> boxes(rpn.size() * 4), scores(rpn.size());
  decode_anchors(rpn, 0, rpn.size(), boxes.data(), scores.data());
  for (int64_t cell = 0; cell < cells; ++cell) {
    for (int64_t a = 0; a < count; ++a) {
      const int64_t i = cell * count + a;
      double base[4], move[4];
      for (int c = 0; c < 4; ++c) {
        base[c] =
            static_cast<double>(anchors[a * 4 + c]) + static_cast<double>((c % 2 ? cell / columns : cell % columns) * stride);
        move[c] = deltas[cell * 4 * count + a * 4 + c];
      }
      const float* box = boxes.data() + i * 4;
      if (moderate({base, move})) expect_box(box, slow::decode(base, move, height, width), "candidate");
      const double background = logits[a * cells + cell], object = logits[(count + a) * cells + cell];
      const bool valid = std::isfinite(background) && std::isfinite(object) && box[2] - box[0] + 1.0f >= least &&
                         box[3] - box[1] + 1.0f >= least;
      expect(std::isfinite(scores[i]) == valid && (valid || scores[i] < 0), "which candidates have a score");
      if (!valid) continue;
      expect(scores[i] >= 0.0f && scores[i] <= 1.0f, "score of a candidate");
      if (std::fabs(background) > 300 || std::fabs(object) > 300) continue;
      expect_near(scores[i], std::exp(object) / (std::exp(object) + std::exp(background)), 1e-6, "score of a candidate");
    }
  }

  const std::vector<float> first = odd_values(rois * 5, 50), moves = odd_values(rois * 4, 50),
                           probabilities = odd_values(rois * classes, 1);
  std::vector<float> moved(rois * 5), placed(rois * 4), weights(rois);
  const Stds stds{{0.1f, 0.1f, 0.2f, 0.2f}};
  decode_rois(first.data(), moves.data(), rois, stds, 60.0f, 90.0f, moved.data());
  std::vector<int32_t> pixels(rois * 4), voters(rois);
  const std::unique_ptr<bool[]> finite(new bool[rois]);
  const float scale = integer(0, 2) ? static_cast<float>(integer(1, 4)) / 2.0f : coordinate(),
              smallest = static_cast<float>(integer(-2, 60)) / 2.0f;
  place_rois(moves.data(), probabilities.data(), rois, classes, scale, smallest, 60.0f, 90.0f, placed.data(), pixels.data(),
             finite.get());
  for (int64_t r = 0; r < rois; ++r) {
    double base[4], move[4];
    for (int c = 0; c < 4; ++c) base[c] = first[r * 5 + 1 + c], move[c] = static_cast<double>(moves[r * 4 + c]) * stds.values[c];
    if (moderate({base, move})) expect_box(moved.data() + r * 5 + 1, slow::decode(base, move, 60, 90), "ROI of the second round");
    const float* roi = moves.data() + r * 4;
    bool there = true;
    for (int c = 0; c < 4; ++c) there = there && std::isfinite(roi[c]);
    for (int64_t c = 0; c < classes; ++c) there = there && std::isfinite(probabilities[r * classes + c]);
    expect(finite[r] == there, "which ROIs are finite");
    there = there && roi[2] - roi[0] + 1.0f >= smallest && roi[3] - roi[1] + 1.0f >= smallest;
    for (int c = 0; c < 4; ++c) {
      const float last = c % 2 ? 59.0f : 89.0f, expected = there ? roi[c] / scale : NAN, own = placed[r * 4 + c];
      expect(std::isnan(expected) ? std::isnan(own) : own == std::min(std::max(expected, 0.0f), last), "placed ROI");
      expect(pixels[r * 4 + c] == (std::isnan(own) ? 0 : std::lrint(own)), "pixel of a placed ROI");
    }
  }

  const int64_t winner = integer(-1, static_cast<int>(rois) - 1), label = integer(-1, static_cast<int>(classes) - 1);
  const double threshold = real(-0.5f, 1.5f);
  float best;
  elect({placed.data(), probabilities.data(), &winner, &label, rois, classes, threshold}, 0, voters.data(), weights.data(),
        &best);
  const bool found = winner >= 0 && label >= 0;
  double total = 0.0;
  for (int64_t r = 0; r < rois; ++r) {
    const double overlap = found ? slow::iou<double>(placed.data() + winner * 4, placed.data() + r * 4) : -1.0;
    bool nan = false;  // no box: minimum and maximum would hide it
    for (int c = 0; found && c < 4; ++c) nan = nan || std::isnan(placed[winner * 4 + c]) || std::isnan(placed[r * 4 + c]);
    expect(voters[r] == (found && !nan && overlap >= threshold ? r : -1), "voter");
    if (voters[r] >= 0) total += probabilities[r * classes + label];
  }
  for (int64_t r = 0; r < rois; ++r) {
    const double share = voters[r] >= 0 ? probabilities[r * classes + label] / total : 0.0;
    if (std::fabs(total) > 0.1) expect_near(weights[r], share, 1e-4 * (1 + std::fabs(share)), "weight of a voter");
  }
}

void suppressing() {
  const int64_t count = integer(0, 40), classes = integer(1, 6), limit = integer(0, 50);
  std::vector<float> boxes(count * 4), scores(count * classes);
  for (float& value : boxes) value = integer(0, 9) == 0 ? coordinate() : real(0.0f, 60.0f);
  for (float& value : scores) value = integer(0, 9) == 0 ? coordinate() : static_cast<float>(integer(0, 20)) / 20.0f;  // ties
  const float threshold = real(0.0f, 1.0f), floor = real(0.0f, 0.5f);
  const auto column = [&](int64_t label) {
    std::vector<float> own(count);
    for (int64_t i = 0; i < count; ++i) own[i] = scores[i * classes + label];
    return own;
  };
  const std::vector<float> one = column(0);
  expect(nms(boxes.data(), one.data(), count, threshold, limit) == slow::nms(boxes.data(), one, threshold, -INFINITY, limit),
         "NMS");

  std::vector<std::tuple<float, int64_t, int64_t, int64_t>> expected;  // minus score, label, place, ROI
  for (int64_t label = 1; label < classes; ++label) {
    const std::vector<int64_t> kept = slow::nms(boxes.data(), column(label), threshold, floor, limit);
    for (size_t i = 0; i < kept.size(); ++i) expected.emplace_back(-scores[kept[i] * classes + label], label, i, kept[i]);
  }
  std::sort(expected.begin(), expected.end());
  expected.resize(std::min<size_t>(expected.size(), limit));
  const std::vector<Winner> winners = class_nms(boxes.data(), scores.data(), count, classes, threshold, floor, limit);
  expect(winners.size() == expected.size(), "number of winners");
  for (size_t i = 0; i < winners.size(); ++i) {
    const auto& [score, label, place, roi] = expected[i];
    expect(winners[i].score == -score && winners[i].label == label && winners[i].roi == roi, "winner");
  }
}

void pictures(const std::vector<int32_t>& runs, int64_t height, int64_t width) {
  std::vector<uint8_t> mask(height * width);
  fill_runs(runs.data(), static_cast<int64_t>(runs.size()), height, width, mask.data());
  expect(slow::runs(mask, height, width) == runs, "run lengths");
  std::vector<int32_t> again;
  find_runs(mask.data(), width, height, width, again);
  expect(again == runs, "run lengths of a mask");

  std::vector<uint16_t> labels(height * width);
  std::vector<uint8_t> image(height * width * 3), colours(9), result(height * width * 3);
  for (int64_t i = 0; i < height * width; ++i) labels[i] = static_cast<uint16_t>(mask[i] * integer(1, 3));
  for (uint8_t& value : image) value = static_cast<uint8_t>(integer(0, 255));
  for (uint8_t& value : colours) value = static_cast<uint8_t>(integer(0, 255));
  const float alpha = real(0.0f, 1.0f);
  paint(image.data(), labels.data(), colours.data(), alpha, height, width, 0, height, result.data());
  const double opacity = std::floor(alpha * 256.0 + 0.5) / 256.0;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const int64_t at = y * width + x;
      bool edge = false;
      for (const auto& [dy, dx] : {std::pair{0, 1}, {0, -1}, {1, 0}, {-1, 0}}) {
        const int64_t v = y + dy, u = x + dx;
        edge = edge || (v >= 0 && u >= 0 && v < height && u < width && labels[v * width + u] != labels[at]);
      }
      for (int c = 0; c < 3; ++c) {
        const double given = image[at * 3 + c], own = labels[at] ? colours[(labels[at] - 1) * 3 + c] : given;
        expect(result[at * 3 + c] == (edge && labels[at] ? own : std::floor(given + (own - given) * opacity + 0.5)), "overlay");
      }
    }
  }
}

void voting() {
  const int height = integer(1, 60), width = integer(1, 60), size = integer(1, 23);
  const int64_t count = integer(0, 6);
  std::vector<int32_t> boxes, index;
  for (int64_t r = 0; r < count; ++r) {
    const int x = integer(0, width - 1), y = integer(0, height - 1);
    boxes.insert(boxes.end(), {x, y, integer(x, width - 1), integer(y, height - 1)});
    index.push_back(integer(-1, static_cast<int>(count) - 1));
  }
  const std::vector<float> masks = values(count * size * size), weights = values(count);
  const float threshold = real(-0.2f, 0.5f);
  const bool binarise = integer(0, 1) == 1;
  const int resample = integer(0, 2) * integer(0, 21);
  const Placed placed =
      vote({boxes.data(), masks.data(), index.data(), weights.data(), count, size, threshold, binarise, resample});
  const int64_t h = placed.y2 - placed.y1, w = placed.x2 - placed.x1;
  std::vector<uint8_t> mask(h * w);
  if (!placed.runs.empty()) {
    pictures(placed.runs, h, w);
    fill_runs(placed.runs.data(), static_cast<int64_t>(placed.runs.size()), h, w, mask.data());
  }
  if (resample > 0) return;  // test_operators.py compares it
  // Outside the box around all voters nothing is counted, whatever the threshold.
  int64_t around[4] = {width, height, -1, -1};
  for (int64_t r = 0; r < count; ++r) {
    for (int c = 0; index[r] >= 0 && c < 2; ++c) {
      around[c] = std::min<int64_t>(around[c], boxes[r * 4 + c]);
      around[c + 2] = std::max<int64_t>(around[c + 2], boxes[r * 4 + c + 2]);
    }
  }
  for (int64_t y = around[1]; y <= around[3]; ++y) {
    for (int64_t x = around[0]; x <= around[2]; ++x) {
      double votes = 0.0;
      bool sure = true;
      for (int64_t r = 0; r < count; ++r) {
        const int32_t* box = boxes.data() + r * 4;
        if (index[r] < 0 || x < box[0] || y < box[1] || x > box[2] || y > box[3]) continue;
        const double value = slow::stretched(masks.data() + static_cast<int64_t>(index[r]) * size * size, size,
                                             box[3] - box[1] + 1, box[2] - box[0] + 1, y - box[1], x - box[0]);
        const std::optional<bool> set = slow::reaches(value, threshold);
        sure = sure && (!binarise || set);
        votes += weights[r] * (binarise ? set.value_or(false) : value);
      }
      const std::optional<bool> expected = slow::reaches(votes, threshold);
      if (!sure || !expected) continue;
      const int64_t v = y - placed.y1, u = x - placed.x1;
      expect((v >= 0 && u >= 0 && v < h && u < w && mask[v * w + u]) == *expected, "voted pixel");
    }
  }
}

}  // namespace

int main(int, char** arguments) {
  const int rounds = std::atoi(arguments[1]);
  for (int i = 0; i < rounds; ++i) {
    assembling();
    regressing();
    suppressing();
    voting();
  }
  std::printf("%d rounds\n", rounds);
}

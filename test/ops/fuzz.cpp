// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Every CPU kernel on random shapes and boxes, degenerate and enormous ones included: compared with slow.h, and to be built with
// -fsanitize=address,undefined. Moderate and exact values are compared closely; of others only that nothing breaks.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "fuzz_maps.h"
#include "fuzz_values.h"
#include "kernels.h"
#include "slow.h"

namespace {

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
  std::vector<float> moved(rois * 5), mapped(rois * 4), weights(rois);
  const Stds stds{{0.1f, 0.1f, 0.2f, 0.2f}};
  decode_rois(first.data(), moves.data(), rois, stds, 60.0f, 90.0f, moved.data());
  std::vector<int32_t> pixels(rois * 4), voters(rois);
  const std::unique_ptr<bool[]> finite(new bool[rois]);
  const float scale = integer(0, 2) ? static_cast<float>(integer(1, 4)) / 2.0f : coordinate(),
              smallest = static_cast<float>(integer(-2, 60)) / 2.0f;
  rois_to_image(moves.data(), probabilities.data(), rois, classes, scale, smallest, 60.0f, 90.0f, mapped.data(), pixels.data(),
                finite.get());
  for (int64_t r = 0; r < rois; ++r) {
    double base[4], move[4];
    for (int c = 0; c < 4; ++c) base[c] = first[r * 5 + 1 + c], move[c] = static_cast<double>(moves[r * 4 + c]) * stds.values[c];
    if (moderate({base, move})) expect_box(moved.data() + r * 5 + 1, slow::decode(base, move, 60, 90), "ROI of the second round");
    const float* roi = moves.data() + r * 4;
    bool valid = true;
    for (int c = 0; c < 4; ++c) valid = valid && std::isfinite(roi[c]);
    for (int64_t c = 0; c < classes; ++c) valid = valid && std::isfinite(probabilities[r * classes + c]);
    expect(finite[r] == valid, "which ROIs are finite");
    valid = valid && roi[2] - roi[0] + 1.0f >= smallest && roi[3] - roi[1] + 1.0f >= smallest;
    for (int c = 0; c < 4; ++c) {
      const float last = c % 2 ? 59.0f : 89.0f, expected = valid ? roi[c] / scale : NAN, edge = mapped[r * 4 + c];
      expect(std::isnan(expected) ? std::isnan(edge) : edge == std::min(std::max(expected, 0.0f), last), "ROI in the image");
      expect(pixels[r * 4 + c] == (std::isnan(edge) ? 0 : std::lrint(edge)), "pixel of an ROI in the image");
    }
  }

  const int64_t winner = integer(-1, static_cast<int>(rois) - 1), label = integer(-1, static_cast<int>(classes) - 1);
  const double threshold = real(-0.5f, 1.5f);
  float best;
  vote_weights({mapped.data(), probabilities.data(), &winner, &label, rois, classes, threshold}, 0, voters.data(), weights.data(),
               &best);
  const bool exists = winner >= 0 && label >= 0;
  double total = 0.0;
  for (int64_t r = 0; r < rois; ++r) {
    const double overlap = exists ? slow::iou<double>(mapped.data() + winner * 4, mapped.data() + r * 4) : -1.0;
    bool nan = false;  // no box: minimum and maximum would hide it
    for (int c = 0; exists && c < 4; ++c) nan = nan || std::isnan(mapped[winner * 4 + c]) || std::isnan(mapped[r * 4 + c]);
    expect(voters[r] == (exists && !nan && overlap >= threshold ? r : -1), "voter");
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
    std::vector<float> of_class(count);
    for (int64_t i = 0; i < count; ++i) of_class[i] = scores[i * classes + label];
    return of_class;
  };
  const std::vector<float> one = column(0);
  expect(nms(boxes.data(), one.data(), count, threshold, limit) == slow::nms(boxes.data(), one, threshold, -INFINITY, limit),
         "NMS");

  std::vector<std::tuple<float, int64_t, int64_t, int64_t>> expected;  // minus score, label, rank, ROI
  for (int64_t label = 1; label < classes; ++label) {
    const std::vector<int64_t> kept = slow::nms(boxes.data(), column(label), threshold, floor, limit);
    for (size_t i = 0; i < kept.size(); ++i) expected.emplace_back(-scores[kept[i] * classes + label], label, i, kept[i]);
  }
  std::sort(expected.begin(), expected.end());
  expected.resize(std::min<size_t>(expected.size(), limit));
  const std::vector<Winner> winners = class_nms(boxes.data(), scores.data(), count, classes, threshold, floor, limit);
  expect(winners.size() == expected.size(), "number of winners");
  for (size_t i = 0; i < winners.size(); ++i) {
    const auto& [score, label, rank, roi] = expected[i];
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
  const int64_t thickness = integer(0, 4), middle = integer(0, static_cast<int>(height));
  const Overlay overlay{image.data(), labels.data(), colours.data(), alpha, thickness, height, width};
  paint(overlay, 0, middle, result.data());
  paint(overlay, middle, height, result.data());
  const double opacity = std::floor(alpha * 256.0 + 0.5) / 256.0;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const int64_t at = y * width + x;
      bool edge = false;
      for (int64_t v = std::max<int64_t>(y - thickness, 0); v <= std::min(y + thickness, height - 1); ++v) {
        for (int64_t u = std::max<int64_t>(x - thickness, 0); u <= std::min(x + thickness, width - 1); ++u) {
          edge = edge || labels[v * width + u] != labels[at];
        }
      }
      for (int c = 0; c < 3; ++c) {
        const double given = image[at * 3 + c], tint = labels[at] ? colours[(labels[at] - 1) * 3 + c] : given;
        expect(result[at * 3 + c] == (edge && labels[at] ? tint : std::floor(given + (tint - given) * opacity + 0.5)), "overlay");
      }
    }
  }
}

std::vector<uint8_t> dense(const std::vector<ColumnRun>& column_runs, int64_t height, int64_t width) {
  std::vector<uint8_t> mask(height * width);
  for (const ColumnRun& run : column_runs) {
    expect(run.top < run.bottom, "run of at least a pixel");
    for (int64_t y = run.top; y < run.bottom; ++y) mask.at(y * width + run.column) += 1;
  }
  return mask;
}

void following() {
  const int height = integer(1, 40), width = integer(1, 40);
  const auto some = [&](std::vector<int32_t>& box) {
    const int x = integer(0, width - 1), y = integer(0, height - 1), x2 = integer(x + 1, width), y2 = integer(y + 1, height);
    box = {x, y, x2, y2};
    std::vector<uint8_t> mask(height * width), crop;
    for (int v = y; v < y2; ++v) {
      for (int u = x; u < x2; ++u) crop.push_back(mask[v * width + u] = static_cast<uint8_t>(integer(0, 1)));
    }
    std::vector<int32_t> runs;
    find_runs(crop.data(), x2 - x, y2 - y, x2 - x, runs);
    std::vector<ColumnRun> column_runs;
    append_column_runs(runs.data(), static_cast<int64_t>(runs.size()), box.data(), column_runs);
    expect(dense(column_runs, height, width) == mask, "column_runs of a mask");
    return column_runs;
  };
  std::vector<int32_t> box, other_box;
  const std::vector<ColumnRun> column_runs = some(box), others = some(other_box);
  const std::vector<uint8_t> mask = dense(column_runs, height, width), other = dense(others, height, width);
  int64_t shared = 0;
  for (size_t i = 0; i < mask.size(); ++i) shared += mask[i] * other[i];
  const int64_t count = static_cast<int64_t>(column_runs.size());
  expect(count_shared(column_runs.data(), count, others.data(), static_cast<int64_t>(others.size())) == shared, "shared pixels");

  const int right = integer(-50, 50), down = integer(-50, 50);
  double new_box[4] = {0.0 + box[0] + right, 0.0 + box[1] + down, 0.0 + box[2] + right, 0.0 + box[3] + down};
  std::vector<ColumnRun> moved;
  append_moved(column_runs.data(), count, box.data(), new_box, height, width, moved);
  const std::vector<uint8_t> moved_mask = dense(moved, height, width);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int v = y - down, u = x - right;
      const bool before = v >= 0 && u >= 0 && v < height && u < width && mask[v * width + u];
      expect(moved_mask[y * width + x] == before, "moved pixel");
    }
  }
  for (double& edge : new_box) edge = integer(0, 1) ? coordinate() : real(-50.0f, 90.0f);  // anywhere, reversed too
  if (std::any_of(new_box, new_box + 4, [](double edge) { return std::isnan(edge); })) return;
  moved.clear();
  append_moved(column_runs.data(), count, box.data(), new_box, height, width, moved);
  for (const uint8_t pixels : dense(moved, height, width)) expect(pixels <= 1, "column_runs apart from each other");
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
  const BoxedRuns voted =
      vote({boxes.data(), masks.data(), index.data(), weights.data(), count, size, height, width, threshold, binarise, resample});
  const int64_t h = voted.y2 - voted.y1, w = voted.x2 - voted.x1;
  std::vector<uint8_t> mask(h * w);
  if (!voted.runs.empty()) {
    pictures(voted.runs, h, w);
    fill_runs(voted.runs.data(), static_cast<int64_t>(voted.runs.size()), h, w, mask.data());
  }
  if (resample > 0) return;  // test_mask_operators.py compares it
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
      const int64_t v = y - voted.y1, u = x - voted.x1;
      expect((v >= 0 && u >= 0 && v < h && u < w && mask[v * w + u]) == *expected, "voted pixel");
    }
  }
}

}  // namespace

int main(int, char** arguments) {
  const int rounds = std::atoi(arguments[1]);
  for (int i = 0; i < rounds; ++i) {
    assembling();
    reading_as_it_is();
    regressing();
    suppressing();
    voting();
    following();
  }
  std::printf("%d rounds\n", rounds);
}

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Every CPU kernel on random shapes and boxes; to be built with -fsanitize=address,undefined. Values are not checked here.
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>

#include "kernels.h"

using namespace fcis;

namespace {

std::mt19937 generator(1);
int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }
float real(float low, float high) { return std::uniform_real_distribution<float>(low, high)(generator); }

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
  return integer(0, 4) == 0 ? odd[integer(0, 12)] : real(-80.0f, 300.0f);
}

std::vector<float> values(int64_t count) {
  std::vector<float> result(count);
  for (float& value : result) value = real(-1.0f, 1.0f);
  return result;
}

void assembling() {
  const int bins = integer(1, 4), size = bins * integer(1, 3), stride = integer(1, 32), all_bins = bins * bins;
  const int64_t classes = integer(1, 40), images = integer(1, 2), height = integer(1, 12), width = integer(1, 12),
                count = integer(0, 8);
  const bool channels_last = integer(0, 1) == 1;
  std::vector<float> rois(count * 5);
  std::vector<int64_t> labels(count);
  for (int64_t r = 0; r < count; ++r) {
    rois[r * 5] = integer(0, 3) == 0 ? coordinate() : static_cast<float>(integer(-1, 2));
    for (int c = 1; c < 5; ++c) rois[r * 5 + c] = coordinate();
    labels[r] = integer(-2, static_cast<int>(classes) + 1);
  }
  const std::vector<float> score_maps = values(images * all_bins * 2 * classes * height * width),
                           box_maps = values(images * all_bins * 4 * height * width);
  const bool brain = integer(0, 1) == 1;
  const std::vector<BFloat16> score_brain(brain ? score_maps.size() : 0, {0x3f80}),
      box_brain(brain ? box_maps.size() : 0, {0x3f80});
  const void* score_data = brain ? static_cast<const void*>(score_brain.data()) : score_maps.data();
  const void* box_data = brain ? static_cast<const void*>(box_brain.data()) : box_maps.data();
  const Element element = brain ? Element::kBFloat16 : Element::kFloat32;
  const Maps scores{score_data, images, all_bins * 2 * classes, height, width, element, channels_last};
  const Maps boxes{box_data, images, all_bins * 4, height, width, element, channels_last};
  const RoiSpans found = find_spans({rois.data(), count, bins, size, stride}, scores);
  std::vector<float> buffer, result_buffer, sums(count * classes), pairs(count * 2 * size * size), deltas(count * 4);
  std::vector<float> score_grad(score_maps.size()), mask_grad(score_maps.size()), box_grad(box_maps.size());
  for (int bin = 0; bin < all_bins; ++bin) {
    add_class_logits(scores, found, classes, bin, buffer, sums.data());
    class_logits_gradient(sums.data(), scores, found, classes, bin, buffer, result_buffer, score_grad.data());
    mask_logits_gradient(pairs.data(), labels.data(), scores, found, classes, bin, mask_grad.data());
    box_deltas_gradient(deltas.data(), boxes, found, 4, bin, box_grad.data());
  }
  for (int64_t r = 0; r < count; ++r) {
    mask_logits_of_roi(scores, found, classes, r, labels[r], pairs.data() + r * 2 * size * size);
    add_box_deltas(boxes, found, 4, r, deltas.data() + r * 4);
  }
}

void regressing() {
  const int64_t count = integer(1, 4), rows = integer(0, 6), columns = integer(1, 6), rois = integer(0, 20),
                classes = integer(1, 5);
  const auto odd_values = [](int64_t size) {
    std::vector<float> result(size);
    for (float& value : result) value = coordinate();
    return result;
  };
  const std::vector<float> logits = odd_values(2 * count * rows * columns), deltas = odd_values(4 * count * rows * columns),
                           anchors = odd_values(count * 4);
  const int64_t cells = rows * columns;
  const Rpn rpn{{logits.data(), cells, columns, 1},
                {deltas.data(), 1, columns * 4 * count, 4 * count},
                anchors.data(),
                count,
                rows,
                columns,
                static_cast<float>(integer(1, 32)),
                static_cast<float>(integer(1, 99)),
                static_cast<float>(integer(1, 99)),
                coordinate()};
  std::vector<float> boxes(rpn.size() * 4), scores(rpn.size());
  decode_anchors(rpn, 0, rpn.size(), boxes.data(), scores.data());

  const std::vector<float> first = odd_values(rois * 5), moves = odd_values(rois * 4), probabilities = odd_values(rois * classes);
  std::vector<float> moved(rois * 5), placed(rois * 4), weights(rois);
  decode_rois(first.data(), moves.data(), rois, {{0.1f, 0.1f, 0.2f, 0.2f}}, 60.0f, 90.0f, moved.data());
  std::vector<int32_t> pixels(rois * 4), voters(rois);
  const std::unique_ptr<bool[]> finite(new bool[rois]);
  place_rois(moves.data(), probabilities.data(), rois, classes, coordinate(), coordinate(), 60.0f, 90.0f, placed.data(),
             pixels.data(), finite.get());
  for (int64_t i = 0; i < rois * 4; ++i) {
    if (pixels[i] < 0 || pixels[i] > (i % 2 ? 59 : 89)) std::abort();
  }
  const int64_t winner = integer(-1, static_cast<int>(rois) - 1), label = integer(-1, static_cast<int>(classes) - 1);
  float best;
  elect({placed.data(), probabilities.data(), &winner, &label, rois, classes, real(-0.5f, 1.5f)}, 0, voters.data(),
        weights.data(), &best);
}

void suppressing() {
  const int64_t count = integer(0, 40), classes = integer(1, 6);
  std::vector<float> boxes(count * 4), scores(count * classes);
  for (float& value : boxes) value = coordinate();
  for (float& value : scores) value = integer(0, 5) == 0 ? coordinate() : real(0.0f, 1.0f);
  nms(boxes.data(), scores.data(), count, real(0.0f, 1.0f), integer(0, 50));
  class_nms(boxes.data(), scores.data(), count, classes, real(0.0f, 1.0f), real(0.0f, 0.5f), integer(0, 50));
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
  const Placed placed = vote({boxes.data(), masks.data(), index.data(), weights.data(), count, size, real(-0.2f, 0.5f),
                              integer(0, 1) == 1, integer(0, 2) * integer(0, 21)});
  if (placed.runs.empty()) return;
  const int64_t h = placed.y2 - placed.y1, w = placed.x2 - placed.x1;
  std::vector<uint8_t> mask(h * w);
  fill_runs(placed.runs.data(), static_cast<int64_t>(placed.runs.size()), h, w, mask.data());
  std::vector<int32_t> again;
  find_runs(mask.data(), w, h, w, again);
  if (again != placed.runs) std::abort();
  std::vector<uint16_t> labels(h * w);
  for (int64_t i = 0; i < h * w; ++i) labels[i] = mask[i];
  const std::vector<uint8_t> image(h * w * 3), colours(3);
  std::vector<uint8_t> result(h * w * 3);
  paint(image.data(), labels.data(), colours.data(), real(0.0f, 1.0f), h, w, 0, h, result.data());
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

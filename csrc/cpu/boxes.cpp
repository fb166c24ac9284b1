// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Decoding of anchors and ROIs, their boxes in the original image, and the weights of votes.
#include <cmath>

#include "kernels.h"

namespace fcis {

void decode_anchors(const Rpn& rpn, int64_t begin, int64_t end, float* boxes, float* scores) {
  for (int64_t i = begin; i < end; ++i) {
    Box<float> box;
    scores[i] = decode_anchor(rpn, i, box);
    store_box(box, boxes, i);
  }
}

void decode_rois(const float* rois, const float* deltas, int64_t count, const Stds& stds, float height, float width,
                 float* moved) {
  for (int64_t r = 0; r < count; ++r) decode_roi(rois + r * 5, deltas + r * 4, stds, height, width, moved + r * 5);
}

void rois_to_image(const float* rois, const float* scores, int64_t count, int64_t classes, float scale, float min_size,
                   float height, float width, float* boxes, int32_t* pixels, bool* finite) {
  for (int64_t r = 0; r < count; ++r) {
    const Box<float> roi = load_box(rois, r);
    bool all = is_finite(roi);
    for (int64_t c = 0; c < classes; ++c) all = all && std::isfinite(scores[r * classes + c]);
    finite[r] = all;
    const Box<float> mapped = roi_to_image(roi, all, scale, min_size, height, width);
    store_box(mapped, boxes, r);
    store_pixels(mapped, pixels, r);
  }
}

void vote_weights(const VoteInputs& e, int64_t winner, int32_t* voters, float* weights, float* best) {
  const int64_t roi = e.winners[winner], label = e.labels[winner];
  const bool exists = roi >= 0 && label >= 0;
  *best = exists ? e.scores[roi * e.classes + label] : 0.0f;
  const Box<double> kept = exists ? load_box<double>(e.boxes, roi) : Box<double>{};
  const double area = find_area(kept);
  double sums[kVoteLanes] = {};
  for (int64_t r = 0; r < e.count; ++r) {
    const Box<double> other = load_box<double>(e.boxes, r);
    const bool votes = exists && find_iou(kept, area, other, find_area(other)) >= e.threshold;
    voters[r] = votes ? static_cast<int32_t>(r) : -1;
    if (votes) sums[r % kVoteLanes] += e.scores[r * e.classes + label];
  }
  for (int half = kVoteLanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  for (int64_t r = 0; r < e.count; ++r) {
    weights[r] = voters[r] < 0 ? 0.0f : static_cast<float>(e.scores[r * e.classes + label] / sums[0]);
  }
}

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Greedy non-maximum suppression in float32, of one list and of all classes from one overlap matrix. Ties are decided by the
// index in the input, boxes that are not finite or have no score are never kept.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels.h"

namespace fcis {
namespace {

// Corners and areas, one array each.
struct Boxes {
  std::vector<float> x1, y1, x2, y2, area;
  Boxes(const float* boxes, const std::vector<int64_t>& order) {
    for (auto* array : {&x1, &y1, &x2, &y2, &area}) array->resize(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      const Box<float> box = load_box(boxes, order[i]);
      x1[i] = box.x1, y1[i] = box.y1, x2[i] = box.x2, y2[i] = box.y2;
      area[i] = find_area(box);
    }
  }
};

// overlaps[j] = 1 where box j has an IoU above the threshold with box i, for j in first..count-1.
FCIS_CLONES void find_overlaps(const float* x1, const float* y1, const float* x2, const float* y2, const float* area, int64_t i,
                               int64_t first, int64_t count, float threshold, uint8_t* overlaps) {
  const Box<float> kept{x1[i], y1[i], x2[i], y2[i]};
  const float kept_area = area[i];
  for (int64_t j = first; j < count; ++j) {
    overlaps[j] |= !(find_iou(kept, kept_area, {x1[j], y1[j], x2[j], y2[j]}, area[j]) <= threshold);
  }
}

}  // namespace

std::vector<int64_t> nms(const float* boxes, const float* scores, int64_t count, float threshold, int64_t limit) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < count; ++i) {
    if (std::isfinite(scores[i]) && is_finite(load_box(boxes, i))) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [scores](int64_t i, int64_t j) { return scores[i] > scores[j]; });
  const Boxes b(boxes, order);
  const int64_t able = static_cast<int64_t>(order.size());
  std::vector<uint8_t> suppressed(able, 0);
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < able && static_cast<int64_t>(kept.size()) < limit; ++i) {
    if (suppressed[i]) continue;
    kept.push_back(order[i]);
    find_overlaps(b.x1.data(), b.y1.data(), b.x2.data(), b.y2.data(), b.area.data(), i, i + 1, able, threshold,
                  suppressed.data());
  }
  return kept;
}

std::vector<Winner> class_nms(const float* boxes, const float* scores, int64_t count, int64_t classes, float threshold,
                              float floor, int64_t limit) {
  std::vector<int64_t> able;
  for (int64_t i = 0; i < count; ++i) {
    if (is_finite(load_box(boxes, i))) able.push_back(i);
  }
  const Boxes b(boxes, able);
  const int64_t n = static_cast<int64_t>(able.size());
  struct Candidate {
    float score;
    int64_t index;
  };
  std::vector<uint8_t> overlaps(n * n, 0), computed(n, 0), suppressed;
  std::vector<Candidate> candidates;
  std::vector<Winner> winners;
  for (int64_t label = 1; label < classes && limit > 0; ++label) {
    // Once there are `limit` winners, only scores above the last one's can take part: NMS is greedy from the top.
    const bool full = static_cast<int64_t>(winners.size()) == limit;
    candidates.clear();
    for (int64_t i = 0; i < n; ++i) {
      const float score = scores[able[i] * classes + label];
      if (score >= floor && std::isfinite(score) && !(full && score <= winners.back().score)) candidates.push_back({score, i});
    }
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      return a.score > b.score || (a.score == b.score && a.index < b.index);
    });
    suppressed.assign(n, 0);
    int64_t kept = 0;
    for (const auto& [score, i] : candidates) {
      if (suppressed[i]) continue;
      if (kept++ == limit) break;
      winners.push_back({score, label, able[i]});
      uint8_t* row = overlaps.data() + i * n;
      if (!computed[i]) {  // one row of the matrix serves every class that keeps this box
        find_overlaps(b.x1.data(), b.y1.data(), b.x2.data(), b.y2.data(), b.area.data(), i, 0, n, threshold, row);
        computed[i] = 1;
      }
      for (int64_t j = 0; j < n; ++j) suppressed[j] |= row[j];
    }
    std::stable_sort(winners.begin(), winners.end(), [](const Winner& a, const Winner& b) { return a.score > b.score; });
    if (static_cast<int64_t>(winners.size()) > limit) winners.resize(limit);
  }
  return winners;
}

}  // namespace fcis

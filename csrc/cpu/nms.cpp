// Greedy non-maximum suppression in float32; equal scores keep their input order, NaN scores come last.
#include <torch/library.h>

#include <algorithm>
#include <numeric>

#include "common.h"

namespace fcis {
namespace {

// The corners and areas of all boxes, best first, one array each.
struct Sorted {
  std::vector<float> x1, y1, x2, y2, area;
  std::vector<int> alive;
};

FCIS_CLONES void suppress(const float* x1, const float* y1, const float* x2, const float* y2, const float* area, int* alive,
                          int64_t i, int64_t count, float threshold) {
  const float left = x1[i], top = y1[i], right = x2[i], bottom = y2[i], own = area[i];
  for (int64_t j = i + 1; j < count; ++j) {
    const float width = (right < x2[j] ? right : x2[j]) - (left > x1[j] ? left : x1[j]) + 1.0f;
    const float height = (bottom < y2[j] ? bottom : y2[j]) - (top > y1[j] ? top : y1[j]) + 1.0f;
    const float common = (width > 0.0f ? width : 0.0f) * (height > 0.0f ? height : 0.0f);
    alive[j] &= common / (own + area[j] - common) <= threshold;
  }
}

at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, double threshold, int64_t limit) {
  TORCH_CHECK_VALUE(boxes.dim() == 2 && boxes.size(1) == 4, "boxes: expected [R, 4], got ", boxes.sizes());
  TORCH_CHECK_VALUE(scores.dim() == 1 && scores.size(0) == boxes.size(0), "scores: expected [", boxes.size(0), "], got ",
                    scores.sizes());
  TORCH_CHECK_VALUE(scores.device() == boxes.device(), "scores: on ", scores.device(), ", but boxes on ", boxes.device());
  const int64_t count = boxes.size(0);
  const at::Tensor box = boxes.to(at::kFloat).contiguous(), score = scores.to(at::kDouble).contiguous();
  const float* b = box.const_data_ptr<float>();
  const double* s = score.const_data_ptr<double>();
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [s](int64_t i, int64_t j) { return s[i] > s[j] || (s[i] == s[i] && s[j] != s[j]); });
  Sorted a;
  for (auto* array : {&a.x1, &a.y1, &a.x2, &a.y2, &a.area}) array->resize(count);
  a.alive.assign(count, 1);
  for (int64_t i = 0; i < count; ++i) {
    const float* p = b + order[i] * 4;
    a.x1[i] = p[0], a.y1[i] = p[1], a.x2[i] = p[2], a.y2[i] = p[3];
    a.area[i] = (p[2] - p[0] + 1.0f) * (p[3] - p[1] + 1.0f);
  }
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < count && static_cast<int64_t>(kept.size()) < limit; ++i) {
    if (!a.alive[i]) continue;
    kept.push_back(order[i]);
    suppress(a.x1.data(), a.y1.data(), a.x2.data(), a.y2.data(), a.area.data(), a.alive.data(), i, count,
             static_cast<float>(threshold));
  }
  return at::tensor(kept, at::kLong);
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) { m.impl("nms", nms); }

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Position-sensitive average of the box maps. The mean over squares is linear and membership separable: within a bin feature
// cell (y, x) counts wy(y) * wx(x), w being the sum of 1/n over the spans that contain it. No grid is formed.
#include <algorithm>

#include "kernels.h"

namespace fcis {
namespace {

// Weights of the feature cells along an axis within one bin; returns which cells they are for.
Span weigh(const Span* spans, int count, std::vector<float>& weights) {
  Span all{1 << 30, 0};
  for (int p = 0; p < count; ++p) {
    if (spans[p].count() > 0) all = {std::min(all.begin, spans[p].begin), std::max(all.end, spans[p].end)};
  }
  if (all.count() <= 0) return {0, 0};
  weights.assign(all.count(), 0.0f);
  for (int p = 0; p < count; ++p) {
    for (int i = spans[p].begin; i < spans[p].end; ++i) weights[i - all.begin] += 1.0f / static_cast<float>(spans[p].count());
  }
  return all;
}

template <class T>
void add(const T* data, const Maps& maps, const RoiSpans& rois, int64_t outputs, int64_t roi, float* deltas) {
  std::vector<float> wy, wx;
  const int64_t channel = maps.channel_step(), pixel = maps.pixel_step();
  for (int bin = 0; bin < rois.bins * rois.bins; ++bin) {
    const Span rows = weigh(rois.row(roi, bin), rois.per_bin, wy), columns = weigh(rois.column(roi, bin), rois.per_bin, wx);
    const T* first = data + rois.image[roi] * maps.channels * maps.pixels() + bin * outputs * channel;
    for (int y = rows.begin; y < rows.end; ++y) {
      for (int x = columns.begin; x < columns.end; ++x) {
        const float weight = wy[y - rows.begin] * wx[x - columns.begin];
        const T* at = first + (y * maps.width + x) * pixel;
        for (int64_t d = 0; d < outputs; ++d) deltas[d] += weight * to_float(at[d * channel]);
      }
    }
  }
}

}  // namespace

void add_box_deltas(const Maps& maps, const RoiSpans& rois, int64_t outputs, int64_t roi, float* deltas) {
  if (rois.image[roi] < 0) return;
  with_element(maps, [&](auto* data) { add(data, maps, rois, outputs, roi, deltas); });
}

void box_deltas_gradient(const float* grad, const Maps& shape, const RoiSpans& rois, int64_t outputs, int bin, float* result) {
  std::vector<float> wy, wx;
  const int64_t channel = shape.channel_step(), pixel = shape.pixel_step();
  for (int64_t r = 0; r < rois.count; ++r) {
    if (rois.image[r] < 0) continue;
    const Span rows = weigh(rois.row(r, bin), rois.per_bin, wy), columns = weigh(rois.column(r, bin), rois.per_bin, wx);
    float* first = result + rois.image[r] * shape.channels * shape.pixels() + bin * outputs * channel;
    for (int y = rows.begin; y < rows.end; ++y) {
      for (int x = columns.begin; x < columns.end; ++x) {
        const float weight = wy[y - rows.begin] * wx[x - columns.begin];
        float* at = first + (y * shape.width + x) * pixel;
        for (int64_t d = 0; d < outputs; ++d) at[d * channel] += weight * grad[r * outputs + d];
      }
    }
  }
}

}  // namespace fcis

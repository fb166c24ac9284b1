// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Position-sensitive average of the box maps. The mean over bins is linear and bin membership separable: within a cell of the
// partition feature cell (y, x) counts wy(y) * wx(x), w being the sum of 1/n over the bins that contain it. No grid is formed.
#include <algorithm>

#include "kernels.h"

namespace fcis {
namespace {

// Weights of the feature cells along an axis within one cell of the partition; returns which cells they are for.
Range weigh(const Range* bins, int count, std::vector<float>& weights) {
  Range all{1 << 30, 0};
  for (int p = 0; p < count; ++p) {
    if (bins[p].count() > 0) all = {std::min(all.begin, bins[p].begin), std::max(all.end, bins[p].end)};
  }
  if (all.count() <= 0) return {0, 0};
  weights.assign(all.count(), 0.0f);
  for (int p = 0; p < count; ++p) {
    for (int i = bins[p].begin; i < bins[p].end; ++i) weights[i - all.begin] += 1.0f / static_cast<float>(bins[p].count());
  }
  return all;
}

template <class T>
void add(const T* data, const Maps& maps, const Rois& rois, int64_t outputs, int64_t roi, float* deltas) {
  std::vector<float> wy, wx;
  const int64_t channel = maps.channel_step(), pixel = maps.pixel_step();
  for (int cell = 0; cell < rois.bins * rois.bins; ++cell) {
    const Range rows = weigh(rois.row(roi, cell), rois.per_cell, wy), columns = weigh(rois.column(roi, cell), rois.per_cell, wx);
    const T* first = data + rois.image[roi] * maps.channels * maps.pixels() + cell * outputs * channel;
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

void add_box_deltas(const Maps& maps, const Rois& rois, int64_t outputs, int64_t roi, float* deltas) {
  if (rois.image[roi] < 0) return;
  with_element(maps, [&](auto* data) { add(data, maps, rois, outputs, roi, deltas); });
}

void box_deltas_gradient(const float* grad, const Maps& shape, const Rois& rois, int64_t outputs, int cell, float* result) {
  std::vector<float> wy, wx;
  const int64_t channel = shape.channel_step(), pixel = shape.pixel_step();
  for (int64_t r = 0; r < rois.count; ++r) {
    if (rois.image[r] < 0) continue;
    const Range rows = weigh(rois.row(r, cell), rois.per_cell, wy), columns = weigh(rois.column(r, cell), rois.per_cell, wx);
    float* first = result + rois.image[r] * shape.channels * shape.pixels() + cell * outputs * channel;
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

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The assembled outside/inside pair of one class per ROI.
#include "kernels.h"

namespace fcis {
namespace {

template <class T>
void assemble(const T* data, const Maps& maps, const RoiSpans& rois, int64_t padded, int64_t roi, int64_t label, float* pair) {
  const T* image = data + rois.image[roi] * maps.channels * maps.pixels();
  const int64_t step = maps.pixel_step();
  for (int p = 0; p < rois.size; ++p) {
    for (int q = 0; q < rois.size; ++q) {
      const Span row = rois.rows[roi * rois.size + p], column = rois.columns[roi * rois.size + q];
      if (row.count() <= 0 || column.count() <= 0) continue;
      const int64_t bin = p / rois.per_bin * rois.bins + q / rois.per_bin;
      const T *const outside = image + (bin * padded + label) * 2 * maps.channel_step(), *const inside =
                                                                                             outside + maps.channel_step();
      float outside_sum = 0.0f, inside_sum = 0.0f;
      for (int y = row.begin; y < row.end; ++y) {
        for (int x = column.begin; x < column.end; ++x) {
          outside_sum += to_float(outside[(y * maps.width + x) * step]);
          inside_sum += to_float(inside[(y * maps.width + x) * step]);
        }
      }
      const float area = static_cast<float>(row.count() * column.count());
      pair[p * rois.size + q] = outside_sum / area;
      pair[(rois.size + p) * rois.size + q] = inside_sum / area;
    }
  }
}

}  // namespace

void mask_logits_of_roi(const Maps& maps, const RoiSpans& rois, int64_t padded, int64_t roi, int64_t label, float* pair) {
  if (rois.image[roi] < 0 || label < 0 || label >= padded) return;
  with_element(maps, [&](auto* data) { assemble(data, maps, rois, padded, roi, label, pair); });
}

void mask_logits_gradient(const float* grad, const int64_t* labels, const Maps& shape, const RoiSpans& rois, int64_t padded,
                          int bin, float* result) {
  const int64_t step = shape.pixel_step(), squares = rois.size * rois.size;
  const int top = bin / rois.bins * rois.per_bin, left = bin % rois.bins * rois.per_bin;
  for (int64_t r = 0; r < rois.count; ++r) {
    if (rois.image[r] < 0 || labels[r] < 0 || labels[r] >= padded) continue;
    const Span *rows = rois.row(r, bin), *columns = rois.column(r, bin);
    for (int side = 0; side < 2; ++side) {
      float* plane = result + rois.image[r] * shape.channels * shape.pixels() +
                     ((bin * padded + labels[r]) * 2 + side) * shape.channel_step();
      const float* wanted = grad + (r * 2 + side) * squares;
      for (int p = 0; p < rois.per_bin; ++p) {
        for (int q = 0; q < rois.per_bin; ++q) {
          if (rows[p].count() <= 0 || columns[q].count() <= 0) continue;
          const float share = wanted[(top + p) * rois.size + left + q] / static_cast<float>(rows[p].count() * columns[q].count());
          for (int y = rows[p].begin; y < rows[p].end; ++y) {
            for (int x = columns[q].begin; x < columns[q].end; ++x) plane[(y * shape.width + x) * step] += share;
          }
        }
      }
    }
  }
}

}  // namespace fcis

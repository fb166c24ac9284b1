// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The spans of the grids of all ROIs.
#include <cmath>

#include "kernels.h"

namespace fcis {

RoiSpans find_spans(const Rois& given, const Maps& maps) {
  const int size = given.size;
  RoiSpans rois{given.count, given.bins, size, size / given.bins, {}, {}, {}, {}};
  rois.image.resize(given.count);
  rois.rows.resize(given.count * size);
  rois.columns.resize(given.count * size);
  rois.of_image.resize(maps.images);
  for (int64_t r = 0; r < given.count; ++r) {
    const float* box = given.data + r * 5;
    const Axis y = make_axis(box[2], box[4], size, static_cast<int>(maps.height), given.scale());
    const Axis x = make_axis(box[1], box[3], size, static_cast<int>(maps.width), given.scale());
    const bool known = box[0] >= 0.0f && box[0] < static_cast<float>(maps.images) && box[0] == std::floor(box[0]);
    rois.image[r] = known && y.length > 0 && x.length > 0 ? static_cast<int>(box[0]) : -1;
    if (rois.image[r] >= 0) rois.of_image[rois.image[r]].push_back(static_cast<int>(r));
    for (int p = 0; p < size; ++p) {
      rois.rows[r * size + p] = find_span(y, p);
      rois.columns[r * size + p] = find_span(x, p);
    }
  }
  return rois;
}

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The part of the maps that an ROI covers where they are read as they are (`assemble: native`), once for host and device: whole
// feature cells, divided evenly into k x k bins. No grid and no interpolation; arithmetic is exact, in integers, but for the
// roundings that define it.
#pragma once

#include <cstdint>

#include "geometry.h"

namespace fcis {

// Rounded half away from zero, then to the feature cell that a pixel lies in, in double: 0 before the map,
// `length` behind it.
FCIS_HD int to_patent_cell(double cell, int length) {
  return cell > 0.0 ? (cell < static_cast<double>(length) ? static_cast<int>(cell) : length) : 0;
}

// Feature cells that an ROI touches along one axis; low, high: its first and last pixel. Empty outside the map and where it is
// reversed.
FCIS_HD Span find_cover(float low, float high, int length, int stride) {
  const double first = round(static_cast<double>(low)), last = round(static_cast<double>(high));
  const int begin = to_patent_cell(floor(first / stride), length), end = to_patent_cell(ceil((last + 1.0) / stride), length);
  return {begin, end > begin && last >= first ? end : begin};
}

// Where bin i of k begins; i = k: where the last one ends. Cell u of n belongs to the bin that its centre lies in: bins differ by
// one cell at most, and a mirrored ROI has mirrored bins.
FCIS_HD int find_bin_edge(Span cover, int bins, int i) {
  return cover.begin + static_cast<int>((2 * static_cast<int64_t>(cover.count()) * i + bins - 1) / (2 * bins));
}
FCIS_HD int find_bin(Span cover, int bins, int cell) {
  return static_cast<int>((2 * static_cast<int64_t>(cell - cover.begin) + 1) * bins / (2 * static_cast<int64_t>(cover.count())));
}

// The feature cell of point p of `size` along the ROI; its cover is not empty.
FCIS_HD int find_point(float low, float high, Span cover, int size, int p, int stride) {
  const double first = round(static_cast<double>(low)), side = round(static_cast<double>(high)) + 1.0 - first;
#ifdef __CUDA_ARCH__
  const double at = __dadd_rn(first, __dmul_rn((static_cast<double>(p) + 0.5) / size, side));
#else
  const double at = first + (static_cast<double>(p) + 0.5) / size * side;
#endif
  const double cell = floor(at / stride);
  return cell <= cover.begin ? cover.begin : cell >= cover.end - 1 ? cover.end - 1 : static_cast<int>(cell);
}

// The image of an ROI and the cells that it covers; image -1: none (no such image, or a box that is not finite or covers
// nothing).
struct Cover {
  int image;
  Span rows, columns;
  FCIS_HD int64_t cells() const { return static_cast<int64_t>(rows.count()) * columns.count(); }
};
FCIS_HD Cover find_cover(const float* roi, int images, int height, int width, int stride) {
  bool known = roi[0] >= 0.0f && roi[0] < static_cast<float>(images) && roi[0] == floorf(roi[0]);
  for (int c = 1; c < 5; ++c) known = known && fabsf(roi[c]) < INFINITY;
  if (!known) return {-1, {0, 0}, {0, 0}};
  const Span rows = find_cover(roi[2], roi[4], height, stride), columns = find_cover(roi[1], roi[3], width, stride);
  return {rows.count() > 0 && columns.count() > 0 ? static_cast<int>(roi[0]) : -1, rows, columns};
}

}  // namespace fcis

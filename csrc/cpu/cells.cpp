// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The bins of all ROIs, and the channels of one cell of the k x k partition as [pixel][channel].
#include <algorithm>

#include "kernels.h"

namespace fcis {

Rois find_bins(const float* box, int64_t count, int bins, int size, int stride, const Maps& maps) {
  const float scale = static_cast<float>(1.0 / stride);
  Rois rois{count, bins, size, size / bins, {}, {}, {}, {}};
  rois.image.resize(count);
  rois.rows.resize(count * size);
  rois.columns.resize(count * size);
  rois.of_image.resize(maps.images);
  for (int64_t r = 0; r < count; ++r, box += 5) {
    const Axis y = make_axis(box[2], box[4], size, static_cast<int>(maps.height), scale);
    const Axis x = make_axis(box[1], box[3], size, static_cast<int>(maps.width), scale);
    const bool known = box[0] >= 0.0f && box[0] < static_cast<float>(maps.images) && box[0] == std::floor(box[0]);
    rois.image[r] = known && y.length > 0 && x.length > 0 ? static_cast<int>(box[0]) : -1;
    if (rois.image[r] >= 0) rois.of_image[rois.image[r]].push_back(static_cast<int>(r));
    for (int p = 0; p < size; ++p) {
      rois.rows[r * size + p] = bin_range(y, p);
      rois.columns[r * size + p] = bin_range(x, p);
    }
  }
  return rois;
}

namespace {

constexpr int64_t kBlock = 32;  // pixels transposed at a time: their lines stay in the first-level cache

// The channels of one cell, `first` being the first of them, as [pixel][channel] of floats.
template <class T>
FCIS_INLINE void copy_cell(const T* first, const Maps& maps, int64_t groups, float* to) {
  const int64_t pixels = maps.pixels(), channels = maps.channels;
  if (maps.channels_last) {
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t g = 0; g < groups; ++g) to[p * groups + g] = to_float(first[p * channels + g]);
    }
    return;
  }
  for (int64_t low = 0; low < pixels; low += kBlock) {
    const int64_t high = std::min(low + kBlock, pixels);
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t p = low; p < high; ++p) to[p * groups + g] = to_float(first[g * pixels + p]);
    }
  }
}

FCIS_CLONES void copy_floats(const float* first, const Maps& maps, int64_t groups, float* to) { copy_cell(first, maps, groups, to); }
FCIS_CLONES void copy_bfloats(const BFloat16* first, const Maps& maps, int64_t groups, float* to) { copy_cell(first, maps, groups, to); }
void copy(const float* first, const Maps& maps, int64_t groups, float* to) { copy_floats(first, maps, groups, to); }
void copy(const BFloat16* first, const Maps& maps, int64_t groups, float* to) { copy_bfloats(first, maps, groups, to); }

}  // namespace

Cell read_cell(const Maps& maps, int64_t image, int cell, int64_t groups, std::vector<float>& buffer) {
  const int64_t offset = image * maps.channels * maps.pixels() + cell * groups * maps.channel_step();
  const int width = static_cast<int>(maps.width);
  if (maps.channels_last && !maps.is_bfloat16) {  // read_cell's users only read
    return {const_cast<float*>(static_cast<const float*>(maps.data)) + offset, maps.channels, width};
  }
  buffer.resize(maps.pixels() * groups);
  with_element(maps, [&](auto* data) { copy(data + offset, maps, groups, buffer.data()); });
  return {buffer.data(), groups, width};
}

Cell open_cell(const Maps& shape, float* result, int64_t image, int cell, int64_t groups, std::vector<float>& buffer) {
  const int width = static_cast<int>(shape.width);
  if (shape.channels_last) return {result + image * shape.channels * shape.pixels() + cell * groups, shape.channels, width};
  buffer.assign(shape.pixels() * groups, 0.0f);
  return {buffer.data(), groups, width};
}

void close_cell(const Maps& shape, float* result, int64_t image, int cell, int64_t groups, const Cell& opened) {
  if (shape.channels_last) return;
  const int64_t pixels = shape.pixels();
  float* first = result + (image * shape.channels + cell * groups) * pixels;
  for (int64_t low = 0; low < pixels; low += kBlock) {
    const int64_t high = std::min(low + kBlock, pixels);
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t p = low; p < high; ++p) first[g * pixels + p] = opened.data[p * groups + g];
    }
  }
}

}  // namespace fcis

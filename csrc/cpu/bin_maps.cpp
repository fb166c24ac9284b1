// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The channels of one bin of the k x k partition as [pixel][channel].
#include <algorithm>

#include "kernels.h"

namespace fcis {

namespace {

constexpr int64_t kBlock = 32;  // pixels transposed at a time: their lines stay in the first-level cache

// The channels of one bin, `first` being the first of them, as [pixel][channel] of floats.
template <class T>
FCIS_INLINE void copy_bin(const T* first, const Maps& maps, int64_t groups, float* to) {
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

FCIS_CLONES void copy_floats(const float* first, const Maps& maps, int64_t groups, float* to) {
  copy_bin(first, maps, groups, to);
}
FCIS_CLONES void copy_bfloats(const BFloat16* first, const Maps& maps, int64_t groups, float* to) {
  copy_bin(first, maps, groups, to);
}
void copy(const float* first, const Maps& maps, int64_t groups, float* to) { copy_floats(first, maps, groups, to); }
void copy(const BFloat16* first, const Maps& maps, int64_t groups, float* to) { copy_bfloats(first, maps, groups, to); }

}  // namespace

BinMaps read_bin(const Maps& maps, int64_t image, int bin, int64_t groups, std::vector<float>& buffer) {
  const int64_t offset = image * maps.channels * maps.pixels() + bin * groups * maps.channel_step();
  const int width = static_cast<int>(maps.width);
  if (maps.channels_last && maps.element == Element::kFloat32) {  // read_bin's users only read
    return {const_cast<float*>(static_cast<const float*>(maps.data)) + offset, maps.channels, width};
  }
  buffer.resize(maps.pixels() * groups);
  with_element(maps, [&](auto* data) { copy(data + offset, maps, groups, buffer.data()); });
  return {buffer.data(), groups, width};
}

BinMaps open_bin(const Maps& shape, float* result, int64_t image, int bin, int64_t groups, std::vector<float>& buffer) {
  const int width = static_cast<int>(shape.width);
  if (shape.channels_last) return {result + image * shape.channels * shape.pixels() + bin * groups, shape.channels, width};
  buffer.assign(shape.pixels() * groups, 0.0f);
  return {buffer.data(), groups, width};
}

void close_bin(const Maps& shape, float* result, int64_t image, int bin, int64_t groups, const BinMaps& opened) {
  if (shape.channels_last) return;
  const int64_t pixels = shape.pixels();
  float* first = result + (image * shape.channels + bin * groups) * pixels;
  for (int64_t low = 0; low < pixels; low += kBlock) {
    const int64_t high = std::min(low + kBlock, pixels);
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t p = low; p < high; ++p) first[g * pixels + p] = opened.data[p * groups + g];
    }
  }
}

}  // namespace fcis

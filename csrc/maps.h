// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Maps and ROIs as the kernels take them, on every device.
#pragma once

#include <cstdint>

namespace fcis {

enum class Element : int32_t { kFloat32, kFloat16, kBFloat16 };

// Score or box maps: [images, channels, height, width] in one of two memory layouts. Channels-last is the fast one.
struct Maps {
  const void* data;  // aligned to its elements; not read by backward functions that are linear in the maps
  int64_t images, channels, height, width;
  Element element;
  bool channels_last;
  int64_t pixels() const { return height * width; }
  int64_t channel_step() const { return channels_last ? 1 : pixels(); }
  int64_t pixel_step() const { return channels_last ? channels : 1; }
};

// [count, 5]: image, then first and last pixel; see fcis_ros/ops/reference/. With them how they are read: k x k bins, a grid of
// size x size squares, image pixels per feature cell.
struct Rois {
  const float* data;
  int64_t count;
  int32_t bins, size, stride;
  float scale() const { return static_cast<float>(1.0 / stride); }
};

// Channels of score maps are pairs of outside and inside, ((i*k + j)*padded + class)*2 + side, for so many classes; values
// behind the real ones change nothing. See fcis_ros/ops/layout.py.
constexpr int64_t kClassAlignment = 4;
inline int64_t pad_classes(int64_t classes) { return (classes + kClassAlignment - 1) / kClassAlignment * kClassAlignment; }
inline int64_t padded_of(const Maps& maps, const Rois& rois) { return maps.channels / (2 * rois.bins * rois.bins); }
inline int64_t outputs_of(const Maps& maps, const Rois& rois) { return maps.channels / (rois.bins * rois.bins); }

}  // namespace fcis

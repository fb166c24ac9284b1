// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Checked tensors as what the kernels take, on every device alike. The tensors must outlive the view and be contiguous, but for
// logits, deltas and maps.
#pragma once

#include <ATen/core/Tensor.h>

#include "boxes.h"
#include "checks.h"
#include "maps.h"
#include "pixels.h"

namespace fcis {

// float32, float16 or bfloat16, which has been checked.
inline Element element_of(at::ScalarType type) {
  return type == at::kFloat ? Element::kFloat32 : type == at::kHalf ? Element::kFloat16 : Element::kBFloat16;
}

inline Maps view_maps(const at::Tensor& maps) {
  return {maps.const_data_ptr(),
          maps.size(0),
          maps.size(1),
          maps.size(2),
          maps.size(3),
          element_of(maps.scalar_type()),
          maps.is_contiguous(at::MemoryFormat::ChannelsLast)};
}

inline Rois view_rois(const at::Tensor& rois, int64_t bins, int64_t size, int64_t stride) {
  return {rois.const_data_ptr<float>(), rois.size(0), static_cast<int32_t>(bins), static_cast<int32_t>(size),
          static_cast<int32_t>(stride)};
}

inline Strided view_strided(const at::Tensor& maps) {
  return {maps.const_data_ptr<float>(), maps.stride(0), maps.stride(1), maps.stride(2)};
}

inline Rpn view_rpn(const at::Tensor& logits, const at::Tensor& deltas, const at::Tensor& anchors, int64_t stride, int64_t height,
                    int64_t width, double min_size) {
  return {view_strided(logits),
          view_strided(deltas),
          anchors.const_data_ptr<float>(),
          anchors.size(0),
          logits.size(1),
          logits.size(2),
          static_cast<float>(stride),
          static_cast<float>(height),
          static_cast<float>(width),
          static_cast<float>(min_size)};
}

inline Stds view_stds(at::ArrayRef<double> stds) {
  return {{static_cast<float>(stds[0]), static_cast<float>(stds[1]), static_cast<float>(stds[2]), static_cast<float>(stds[3])}};
}

inline Election view_election(const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& winners,
                              const at::Tensor& labels, double threshold) {
  return {boxes.const_data_ptr<float>(),
          scores.const_data_ptr<float>(),
          winners.const_data_ptr<int64_t>(),
          labels.const_data_ptr<int64_t>(),
          boxes.size(0),
          scores.size(1),
          threshold};
}

// The result's sides and whatever else the kernels need; `data` is checked already.
inline InputOf view_picture(const at::Tensor& data, int64_t layout, int64_t height, int64_t width, int64_t step, double scale,
                            at::ArrayRef<double> mean, at::ArrayRef<double> std) {
  const auto single = [](double value) { return static_cast<float>(value); };
  const int64_t rows = resized_side(height, scale), columns = resized_side(width, scale);
  const bool copied = rows == height && columns == width;  // by OpenCV, whatever the scale
  return {{data.const_data_ptr<uint8_t>(), static_cast<Layout>(layout), static_cast<int>(height), static_cast<int>(width), step},
          static_cast<int>(rows),
          static_cast<int>(columns),
          copied ? 1.0 : 1.0 / scale,
          {single(mean[0]), single(mean[1]), single(mean[2])},
          {single(std[0]), single(std[1]), single(std[2])}};
}

}  // namespace fcis

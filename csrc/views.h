// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Checked tensors as the arguments of the kernels, on every device. The tensors must outlive the view and be contiguous, but for
// logits, deltas and maps.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <type_traits>

#include "boxes.h"
#include "checks.h"
#include "maps.h"
#include "pixels.h"

namespace fcis {

// The elements of a tensor, which are of type T; const T to read them.
template <class T>
T* ptr(const at::Tensor& tensor) {
  if constexpr (std::is_const_v<T>)
    return tensor.const_data_ptr<std::remove_const_t<T>>();
  else
    return tensor.mutable_data_ptr<T>();
}

// A contiguous tensor on the device of `like`, for a result.
inline at::Tensor take(at::IntArrayRef shape, at::ScalarType type, const at::Tensor& like) {
  return at::empty(shape, like.options().dtype(type).memory_format(at::MemoryFormat::Contiguous));
}

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
  return {ptr<const float>(rois), rois.size(0), static_cast<int32_t>(bins), static_cast<int32_t>(size),
          static_cast<int32_t>(stride)};
}

inline Strided view_strided(const at::Tensor& maps) {
  return {ptr<const float>(maps), maps.stride(0), maps.stride(1), maps.stride(2)};
}

inline Rpn view_rpn(const at::Tensor& logits, const at::Tensor& deltas, const at::Tensor& anchors, int64_t stride, int64_t height,
                    int64_t width, double min_size) {
  return {view_strided(logits),
          view_strided(deltas),
          ptr<const float>(anchors),
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

inline VoteInputs view_vote_inputs(const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& winners,
                                   const at::Tensor& labels, double threshold) {
  return {ptr<const float>(boxes),
          ptr<const float>(scores),
          ptr<const int64_t>(winners),
          ptr<const int64_t>(labels),
          boxes.size(0),
          scores.size(1),
          threshold};
}

// The image and the size of the result; the arguments have been checked.
inline InputOf view_picture(const at::Tensor& data, int64_t layout, int64_t height, int64_t width, int64_t step, double scale,
                            at::ArrayRef<double> mean, at::ArrayRef<double> std) {
  const auto single = [](double value) { return static_cast<float>(value); };
  const int64_t rows = resized_side(height, scale), columns = resized_side(width, scale);
  const bool copied = rows == height && columns == width;  // by OpenCV, whatever the scale
  return {{ptr<const uint8_t>(data), static_cast<Layout>(layout), static_cast<int>(height), static_cast<int>(width), step},
          static_cast<int>(rows),
          static_cast<int>(columns),
          copied ? 1.0 : 1.0 / scale,
          {single(mean[0]), single(mean[1]), single(mean[2])},
          {single(std[0]), single(std[1]), single(std[2])}};
}

}  // namespace fcis

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

}  // namespace fcis

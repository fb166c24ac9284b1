// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Argument checks of the operators, the same on every device. Each names the argument and what is wrong with it;
// fcis_ros/ops/fake_checks.py repeats those of rank, type and channels.
#pragma once

#include <ATen/core/Tensor.h>

#include "maps.h"

namespace fcis {

// In a shape, -1 stands for any length.
inline void check_tensor(const char* name, const at::Tensor& tensor, at::ScalarType type, at::IntArrayRef shape,
                         at::Device device) {
  bool fits = tensor.dim() == static_cast<int64_t>(shape.size());
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] < 0 || tensor.size(static_cast<int64_t>(i)) == shape[i];
  TORCH_CHECK_VALUE(fits, name, ": expected ", shape, " (-1: any), got ", tensor.sizes());
  TORCH_CHECK_VALUE(tensor.scalar_type() == type, name, ": expected ", type, ", got ", tensor.scalar_type());
  TORCH_CHECK_VALUE(tensor.device() == device, name, ": on ", tensor.device(), ", expected ", device);
}

template <class T>
void check_range(const char* name, T value, T low, T high) {
  TORCH_CHECK_VALUE(value >= low && value <= high, name, ": expected ", low, "..", high, ", got ", value);
}

inline void check_size(int64_t height, int64_t width) {
  TORCH_CHECK_VALUE(height >= 1 && width >= 1 && height <= (1 << 15) && width <= (1 << 15),
                    "height, width: expected 1..32768, got ", height, " x ", width);
}

inline void check_stride(int64_t stride) { check_range<int64_t>("stride", stride, 1, 4096); }

inline bool is_map_type(at::ScalarType type) { return type == at::kFloat || type == at::kHalf || type == at::kBFloat16; }

// Maps of which every bin has a multiple of `per_bin` channels.
inline void check_maps(const at::Tensor& maps, const at::Tensor& rois, int64_t bins, int64_t size, int64_t stride,
                       int64_t per_bin) {
  check_tensor("maps", maps, maps.scalar_type(), {-1, -1, -1, -1}, maps.device());
  TORCH_CHECK_VALUE(is_map_type(maps.scalar_type()), "maps: expected float32, float16 or bfloat16, got ", maps.scalar_type());
  check_tensor("rois", rois, at::kFloat, {-1, 5}, maps.device());
  check_range<int64_t>("bins", bins, 1, 64);
  TORCH_CHECK_VALUE(size >= bins && size <= 512 && size % bins == 0, "size: ", size,
                    " is no multiple up to 512 of bins = ", bins);
  check_stride(stride);
  const int64_t multiple = per_bin * bins * bins;
  TORCH_CHECK_VALUE(maps.size(1) >= multiple && maps.size(1) % multiple == 0, "maps: ", maps.size(1),
                    " channels are no multiple of ", multiple, ", as bins = ", bins, " needs");
  TORCH_CHECK_VALUE(maps.size(2) >= 1 && maps.size(3) >= 1 && maps.size(2) < (1 << 24) && maps.size(3) < (1 << 24),
                    "maps: expected 1..16777215 rows and columns, got ", maps.sizes());
  TORCH_CHECK_VALUE(maps.is_contiguous() || maps.is_contiguous(at::MemoryFormat::ChannelsLast),
                    "maps: neither contiguous nor channels-last, strides ", maps.strides());
  TORCH_CHECK_VALUE(rois.is_contiguous(), "rois: not contiguous, strides ", rois.strides());
}

// Score maps of any number of classes.
inline void check_score_maps(const at::Tensor& maps, const at::Tensor& rois, int64_t bins, int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, 2 * kClassAlignment);
}

// `name` is the argument that gives the number of classes.
inline void check_classes(const char* name, int64_t classes, const at::Tensor& maps, int64_t bins) {
  TORCH_CHECK_VALUE(classes >= 1 && classes <= maps.size(1) && maps.size(1) == 2 * pad_classes(classes) * bins * bins, name, ": ",
                    classes, " classes do not fit the ", maps.size(1), " channels of maps with bins = ", bins);
}

// A value per ROI and class: scores, or the gradient of logits.
inline void check_per_class(const char* name, const at::Tensor& values, const at::Tensor& maps, const at::Tensor& rois,
                            int64_t bins) {
  check_tensor(name, values, at::kFloat, {rois.size(0), -1}, maps.device());
  check_classes(name, values.size(1), maps, bins);
}

inline void check_labels(const at::Tensor& labels, const at::Tensor& rois) {
  check_tensor("labels", labels, at::kLong, {rois.size(0)}, rois.device());
}

inline void check_grad(const at::Tensor& grad, const at::Tensor& maps, at::IntArrayRef shape) {
  check_tensor("grad", grad, at::kFloat, shape, maps.device());
}

// Boxes, called `name`, with the scores of one class or, with per_class, of all.
inline void check_scored(const char* name, const at::Tensor& boxes, const at::Tensor& scores, bool per_class) {
  check_tensor(name, boxes, at::kFloat, {-1, 4}, boxes.device());
  const int64_t shape[2] = {boxes.size(0), -1};
  check_tensor("scores", scores, at::kFloat, at::IntArrayRef(shape, per_class ? 2 : 1), boxes.device());
}

inline void check_limit(int64_t limit) { check_range<int64_t>("limit", limit, 0, 1 << 20); }

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Argument checks of the operators, the same on every device. Each names the argument and what is wrong with it;
// fcis_ros/ops/fake_checks.py repeats those of rank, type and channels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <optional>

#include "maps.h"
#include "pixels.h"

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

inline void check_anchors(const at::Tensor& logits, const at::Tensor& deltas, const at::Tensor& anchors, int64_t stride,
                          int64_t height, int64_t width) {
  check_tensor("anchors", anchors, at::kFloat, {-1, 4}, logits.device());
  check_tensor("logits", logits, at::kFloat, {2 * anchors.size(0), -1, -1}, logits.device());
  check_tensor("deltas", deltas, at::kFloat, {4 * anchors.size(0), logits.size(1), logits.size(2)}, logits.device());
  check_stride(stride);
  check_size(height, width);
}

inline void check_deltas(const at::Tensor& rois, const at::Tensor& deltas, at::ArrayRef<double> stds, int64_t height,
                         int64_t width) {
  check_tensor("rois", rois, at::kFloat, {-1, 5}, rois.device());
  check_tensor("deltas", deltas, at::kFloat, {rois.size(0), 4}, rois.device());
  TORCH_CHECK_VALUE(stds.size() == 4, "stds: expected 4, got ", stds.size());
  check_size(height, width);
}

// Boxes, called `name`, with the scores of one class or, with per_class, of all.
inline void check_scored(const char* name, const at::Tensor& boxes, const at::Tensor& scores, bool per_class) {
  check_tensor(name, boxes, at::kFloat, {-1, 4}, boxes.device());
  const int64_t shape[2] = {boxes.size(0), -1};
  check_tensor("scores", scores, at::kFloat, at::IntArrayRef(shape, per_class ? 2 : 1), boxes.device());
}

inline void check_winners(const at::Tensor& boxes, const at::Tensor& winners, const at::Tensor& labels) {
  check_tensor("winners", winners, at::kLong, {-1}, boxes.device());
  check_tensor("labels", labels, at::kLong, winners.sizes(), boxes.device());
}

inline void check_limit(int64_t limit) { check_range<int64_t>("limit", limit, 0, 1 << 20); }

inline void check_votes(const at::Tensor& boxes, const at::Tensor& masks, const at::Tensor& index, const at::Tensor& weights,
                        int64_t height, int64_t width, int64_t resample, std::optional<int64_t> capacity) {
  check_tensor("boxes", boxes, at::kInt, {-1, 4}, boxes.device());
  check_tensor("masks", masks, at::kFloat, {-1, -1, -1}, boxes.device());
  TORCH_CHECK_VALUE(masks.size(1) == masks.size(2) && masks.size(1) >= 1 && masks.size(1) <= 512,
                    "masks: expected [M, S, S], S = 1..512, got ", masks.sizes());
  check_tensor("index", index, at::kInt, {-1, boxes.size(0)}, boxes.device());
  check_tensor("weights", weights, at::kFloat, index.sizes(), boxes.device());
  check_size(height, width);
  check_range<int64_t>("resample", resample, 0, 512);
  check_range<int64_t>("capacity", capacity.value_or(0), 0, INT32_MAX);
}

inline void check_instances(const at::Tensor& boxes, const at::Tensor& runs, const at::Tensor& ends, int64_t height,
                            int64_t width) {
  check_tensor("boxes", boxes, at::kInt, {-1, 4}, boxes.device());
  check_tensor("runs", runs, at::kInt, {-1}, boxes.device());
  check_tensor("ends", ends, at::kInt, {boxes.size(0)}, boxes.device());
  TORCH_CHECK_VALUE(boxes.size(0) < 65536, "boxes: ", boxes.size(0), " instances, a label map numbers 65535");
  check_size(height, width);
}

inline void check_overlay(const at::Tensor& image, const at::Tensor& labels, const at::Tensor& colours, double alpha,
                          int64_t thickness) {
  check_tensor("image", image, at::kByte, {-1, -1, 3}, image.device());
  check_tensor("labels", labels, at::kUInt16, {image.size(0), image.size(1)}, image.device());
  check_tensor("colours", colours, at::kByte, {-1, 3}, image.device());
  check_range("alpha", alpha, 0.0, 1.0);
  check_range<int64_t>("thickness", thickness, 0, 255);
}

inline int64_t resized_side(int64_t side, double scale) {
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(side) * scale));
}

inline void check_picture(const at::Tensor& data, int64_t layout, int64_t height, int64_t width, int64_t step, double scale,
                          at::ArrayRef<double> mean, at::ArrayRef<double> std, at::ScalarType dtype) {
  TORCH_CHECK_VALUE(data.scalar_type() == at::kByte && data.is_contiguous(), "data: expected contiguous uint8, got ",
                    data.scalar_type(), " ", data.sizes(), " with strides ", data.strides());
  check_range<int64_t>("layout", layout, 0, kLayouts - 1);
  check_size(height, width);
  const Layout kind = static_cast<Layout>(layout);
  TORCH_CHECK_VALUE(!is_planar(kind) || height % 2 == 0, "height: this layout needs an even one, got ", height);
  TORCH_CHECK_VALUE(!has_chroma_pairs(kind) || width % 2 == 0, "width: this layout needs an even one, got ", width);
  TORCH_CHECK_VALUE(!is_bayer(kind) || (height >= 4 && width >= 4), "height, width: this layout needs at least 4, got ", height,
                    " x ", width);
  TORCH_CHECK_VALUE(step >= row_bytes(kind, width) && step <= (int64_t{1} << 32), "step: ", step, " is no length of ", width,
                    " pixels");
  TORCH_CHECK_VALUE(data.numel() == step * (is_planar(kind) ? height * 3 / 2 : height), "data: ", data.numel(), " bytes are not ",
                    height, " rows of ", step);
  TORCH_CHECK_VALUE(scale > 0 && scale <= 1024, "scale: expected 0..1024, got ", scale);
  check_size(resized_side(height, scale), resized_side(width, scale));  // the result is limited as the image is
  TORCH_CHECK_VALUE(mean.size() == 3 && std.size() == 3, "mean, std: expected 3 each, got ", mean.size(), " and ", std.size());
  TORCH_CHECK_VALUE(is_map_type(dtype), "dtype: expected float32, float16 or bfloat16, got ", dtype);
}

}  // namespace fcis

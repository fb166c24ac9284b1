// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The operators on masks and images for PyTorch, on any device: arguments are checked here, a Device computes. It is made from an
// argument, lives during the call and has functions of the operators' names that take contiguous tensors and return the result.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "checks.h"
#include "pixels.h"
#include "views.h"

namespace fcis {

template <class Device>
void implement_mask_operators(torch::Library& m) {
  using at::Tensor;
  m.impl("vote_masks",
         [](const Tensor& boxes, const Tensor& masks, const Tensor& index, const Tensor& weights, int64_t height, int64_t width,
            double threshold, bool binarise_first, int64_t resample, std::optional<int64_t> capacity) {
           check_tensor("boxes", boxes, at::kInt, {-1, 4}, boxes.device());
           check_tensor("masks", masks, at::kFloat, {-1, -1, -1}, boxes.device());
           TORCH_CHECK_VALUE(masks.size(1) == masks.size(2) && masks.size(1) >= 1 && masks.size(1) <= 512,
                             "masks: expected [M, S, S], S = 1..512, got ", masks.sizes());
           check_tensor("index", index, at::kInt, {-1, boxes.size(0)}, boxes.device());
           check_tensor("weights", weights, at::kFloat, index.sizes(), boxes.device());
           check_size(height, width);
           check_range<int64_t>("resample", resample, 0, 512);
           check_range<int64_t>("capacity", capacity.value_or(0), 0, INT32_MAX);
           return Device(boxes).vote_masks(boxes.contiguous(), masks.contiguous(), index.contiguous(), weights.contiguous(),
                                           height, width, static_cast<float>(threshold), binarise_first, resample, capacity);
         });
  m.impl("label_map", [](const Tensor& boxes, const Tensor& runs, const Tensor& ends, int64_t height, int64_t width) {
    check_tensor("boxes", boxes, at::kInt, {-1, 4}, boxes.device());
    check_tensor("runs", runs, at::kInt, {-1}, boxes.device());
    check_tensor("ends", ends, at::kInt, {boxes.size(0)}, boxes.device());
    TORCH_CHECK_VALUE(boxes.size(0) < 65536, "boxes: ", boxes.size(0), " instances, a label map numbers 65535");
    check_size(height, width);
    return Device(boxes).label_map(boxes.contiguous(), runs.contiguous(), ends.contiguous(), height, width);
  });
  m.impl("paint", [](const Tensor& image, const Tensor& labels, const Tensor& colours, double alpha, int64_t thickness) {
    check_tensor("image", image, at::kByte, {-1, -1, 3}, image.device());
    check_tensor("labels", labels, at::kUInt16, {image.size(0), image.size(1)}, image.device());
    check_tensor("colours", colours, at::kByte, {-1, 3}, image.device());
    check_range("alpha", alpha, 0.0, 1.0);
    check_range<int64_t>("thickness", thickness, 0, 255);
    return Device(image).paint(image.contiguous(), labels.contiguous(), colours.contiguous(), static_cast<float>(alpha),
                               thickness);
  });
  m.impl("network_input", [](const Tensor& data, int64_t layout, int64_t height, int64_t width, int64_t step, double scale,
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
    TORCH_CHECK_VALUE(data.numel() == step * (is_planar(kind) ? height * 3 / 2 : height), "data: ", data.numel(),
                      " bytes are not ", height, " rows of ", step);
    TORCH_CHECK_VALUE(scale > 0 && scale <= 1024, "scale: expected 0..1024, got ", scale);
    const auto resized = [scale](int64_t side) { return static_cast<int>(std::nearbyint(static_cast<double>(side) * scale)); };
    const int rows = resized(height), columns = resized(width);
    check_size(rows, columns);  // the result is limited as the image is
    TORCH_CHECK_VALUE(mean.size() == 3 && std.size() == 3, "mean, std: expected 3 each, got ", mean.size(), " and ", std.size());
    TORCH_CHECK_VALUE(is_map_type(dtype), "dtype: expected float32, float16 or bfloat16, got ", dtype);
    const bool copied = rows == height && columns == width;  // by OpenCV, whatever the scale
    InputOf input{{ptr<const uint8_t>(data), kind, static_cast<int>(height), static_cast<int>(width), step},
                  rows,
                  columns,
                  copied ? 1.0 : 1.0 / scale,
                  {},
                  {}};
    std::copy(mean.begin(), mean.end(), input.mean);
    std::copy(std.begin(), std.end(), input.std);
    return Device(data).network_input(input, data, dtype).permute({0, 3, 1, 2});
  });
}

}  // namespace fcis

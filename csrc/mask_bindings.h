// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The operators on masks for PyTorch, on any device: arguments are checked here, a Device computes. It is made from an argument,
// lives during the call and has functions of the operators' names that take contiguous tensors and return the result.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include <optional>

#include "checks.h"
#include "views.h"

namespace fcis {

template <class Device>
void implement_mask_operators(torch::Library& m) {
  using at::Tensor;
  m.impl("vote_masks",
         [](const Tensor& boxes, const Tensor& masks, const Tensor& index, const Tensor& weights, int64_t height, int64_t width,
            double threshold, bool binarise_first, int64_t resample, std::optional<int64_t> capacity) {
           check_votes(boxes, masks, index, weights, height, width, resample, capacity);
           const Device device(boxes);
           return device.vote_masks(boxes.contiguous(), masks.contiguous(), index.contiguous(), weights.contiguous(), height,
                                    width, static_cast<float>(threshold), binarise_first, resample, capacity);
         });
  m.impl("label_map", [](const Tensor& boxes, const Tensor& runs, const Tensor& ends, int64_t height, int64_t width) {
    check_instances(boxes, runs, ends, height, width);
    const Device device(boxes);
    return device.label_map(boxes.contiguous(), runs.contiguous(), ends.contiguous(), height, width);
  });
  m.impl("paint", [](const Tensor& image, const Tensor& labels, const Tensor& colours, double alpha, int64_t thickness) {
    check_overlay(image, labels, colours, alpha, thickness);
    const Device device(image);
    return device.paint(image.contiguous(), labels.contiguous(), colours.contiguous(), static_cast<float>(alpha), thickness);
  });
}

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The operators on maps for PyTorch, on any device: arguments are checked here, a Device computes. It is made from the maps,
// lives during the call and has functions of the operators' names, which take contiguous tensors, but for the maps, and return
// the result.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include "checks.h"
#include "views.h"

namespace fcis {

template <class Device>
void implement_map_operators(torch::Library& m) {
  using at::Tensor;
  m.impl("class_logits", [](const Tensor& maps, const Tensor& rois, int64_t classes, int64_t bins, int64_t size, int64_t stride) {
    check_score_maps(maps, rois, bins, size, stride);
    check_classes("classes", classes, maps, bins);
    return Device(maps).class_logits(maps, view_rois(rois, bins, size, stride), classes);
  });
  m.impl("class_logits_backward",
         [](const Tensor& grad, const Tensor& maps, const Tensor& rois, int64_t bins, int64_t size, int64_t stride) {
           check_score_maps(maps, rois, bins, size, stride);
           check_per_class("grad", grad, maps, rois, bins);
           return Device(maps).class_logits_backward(grad.contiguous(), maps, view_rois(rois, bins, size, stride));
         });
  m.impl("mask_logits",
         [](const Tensor& maps, const Tensor& rois, const Tensor& labels, int64_t bins, int64_t size, int64_t stride) {
           check_score_maps(maps, rois, bins, size, stride);
           check_labels(labels, rois);
           return Device(maps).mask_logits(maps, view_rois(rois, bins, size, stride), labels.contiguous());
         });
  m.impl("mask_logits_backward", [](const Tensor& grad, const Tensor& maps, const Tensor& rois, const Tensor& labels,
                                    int64_t bins, int64_t size, int64_t stride) {
    check_score_maps(maps, rois, bins, size, stride);
    check_labels(labels, rois);
    check_grad(grad, maps, {rois.size(0), 2, size, size});
    return Device(maps).mask_logits_backward(grad.contiguous(), maps, view_rois(rois, bins, size, stride), labels.contiguous());
  });
  m.impl("best_class_masks",
         [](const Tensor& maps, const Tensor& rois, const Tensor& scores, int64_t bins, int64_t size, int64_t stride) {
           check_score_maps(maps, rois, bins, size, stride);
           check_per_class("scores", scores, maps, rois, bins);
           return Device(maps).best_class_masks(maps, view_rois(rois, bins, size, stride), scores.contiguous());
         });
  m.impl("box_deltas", [](const Tensor& maps, const Tensor& rois, int64_t bins, int64_t size, int64_t stride) {
    check_maps(maps, rois, bins, size, stride, 1);
    return Device(maps).box_deltas(maps, view_rois(rois, bins, size, stride));
  });
  m.impl("box_deltas_backward",
         [](const Tensor& grad, const Tensor& maps, const Tensor& rois, int64_t bins, int64_t size, int64_t stride) {
           check_maps(maps, rois, bins, size, stride, 1);
           check_grad(grad, maps, {rois.size(0), maps.size(1) / (bins * bins)});
           return Device(maps).box_deltas_backward(grad.contiguous(), maps, view_rois(rois, bins, size, stride));
         });
}

}  // namespace fcis

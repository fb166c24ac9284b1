// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The operators of `assemble: native` for PyTorch, on any device: arguments are checked here, a Device computes. It is made from
// the maps, lives during the call and has
//   means(maps, rois, pairs, groups) -> [R, groups]
//   means_backward(grad [R, groups], maps, rois, pairs) -> like the maps
// of class logits, which are read in pairs, and of box deltas, and mask_logits and mask_logits_backward as in map_bindings.h.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include "checks.h"
#include "views.h"

namespace fcis {

template <class Device>
void implement_patent_operators(torch::Library& m) {
  using at::Tensor;
  m.impl("patent_class_logits", [](const Tensor& maps, const Tensor& rois, int64_t classes, int64_t bins, int64_t stride) {
    check_score_maps(maps, rois, bins, bins, stride);
    check_classes("classes", classes, maps, bins);
    return Device(maps).means(maps, view_rois(rois, bins, bins, stride), true, classes);
  });
  m.impl("patent_class_logits_backward",
         [](const Tensor& grad, const Tensor& maps, const Tensor& rois, int64_t bins, int64_t stride) {
           check_score_maps(maps, rois, bins, bins, stride);
           check_per_class("grad", grad, maps, rois, bins);
           return Device(maps).means_backward(grad.contiguous(), maps, view_rois(rois, bins, bins, stride), true);
         });
  m.impl("patent_box_deltas", [](const Tensor& maps, const Tensor& rois, int64_t bins, int64_t stride) {
    check_maps(maps, rois, bins, bins, stride, 1);
    return Device(maps).means(maps, view_rois(rois, bins, bins, stride), false, maps.size(1) / (bins * bins));
  });
  m.impl("patent_box_deltas_backward",
         [](const Tensor& grad, const Tensor& maps, const Tensor& rois, int64_t bins, int64_t stride) {
           check_maps(maps, rois, bins, bins, stride, 1);
           check_grad(grad, maps, {rois.size(0), maps.size(1) / (bins * bins)});
           return Device(maps).means_backward(grad.contiguous(), maps, view_rois(rois, bins, bins, stride), false);
         });
  m.impl("patent_mask_logits",
         [](const Tensor& maps, const Tensor& rois, const Tensor& labels, int64_t bins, int64_t size, int64_t stride) {
           check_score_maps(maps, rois, bins, bins, stride);
           check_range<int64_t>("size", size, 1, 512);
           check_labels(labels, rois);
           return Device(maps).mask_logits(maps, view_rois(rois, bins, size, stride), labels.contiguous());
         });
  m.impl("patent_mask_logits_backward", [](const Tensor& grad, const Tensor& maps, const Tensor& rois, const Tensor& labels,
                                           int64_t bins, int64_t size, int64_t stride) {
    check_score_maps(maps, rois, bins, bins, stride);
    check_range<int64_t>("size", size, 1, 512);
    check_labels(labels, rois);
    check_grad(grad, maps, {rois.size(0), 2, size, size});
    return Device(maps).mask_logits_backward(grad.contiguous(), maps, view_rois(rois, bins, size, stride), labels.contiguous());
  });
}

}  // namespace fcis

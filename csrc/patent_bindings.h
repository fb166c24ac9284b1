// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The operators of `assemble: native` that are means over an ROI's cells, for PyTorch: arguments are checked here, on either
// device, and computed by its
//   means(maps, rois, pairs, groups, bins, stride) -> [R, groups]
//   gradient(grad [R, groups], maps, rois, pairs, bins, stride) -> like the maps
// of class logits, which are read in pairs, and of box deltas.
#pragma once

#include <ATen/core/Tensor.h>

#include "checks.h"

namespace fcis {

template <auto means>
at::Tensor patent_class_logits(const at::Tensor& maps, const at::Tensor& rois, int64_t classes, int64_t bins, int64_t stride) {
  check_maps(maps, rois, bins, bins, stride, kLeastPairs * bins * bins);
  check_classes("classes", classes, maps, bins);
  return means(maps, rois, true, classes, bins, stride);
}

template <auto gradient>
at::Tensor patent_class_logits_backward(const at::Tensor& grad, const at::Tensor& maps, const at::Tensor& rois, int64_t bins,
                                        int64_t stride) {
  check_maps(maps, rois, bins, bins, stride, kLeastPairs * bins * bins);
  check_logits_grad(grad, maps, rois, bins);
  return gradient(grad, maps, rois, true, bins, stride);
}

template <auto means>
at::Tensor patent_box_deltas(const at::Tensor& maps, const at::Tensor& rois, int64_t bins, int64_t stride) {
  check_maps(maps, rois, bins, bins, stride, bins * bins);
  return means(maps, rois, false, maps.size(1) / (bins * bins), bins, stride);
}

template <auto gradient>
at::Tensor patent_box_deltas_backward(const at::Tensor& grad, const at::Tensor& maps, const at::Tensor& rois, int64_t bins,
                                      int64_t stride) {
  check_maps(maps, rois, bins, bins, stride, bins * bins);
  check_grad(grad, maps, {rois.size(0), maps.size(1) / (bins * bins)});
  return gradient(grad, maps, rois, false, bins, stride);
}

}  // namespace fcis

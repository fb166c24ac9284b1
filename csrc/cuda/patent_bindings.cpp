// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators of `assemble: native` for PyTorch: arguments checked, memory taken from PyTorch's allocator, kernels
// launched on the current stream. Nothing waits for the device.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include "../checks.h"
#include "../patent_bindings.h"
#include "../views.h"
#include "binding.h"
#include "patent_kernels.h"

namespace fcis::cuda {
namespace {

at::Tensor find_means(const at::Tensor& maps, const at::Tensor& rois, bool pairs, int64_t groups, int64_t bins, int64_t stride) {
  const Call call(maps);
  const Maps read = view_maps(maps);
  const Rois boxes = view_rois(rois, bins, bins, stride);
  at::Tensor means = take({rois.size(0), groups}, at::kFloat, maps),
             workspace = take_workspace(patent_means_workspace(read, boxes, groups), maps);
  C10_CUDA_CHECK(
      patent_means(read, boxes, pairs, groups, workspace.mutable_data_ptr(), means.mutable_data_ptr<float>(), call.stream));
  return means;
}

at::Tensor means_gradient(const at::Tensor& grad_in, const at::Tensor& maps, const at::Tensor& rois, bool pairs, int64_t bins,
                          int64_t stride) {
  const Call call(maps);
  const at::Tensor grad = grad_in.contiguous();
  const Maps read = view_maps(maps);
  const Rois boxes = view_rois(rois, bins, bins, stride);
  at::Tensor result = at::empty_like(maps), workspace = take_workspace(patent_means_backward_workspace(read, boxes), maps);
  C10_CUDA_CHECK(patent_means_backward(grad.const_data_ptr<float>(), read, boxes, pairs, grad.size(1),
                                       workspace.mutable_data_ptr(), result.mutable_data_ptr(), call.stream));
  return result;
}

at::Tensor patent_mask_logits(const at::Tensor& maps, const at::Tensor& rois, const at::Tensor& labels, int64_t bins,
                              int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, bins, stride, kLeastPairs * bins * bins);
  check_points(size);
  check_labels(labels, rois);
  const Call call(maps);
  const at::Tensor label = labels.contiguous();
  at::Tensor pairs = take({rois.size(0), 2, size, size}, at::kFloat, maps);
  C10_CUDA_CHECK(patent_masks(view_maps(maps), view_rois(rois, bins, size, stride), label.const_data_ptr<int64_t>(),
                              pairs.mutable_data_ptr<float>(), call.stream));
  return pairs;
}

at::Tensor patent_mask_logits_backward(const at::Tensor& grad_in, const at::Tensor& maps, const at::Tensor& rois,
                                       const at::Tensor& labels, int64_t bins, int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, bins, stride, kLeastPairs * bins * bins);
  check_points(size);
  check_labels(labels, rois);
  check_grad(grad_in, maps, {rois.size(0), 2, size, size});
  const Call call(maps);
  const at::Tensor grad = grad_in.contiguous(), label = labels.contiguous();
  const Maps shape = view_maps(maps);
  const Rois boxes = view_rois(rois, bins, size, stride);
  at::Tensor result = at::empty_like(maps), workspace = take_workspace(patent_masks_backward_workspace(shape, boxes), maps);
  C10_CUDA_CHECK(patent_masks_backward(grad.const_data_ptr<float>(), shape, boxes, label.const_data_ptr<int64_t>(),
                                       workspace.mutable_data_ptr(), result.mutable_data_ptr(), call.stream));
  return result;
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CUDA, m) {
  m.impl("patent_class_logits", patent_class_logits<find_means>);
  m.impl("patent_class_logits_backward", patent_class_logits_backward<means_gradient>);
  m.impl("patent_box_deltas", patent_box_deltas<find_means>);
  m.impl("patent_box_deltas_backward", patent_box_deltas_backward<means_gradient>);
  m.impl("patent_mask_logits", patent_mask_logits);
  m.impl("patent_mask_logits_backward", patent_mask_logits_backward);
}

}  // namespace fcis::cuda

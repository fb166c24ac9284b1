// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators on maps for PyTorch: arguments checked, memory taken from PyTorch's allocator, kernels launched on the
// current stream. Nothing waits for the device.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include "../checks.h"
#include "../views.h"
#include "binding.h"
#include "map_kernels.h"

namespace fcis::cuda {
namespace {

at::Tensor class_logits_of(const at::Tensor& maps, const at::Tensor& rois, int64_t classes, int64_t bins, int64_t size,
                           int64_t stride) {
  check_maps(maps, rois, bins, size, stride, kLeastPairs * bins * bins);
  check_classes("classes", classes, maps, bins);
  const Call call(maps);
  at::Tensor logits = take({rois.size(0), classes}, at::kFloat, maps);
  C10_CUDA_CHECK(
      class_logits(view_maps(maps), view_rois(rois, bins, size, stride), classes, logits.mutable_data_ptr<float>(), call.stream));
  return logits;
}

at::Tensor class_logits_gradient(const at::Tensor& grad_in, const at::Tensor& maps, const at::Tensor& rois, int64_t bins,
                                 int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, kLeastPairs * bins * bins);
  check_logits_grad(grad_in, maps, rois, bins);
  const Call call(maps);
  const at::Tensor grad = grad_in.contiguous();
  const Maps shape = view_maps(maps);
  const Rois boxes = view_rois(rois, bins, size, stride);
  at::Tensor result = at::empty_like(maps), workspace = take_workspace(class_logits_workspace(shape, boxes), maps);
  C10_CUDA_CHECK(class_logits_backward(grad.const_data_ptr<float>(), shape, boxes, grad.size(1), workspace.mutable_data_ptr(),
                                       result.mutable_data_ptr(), call.stream));
  return result;
}

at::Tensor mask_logits_of(const at::Tensor& maps, const at::Tensor& rois, const at::Tensor& labels, int64_t bins, int64_t size,
                          int64_t stride) {
  check_maps(maps, rois, bins, size, stride, kLeastPairs * bins * bins);
  check_labels(labels, rois);
  const Call call(maps);
  const at::Tensor label = labels.contiguous();
  at::Tensor pairs = take({rois.size(0), 2, size, size}, at::kFloat, maps);
  C10_CUDA_CHECK(mask_logits(view_maps(maps), view_rois(rois, bins, size, stride), label.const_data_ptr<int64_t>(),
                             pairs.mutable_data_ptr<float>(), call.stream));
  return pairs;
}

at::Tensor mask_logits_gradient(const at::Tensor& grad_in, const at::Tensor& maps, const at::Tensor& rois,
                                const at::Tensor& labels, int64_t bins, int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, kLeastPairs * bins * bins);
  check_labels(labels, rois);
  check_grad(grad_in, maps, {rois.size(0), 2, size, size});
  const Call call(maps);
  const at::Tensor grad = grad_in.contiguous(), label = labels.contiguous();
  const Maps shape = view_maps(maps);
  const Rois boxes = view_rois(rois, bins, size, stride);
  at::Tensor result = at::empty_like(maps), workspace = take_workspace(mask_logits_workspace(shape, boxes), maps);
  C10_CUDA_CHECK(mask_logits_backward(grad.const_data_ptr<float>(), shape, boxes, label.const_data_ptr<int64_t>(),
                                      workspace.mutable_data_ptr(), result.mutable_data_ptr(), call.stream));
  return result;
}

at::Tensor best_class_masks_of(const at::Tensor& maps, const at::Tensor& rois, const at::Tensor& scores_in, int64_t bins,
                               int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, kLeastPairs * bins * bins);
  check_scores(scores_in, maps, rois, bins);
  const Call call(maps);
  const at::Tensor scores = scores_in.contiguous();
  at::Tensor masks = take({rois.size(0), size, size}, at::kFloat, maps);
  C10_CUDA_CHECK(best_class_masks(view_maps(maps), view_rois(rois, bins, size, stride), scores.const_data_ptr<float>(),
                                  scores.size(1), masks.mutable_data_ptr<float>(), call.stream));
  return masks;
}

at::Tensor box_deltas_of(const at::Tensor& maps, const at::Tensor& rois, int64_t bins, int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, bins * bins);
  const Call call(maps);
  at::Tensor deltas = take({rois.size(0), maps.size(1) / (bins * bins)}, at::kFloat, maps);
  C10_CUDA_CHECK(box_deltas(view_maps(maps), view_rois(rois, bins, size, stride), deltas.mutable_data_ptr<float>(), call.stream));
  return deltas;
}

at::Tensor box_deltas_gradient(const at::Tensor& grad_in, const at::Tensor& maps, const at::Tensor& rois, int64_t bins,
                               int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, bins * bins);
  check_grad(grad_in, maps, {rois.size(0), maps.size(1) / (bins * bins)});
  const Call call(maps);
  const at::Tensor grad = grad_in.contiguous();
  const Maps shape = view_maps(maps);
  const Rois boxes = view_rois(rois, bins, size, stride);
  at::Tensor result = at::empty_like(maps), workspace = take_workspace(box_deltas_workspace(shape, boxes), maps);
  C10_CUDA_CHECK(box_deltas_backward(grad.const_data_ptr<float>(), shape, boxes, workspace.mutable_data_ptr(),
                                     result.mutable_data_ptr(), call.stream));
  return result;
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CUDA, m) {
  m.impl("class_logits", class_logits_of);
  m.impl("class_logits_backward", class_logits_gradient);
  m.impl("mask_logits", mask_logits_of);
  m.impl("mask_logits_backward", mask_logits_gradient);
  m.impl("best_class_masks", best_class_masks_of);
  m.impl("box_deltas", box_deltas_of);
  m.impl("box_deltas_backward", box_deltas_gradient);
}

}  // namespace fcis::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators on maps and masks for PyTorch (those on boxes: box_bindings.cpp): arguments checked, memory taken from PyTorch's
// allocator, kernels launched on the current stream. Nothing waits for the device but what has to look at a result: vote_masks without a capacity, whose run lengths are as many as they
// are, and errors in values, which label_map and paint look for unless a graph is being captured.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <torch/library.h>

#include <optional>
#include <tuple>

#include "../checks.h"
#include "binding.h"
#include "kernels.h"
#include "post.h"

namespace fcis::cuda {
namespace {

Maps view(const at::Tensor& maps) {
  const at::ScalarType type = maps.scalar_type();
  const Element element = type == at::kFloat  ? Element::kFloat32
                          : type == at::kHalf ? Element::kFloat16
                                              : Element::kBFloat16;
  return {maps.const_data_ptr(), maps.size(0), maps.size(1), maps.size(2), maps.size(3), element,
          maps.is_contiguous(at::MemoryFormat::ChannelsLast)};
}

Rois view(const at::Tensor& rois, int64_t bins, int64_t size, int64_t stride) {
  return {rois.const_data_ptr<float>(), rois.size(0), static_cast<int32_t>(bins), static_cast<int32_t>(size),
          static_cast<int32_t>(stride)};
}

at::Tensor class_logits_of(const at::Tensor& maps, const at::Tensor& rois, int64_t bins, int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, 2 * bins * bins);
  const Call call(maps);
  at::Tensor scores = take({rois.size(0), maps.size(1) / (2 * bins * bins)}, at::kFloat, maps);
  C10_CUDA_CHECK(class_logits(view(maps), view(rois, bins, size, stride), scores.mutable_data_ptr<float>(), call.stream));
  return scores;
}

at::Tensor class_logits_gradient(const at::Tensor& grad_in, const at::Tensor& maps, const at::Tensor& rois, int64_t bins,
                                 int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, 2 * bins * bins);
  check_grad(grad_in, maps, {rois.size(0), maps.size(1) / (2 * bins * bins)});
  const Call call(maps);
  const at::Tensor grad = grad_in.contiguous();
  const Maps shape = view(maps);
  const Rois boxes = view(rois, bins, size, stride);
  at::Tensor result = at::empty_like(maps), workspace = take_workspace(class_logits_workspace(shape, boxes), maps);
  C10_CUDA_CHECK(class_logits_backward(grad.const_data_ptr<float>(), shape, boxes, workspace.mutable_data_ptr(),
                                       result.mutable_data_ptr(), call.stream));
  return result;
}

at::Tensor mask_logits_of(const at::Tensor& maps, const at::Tensor& rois, const at::Tensor& labels, int64_t bins, int64_t size,
                          int64_t stride) {
  check_maps(maps, rois, bins, size, stride, 2 * bins * bins);
  check_labels(labels, rois);
  const Call call(maps);
  const at::Tensor label = labels.contiguous();
  at::Tensor pairs = take({rois.size(0), 2, size, size}, at::kFloat, maps);
  C10_CUDA_CHECK(mask_logits(view(maps), view(rois, bins, size, stride), label.const_data_ptr<int64_t>(),
                             pairs.mutable_data_ptr<float>(), call.stream));
  return pairs;
}

at::Tensor mask_logits_gradient(const at::Tensor& grad_in, const at::Tensor& maps, const at::Tensor& rois, const at::Tensor& labels,
                                int64_t bins, int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, 2 * bins * bins);
  check_labels(labels, rois);
  check_grad(grad_in, maps, {rois.size(0), 2, size, size});
  const Call call(maps);
  const at::Tensor grad = grad_in.contiguous(), label = labels.contiguous();
  const Maps shape = view(maps);
  const Rois boxes = view(rois, bins, size, stride);
  at::Tensor result = at::empty_like(maps), workspace = take_workspace(mask_logits_workspace(shape, boxes), maps);
  C10_CUDA_CHECK(mask_logits_backward(grad.const_data_ptr<float>(), shape, boxes, label.const_data_ptr<int64_t>(),
                                      workspace.mutable_data_ptr(), result.mutable_data_ptr(), call.stream));
  return result;
}

at::Tensor winner_masks_of(const at::Tensor& maps, const at::Tensor& rois, const at::Tensor& scores_in, int64_t bins, int64_t size,
                           int64_t stride) {
  check_maps(maps, rois, bins, size, stride, 2 * bins * bins);
  check_scores(scores_in, maps, rois, bins);
  const Call call(maps);
  const at::Tensor scores = scores_in.contiguous();
  at::Tensor masks = take({rois.size(0), size, size}, at::kFloat, maps);
  C10_CUDA_CHECK(winner_masks(view(maps), view(rois, bins, size, stride), scores.const_data_ptr<float>(),
                              masks.mutable_data_ptr<float>(), call.stream));
  return masks;
}

at::Tensor box_deltas_of(const at::Tensor& maps, const at::Tensor& rois, int64_t bins, int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, bins * bins);
  const Call call(maps);
  at::Tensor deltas = take({rois.size(0), maps.size(1) / (bins * bins)}, at::kFloat, maps);
  C10_CUDA_CHECK(box_deltas(view(maps), view(rois, bins, size, stride), deltas.mutable_data_ptr<float>(), call.stream));
  return deltas;
}

at::Tensor box_deltas_gradient(const at::Tensor& grad_in, const at::Tensor& maps, const at::Tensor& rois, int64_t bins,
                               int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, bins * bins);
  check_grad(grad_in, maps, {rois.size(0), maps.size(1) / (bins * bins)});
  const Call call(maps);
  const at::Tensor grad = grad_in.contiguous();
  const Maps shape = view(maps);
  const Rois boxes = view(rois, bins, size, stride);
  at::Tensor result = at::empty_like(maps), workspace = take_workspace(box_deltas_workspace(shape, boxes), maps);
  C10_CUDA_CHECK(box_deltas_backward(grad.const_data_ptr<float>(), shape, boxes, workspace.mutable_data_ptr(),
                                     result.mutable_data_ptr(), call.stream));
  return result;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> vote_masks(const at::Tensor& boxes_in, const at::Tensor& masks_in,
                                                          const at::Tensor& index_in, const at::Tensor& weights_in, int64_t height,
                                                          int64_t width, double threshold, bool binarise_first, int64_t resample,
                                                          std::optional<int64_t> capacity) {
  check_votes(boxes_in, masks_in, index_in, weights_in, height, width, resample, capacity);
  const Call call(boxes_in);
  const at::Tensor boxes = boxes_in.contiguous(), masks = masks_in.contiguous(), index = index_in.contiguous(),
                   weights = weights_in.contiguous();
  const Votes votes{boxes.const_data_ptr<int32_t>(), masks.const_data_ptr<float>(), index.const_data_ptr<int32_t>(),
                    weights.const_data_ptr<float>(), index.size(0), index.size(1), masks.size(0), masks.size(1), height, width,
                    static_cast<float>(threshold), binarise_first, resample};
  at::Tensor tight = take({votes.winners, 4}, at::kInt, boxes), ends = take({votes.winners}, at::kInt, boxes),
             report = take({2}, at::kLong, boxes), workspace = take_workspace(voting_workspace(votes), boxes);
  C10_CUDA_CHECK(count_runs(votes, workspace.mutable_data_ptr(), tight.mutable_data_ptr<int32_t>(),
                            ends.mutable_data_ptr<int32_t>(), report.mutable_data_ptr<int64_t>(), call.stream));
  if (!capacity) {
    const at::Tensor found = report.cpu();  // waits
    const int64_t wrong = found.const_data_ptr<int64_t>()[1];
    TORCH_CHECK_VALUE(!(wrong & 2), "index: one is too high, there are ", masks.size(0), " masks");
    TORCH_CHECK_VALUE(!(wrong & 1), "boxes: one that votes is not inside the ", width, "x", height, " image");
    TORCH_CHECK_VALUE(!(wrong & 4), "masks: more run lengths than an int32 counts");
    capacity = found.const_data_ptr<int64_t>()[0];
  }
  at::Tensor runs = take({*capacity}, at::kInt, boxes);
  C10_CUDA_CHECK(write_runs(votes, workspace.mutable_data_ptr(), ends.const_data_ptr<int32_t>(), runs.mutable_data_ptr<int32_t>(),
                            *capacity, call.stream));
  return {tight, runs, ends};
}

// What a kernel found wrong, 0 for nothing and while a graph is captured.
int32_t read_wrong(const at::Tensor& wrong) {
  if (c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None) return 0;
  const at::Tensor found = wrong.cpu();  // waits
  return *found.const_data_ptr<int32_t>();
}

at::Tensor label_map_of(const at::Tensor& boxes_in, const at::Tensor& runs_in, const at::Tensor& ends_in, int64_t height,
                        int64_t width) {
  TORCH_CHECK_VALUE(boxes_in.dim() == 2 && boxes_in.size(1) == 4 && boxes_in.scalar_type() == at::kInt,
                    "boxes: expected int32 [W, 4], got ", boxes_in.scalar_type(), " ", boxes_in.sizes());
  TORCH_CHECK_VALUE(runs_in.dim() == 1 && runs_in.scalar_type() == at::kInt, "runs: expected int32 [T], got ",
                    runs_in.scalar_type(), " ", runs_in.sizes());
  TORCH_CHECK_VALUE(ends_in.dim() == 1 && ends_in.size(0) == boxes_in.size(0) && ends_in.scalar_type() == at::kInt,
                    "ends: expected int32 [", boxes_in.size(0), "], got ", ends_in.scalar_type(), " ", ends_in.sizes());
  TORCH_CHECK_VALUE(runs_in.device() == boxes_in.device() && ends_in.device() == boxes_in.device(), "boxes: on ",
                    boxes_in.device(), ", runs on ", runs_in.device(), ", ends on ", ends_in.device());
  TORCH_CHECK_VALUE(boxes_in.size(0) < 65536, "boxes: ", boxes_in.size(0), " instances, a label map numbers 65535");
  check_size(height, width);
  const Call call(boxes_in);
  const at::Tensor boxes = boxes_in.contiguous(), runs = runs_in.contiguous(), ends = ends_in.contiguous();
  at::Tensor labels = take({height, width}, at::kUInt16, boxes), wrong = take({1}, at::kInt, boxes),
             workspace = take_workspace(label_map_workspace(runs.size(0)), boxes);
  C10_CUDA_CHECK(label_map(boxes.const_data_ptr<int32_t>(), runs.const_data_ptr<int32_t>(), ends.const_data_ptr<int32_t>(),
                           boxes.size(0), runs.size(0), height, width, workspace.mutable_data_ptr(),
                           labels.mutable_data_ptr<uint16_t>(), wrong.mutable_data_ptr<int32_t>(), call.stream));
  const int32_t instance = read_wrong(wrong);
  TORCH_CHECK_VALUE(instance == 0, "boxes, runs: of instance ", instance - 1, ", the box is not inside the ", width, "x", height,
                    " image or the runs do not fill it");
  return labels;
}

at::Tensor paint_overlay(const at::Tensor& image_in, const at::Tensor& labels_in, const at::Tensor& colours_in, double alpha) {
  TORCH_CHECK_VALUE(image_in.dim() == 3 && image_in.size(2) == 3 && image_in.scalar_type() == at::kByte,
                    "image: expected uint8 [H, W, 3], got ", image_in.scalar_type(), " ", image_in.sizes());
  TORCH_CHECK_VALUE(labels_in.dim() == 2 && labels_in.size(0) == image_in.size(0) && labels_in.size(1) == image_in.size(1) &&
                        labels_in.scalar_type() == at::kUInt16, "labels: expected uint16 [", image_in.size(0), ", ",
                    image_in.size(1), "], got ", labels_in.scalar_type(), " ", labels_in.sizes());
  TORCH_CHECK_VALUE(colours_in.dim() == 2 && colours_in.size(1) == 3 && colours_in.scalar_type() == at::kByte,
                    "colours: expected uint8 [W, 3], got ", colours_in.scalar_type(), " ", colours_in.sizes());
  TORCH_CHECK_VALUE(labels_in.device() == image_in.device() && colours_in.device() == image_in.device(), "image: on ",
                    image_in.device(), ", labels on ", labels_in.device(), ", colours on ", colours_in.device());
  TORCH_CHECK_VALUE(alpha >= 0.0 && alpha <= 1.0, "alpha: expected 0..1, got ", alpha);
  const Call call(image_in);
  const at::Tensor image = image_in.contiguous(), labels = labels_in.contiguous(), colours = colours_in.contiguous();
  at::Tensor result = at::empty_like(image), wrong = take({1}, at::kInt, image);
  C10_CUDA_CHECK(paint(image.const_data_ptr<uint8_t>(), labels.const_data_ptr<uint16_t>(), colours.const_data_ptr<uint8_t>(),
                       colours.size(0), static_cast<float>(alpha), image.size(0), image.size(1), result.mutable_data_ptr<uint8_t>(),
                       wrong.mutable_data_ptr<int32_t>(), call.stream));
  const int32_t most = read_wrong(wrong);
  TORCH_CHECK_VALUE(most == 0, "labels: instance ", most, ", there are ", colours.size(0), " colours");
  return result;
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CUDA, m) {
  m.impl("class_logits", class_logits_of);
  m.impl("class_logits_backward", class_logits_gradient);
  m.impl("mask_logits", mask_logits_of);
  m.impl("mask_logits_backward", mask_logits_gradient);
  m.impl("winner_masks", winner_masks_of);
  m.impl("box_deltas", box_deltas_of);
  m.impl("box_deltas_backward", box_deltas_gradient);
  m.impl("vote_masks", vote_masks);
  m.impl("label_map", label_map_of);
  m.impl("paint", paint_overlay);
}

}  // namespace fcis::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators on boxes for PyTorch: arguments checked, memory taken from PyTorch's allocator, kernels launched on the
// current stream. Nothing waits for the device; what only a look at values would find (a winner that does not exist) has no
// result.
#include <torch/library.h>

#include <tuple>

#include "../checks.h"
#include "../views.h"
#include "binding.h"
#include "box_kernels.h"

namespace fcis::cuda {
namespace {

std::tuple<at::Tensor, at::Tensor> candidates_of(const at::Tensor& logits, const at::Tensor& deltas, const at::Tensor& anchors_in,
                                                 int64_t stride, int64_t height, int64_t width, double min_size) {
  check_anchors(logits, deltas, anchors_in, stride, height, width);
  const Call call(logits);
  const at::Tensor anchors = anchors_in.contiguous();
  const Rpn rpn = view_rpn(logits, deltas, anchors, stride, height, width, min_size);
  at::Tensor boxes = take({rpn.size(), 4}, at::kFloat, anchors), scores = take({rpn.size()}, at::kFloat, anchors);
  C10_CUDA_CHECK(decode_anchors(rpn, boxes.mutable_data_ptr<float>(), scores.mutable_data_ptr<float>(), call.stream));
  return {boxes, scores};
}

at::Tensor moved_rois(const at::Tensor& rois_in, const at::Tensor& deltas_in, at::ArrayRef<double> stds, int64_t height,
                      int64_t width) {
  check_deltas(rois_in, deltas_in, stds, height, width);
  const Call call(rois_in);
  const at::Tensor rois = rois_in.contiguous(), deltas = deltas_in.contiguous();
  at::Tensor moved = take(rois.sizes(), at::kFloat, rois);
  C10_CUDA_CHECK(decode_rois(rois.const_data_ptr<float>(), deltas.const_data_ptr<float>(), rois.size(0), view_stds(stds),
                             static_cast<float>(height), static_cast<float>(width), moved.mutable_data_ptr<float>(),
                             call.stream));
  return moved;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> placed_rois(const at::Tensor& rois_in, const at::Tensor& scores_in, double scale,
                                                           double min_size, int64_t height, int64_t width) {
  check_scored(rois_in, scores_in);
  check_size(height, width);
  const Call call(rois_in);
  const at::Tensor rois = rois_in.contiguous(), scores = scores_in.contiguous();
  const int64_t count = rois.size(0);
  at::Tensor boxes = take({count, 4}, at::kFloat, rois), pixels = take({count, 4}, at::kInt, rois),
             finite = take({count}, at::kBool, rois);
  C10_CUDA_CHECK(rois_to_image(rois.const_data_ptr<float>(), scores.const_data_ptr<float>(), count, scores.size(1),
                               static_cast<float>(scale), static_cast<float>(min_size), static_cast<float>(height),
                               static_cast<float>(width), boxes.mutable_data_ptr<float>(), pixels.mutable_data_ptr<int32_t>(),
                               finite.mutable_data_ptr<bool>(), call.stream));
  return {boxes, pixels, finite};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> elected(const at::Tensor& boxes_in, const at::Tensor& scores_in,
                                                       const at::Tensor& winners_in, const at::Tensor& labels_in,
                                                       double threshold) {
  check_scored(boxes_in, scores_in);
  check_winners(boxes_in, winners_in, labels_in);
  const Call call(boxes_in);
  const at::Tensor boxes = boxes_in.contiguous(), scores = scores_in.contiguous(), winners = winners_in.contiguous(),
                   labels = labels_in.contiguous();
  const Election election = view_election(boxes, scores, winners, labels, threshold);
  const int64_t all = winners.size(0);
  at::Tensor voters = take({all, election.count}, at::kInt, boxes), weights = take({all, election.count}, at::kFloat, boxes),
             best = take({all}, at::kFloat, boxes);
  C10_CUDA_CHECK(vote_weights(election, all, voters.mutable_data_ptr<int32_t>(), weights.mutable_data_ptr<float>(),
                              best.mutable_data_ptr<float>(), call.stream));
  return {voters, weights, best};
}

at::Tensor nms_indices(const at::Tensor& boxes_in, const at::Tensor& scores_in, double threshold, int64_t limit) {
  check_boxes(boxes_in, scores_in, 1, limit);
  const Call call(boxes_in);
  const at::Tensor boxes = boxes_in.contiguous(), scores = scores_in.contiguous();
  at::Tensor kept = take({limit}, at::kLong, boxes), workspace = take_workspace(nms_workspace(boxes.size(0)), boxes);
  C10_CUDA_CHECK(nms(boxes.const_data_ptr<float>(), scores.const_data_ptr<float>(), boxes.size(0), static_cast<float>(threshold),
                     limit, workspace.mutable_data_ptr(), kept.mutable_data_ptr<int64_t>(), call.stream));
  return kept;
}

std::tuple<at::Tensor, at::Tensor> class_nms_indices(const at::Tensor& boxes_in, const at::Tensor& scores_in, double threshold,
                                                     double floor, int64_t limit) {
  check_boxes(boxes_in, scores_in, 2, limit);
  const Call call(boxes_in);
  const at::Tensor boxes = boxes_in.contiguous(), scores = scores_in.contiguous();
  const int64_t count = boxes.size(0), classes = scores.size(1);
  at::Tensor rois = take({limit}, at::kLong, boxes), labels = take({limit}, at::kLong, boxes),
             workspace = take_workspace(class_nms_workspace(count, classes, limit), boxes);
  C10_CUDA_CHECK(class_nms(boxes.const_data_ptr<float>(), scores.const_data_ptr<float>(), count, classes,
                           static_cast<float>(threshold), static_cast<float>(floor), limit, workspace.mutable_data_ptr(),
                           rois.mutable_data_ptr<int64_t>(), labels.mutable_data_ptr<int64_t>(), call.stream));
  return {rois, labels};
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CUDA, m) {
  m.impl("decode_anchors", candidates_of);
  m.impl("decode_rois", moved_rois);
  m.impl("rois_to_image", placed_rois);
  m.impl("vote_weights", elected);
  m.impl("nms", nms_indices);
  m.impl("class_nms", class_nms_indices);
}

}  // namespace fcis::cuda

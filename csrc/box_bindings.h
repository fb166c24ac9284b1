// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The operators on boxes for PyTorch, on any device: arguments are checked and results allocated here, a Device computes. It is
// made from an argument, lives during the call and has kernels of the operators' names, which take pointers; run() launches
// kernels without a workspace.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <tuple>

#include "checks.h"
#include "views.h"

namespace fcis {

template <class Device>
void implement_box_operators(torch::Library& m) {
  using at::Tensor;
  m.impl("decode_anchors", [](const Tensor& logits, const Tensor& deltas, const Tensor& anchors_in, int64_t stride,
                              int64_t height, int64_t width, double min_size) {
    check_anchors(logits, deltas, anchors_in, stride, height, width);
    const Device device(logits);
    const Tensor anchors = anchors_in.contiguous();
    const Rpn rpn = view_rpn(logits, deltas, anchors, stride, height, width, min_size);
    Tensor boxes = take({rpn.size(), 4}, at::kFloat, anchors), scores = take({rpn.size()}, at::kFloat, anchors);
    device.run(Device::decode_anchors, rpn, ptr<float>(boxes), ptr<float>(scores));
    return std::make_tuple(boxes, scores);
  });
  m.impl("decode_rois",
         [](const Tensor& rois_in, const Tensor& deltas_in, at::ArrayRef<double> stds, int64_t height, int64_t width) {
           check_deltas(rois_in, deltas_in, stds, height, width);
           const Device device(rois_in);
           const Tensor rois = rois_in.contiguous(), deltas = deltas_in.contiguous();
           Tensor moved = take(rois.sizes(), at::kFloat, rois);
           device.run(Device::decode_rois, ptr<const float>(rois), ptr<const float>(deltas), rois.size(0), view_stds(stds),
                      static_cast<float>(height), static_cast<float>(width), ptr<float>(moved));
           return moved;
         });
  m.impl("rois_to_image",
         [](const Tensor& rois_in, const Tensor& scores_in, double scale, double min_size, int64_t height, int64_t width) {
           check_scored("rois", rois_in, scores_in, true);
           check_size(height, width);
           const Device device(rois_in);
           const Tensor rois = rois_in.contiguous(), scores = scores_in.contiguous();
           const int64_t count = rois.size(0);
           Tensor boxes = take({count, 4}, at::kFloat, rois), pixels = take({count, 4}, at::kInt, rois),
                  finite = take({count}, at::kBool, rois);
           device.run(Device::rois_to_image, ptr<const float>(rois), ptr<const float>(scores), count, scores.size(1),
                      static_cast<float>(scale), static_cast<float>(min_size), static_cast<float>(height),
                      static_cast<float>(width), ptr<float>(boxes), ptr<int32_t>(pixels), ptr<bool>(finite));
           return std::make_tuple(boxes, pixels, finite);
         });
  m.impl("vote_weights", [](const Tensor& boxes_in, const Tensor& scores_in, const Tensor& winners_in, const Tensor& labels_in,
                            double threshold) {
    check_scored("boxes", boxes_in, scores_in, true);
    check_winners(boxes_in, winners_in, labels_in);
    const Device device(boxes_in);
    const Tensor boxes = boxes_in.contiguous(), scores = scores_in.contiguous(), winners = winners_in.contiguous(),
                 labels = labels_in.contiguous();
    const VoteInputs inputs = view_vote_inputs(boxes, scores, winners, labels, threshold);
    const int64_t count = winners.size(0);
    Tensor voters = take({count, inputs.count}, at::kInt, boxes), weights = take({count, inputs.count}, at::kFloat, boxes),
           best = take({count}, at::kFloat, boxes);
    device.run(Device::vote_weights, inputs, count, ptr<int32_t>(voters), ptr<float>(weights), ptr<float>(best));
    return std::make_tuple(voters, weights, best);
  });
  m.impl("nms", [](const Tensor& boxes_in, const Tensor& scores_in, double threshold, int64_t limit) {
    check_scored("boxes", boxes_in, scores_in, false);
    check_limit(limit);
    const Device device(boxes_in);
    const Tensor boxes = boxes_in.contiguous(), scores = scores_in.contiguous();
    Tensor kept = take({limit}, at::kLong, boxes);
    device.nms(ptr<const float>(boxes), ptr<const float>(scores), boxes.size(0), static_cast<float>(threshold), limit,
               ptr<int64_t>(kept));
    return kept;
  });
  m.impl("class_nms", [](const Tensor& boxes_in, const Tensor& scores_in, double threshold, double floor, int64_t limit) {
    check_scored("boxes", boxes_in, scores_in, true);
    check_limit(limit);
    const Device device(boxes_in);
    const Tensor boxes = boxes_in.contiguous(), scores = scores_in.contiguous();
    Tensor rois = take({limit}, at::kLong, boxes), labels = take({limit}, at::kLong, boxes);
    device.class_nms(ptr<const float>(boxes), ptr<const float>(scores), boxes.size(0), scores.size(1),
                     static_cast<float>(threshold), static_cast<float>(floor), limit, ptr<int64_t>(rois), ptr<int64_t>(labels));
    return std::make_tuple(rois, labels);
  });
}

}  // namespace fcis

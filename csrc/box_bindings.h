// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The operators on boxes for PyTorch, on any device: arguments are checked and results allocated here, a Device computes. It is
// made from an argument, lives during the call and has kernels of the operators' names, which take pointers; run() launches
// kernels without a workspace.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <tuple>

#include "checks.h"
#include "views.h"

namespace fcis {

template <class Device>
void implement_box_operators(torch::Library& m) {
  using at::Tensor;
  m.impl("decode_anchors", [](const Tensor& logits, const Tensor& deltas, const Tensor& anchors_in, int64_t stride,
                              int64_t height, int64_t width, double min_size) {
    check_tensor("anchors", anchors_in, at::kFloat, {-1, 4}, logits.device());
    const int64_t count = anchors_in.size(0);
    check_tensor("logits", logits, at::kFloat, {2 * count, -1, -1}, logits.device());
    check_tensor("deltas", deltas, at::kFloat, {4 * count, logits.size(1), logits.size(2)}, logits.device());
    check_stride(stride);
    check_size(height, width);
    const Device device(logits);
    const Tensor anchors = anchors_in.contiguous();
    const auto single = [](auto number) { return static_cast<float>(number); };
    const Rpn rpn{view_strided(logits),
                  view_strided(deltas),
                  ptr<const float>(anchors),
                  count,
                  logits.size(1),
                  logits.size(2),
                  single(stride),
                  single(height),
                  single(width),
                  single(min_size)};
    Tensor boxes = take({rpn.size(), 4}, at::kFloat, anchors), scores = take({rpn.size()}, at::kFloat, anchors);
    device.run(Device::decode_anchors, rpn, ptr<float>(boxes), ptr<float>(scores));
    return std::make_tuple(boxes, scores);
  });
  m.impl("decode_rois",
         [](const Tensor& rois_in, const Tensor& deltas_in, at::ArrayRef<double> stds, int64_t height, int64_t width) {
           check_tensor("rois", rois_in, at::kFloat, {-1, 5}, rois_in.device());
           check_tensor("deltas", deltas_in, at::kFloat, {rois_in.size(0), 4}, rois_in.device());
           TORCH_CHECK_VALUE(stds.size() == 4, "stds: expected 4, got ", stds.size());
           check_size(height, width);
           Stds factors;
           std::copy(stds.begin(), stds.end(), factors.values);
           const Device device(rois_in);
           const Tensor rois = rois_in.contiguous(), deltas = deltas_in.contiguous();
           Tensor moved = take(rois.sizes(), at::kFloat, rois);
           device.run(Device::decode_rois, ptr<const float>(rois), ptr<const float>(deltas), rois.size(0), factors,
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
    check_tensor("winners", winners_in, at::kLong, {-1}, boxes_in.device());
    check_tensor("labels", labels_in, at::kLong, winners_in.sizes(), boxes_in.device());
    const Device device(boxes_in);
    const Tensor boxes = boxes_in.contiguous(), scores = scores_in.contiguous(), winners = winners_in.contiguous(),
                 labels = labels_in.contiguous();
    const VoteInputs inputs{ptr<const float>(boxes),
                            ptr<const float>(scores),
                            ptr<const int64_t>(winners),
                            ptr<const int64_t>(labels),
                            boxes.size(0),
                            scores.size(1),
                            threshold};
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

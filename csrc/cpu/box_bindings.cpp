// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CPU operators on boxes for PyTorch: arguments checked, layouts read.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <torch/library.h>

#include <algorithm>
#include <tuple>

#include "../checks.h"
#include "../views.h"
#include "kernels.h"

namespace fcis {
namespace {

std::tuple<at::Tensor, at::Tensor> candidates_of(const at::Tensor& logits, const at::Tensor& deltas, const at::Tensor& anchors_in,
                                                 int64_t stride, int64_t height, int64_t width, double min_size) {
  check_anchors(logits, deltas, anchors_in, stride, height, width);
  const at::Tensor anchors = anchors_in.contiguous();
  const Rpn rpn = view_rpn(logits, deltas, anchors, stride, height, width, min_size);
  const auto options = anchors.options();
  at::Tensor boxes = at::empty({rpn.size(), 4}, options), scores = at::empty({rpn.size()}, options);
  float *box = boxes.mutable_data_ptr<float>(), *score = scores.mutable_data_ptr<float>();
  at::parallel_for(0, rpn.size(), 1024, [&](int64_t begin, int64_t end) { decode_anchors(rpn, begin, end, box, score); });
  return {boxes, scores};
}

at::Tensor moved_rois(const at::Tensor& rois_in, const at::Tensor& deltas_in, at::ArrayRef<double> stds, int64_t height,
                      int64_t width) {
  check_deltas(rois_in, deltas_in, stds, height, width);
  const at::Tensor rois = rois_in.contiguous(), deltas = deltas_in.contiguous();
  at::Tensor moved = at::empty(rois.sizes(), rois.options());
  decode_rois(rois.const_data_ptr<float>(), deltas.const_data_ptr<float>(), rois.size(0), view_stds(stds),
              static_cast<float>(height), static_cast<float>(width), moved.mutable_data_ptr<float>());
  return moved;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> placed_rois(const at::Tensor& rois_in, const at::Tensor& scores_in, double scale,
                                                           double min_size, int64_t height, int64_t width) {
  check_scored(rois_in, scores_in);
  check_size(height, width);
  const at::Tensor rois = rois_in.contiguous(), scores = scores_in.contiguous();
  const int64_t count = rois.size(0);
  at::Tensor boxes = at::empty({count, 4}, rois.options()), pixels = at::empty({count, 4}, rois.options().dtype(at::kInt)),
             finite = at::empty({count}, rois.options().dtype(at::kBool));
  rois_to_image(rois.const_data_ptr<float>(), scores.const_data_ptr<float>(), count, scores.size(1), static_cast<float>(scale),
                static_cast<float>(min_size), static_cast<float>(height), static_cast<float>(width),
                boxes.mutable_data_ptr<float>(), pixels.mutable_data_ptr<int32_t>(), finite.mutable_data_ptr<bool>());
  return {boxes, pixels, finite};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> elected(const at::Tensor& boxes_in, const at::Tensor& scores_in,
                                                       const at::Tensor& winners_in, const at::Tensor& labels_in,
                                                       double threshold) {
  check_scored(boxes_in, scores_in);
  check_winners(boxes_in, winners_in, labels_in);
  const at::Tensor boxes = boxes_in.contiguous(), scores = scores_in.contiguous(), winners = winners_in.contiguous(),
                   labels = labels_in.contiguous();
  const Election election = view_election(boxes, scores, winners, labels, threshold);
  const int64_t count = election.count, all = winners.size(0);
  for (int64_t w = 0; w < all; ++w) {
    TORCH_CHECK_VALUE(election.winners[w] < count, "winners: ", election.winners[w], ", there are ", count, " boxes");
    TORCH_CHECK_VALUE(election.labels[w] < election.classes, "labels: ", election.labels[w], ", there are ", election.classes,
                      " classes");
  }
  at::Tensor voters = at::empty({all, count}, boxes.options().dtype(at::kInt)),
             weights = at::empty({all, count}, boxes.options()), best = at::empty({all}, boxes.options());
  int32_t* voter = voters.mutable_data_ptr<int32_t>();
  float *weight = weights.mutable_data_ptr<float>(), *own = best.mutable_data_ptr<float>();
  at::parallel_for(0, all, 16, [&](int64_t begin, int64_t end) {
    for (int64_t w = begin; w < end; ++w) vote_weights(election, w, voter + w * count, weight + w * count, own + w);
  });
  return {voters, weights, best};
}

at::Tensor nms_indices(const at::Tensor& boxes_in, const at::Tensor& scores_in, double threshold, int64_t limit) {
  check_boxes(boxes_in, scores_in, 1, limit);
  const at::Tensor boxes = boxes_in.contiguous(), scores = scores_in.contiguous();
  const std::vector<int64_t> kept =
      nms(boxes.const_data_ptr<float>(), scores.const_data_ptr<float>(), boxes.size(0), static_cast<float>(threshold), limit);
  at::Tensor result = at::full({limit}, -1, boxes.options().dtype(at::kLong));
  std::copy(kept.begin(), kept.end(), result.mutable_data_ptr<int64_t>());
  return result;
}

std::tuple<at::Tensor, at::Tensor> class_nms_indices(const at::Tensor& boxes_in, const at::Tensor& scores_in, double threshold,
                                                     double floor, int64_t limit) {
  check_boxes(boxes_in, scores_in, 2, limit);
  const at::Tensor boxes = boxes_in.contiguous(), scores = scores_in.contiguous();
  const std::vector<Winner> winners = class_nms(boxes.const_data_ptr<float>(), scores.const_data_ptr<float>(), boxes.size(0),
                                                scores.size(1), static_cast<float>(threshold), static_cast<float>(floor), limit);
  at::Tensor rois = at::full({limit}, -1, boxes.options().dtype(at::kLong)), labels = at::full_like(rois, -1);
  for (size_t i = 0; i < winners.size(); ++i) {
    rois.mutable_data_ptr<int64_t>()[i] = winners[i].roi;
    labels.mutable_data_ptr<int64_t>()[i] = winners[i].label;
  }
  return {rois, labels};
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) {
  m.impl("decode_anchors", candidates_of);
  m.impl("decode_rois", moved_rois);
  m.impl("rois_to_image", placed_rois);
  m.impl("vote_weights", elected);
  m.impl("nms", nms_indices);
  m.impl("class_nms", class_nms_indices);
}

}  // namespace fcis

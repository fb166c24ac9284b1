// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Argument checks of the operators, the same on every device. Each names the argument and what is wrong with it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <optional>

#include "maps.h"
#include "pixels.h"

namespace fcis {

inline void check_maps(const at::Tensor& maps, const at::Tensor& rois, int64_t bins, int64_t size, int64_t stride,
                       int64_t multiple) {
  TORCH_CHECK_VALUE(maps.dim() == 4, "maps: expected [N, channels, h, w], got ", maps.dim(), " dimensions");
  TORCH_CHECK_VALUE(maps.scalar_type() == at::kFloat || maps.scalar_type() == at::kHalf || maps.scalar_type() == at::kBFloat16,
                    "maps: expected float32, float16 or bfloat16, got ", maps.scalar_type());
  TORCH_CHECK_VALUE(rois.dim() == 2 && rois.size(1) == 5, "rois: expected [R, 5], got ", rois.sizes());
  TORCH_CHECK_VALUE(rois.scalar_type() == at::kFloat, "rois: expected float32, got ", rois.scalar_type());
  TORCH_CHECK_VALUE(rois.device() == maps.device(), "rois: on ", rois.device(), ", but maps on ", maps.device());
  TORCH_CHECK_VALUE(bins >= 1 && bins <= 64, "bins: expected 1..64, got ", bins);
  TORCH_CHECK_VALUE(size >= bins && size <= 512 && size % bins == 0, "size: ", size,
                    " is no multiple up to 512 of bins = ", bins);
  TORCH_CHECK_VALUE(stride >= 1 && stride <= 4096, "stride: expected 1..4096, got ", stride);
  TORCH_CHECK_VALUE(maps.size(1) >= multiple && maps.size(1) % multiple == 0, "maps: ", maps.size(1),
                    " channels are no multiple of ", multiple, ", as bins = ", bins, " needs");
  TORCH_CHECK_VALUE(maps.size(2) >= 1 && maps.size(3) >= 1 && maps.size(2) < (1 << 24) && maps.size(3) < (1 << 24),
                    "maps: expected 1..16777215 rows and columns, got ", maps.sizes());
  TORCH_CHECK_VALUE(maps.is_contiguous() || maps.is_contiguous(at::MemoryFormat::ChannelsLast),
                    "maps: neither contiguous nor channels-last, strides ", maps.strides());
  TORCH_CHECK_VALUE(rois.is_contiguous(), "rois: not contiguous, strides ", rois.strides());
}

// Channels of a bin for any number of classes.
constexpr int64_t kLeastPairs = 2 * kClassAlignment;

// `name` is the argument that says how many classes there are.
inline void check_classes(const char* name, int64_t classes, const at::Tensor& maps, int64_t bins) {
  TORCH_CHECK_VALUE(classes >= 1 && classes <= maps.size(1) && maps.size(1) == 2 * pad_classes(classes) * bins * bins, name, ": ",
                    classes, " classes do not fit the ", maps.size(1), " channels of maps with bins = ", bins);
}

inline void check_points(int64_t size) { TORCH_CHECK_VALUE(size >= 1 && size <= 512, "size: expected 1..512, got ", size); }

inline void check_labels(const at::Tensor& labels, const at::Tensor& rois) {
  TORCH_CHECK_VALUE(labels.dim() == 1 && labels.size(0) == rois.size(0), "labels: expected [", rois.size(0), "], got ",
                    labels.sizes());
  TORCH_CHECK_VALUE(labels.scalar_type() == at::kLong, "labels: expected int64, got ", labels.scalar_type());
  TORCH_CHECK_VALUE(labels.device() == rois.device(), "labels: on ", labels.device(), ", but rois on ", rois.device());
}

inline void check_grad(const at::Tensor& grad, const at::Tensor& maps, at::IntArrayRef shape) {
  TORCH_CHECK_VALUE(grad.sizes() == shape, "grad: expected ", shape, ", got ", grad.sizes());
  TORCH_CHECK_VALUE(grad.scalar_type() == at::kFloat, "grad: expected float32, got ", grad.scalar_type());
  TORCH_CHECK_VALUE(grad.device() == maps.device(), "grad: on ", grad.device(), ", but maps on ", maps.device());
}

inline void check_size(int64_t height, int64_t width) {
  TORCH_CHECK_VALUE(height >= 1 && width >= 1 && height <= (1 << 15) && width <= (1 << 15),
                    "height, width: expected 1..32768, got ", height, " x ", width);
}

// A float32 tensor of `shape`, in which -1 stands for any length.
inline void check_floats(const char* name, const at::Tensor& tensor, at::IntArrayRef shape) {
  bool fits = tensor.dim() == static_cast<int64_t>(shape.size());
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] < 0 || tensor.size(static_cast<int64_t>(i)) == shape[i];
  TORCH_CHECK_VALUE(fits, name, ": expected ", shape, " (-1: any), got ", tensor.sizes());
  TORCH_CHECK_VALUE(tensor.scalar_type() == at::kFloat, name, ": expected float32, got ", tensor.scalar_type());
}

inline void check_scores(const at::Tensor& scores, const at::Tensor& maps, const at::Tensor& rois, int64_t bins) {
  check_floats("scores", scores, {rois.size(0), -1});
  check_classes("scores", scores.size(1), maps, bins);
  TORCH_CHECK_VALUE(scores.device() == maps.device(), "scores: on ", scores.device(), ", but maps on ", maps.device());
}

inline void check_logits_grad(const at::Tensor& grad, const at::Tensor& maps, const at::Tensor& rois, int64_t bins) {
  check_floats("grad", grad, {rois.size(0), -1});
  check_classes("grad", grad.size(1), maps, bins);
  TORCH_CHECK_VALUE(grad.device() == maps.device(), "grad: on ", grad.device(), ", but maps on ", maps.device());
}

inline void check_anchors(const at::Tensor& logits, const at::Tensor& deltas, const at::Tensor& anchors, int64_t stride,
                          int64_t height, int64_t width) {
  check_floats("anchors", anchors, {-1, 4});
  check_floats("logits", logits, {2 * anchors.size(0), -1, -1});
  check_floats("deltas", deltas, {4 * anchors.size(0), logits.size(1), logits.size(2)});
  TORCH_CHECK_VALUE(deltas.device() == logits.device() && anchors.device() == logits.device(), "logits: on ", logits.device(),
                    ", deltas on ", deltas.device(), ", anchors on ", anchors.device());
  TORCH_CHECK_VALUE(stride >= 1 && stride <= 4096, "stride: expected 1..4096, got ", stride);
  check_size(height, width);
}

inline void check_deltas(const at::Tensor& rois, const at::Tensor& deltas, at::ArrayRef<double> stds, int64_t height,
                         int64_t width) {
  check_floats("rois", rois, {-1, 5});
  check_floats("deltas", deltas, {rois.size(0), 4});
  TORCH_CHECK_VALUE(deltas.device() == rois.device(), "deltas: on ", deltas.device(), ", but rois on ", rois.device());
  TORCH_CHECK_VALUE(stds.size() == 4, "stds: expected 4, got ", stds.size());
  check_size(height, width);
}

inline void check_scored(const at::Tensor& boxes, const at::Tensor& scores) {
  check_floats("boxes", boxes, {-1, 4});
  check_floats("scores", scores, {boxes.size(0), -1});
  TORCH_CHECK_VALUE(scores.device() == boxes.device(), "scores: on ", scores.device(), ", but boxes on ", boxes.device());
}

inline void check_winners(const at::Tensor& boxes, const at::Tensor& winners, const at::Tensor& labels) {
  TORCH_CHECK_VALUE(winners.dim() == 1 && winners.scalar_type() == at::kLong, "winners: expected int64 [W], got ",
                    winners.scalar_type(), " ", winners.sizes());
  TORCH_CHECK_VALUE(labels.sizes() == winners.sizes() && labels.scalar_type() == at::kLong, "labels: expected int64 ",
                    winners.sizes(), ", got ", labels.scalar_type(), " ", labels.sizes());
  TORCH_CHECK_VALUE(winners.device() == boxes.device() && labels.device() == boxes.device(), "boxes: on ", boxes.device(),
                    ", winners on ", winners.device(), ", labels on ", labels.device());
}

inline void check_boxes(const at::Tensor& boxes, const at::Tensor& scores, int64_t score_dims, int64_t limit) {
  TORCH_CHECK_VALUE(boxes.dim() == 2 && boxes.size(1) == 4, "boxes: expected [R, 4], got ", boxes.sizes());
  TORCH_CHECK_VALUE(boxes.scalar_type() == at::kFloat, "boxes: expected float32, got ", boxes.scalar_type());
  TORCH_CHECK_VALUE(scores.dim() == score_dims && scores.size(0) == boxes.size(0), "scores: expected ", boxes.size(0),
                    " rows in ", score_dims, " dimensions, got ", scores.sizes());
  TORCH_CHECK_VALUE(scores.scalar_type() == at::kFloat, "scores: expected float32, got ", scores.scalar_type());
  TORCH_CHECK_VALUE(scores.device() == boxes.device(), "scores: on ", scores.device(), ", but boxes on ", boxes.device());
  TORCH_CHECK_VALUE(limit >= 0 && limit <= (1 << 20), "limit: expected 0..1048576, got ", limit);
}

inline void check_votes(const at::Tensor& boxes, const at::Tensor& masks, const at::Tensor& index, const at::Tensor& weights,
                        int64_t height, int64_t width, int64_t resample, std::optional<int64_t> capacity) {
  TORCH_CHECK_VALUE(boxes.dim() == 2 && boxes.size(1) == 4, "boxes: expected [R, 4], got ", boxes.sizes());
  TORCH_CHECK_VALUE(boxes.scalar_type() == at::kInt, "boxes: expected int32, got ", boxes.scalar_type());
  TORCH_CHECK_VALUE(masks.dim() == 3 && masks.size(1) == masks.size(2) && masks.size(1) >= 1 && masks.size(1) <= 512,
                    "masks: expected [M, S, S], got ", masks.sizes());
  TORCH_CHECK_VALUE(masks.scalar_type() == at::kFloat, "masks: expected float32, got ", masks.scalar_type());
  TORCH_CHECK_VALUE(index.dim() == 2 && index.size(1) == boxes.size(0), "index: expected [W, ", boxes.size(0), "], got ",
                    index.sizes());
  TORCH_CHECK_VALUE(index.scalar_type() == at::kInt, "index: expected int32, got ", index.scalar_type());
  TORCH_CHECK_VALUE(weights.sizes() == index.sizes(), "weights: expected ", index.sizes(), ", got ", weights.sizes());
  TORCH_CHECK_VALUE(weights.scalar_type() == at::kFloat, "weights: expected float32, got ", weights.scalar_type());
  for (const auto* other : {&masks, &index, &weights}) {
    TORCH_CHECK_VALUE(other->device() == boxes.device(), "boxes: on ", boxes.device(), ", others on ", other->device());
  }
  check_size(height, width);
  TORCH_CHECK_VALUE(resample >= 0 && resample <= 512, "resample: expected 0..512, got ", resample);
  TORCH_CHECK_VALUE(!capacity || (*capacity >= 0 && *capacity <= INT32_MAX), "capacity: expected 0..2^31-1, got ",
                    capacity.value_or(0));
}

inline void check_instances(const at::Tensor& boxes, const at::Tensor& runs, const at::Tensor& ends, int64_t height,
                            int64_t width) {
  TORCH_CHECK_VALUE(boxes.dim() == 2 && boxes.size(1) == 4 && boxes.scalar_type() == at::kInt,
                    "boxes: expected int32 [W, 4], got ", boxes.scalar_type(), " ", boxes.sizes());
  TORCH_CHECK_VALUE(runs.dim() == 1 && runs.scalar_type() == at::kInt, "runs: expected int32 [T], got ", runs.scalar_type(), " ",
                    runs.sizes());
  TORCH_CHECK_VALUE(ends.dim() == 1 && ends.size(0) == boxes.size(0) && ends.scalar_type() == at::kInt, "ends: expected int32 [",
                    boxes.size(0), "], got ", ends.scalar_type(), " ", ends.sizes());
  TORCH_CHECK_VALUE(runs.device() == boxes.device() && ends.device() == boxes.device(), "boxes: on ", boxes.device(),
                    ", runs on ", runs.device(), ", ends on ", ends.device());
  TORCH_CHECK_VALUE(boxes.size(0) < 65536, "boxes: ", boxes.size(0), " instances, a label map numbers 65535");
  check_size(height, width);
}

inline void check_overlay(const at::Tensor& image, const at::Tensor& labels, const at::Tensor& colours, double alpha,
                          int64_t thickness) {
  TORCH_CHECK_VALUE(image.dim() == 3 && image.size(2) == 3 && image.scalar_type() == at::kByte,
                    "image: expected uint8 [H, W, 3], got ", image.scalar_type(), " ", image.sizes());
  TORCH_CHECK_VALUE(labels.dim() == 2 && labels.size(0) == image.size(0) && labels.size(1) == image.size(1) &&
                        labels.scalar_type() == at::kUInt16,
                    "labels: expected uint16 [", image.size(0), ", ", image.size(1), "], got ", labels.scalar_type(), " ",
                    labels.sizes());
  TORCH_CHECK_VALUE(colours.dim() == 2 && colours.size(1) == 3 && colours.scalar_type() == at::kByte,
                    "colours: expected uint8 [W, 3], got ", colours.scalar_type(), " ", colours.sizes());
  TORCH_CHECK_VALUE(labels.device() == image.device() && colours.device() == image.device(), "image: on ", image.device(),
                    ", labels on ", labels.device(), ", colours on ", colours.device());
  TORCH_CHECK_VALUE(alpha >= 0.0 && alpha <= 1.0, "alpha: expected 0..1, got ", alpha);
  TORCH_CHECK_VALUE(thickness >= 0 && thickness <= 255, "thickness: expected 0..255, got ", thickness);
}

// At most 32768 pixels a side, like the image itself.
inline int64_t resized_side(int64_t side, double scale) {
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(side) * scale));
}

inline void check_picture(const at::Tensor& data, int64_t layout, int64_t height, int64_t width, int64_t step, double scale,
                          at::ArrayRef<double> mean, at::ArrayRef<double> std, at::ScalarType dtype) {
  TORCH_CHECK_VALUE(data.scalar_type() == at::kByte && data.is_contiguous(), "data: expected contiguous uint8, got ",
                    data.scalar_type(), " ", data.sizes(), " with strides ", data.strides());
  TORCH_CHECK_VALUE(layout >= 0 && layout < kLayouts, "layout: expected 0..", kLayouts - 1, ", got ", layout);
  check_size(height, width);
  const Layout kind = static_cast<Layout>(layout);
  TORCH_CHECK_VALUE(!is_planar(kind) || height % 2 == 0, "height: this layout needs an even one, got ", height);
  TORCH_CHECK_VALUE(!has_chroma_pairs(kind) || width % 2 == 0, "width: this layout needs an even one, got ", width);
  TORCH_CHECK_VALUE(!is_bayer(kind) || (height >= 4 && width >= 4), "height, width: this layout needs at least 4, got ", height,
                    " x ", width);
  TORCH_CHECK_VALUE(step >= row_bytes(kind, width) && step <= (int64_t{1} << 32), "step: ", step, " is no length of ", width,
                    " pixels");
  TORCH_CHECK_VALUE(data.numel() == step * (is_planar(kind) ? height * 3 / 2 : height), "data: ", data.numel(), " bytes are not ",
                    height, " rows of ", step);
  TORCH_CHECK_VALUE(scale > 0 && scale <= 1024, "scale: expected 0..1024, got ", scale);
  check_size(resized_side(height, scale), resized_side(width, scale));
  TORCH_CHECK_VALUE(mean.size() == 3 && std.size() == 3, "mean, std: expected 3 each, got ", mean.size(), " and ", std.size());
  TORCH_CHECK_VALUE(dtype == at::kFloat || dtype == at::kHalf || dtype == at::kBFloat16,
                    "dtype: expected float32, float16 or bfloat16, got ", dtype);
}

}  // namespace fcis

// Argument checks of the operators, the same on every device. Each names the argument and what is wrong with it.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

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
  TORCH_CHECK_VALUE(size >= bins && size <= 512 && size % bins == 0, "size: ", size, " is no multiple up to 512 of bins = ", bins);
  TORCH_CHECK_VALUE(stride >= 1 && stride <= 4096, "stride: expected 1..4096, got ", stride);
  TORCH_CHECK_VALUE(maps.size(1) >= multiple && maps.size(1) % multiple == 0, "maps: ", maps.size(1),
                    " channels are no multiple of ", multiple, ", as bins = ", bins, " needs");
  TORCH_CHECK_VALUE(maps.size(2) >= 1 && maps.size(3) >= 1 && maps.size(2) < (1 << 24) && maps.size(3) < (1 << 24),
                    "maps: expected 1..16777215 rows and columns, got ", maps.sizes());
  TORCH_CHECK_VALUE(maps.is_contiguous() || maps.is_contiguous(at::MemoryFormat::ChannelsLast),
                    "maps: neither contiguous nor channels-last, strides ", maps.strides());
  TORCH_CHECK_VALUE(rois.is_contiguous(), "rois: not contiguous, strides ", rois.strides());
}

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
  TORCH_CHECK_VALUE(height >= 1 && width >= 1 && height <= (1 << 15) && width <= (1 << 15),
                    "height, width: expected 1..32768, got ", height, " x ", width);
  TORCH_CHECK_VALUE(resample >= 0 && resample <= 512, "resample: expected 0..512, got ", resample);
  TORCH_CHECK_VALUE(!capacity || (*capacity >= 0 && *capacity <= INT32_MAX), "capacity: expected 0..2^31-1, got ",
                    capacity.value_or(0));
}

}  // namespace fcis

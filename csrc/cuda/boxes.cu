// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Decoding of anchors and ROIs, their boxes in the original image, and the weights of votes; the arithmetic is that of
// csrc/boxes.h.
#include "common.h"
#include "kernels.h"

namespace fcis::cuda {
namespace {

__global__ __launch_bounds__(kThreads) void decode_each_anchor(Rpn rpn, float* boxes, float* scores) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= rpn.size()) return;
  Box<float> box;
  scores[i] = decode_anchor(rpn, i, box);
  store_box(box, boxes, i);
}

__global__ __launch_bounds__(kThreads) void decode_each_roi(const float* rois, const float* deltas, int64_t count, Stds stds,
                                                            float height, float width, float* moved) {
  const int64_t r = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (r < count) decode_roi(rois + r * 5, deltas + r * 4, stds, height, width, moved + r * 5);
}

// A warp looks through the scores of an ROI.
__global__ __launch_bounds__(kThreads) void map_each_roi(const float* rois, const float* scores, int64_t count, int64_t classes,
                                                         float scale, float min_size, float height, float width, float* boxes,
                                                         int32_t* pixels, bool* finite) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t r = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (r >= count) return;  // the whole warp
  const Box<float> roi = load_box(rois, r);
  bool finite_here = is_finite(roi);
  for (int64_t c = lane; c < classes; c += kWarp) finite_here = finite_here && isfinite(scores[r * classes + c]);
  const bool all = ballot(finite_here) == kAllLanes;
  if (lane > 0) return;
  finite[r] = all;
  const Box<float> mapped = roi_to_image(roi, all, scale, min_size, height, width);
  store_box(mapped, boxes, r);
  store_pixels(mapped, pixels, r);
}

// A warp is a winner; its lanes go over the ROIs.
__global__ __launch_bounds__(kWarp) void vote_weights_of(VoteInputs e, int32_t* voters, float* weights, float* best) {
  static_assert(kVoteLanes == kWarp, "a lane keeps one of the partial sums");
  const int64_t winner = blockIdx.x, roi = e.winners[winner], label = e.labels[winner];
  const int lane = static_cast<int>(threadIdx.x);
  const bool exists = roi >= 0 && roi < e.count && label >= 0 && label < e.classes;
  voters += winner * e.count;
  weights += winner * e.count;
  if (lane == 0) best[winner] = exists ? e.scores[roi * e.classes + label] : 0.0f;
  const Box<double> kept = exists ? load_box<double>(e.boxes, roi) : Box<double>{};
  const double area = find_area(kept);
  double sum = 0.0;
  for (int64_t r = lane; r < e.count; r += kWarp) {
    const Box<double> other = load_box<double>(e.boxes, r);
    const bool votes = exists && find_iou(kept, area, other, find_area(other)) >= e.threshold;
    const float weight = votes ? e.scores[r * e.classes + label] : 0.0f;
    voters[r] = votes ? static_cast<int32_t>(r) : -1;
    weights[r] = weight;
    sum += weight;
  }
  for (int half = kWarp / 2; half > 0; half /= 2) sum += shuffle_xor(sum, half);
  for (int64_t r = lane; r < e.count; r += kWarp) {
    if (voters[r] >= 0) weights[r] = static_cast<float>(weights[r] / sum);  // every lane divides the entries that it wrote
  }
}

unsigned blocks(int64_t count, int64_t share) { return static_cast<unsigned>(divide_up(count, share)); }

}  // namespace

cudaError_t decode_anchors(const Rpn& rpn, float* boxes, float* scores, cudaStream_t stream) {
  if (rpn.size() > INT32_MAX) return cudaErrorInvalidValue;
  if (rpn.size() == 0) return cudaSuccess;
  FCIS_LAUNCH(decode_each_anchor, blocks(rpn.size(), kThreads), kThreads, 0, stream, rpn, boxes, scores);
  return cudaGetLastError();
}

cudaError_t decode_rois(const float* rois, const float* deltas, int64_t count, const Stds& stds, float height, float width,
                        float* moved, cudaStream_t stream) {
  if (count > INT32_MAX) return cudaErrorInvalidValue;
  if (count == 0) return cudaSuccess;
  FCIS_LAUNCH(decode_each_roi, blocks(count, kThreads), kThreads, 0, stream, rois, deltas, count, stds, height, width, moved);
  return cudaGetLastError();
}

cudaError_t rois_to_image(const float* rois, const float* scores, int64_t count, int64_t classes, float scale, float min_size,
                          float height, float width, float* boxes, int32_t* pixels, bool* finite, cudaStream_t stream) {
  if (count > INT32_MAX) return cudaErrorInvalidValue;
  if (count == 0) return cudaSuccess;
  FCIS_LAUNCH(map_each_roi, blocks(count, kWarps), kThreads, 0, stream, rois, scores, count, classes, scale, min_size, height,
              width, boxes, pixels, finite);
  return cudaGetLastError();
}

cudaError_t vote_weights(const VoteInputs& inputs, int64_t winners, int32_t* voters, float* weights, float* best,
                         cudaStream_t stream) {
  if (winners > INT32_MAX || inputs.count > INT32_MAX) return cudaErrorInvalidValue;
  if (winners == 0) return cudaSuccess;
  FCIS_LAUNCH(vote_weights_of, winners, kWarp, 0, stream, inputs, voters, weights, best);
  return cudaGetLastError();
}

}  // namespace fcis::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Decoding of anchors and ROIs, their place in the original image, and who votes for whom; the arithmetic is that of
// csrc/boxes.h.
#include "../boxes.h"
#include "box_kernels.h"
#include "common.h"

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
__global__ __launch_bounds__(kThreads) void place_each_roi(const float* rois, const float* scores, int64_t count, int64_t classes,
                                                           float scale, float min_size, float height, float width, float* boxes,
                                                           int32_t* pixels, bool* finite) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t r = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (r >= count) return;  // the whole warp
  const Box<float> roi = load_box(rois, r);
  bool own = is_finite(roi);
  for (int64_t c = lane; c < classes; c += kWarp) own = own && isfinite(scores[r * classes + c]);
  const bool all = ballot(own) == kAllLanes;
  if (lane > 0) return;
  finite[r] = all;
  const Box<float> placed = place_roi(roi, all, scale, min_size, height, width);
  store_box(placed, boxes, r);
  store_pixels(placed, pixels, r);
}

// A warp is a winner; its lanes go over the ROIs.
__global__ __launch_bounds__(kWarp) void vote_weights_of(Election e, int32_t* voters, float* weights, float* best) {
  static_assert(kElectionLanes == kWarp, "a lane keeps one of the partial sums");
  const int64_t winner = blockIdx.x, roi = e.winners[winner], label = e.labels[winner];
  const int lane = static_cast<int>(threadIdx.x);
  const bool found = roi >= 0 && roi < e.count && label >= 0 && label < e.classes;
  voters += winner * e.count;
  weights += winner * e.count;
  if (lane == 0) best[winner] = found ? e.scores[roi * e.classes + label] : 0.0f;
  const Box<double> own = found ? load_box<double>(e.boxes, roi) : Box<double>{};
  const double area = find_area(own);
  double sum = 0.0;
  for (int64_t r = lane; r < e.count; r += kWarp) {
    const Box<double> other = load_box<double>(e.boxes, r);
    const bool votes = found && find_iou(own, area, other, find_area(other)) >= e.threshold;
    const float weight = votes ? e.scores[r * e.classes + label] : 0.0f;
    voters[r] = votes ? static_cast<int32_t>(r) : -1;
    weights[r] = weight;
    sum += weight;
  }
  for (int half = kWarp / 2; half > 0; half /= 2) sum += shuffle_xor(sum, half);
  for (int64_t r = lane; r < e.count; r += kWarp) {
    if (voters[r] >= 0) weights[r] = static_cast<float>(weights[r] / sum);  // each lane what it has written itself
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
  FCIS_LAUNCH(place_each_roi, blocks(count, kWarps), kThreads, 0, stream, rois, scores, count, classes, scale, min_size, height,
              width, boxes, pixels, finite);
  return cudaGetLastError();
}

cudaError_t vote_weights(const Election& election, int64_t winners, int32_t* voters, float* weights, float* best,
                         cudaStream_t stream) {
  if (winners > INT32_MAX || election.count > INT32_MAX) return cudaErrorInvalidValue;
  if (winners == 0) return cudaSuccess;
  FCIS_LAUNCH(vote_weights_of, static_cast<unsigned>(winners), kWarp, 0, stream, election, voters, weights, best);
  return cudaGetLastError();
}

}  // namespace fcis::cuda

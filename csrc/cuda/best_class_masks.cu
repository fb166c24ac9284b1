// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Mask probabilities of every ROI's best class, in one launch after the scores: the part of mask_logits.cu that inference needs.
#include "assemble.h"

namespace fcis::cuda {
namespace {

constexpr int kMaskThreads = 128;

// The class other than the background with the highest score, the lower one of equals; a whole warp looks.
__device__ __forceinline__ int find_winner(const float* scores, int classes) {
  float best = -INFINITY;
  int label = 1;
  for (int c = 1 + static_cast<int>(threadIdx.x) % kWarp; c < classes; c += kWarp) {
    if (!(scores[c] > best)) continue;
    best = scores[c];
    label = c;
  }
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    const float other = shuffle_xor(best, lanes);
    const int its = shuffle_xor(label, lanes);
    if (!(other > best || (other == best && its < label))) continue;
    best = other;
    label = its;
  }
  return label;
}

// A thread is one square; every warp of an ROI finds the winner for itself, which is quicker than to tell the others.
template <typename T>
__global__ void __launch_bounds__(kMaskThreads)
    assemble_winners(Access<const T> maps, const float* __restrict__ rois, const float* __restrict__ scores, int bins, int size,
                     float scale, int classes, int padded, int blocks_per_roi, float* __restrict__ probabilities) {
  const int roi = blockIdx.x / blocks_per_roi, at = blockIdx.x % blocks_per_roi * kMaskThreads + threadIdx.x;
  const int p = at / size, q = at % size, per_bin = size / bins;
  FCIS_SHARED(WeightedSpan, rows);  // [size], then columns [size]
  const int image = find_spans(maps, rois + static_cast<int64_t>(roi) * 5, size, scale, rows);
  const int label = find_winner(scores + static_cast<int64_t>(roi) * classes, classes);
  if (p >= size) return;
  Pair mean{0.0f, 0.0f};
  if (image >= 0 && label < classes) {
    const Span row = rows[p].span(), column = rows[size + q].span();
    const int64_t bin = p / per_bin * bins + q / per_bin;
    if (row.count() > 0 && column.count() > 0) {
      const Pair sum = sum_square(maps, maps.at(image, 2 * (bin * padded + label), 0, 0), row, column);
      const float area = static_cast<float>(row.count() * column.count());
      mean = {sum.outside / area, sum.inside / area};
    }
  }
  probabilities[static_cast<int64_t>(roi) * size * size + at] = 1.0f / (1.0f + expf(mean.outside - mean.inside));
}

}  // namespace

cudaError_t best_class_masks(const Maps& maps, const Rois& rois, const float* scores, int64_t classes, float* probabilities,
                             cudaStream_t stream) {
  const int64_t blocks_per_roi = divide_up(rois.size * rois.size, kMaskThreads);
  if (rois.count * blocks_per_roi > 0x7fffffff) return cudaErrorInvalidValue;
  if (rois.count == 0) return cudaSuccess;
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    FCIS_LAUNCH((assemble_winners<T>), static_cast<unsigned>(rois.count * blocks_per_roi), kMaskThreads,
                2 * rois.size * sizeof(WeightedSpan), stream, access(maps, static_cast<const T*>(maps.data)), rois.data, scores,
                rois.bins, rois.size, rois.scale(), static_cast<int>(classes), static_cast<int>(padded_of(maps, rois)),
                static_cast<int>(blocks_per_roi), probabilities);
  });
}

}  // namespace fcis::cuda

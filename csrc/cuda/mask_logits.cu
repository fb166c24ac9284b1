// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The assembled outside/inside pair of one class per ROI, and the mask probabilities of its best class.
#include "assemble.h"

namespace fcis::cuda {
namespace {

constexpr int kMaskThreads = 128;

// Square `at` of an ROI's grid: the mean of the pair of a class, zeros for a class outside 0..classes-1.
template <typename T>
__device__ __forceinline__ Pair find_mean(const Access<const T>& maps, int image, const WeightedSpan* rows, int at, int bins,
                                          int size, int64_t label, int classes, int padded) {
  const int p = at / size, q = at % size, per_bin = size / bins;
  const Span row = rows[p].span(), column = rows[size + q].span();
  if (image < 0 || label < 0 || label >= classes || row.count() <= 0 || column.count() <= 0) return {0.0f, 0.0f};
  const int64_t bin = p / per_bin * bins + q / per_bin;
  const Pair sum = sum_square(maps, maps.at(image, 2 * (bin * padded + label), 0, 0), row, column);
  const float area = static_cast<float>(row.count() * column.count());
  return {sum.outside / area, sum.inside / area};
}

// A thread is one square. An ROI is spread over several blocks: their reads are scattered, and latency alone counts.
template <typename T>
__global__ void __launch_bounds__(kMaskThreads)
    assemble_masks(Access<const T> maps, const float* __restrict__ rois, const int64_t* __restrict__ labels, int bins, int size,
                   float scale, int padded, int blocks_per_roi, float* __restrict__ pairs) {
  const int roi = blockIdx.x / blocks_per_roi, at = blockIdx.x % blocks_per_roi * kMaskThreads + threadIdx.x;
  FCIS_SHARED(WeightedSpan, rows);  // [size], then columns [size]
  const int image = find_spans(maps, rois + static_cast<int64_t>(roi) * 5, size, scale, rows);
  if (at >= size * size) return;
  const Pair mean = find_mean(maps, image, rows, at, bins, size, labels[roi], padded, padded);
  float* const out = pairs + static_cast<int64_t>(roi) * 2 * size * size + at;
  out[0] = mean.outside;
  out[size * size] = mean.inside;
}

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

// The same with probabilities of the best class, in one launch after the scores: what inference needs. Every warp of an ROI finds
// the winner for itself, which is quicker than to tell the others.
template <typename T>
__global__ void __launch_bounds__(kMaskThreads)
    assemble_winners(Access<const T> maps, const float* __restrict__ rois, const float* __restrict__ scores, int bins, int size,
                     float scale, int classes, int padded, int blocks_per_roi, float* __restrict__ probabilities) {
  const int roi = blockIdx.x / blocks_per_roi, at = blockIdx.x % blocks_per_roi * kMaskThreads + threadIdx.x;
  FCIS_SHARED(WeightedSpan, rows);  // [size], then columns [size]
  const int image = find_spans(maps, rois + static_cast<int64_t>(roi) * 5, size, scale, rows);
  const int label = find_winner(scores + static_cast<int64_t>(roi) * classes, classes);
  if (at >= size * size) return;
  const Pair mean = find_mean(maps, image, rows, at, bins, size, label, classes, padded);
  probabilities[static_cast<int64_t>(roi) * size * size + at] = 1.0f / (1.0f + expf(mean.outside - mean.inside));
}

// grad [R, 2, size, size]; a warp gathers the gradient of one feature cell, one bin and 32 classes of both sides:
// what comes from an ROI goes to the lane of its label.
template <typename T>
__global__ void __launch_bounds__(GradientCell::kWarps* kWarp, 4)
    gather_masks(const float* __restrict__ grad, const int64_t* __restrict__ labels, Access<T> result, Table table, int padded,
                 int chunks) {
  const int unit = blockIdx.y * GradientCell::kWarps + threadIdx.x / kWarp;
  if (unit >= table.bins * table.bins * chunks) return;  // the whole warp
  const GradientCell cell = find_gradient_cell(blockIdx.x, unit, result.height, result.width, chunks);
  const int label = cell.chunk * kWarp + static_cast<int>(threadIdx.x) % kWarp, size = table.size, per_bin = table.per_bin;
  const int top = cell.bin / table.bins * per_bin, left = cell.bin % table.bins * per_bin;
  Pair sum{0.0f, 0.0f};
  for_each_roi(table, cell, [&](int r) {
    if (labels[r] != label || label >= padded) return;
    const float* const wanted = grad + static_cast<int64_t>(r) * 2 * size * size;
    for (int p = top; p < top + per_bin; ++p) {
      const Span row = *table.row(r, p);
      if (!holds(row, cell.y)) continue;
      for (int q = left; q < left + per_bin; ++q) {
        const Span column = *table.column(r, q);
        if (!holds(column, cell.x)) continue;
        const float area = static_cast<float>(row.count() * column.count());
        sum.outside += wanted[p * size + q] / area;
        sum.inside += wanted[(size + p) * size + q] / area;
      }
    }
  });
  if (label >= padded) return;
  store_pair(result, result.at(cell.image, 2 * (static_cast<int64_t>(cell.bin) * padded + label), cell.y, cell.x), sum);
}

}  // namespace

cudaError_t mask_logits(const Maps& maps, const Rois& rois, const int64_t* labels, float* pairs, cudaStream_t stream) {
  const int64_t blocks_per_roi = divide_up(rois.size * rois.size, kMaskThreads);
  if (rois.count * blocks_per_roi > 0x7fffffff) return cudaErrorInvalidValue;
  if (rois.count == 0) return cudaSuccess;
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    FCIS_LAUNCH((assemble_masks<T>), rois.count * blocks_per_roi, kMaskThreads, 2 * rois.size * sizeof(WeightedSpan), stream,
                access(maps, static_cast<const T*>(maps.data)), rois.data, labels, rois.bins, rois.size, rois.scale(),
                padded_of(maps, rois), blocks_per_roi, pairs);
  });
}

cudaError_t best_class_masks(const Maps& maps, const Rois& rois, const float* scores, int64_t classes, float* probabilities,
                             cudaStream_t stream) {
  const int64_t blocks_per_roi = divide_up(rois.size * rois.size, kMaskThreads);
  if (rois.count * blocks_per_roi > 0x7fffffff) return cudaErrorInvalidValue;
  if (rois.count == 0) return cudaSuccess;
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    FCIS_LAUNCH((assemble_winners<T>), rois.count * blocks_per_roi, kMaskThreads, 2 * rois.size * sizeof(WeightedSpan), stream,
                access(maps, static_cast<const T*>(maps.data)), rois.data, scores, rois.bins, rois.size, rois.scale(), classes,
                padded_of(maps, rois), blocks_per_roi, probabilities);
  });
}

size_t mask_logits_workspace(const Maps&, const Rois& rois) { return static_cast<size_t>(Table::bytes(rois.count, rois.size)); }

cudaError_t mask_logits_backward(const float* grad, const Maps& maps, const Rois& rois, const int64_t* labels, void* workspace,
                                 void* result, cudaStream_t stream) {
  const int64_t padded = padded_of(maps, rois), chunks = divide_up(padded, kWarp), pixels = maps.images * maps.pixels();
  const int64_t units = divide_up(rois.bins * rois.bins * chunks, GradientCell::kWarps);
  if (rois.count > 0x7fffffff || pixels > 0x7fffffff || units > 65535) return cudaErrorInvalidValue;
  if (pixels == 0) return cudaSuccess;
  const Table table = open_table(maps, rois, workspace, stream);
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    FCIS_LAUNCH((gather_masks<T>), dim3(pixels, units), GradientCell::kWarps * kWarp, 0, stream, grad, labels,
                access(maps, static_cast<T*>(result)), table, padded, chunks);
  });
}

}  // namespace fcis::cuda

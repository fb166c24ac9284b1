// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The outside/inside pair of one class at points of every ROI's box, each the value of the cell that it lies in.
#include "patent.h"

namespace fcis::cuda {
namespace {

struct Point {
  int cell, bin;
};

// A thread is one point.
template <typename T>
__global__ __launch_bounds__(kThreads) void read_points(Access<const T> maps, const float* __restrict__ rois,
                                                        const int64_t* __restrict__ labels, int bins, int size, int stride,
                                                        int padded, int blocks_per_roi, float* __restrict__ pairs) {
  FCIS_SHARED(Point, rows);  // [size], then columns [size]
  const int r = static_cast<int>(blockIdx.x) / blocks_per_roi,
            at = static_cast<int>(blockIdx.x) % blocks_per_roi * kThreads + threadIdx.x;
  const float* const roi = rois + static_cast<int64_t>(r) * 5;
  const Cover cover = find_cover(roi, maps.images, maps.height, maps.width, stride);
  for (int p = threadIdx.x; cover.image >= 0 && p < 2 * size; p += kThreads) {
    const int axis = p < size ? 1 : 0;
    const Span span = axis ? cover.rows : cover.columns;
    const int cell = find_point(roi[1 + axis], roi[3 + axis], span, size, p % size, stride);
    rows[p] = {cell, find_bin(span, bins, cell)};
  }
  __syncthreads();
  const int p = at / size, q = at % size;
  if (p >= size) return;
  const int64_t label = labels[r];
  Pair pair{0.0f, 0.0f};
  if (cover.image >= 0 && label >= 0 && label < padded) {
    const Point row = rows[p], column = rows[size + q];
    const int64_t bin = static_cast<int64_t>(row.bin) * bins + column.bin;
    pair = read_pair(maps, maps.at(cover.image, 2 * (bin * padded + label), row.cell, column.cell));
  }
  float* const out = pairs + static_cast<int64_t>(r) * 2 * size * size + at;
  out[0] = pair.outside;
  out[size * size] = pair.inside;
}

// grad [R, 2, size, size]; a warp gathers the gradient of one feature cell, one bin and 32 classes of both sides: an ROI's share
// goes to the lane of its label. Four blocks an SM leave room for registers, which spill from sm_100 on otherwise.
template <typename T>
__global__ __launch_bounds__(GradientCell::kWarps* kWarp,
                             4) void gather_points(const float* __restrict__ grad, const int64_t* __restrict__ labels,
                                                   Access<T> result, CoverTable table, int padded, int chunks) {
  const int unit = blockIdx.y * GradientCell::kWarps + threadIdx.x / kWarp;
  if (unit >= table.bins * table.bins * chunks) return;  // the whole warp
  const GradientCell cell = find_gradient_cell(blockIdx.x, unit, result.height, result.width, chunks);
  const int label = cell.chunk * kWarp + static_cast<int>(threadIdx.x) % kWarp, size = table.size;
  Pair sum{0.0f, 0.0f};
  for_each_roi(table, cell, [&](int r) {
    if (labels[r] != label || label >= padded) return;
    const float* const wanted = grad + static_cast<int64_t>(r) * 2 * size * size;
    for (int p = 0; p < size; ++p) {
      if (CoverTable::at(table.row_points, p, table.count, r) != cell.y) continue;
      for (int q = 0; q < size; ++q) {
        if (CoverTable::at(table.column_points, q, table.count, r) != cell.x) continue;
        sum.outside += wanted[p * size + q];
        sum.inside += wanted[(size + p) * size + q];
      }
    }
  });
  if (label >= padded) return;
  store_pair(result, result.at(cell.image, 2 * (static_cast<int64_t>(cell.bin) * padded + label), cell.y, cell.x), sum);
}

}  // namespace

cudaError_t patent_masks(const Maps& maps, const Rois& rois, const int64_t* labels, float* pairs, cudaStream_t stream) {
  const int64_t blocks_per_roi = divide_up(rois.size * rois.size, kThreads);
  if (rois.count * blocks_per_roi > 0x7fffffff) return cudaErrorInvalidValue;
  if (rois.count == 0) return cudaSuccess;
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    FCIS_LAUNCH((read_points<T>), rois.count * blocks_per_roi, kThreads, 2 * rois.size * sizeof(Point), stream,
                access(maps, static_cast<const T*>(maps.data)), rois.data, labels, rois.bins, rois.size, rois.stride,
                padded_of(maps, rois), blocks_per_roi, pairs);
  });
}

size_t patent_masks_backward_workspace(const Maps&, const Rois& rois) { return cover_table_bytes(rois, true); }

cudaError_t patent_masks_backward(const float* grad, const Maps& maps, const Rois& rois, const int64_t* labels, void* workspace,
                                  void* result, cudaStream_t stream) {
  const int64_t padded = padded_of(maps, rois), chunks = divide_up(padded, kWarp), pixels = maps.images * maps.pixels();
  const int64_t units = divide_up(rois.bins * rois.bins * chunks, GradientCell::kWarps);
  if (rois.count > 0x7fffffff || pixels > 0x7fffffff || units > 65535) return cudaErrorInvalidValue;
  if (pixels == 0) return cudaSuccess;
  const CoverTable table = open_cover_table(maps, rois, true, workspace, stream);
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    FCIS_LAUNCH((gather_points<T>), dim3(pixels, units), GradientCell::kWarps * kWarp, 0, stream, grad, labels,
                access(maps, static_cast<T*>(result)), table, padded, chunks);
  });
}

}  // namespace fcis::cuda

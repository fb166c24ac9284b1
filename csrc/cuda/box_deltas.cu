// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Position-sensitive average of the box maps. The mean over squares is linear and membership separable: within a bin feature
// cell (y, x) counts wy(y) * wx(x), w being the sum of 1/n over the spans that contain it. No grid is formed.
#include "assemble.h"

namespace fcis::cuda {
namespace {

constexpr int kMaxThreads = 512;
constexpr int kGatherThreads = 256;
constexpr int kBatch = 4;  // loads of a thread in flight

// A block is an ROI and `lanes` outputs, a power of 2; a group of lanes takes one bin at a time. With 7 x 7 bins
// and up to 8 outputs every group has one bin and the ROI is done after one walk over a patch.
template <typename T>
__global__ void __launch_bounds__(kMaxThreads, 2)
    sum_patches(Access<const T> maps, const float* __restrict__ rois, int bins, int size, float scale, int outputs, int lanes,
                int chunks, float* __restrict__ deltas) {
  const int roi = blockIdx.x / chunks, d = blockIdx.x % chunks * lanes + threadIdx.x % lanes, per_bin = size / bins;
  const int group = threadIdx.x / lanes, groups = blockDim.x / lanes;
  FCIS_SHARED(WeightedSpan, rows);                               // [size]
  WeightedSpan* const columns = rows + size;                     // [size]
  float* const sums = reinterpret_cast<float*>(columns + size);  // [threads]
  const int image = find_spans(maps, rois + static_cast<int64_t>(roi) * 5, size, scale, rows);
  float total = 0.0f;
  if (image >= 0 && d < outputs) {
    for (int bin = group; bin < bins * bins; bin += groups) {
      const WeightedSpan *const row = rows + bin / bins * per_bin, *const column = columns + bin % bins * per_bin;
      const int end = column[per_bin - 1].end;
      for (int y = row[0].begin; y < row[per_bin - 1].end; ++y) {
        const T* pixel = maps.at(image, static_cast<int64_t>(bin) * outputs + d, y, column[0].begin);
        float sum = 0.0f;
#pragma unroll 1
        for (int x = column[0].begin; x < end; x += kBatch) {
          float values[kBatch], weights[kBatch] = {};
#pragma unroll
          for (int i = 0; i < kBatch; ++i, pixel += maps.pixel_step) values[i] = x + i < end ? to_float(*pixel) : 0.0f;
#pragma unroll 1
          for (int q = 0; q < per_bin; ++q) {
            const WeightedSpan weighted = column[q];
#pragma unroll
            for (int i = 0; i < kBatch; ++i) weights[i] += holds(weighted.span(), x + i) ? weighted.weight : 0.0f;
          }
#pragma unroll
          for (int i = 0; i < kBatch; ++i) sum += weights[i] * values[i];
        }
        total += weigh(row, per_bin, y) * sum;
      }
    }
  }
  sums[threadIdx.x] = total;
  for (int left = groups; left > 1;) {  // halves, in a fixed order
    const int half = (left + 1) / 2;
    __syncthreads();
    if (group < left - half) sums[threadIdx.x] += sums[threadIdx.x + half * lanes];
    left = half;
  }
  if (group == 0 && d < outputs) {
    deltas[static_cast<int64_t>(roi) * outputs + d] = sums[threadIdx.x] / static_cast<float>(size * size);
  }
}

// grad [R, outputs]; a thread gathers one element of the gradient. Neighbouring threads are neighbouring channels.
template <typename T>
__global__ void __launch_bounds__(kGatherThreads)
    gather_patches(const float* __restrict__ grad, Access<T> result, Table table, int outputs) {
  const unsigned pixel = blockIdx.x, row = pixel / result.width, height = result.height;
  const int image = row / height, y = row % height, x = pixel % result.width, per_bin = table.per_bin;
  const int channel = blockIdx.y * kGatherThreads + threadIdx.x, bin = channel / outputs, d = channel % outputs;
  const int i = bin / table.bins, j = bin % table.bins;
  if (i >= table.bins) return;
  float sum = 0.0f;
  for (int r = 0; r < table.count; ++r) {
    if (!table.reaches(r, image, i, j, y, x)) continue;
    const float weight =
        weigh(table.row(r, i * per_bin), per_bin, table.count, y) * weigh(table.column(r, j * per_bin), per_bin, table.count, x);
    sum += weight * (grad[static_cast<int64_t>(r) * outputs + d] / static_cast<float>(table.size * table.size));
  }
  store(result.at(image, channel, y, x), sum);
}

}  // namespace

cudaError_t box_deltas(const Maps& maps, const Rois& rois, float* deltas, cudaStream_t stream) {
  const int64_t outputs = outputs_of(maps, rois), all_bins = rois.bins * rois.bins;
  int64_t lanes = 1;
  while (lanes < outputs && lanes < kWarp) lanes *= 2;
  const int64_t chunks = divide_up(outputs, lanes), wanted = divide_up(all_bins * lanes, kWarp) * kWarp;
  const int64_t threads = wanted < kMaxThreads ? wanted : kMaxThreads;
  if (rois.count * chunks > 0x7fffffff) return cudaErrorInvalidValue;
  if (rois.count == 0) return cudaSuccess;
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    FCIS_LAUNCH((sum_patches<T>), rois.count * chunks, threads, 2 * rois.size * sizeof(WeightedSpan) + threads * sizeof(float),
                stream, access(maps, static_cast<const T*>(maps.data)), rois.data, rois.bins, rois.size, rois.scale(), outputs,
                lanes, chunks, deltas);
  });
}

size_t box_deltas_workspace(const Maps&, const Rois& rois) { return static_cast<size_t>(Table::bytes(rois.count, rois.size)); }

cudaError_t box_deltas_backward(const float* grad, const Maps& maps, const Rois& rois, void* workspace, void* result,
                                cudaStream_t stream) {
  const int64_t pixels = maps.images * maps.pixels(), units = divide_up(maps.channels, kGatherThreads);
  if (rois.count > 0x7fffffff || pixels > 0x7fffffff || units > 65535) return cudaErrorInvalidValue;
  if (pixels == 0) return cudaSuccess;
  const Table table = open_table(maps, rois, workspace, stream);
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    FCIS_LAUNCH((gather_patches<T>), dim3(pixels, units), kGatherThreads, 0, stream, grad, access(maps, static_cast<T*>(result)),
                table, outputs_of(maps, rois));
  });
}

}  // namespace fcis::cuda

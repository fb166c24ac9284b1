// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Means over the cells of every ROI by summed-area tables: four reads per ROI, bin and channel, however large the ROI is. Tables
// are in double, added up in the order of csrc/cpu/patent_means.cpp: the difference of two sums over thousands of cells would
// lose a float's last digits.
//
// The gradient gathers, as no two threads may add to one element: every ROI that covers a cell gives it its share.
#include "patent.h"

namespace fcis::cuda {
namespace {

constexpr int kMeanWarps = 8;  // in a block of read_corners

// [images][height + 1][width + 1][channels], a channel being a bin and one of the groups; row 0 and column 0 are zero.
struct AreaTable {
  double* data;
  int height, width;
  int64_t channels;
  __device__ __forceinline__ double* at(int image, int y, int x) const {
    return data + ((static_cast<int64_t>(image) * (height + 1) + y) * (width + 1) + x) * channels;
  }
};

// Groups of a bin as the maps hold them: pairs, padded ones among them, or channels.
int64_t stored_of(const Maps& maps, const Rois& rois, bool pairs) {
  return pairs ? padded_of(maps, rois) : outputs_of(maps, rois);
}

// A thread is a channel and a row of cells: sums along the row.
template <typename T, bool kPairs>
__global__ __launch_bounds__(kThreads) void sum_rows(Access<const T> maps, AreaTable table, int groups, int stored) {
  const int64_t channel = static_cast<int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  if (channel >= table.channels) return;
  const int image = static_cast<int>(blockIdx.x) / maps.height, y = static_cast<int>(blockIdx.x) % maps.height;
  const int64_t first = kPairs ? 2 * (channel / groups * stored + channel % groups) : channel;
  const T* pixel = maps.at(image, first, y, 0);
  double sum = 0.0;
  table.at(image, y + 1, 0)[channel] = 0.0;
  for (int x = 0; x < maps.width; ++x, pixel += maps.pixel_step) {
    sum += kPairs ? larger(read_pair(maps, pixel)) : to_float(*pixel);
    table.at(image, y + 1, x + 1)[channel] = sum;
  }
}

// A thread is a channel and a column of the table: sums down the column.
__global__ __launch_bounds__(kThreads) void sum_columns(AreaTable table) {
  const int64_t channel = static_cast<int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  if (channel >= table.channels) return;
  const int image = static_cast<int>(blockIdx.x) / (table.width + 1), x = static_cast<int>(blockIdx.x) % (table.width + 1);
  double sum = 0.0;
  for (int y = 0; y <= table.height; ++y) {
    double* const at = table.at(image, y, x) + channel;
    if (y > 0) sum += *at;
    *at = sum;
  }
}

// A block is an ROI and 32 groups; its warps take the bins in turn.
__global__ __launch_bounds__(kMeanWarps* kWarp) void read_corners(AreaTable table, const float* __restrict__ rois, int bins,
                                                                  int stride, int images, int groups, int chunks,
                                                                  float* __restrict__ means) {
  __shared__ double sums[kMeanWarps][kWarp];
  const int roi = static_cast<int>(blockIdx.x) / chunks, lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp, group = static_cast<int>(blockIdx.x) % chunks * kWarp + lane;
  const Cover cover = find_cover(rois + static_cast<int64_t>(roi) * 5, images, table.height, table.width, stride);
  double total = 0.0;
  if (cover.image >= 0 && group < groups) {
    for (int bin = warp; bin < bins * bins; bin += kMeanWarps) {
      const int top = find_bin_edge(cover.rows, bins, bin / bins), bottom = find_bin_edge(cover.rows, bins, bin / bins + 1),
                left = find_bin_edge(cover.columns, bins, bin % bins), right = find_bin_edge(cover.columns, bins, bin % bins + 1);
      if (top >= bottom || left >= right) continue;
      const int64_t channel = static_cast<int64_t>(bin) * groups + group;
      total += (table.at(cover.image, bottom, right)[channel] - table.at(cover.image, top, right)[channel]) -
               (table.at(cover.image, bottom, left)[channel] - table.at(cover.image, top, left)[channel]);
    }
  }
  sums[warp][lane] = total;
  __syncthreads();
  if (warp > 0 || group >= groups) return;
  for (int w = 1; w < kMeanWarps; ++w) total += sums[w][lane];
  means[static_cast<int64_t>(roi) * groups + group] =
      cover.image < 0 ? 0.0f : static_cast<float>(total / static_cast<double>(cover.cells()));
}

// A warp gathers the gradient of one feature cell, one bin and 32 groups; of pairs it goes to the larger side, and is zero for
// the padding.
template <typename T, bool kPairs>
__global__ __launch_bounds__(GradientCell::kWarps* kWarp) void gather_means(const float* __restrict__ grad, Access<const T> maps,
                                                                            Access<T> result, CoverTable table, int groups,
                                                                            int stored, int chunks) {
  const int unit = blockIdx.y * GradientCell::kWarps + threadIdx.x / kWarp;
  if (unit >= table.bins * table.bins * chunks) return;  // the whole warp
  const GradientCell cell = find_gradient_cell(blockIdx.x, unit, result.height, result.width, chunks);
  const int group = cell.chunk * kWarp + static_cast<int>(threadIdx.x) % kWarp;
  double sum = 0.0;
  for_each_roi(table, cell, [&](int r) {
    if (group < groups) sum += static_cast<double>(grad[static_cast<int64_t>(r) * groups + group]) * table.share[r];
  });
  if (group >= stored) return;
  const float value = static_cast<float>(sum);
  const int64_t channel = (kPairs ? 2 : 1) * (static_cast<int64_t>(cell.bin) * stored + group);
  T* const at = result.at(cell.image, channel, cell.y, cell.x);
  if (!kPairs) {
    store(at, value);
    return;
  }
  const Pair pair = read_pair(maps, maps.at(cell.image, channel, cell.y, cell.x));
  const bool inside = pair.inside > pair.outside;
  store_pair(result, at, {inside ? 0.0f : value, inside ? value : 0.0f});
}

template <typename T, bool kPairs>
void launch_sums(const Maps& maps, const AreaTable& table, int groups, int stored, cudaStream_t stream) {
  const unsigned blocks = static_cast<unsigned>(divide_up(table.channels, kThreads));
  FCIS_LAUNCH((sum_rows<T, kPairs>), dim3(maps.images * maps.height, blocks), kThreads, 0, stream,
              access(maps, static_cast<const T*>(maps.data)), table, groups, stored);
  FCIS_LAUNCH(sum_columns, dim3(maps.images * (maps.width + 1), blocks), kThreads, 0, stream, table);
}

}  // namespace

size_t patent_means_workspace(const Maps& maps, const Rois& rois, int64_t groups) {
  const int64_t channels = rois.bins * rois.bins * groups;
  return static_cast<size_t>(maps.images * (maps.height + 1) * (maps.width + 1) * channels) * sizeof(double);
}

cudaError_t patent_means(const Maps& maps, const Rois& rois, bool pairs, int64_t groups, void* workspace, float* means,
                         cudaStream_t stream) {
  const int64_t stored = stored_of(maps, rois, pairs), chunks = divide_up(groups, kWarp);
  const AreaTable table{static_cast<double*>(workspace), static_cast<int>(maps.height), static_cast<int>(maps.width),
                        rois.bins * rois.bins * groups};
  if (rois.count * chunks > 0x7fffffff || maps.images * (maps.pixels() + maps.width + maps.height) > 0x7fffffff ||
      divide_up(table.channels, kThreads) > 65535) {
    return cudaErrorInvalidValue;
  }
  if (rois.count == 0) return cudaSuccess;
  if (maps.images > 0) {
    const cudaError_t error = with_element(maps.element, [&](auto element) {
      using T = decltype(element);
      if (pairs) {
        launch_sums<T, true>(maps, table, static_cast<int>(groups), static_cast<int>(stored), stream);
      } else {
        launch_sums<T, false>(maps, table, static_cast<int>(groups), static_cast<int>(stored), stream);
      }
    });
    if (error) return error;
  }
  FCIS_LAUNCH(read_corners, rois.count * chunks, kMeanWarps * kWarp, 0, stream, table, rois.data, rois.bins, rois.stride,
              maps.images, groups, chunks, means);
  return cudaGetLastError();
}

size_t patent_means_backward_workspace(const Maps&, const Rois& rois) { return cover_table_bytes(rois, false); }

cudaError_t patent_means_backward(const float* grad, const Maps& maps, const Rois& rois, bool pairs, int64_t groups,
                                  void* workspace, void* result, cudaStream_t stream) {
  const int64_t stored = stored_of(maps, rois, pairs), chunks = divide_up(stored, kWarp), pixels = maps.images * maps.pixels();
  const int64_t units = divide_up(rois.bins * rois.bins * chunks, GradientCell::kWarps);
  if (rois.count > 0x7fffffff || pixels > 0x7fffffff || units > 65535) return cudaErrorInvalidValue;
  if (pixels == 0) return cudaSuccess;
  const CoverTable table = open_cover_table(maps, rois, false, workspace, stream);
  const dim3 grid(pixels, units);
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    const Access<const T> read = access(maps, static_cast<const T*>(maps.data));
    const Access<T> written = access(maps, static_cast<T*>(result));
    const int group_count = static_cast<int>(groups), all = static_cast<int>(stored), parts = static_cast<int>(chunks);
    if (pairs) {
      FCIS_LAUNCH((gather_means<T, true>), grid, GradientCell::kWarps * kWarp, 0, stream, grad, read, written, table, group_count,
                  all, parts);
    } else {
      FCIS_LAUNCH((gather_means<T, false>), grid, GradientCell::kWarps * kWarp, 0, stream, grad, read, written, table,
                  group_count, all, parts);
    }
  });
}

}  // namespace fcis::cuda

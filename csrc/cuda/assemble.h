// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Maps and spans as the kernels of assembly read them.
//
// Forward kernels give a block one ROI, whose spans its threads compute once into shared memory. Backward kernels gather: a
// thread owns elements of the gradient and goes over the ROIs that reach them, so no two threads add to one element; they read
// the spans of all ROIs from a table in global memory.
#pragma once

#include <cstring>
#include <type_traits>

#include "../geometry.h"
#include "common.h"
#include "kernels.h"
#include "launch.h"

namespace fcis::cuda {

// The outside and the inside of one class.
struct Pair {
  float outside, inside;
};

__device__ __forceinline__ float larger(Pair pair) { return pair.inside > pair.outside ? pair.inside : pair.outside; }

// Both sides as they lie in channels-last maps, for one load or store.
template <typename T>
struct __align__(2 * sizeof(T)) Sides {
  T outside, inside;
};

// How a kernel reaches the elements of maps. T is const where they are read.
template <typename T>
struct Access {
  T* data;
  int64_t image_step, channel_step, pixel_step;
  int images, height, width;
  bool wide;  // whether pairs lie side by side, aligned to their size
  __device__ __forceinline__ T* at(int image, int64_t channel, int y, int x) const {
    return data + image * image_step + channel * channel_step + (static_cast<int64_t>(y) * width + x) * pixel_step;
  }
};

// Channels-last score maps have an even number of channels; a tensor that is a slice may still begin anywhere.
template <typename T>
bool has_wide_pairs(const Maps& maps, const T* data) {
  return maps.channels_last && maps.channels % 2 == 0 && reinterpret_cast<uintptr_t>(data) % sizeof(Sides<T>) == 0;
}

template <typename T>
Access<T> access(const Maps& maps, T* data) {
  return {data,
          maps.channels * maps.pixels(),
          maps.channel_step(),
          maps.pixel_step(),
          static_cast<int>(maps.images),
          static_cast<int>(maps.height),
          static_cast<int>(maps.width),
          has_wide_pairs<T>(maps, data)};
}

__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(__half value) { return __half2float(value); }
__device__ __forceinline__ float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }

__device__ __forceinline__ void store(float* at, float value) { *at = value; }
__device__ __forceinline__ void store(__half* at, float value) { *at = __float2half(value); }
__device__ __forceinline__ void store(__nv_bfloat16* at, float value) { *at = __float2bfloat16(value); }

template <bool kWide, typename T>
__device__ __forceinline__ Pair read_pair(const T* outside, const T* inside) {
  if (!kWide) return {to_float(*outside), to_float(*inside)};
  const Sides<T> sides = *reinterpret_cast<const Sides<T>*>(outside);
  return {to_float(sides.outside), to_float(sides.inside)};
}

template <typename T>
__device__ __forceinline__ Pair read_pair(const Access<const T>& maps, const T* at) {
  const T* const inside = at + maps.channel_step;
  return maps.wide ? read_pair<true>(at, inside) : read_pair<false>(at, inside);
}

// In one store, as one word: the compiler would store a structure by its members.
template <typename T>
__device__ __forceinline__ void store_wide(T* at, Pair pair) {
  Sides<T> sides;
  store(&sides.outside, pair.outside);
  store(&sides.inside, pair.inside);
  std::conditional_t<sizeof(T) == 2, uint32_t, uint64_t> word;
  memcpy(&word, &sides, sizeof(word));
  *reinterpret_cast<decltype(word)*>(at) = word;
}

template <typename T>
__device__ __forceinline__ void store_pair(const Access<T>& maps, T* at, Pair pair) {
  if (maps.wide) {
    store_wide(at, pair);
  } else {
    store(at, pair.outside);
    store(at + maps.channel_step, pair.inside);
  }
}

// Calls launch(T{}) with the type of the elements.
template <typename Launch>
cudaError_t with_element(Element element, Launch launch) {
  switch (element) {
    case Element::kFloat32: launch(float{}); break;
    case Element::kFloat16: launch(__half{}); break;
    case Element::kBFloat16: launch(__nv_bfloat16{}); break;
    default: return cudaErrorInvalidValue;
  }
  return cudaGetLastError();
}

// Which image an ROI lies in and its axes.
struct Extent {
  int image;  // -1: ignored (no such image, or a box that is not finite)
  Axis y, x;
};

__device__ __forceinline__ Extent read_extent(const float* roi, int size, float scale, int images, int height, int width) {
  const Axis y = make_axis(roi[2], roi[4], size, height, scale), x = make_axis(roi[1], roi[3], size, width, scale);
  const bool known = roi[0] >= 0.0f && roi[0] < static_cast<float>(images) && roi[0] == floorf(roi[0]);
  return {known && y.length > 0 && x.length > 0 ? static_cast<int>(roi[0]) : -1, y, x};
}

__device__ __forceinline__ float inverse(int count) { return count > 0 ? 1.0f / static_cast<float>(count) : 0.0f; }

// A span with the weight of its cells in a mean: one read from shared memory.
struct __align__(16) WeightedSpan {
  int begin, end;
  float weight;
  __device__ __forceinline__ Span span() const { return {begin, end}; }
};

// The whole block computes rows [size] and, behind them, columns [size] in shared memory; returns the image of the ROI, -1:
// ignored.
template <typename T>
__device__ __forceinline__ int find_spans(const Access<T>& maps, const float* roi, int size, float scale, WeightedSpan* rows) {
  const Extent box = read_extent(roi, size, scale, maps.images, maps.height, maps.width);
  for (int p = threadIdx.x; p < 2 * size; p += blockDim.x) {
    const Span span = p < size ? find_span(box.y, p) : find_span(box.x, p - size);
    rows[p] = {span.begin, span.end, inverse(span.count())};
  }
  __syncthreads();
  return box.image;
}

__device__ __forceinline__ bool holds(Span span, int i) { return i >= span.begin && i < span.end; }

// How much feature cell i counts in the sum over these spans of their means, along one axis.
__device__ __forceinline__ float weigh(const WeightedSpan* spans, int count, int i) {
  float weight = 0.0f;
#pragma unroll 1
  for (int p = 0; p < count; ++p) weight += holds(spans[p].span(), i) ? spans[p].weight : 0.0f;
  return weight;
}
// The same in a table, where `step` leads from span to span.
__device__ __forceinline__ float weigh(const Span* spans, int count, int64_t step, int i) {
  float weight = 0.0f;
  for (int p = 0; p < count; ++p, spans += step) {
    if (holds(*spans, i)) weight += inverse(spans->count());
  }
  return weight;
}

// Sums of the outside and the inside map over one square, in the order of the CPU; `first` is the outside of the class in the
// first cell of the image.
template <bool kWide, typename T>
__device__ __forceinline__ Pair sum_square(const Access<const T>& maps, const T* first, Span row, Span column) {
  const T* const inside = first + maps.channel_step;
  const int64_t row_step = maps.width * maps.pixel_step;
  Pair sum{0.0f, 0.0f};
  for (int y = row.begin; y < row.end; ++y) {
    int64_t at = y * row_step + column.begin * maps.pixel_step;
#pragma unroll 4
    for (int x = column.begin; x < column.end; ++x, at += maps.pixel_step) {
      const Pair pair = read_pair<kWide>(first + at, inside + at);
      sum.outside += pair.outside;
      sum.inside += pair.inside;
    }
  }
  return sum;
}

template <typename T>
__device__ __forceinline__ Pair sum_square(const Access<const T>& maps, const T* first, Span row, Span column) {
  return maps.wide ? sum_square<true>(maps, first, row, column) : sum_square<false>(maps, first, row, column);
}

// The spans of all ROIs, in a workspace. ROIs run fastest: lanes look at 32 of them at once.
struct Table {
  int count, bins, size, per_bin;
  Span *rows, *columns;  // [size, count]
  int* image;            // [count]
  __host__ __device__ __forceinline__ static int64_t bytes(int64_t count, int64_t size) {
    return (count * (2 * size * static_cast<int64_t>(sizeof(Span)) + static_cast<int64_t>(sizeof(int))) + 15) / 16 * 16;
  }
  __device__ __forceinline__ const Span* row(int r, int p) const { return rows + static_cast<int64_t>(p) * count + r; }
  __device__ __forceinline__ const Span* column(int r, int p) const { return columns + static_cast<int64_t>(p) * count + r; }
  // Whether a square of the bin in row i, column j holds feature cell (y, x). Spans leave no gap between them.
  __device__ __forceinline__ bool reaches(int r, int from_image, int i, int j, int y, int x) const {
    return image[r] == from_image && y >= row(r, i * per_bin)->begin && y < row(r, (i + 1) * per_bin - 1)->end &&
           x >= column(r, j * per_bin)->begin && x < column(r, (j + 1) * per_bin - 1)->end;
  }
};

// Fills the table: in spans.cu.
Table open_table(const Maps& maps, const Rois& rois, void* workspace, cudaStream_t stream);

// The part of a gradient that a warp of a gathering kernel writes: one feature cell, one bin, 32 classes. Blocks
// count the feature cells in x and, kWarps at a time, the rest in y.
struct GradientCell {
  static constexpr int kWarps = 8;
  int image, y, x, bin, chunk;
};

__device__ __forceinline__ GradientCell find_gradient_cell(unsigned pixel, int unit, int height, int width, int chunks) {
  const unsigned row = pixel / width;
  return {static_cast<int>(row / height), static_cast<int>(row % height), static_cast<int>(pixel % width), unit / chunks,
          unit % chunks};
}

// Calls add(r) in order for every ROI of the table that reaches the cell; all lanes of the warp together.
template <typename AnyTable, typename Add>
__device__ __forceinline__ void for_each_roi(const AnyTable& table, const GradientCell& cell, Add add) {
  const int lane = threadIdx.x % kWarp, i = cell.bin / table.bins, j = cell.bin % table.bins;
  for (int first = 0; first < table.count; first += kWarp) {
    const int r = first + lane;
    unsigned hits = ballot(r < table.count && table.reaches(r, cell.image, i, j, cell.y, cell.x));
    for (; hits; hits &= hits - 1) add(first + __ffs(static_cast<int>(hits)) - 1);
  }
}

}  // namespace fcis::cuda

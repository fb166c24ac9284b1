// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Pictures of instances: the map of their numbers straight from run lengths, and the overlay. Bound by memory; one thread a
// pixel.
#include "common.h"
#include "kernels.h"

namespace fcis::cuda {
namespace {

constexpr int kColumns = 32, kRows = kThreads / kColumns;  // pixels of a block

// Where an instance's runs lie, begin..end-1; empty where ends are out of order.
struct RunSlice {
  int begin, end;
};

__device__ __forceinline__ RunSlice find_runs(const int32_t* ends, int instance, int total) {
  const RunSlice slice{instance > 0 ? ends[instance - 1] : 0, ends[instance]};
  return slice.begin >= 0 && slice.begin <= slice.end && slice.end <= total ? slice : RunSlice{0, 0};
}

// One block an instance: run_ends[i] = pixels, down the columns of the box, up to the end of run i.
__global__ __launch_bounds__(kThreads) void add_runs(const int32_t* boxes, const int32_t* runs, const int32_t* ends, int total,
                                                     int height, int width, int* run_ends, int32_t* wrong) {
  const int instance = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const RunSlice slice = find_runs(ends, instance, total);
  const int32_t* box = boxes + static_cast<int64_t>(instance) * 4;
  const bool inside = box[0] >= 0 && box[1] >= 0 && box[0] <= box[2] && box[1] <= box[3] && box[2] <= width && box[3] <= height;
  const int64_t pixels = inside ? static_cast<int64_t>(box[3] - box[1]) * (box[2] - box[0]) : -1;
  bool fits = slice.end == ends[instance];
  int64_t sum = 0;
  for (int begin = slice.begin; begin < slice.end; begin += kThreads) {
    const int at = begin + thread, length = at < slice.end ? runs[at] : 0;
    fits &= length >= 0;
    int64_t all;
    const int64_t end = sum + sum_before(length, all) + length;
    if (at < slice.end) run_ends[at] = static_cast<int>(min(end, static_cast<int64_t>(INT32_MAX)));
    sum += all;
  }
  if (!fits || sum != pixels) atomicMax(wrong, instance + 1);
}

// 256 instances at a time each thread notes whether one of them touches the block's pixels; then every thread asks those in turn,
// best first, whether its pixel lies in a run with an odd number. No pixel is written twice.
__global__ __launch_bounds__(kThreads) void find_labels(const int32_t* boxes, const int32_t* ends, const int* run_ends,
                                                        int instances, int total, int height, int width, uint16_t* labels) {
  __shared__ int corners[4][kThreads];
  __shared__ unsigned near[kWarps];
  const int thread = static_cast<int>(threadIdx.x), left = static_cast<int>(blockIdx.x) * kColumns,
            top = static_cast<int>(blockIdx.y) * kRows, x = left + thread % kColumns, y = top + thread / kColumns;
  int label = 0;
  for (int first = 0; first < instances; first += kThreads) {
    bool touches = false;
    if (first + thread < instances) {
      const int32_t* box = boxes + static_cast<int64_t>(first + thread) * 4;
      touches = box[0] < left + kColumns && box[1] < top + kRows && box[2] > left && box[3] > top;
      for (int c = 0; c < 4; ++c) corners[c][thread] = box[c];
    }
    const unsigned votes = ballot(touches);
    if (thread % kWarp == 0) near[thread / kWarp] = votes;
    __syncthreads();
    for (int w = 0; w < kWarps && label == 0; ++w) {
      for (unsigned rest = near[w]; rest != 0 && label == 0; rest &= rest - 1) {
        const int i = w * kWarp + __ffs(static_cast<int>(rest)) - 1;
        const int x1 = corners[0][i], y1 = corners[1][i], y2 = corners[3][i];
        if (x < x1 || y < y1 || x >= corners[2][i] || y >= y2) continue;
        const RunSlice slice = find_runs(ends, first + i, total);
        const int64_t pixel = static_cast<int64_t>(x - x1) * (y2 - y1) + (y - y1);
        int low = slice.begin, high = slice.end;  // the first run that ends behind the pixel
        while (low < high) {
          const int middle = low + (high - low) / 2;
          if (run_ends[middle] > pixel) {
            high = middle;
          } else {
            low = middle + 1;
          }
        }
        if (low < slice.end && (low - slice.begin) % 2 == 1) label = first + i + 1;
      }
    }
    __syncthreads();
  }
  if (x < width && y < height) labels[static_cast<int64_t>(y) * width + x] = static_cast<uint16_t>(label);
}

// A pixel is at its instance's visible edge where the square of 2 * thickness + 1 pixels around it, as far as the image goes,
// holds another label. In two steps, rows before columns: cores = the label where the row's part of the square has no other, else
// 0.
__global__ __launch_bounds__(kThreads) void find_cores(const uint16_t* labels, int thickness, int height, int width,
                                                       uint16_t* cores) {
  const int thread = static_cast<int>(threadIdx.x), x = static_cast<int>(blockIdx.x) * kColumns + thread % kColumns,
            y = static_cast<int>(blockIdx.y) * kRows + thread / kColumns;
  if (x >= width || y >= height) return;
  const uint16_t* row = labels + static_cast<int64_t>(y) * width;
  const uint16_t label = row[x];
  const int last = min(x + thickness, width - 1);
  bool core = label != 0;
  for (int at = max(x - thickness, 0); core && at <= last; ++at) core = row[at] == label;
  cores[static_cast<int64_t>(y) * width + x] = core ? label : uint16_t{0};
}

__global__ __launch_bounds__(kThreads) void blend(const uint8_t* image, const uint16_t* labels, const uint16_t* cores,
                                                  const uint8_t* colours, int instances, int opacity, int thickness, int height,
                                                  int width, uint8_t* result, int32_t* wrong) {
  const int thread = static_cast<int>(threadIdx.x), x = static_cast<int>(blockIdx.x) * kColumns + thread % kColumns,
            y = static_cast<int>(blockIdx.y) * kRows + thread / kColumns;
  if (x >= width || y >= height) return;
  const int64_t pixel = static_cast<int64_t>(y) * width + x;
  const uint8_t* in = image + pixel * 3;
  uint8_t* out = result + pixel * 3;
  const int label = labels[pixel];
  if (label == 0 || label > instances) {
    if (label > 0) atomicMax(wrong, label);
    for (int c = 0; c < 3; ++c) out[c] = in[c];
    return;
  }
  const int last = min(y + thickness, height - 1);
  bool inner = true;
  for (int at = max(y - thickness, 0); inner && at <= last; ++at) inner = cores[static_cast<int64_t>(at) * width + x] == label;
  const uint8_t* colour = colours + (label - 1) * 3;
  for (int c = 0; c < 3; ++c) {
    out[c] = inner ? static_cast<uint8_t>((in[c] * (256 - opacity) + colour[c] * opacity + 128) >> 8) : colour[c];
  }
}

dim3 pixel_blocks(int64_t height, int64_t width) { return dim3(divide_up(width, kColumns), divide_up(height, kRows)); }

}  // namespace

size_t label_map_workspace(int64_t total) { return static_cast<size_t>(total) * sizeof(int); }

cudaError_t label_map(const int32_t* boxes, const int32_t* runs, const int32_t* ends, int64_t instances, int64_t total,
                      int64_t height, int64_t width, void* workspace, uint16_t* labels, int32_t* wrong, cudaStream_t stream) {
  if (const cudaError_t error = cudaMemsetAsync(wrong, 0, sizeof(int32_t), stream)) return error;
  if (height == 0 || width == 0) return cudaSuccess;
  if (instances > 65535 || total > INT32_MAX || height > 32768 || width > 32768) return cudaErrorInvalidValue;
  int* run_ends = static_cast<int*>(workspace);
  const int count = static_cast<int>(instances), runs_in = static_cast<int>(total), rows = static_cast<int>(height),
            columns = static_cast<int>(width);
  if (count > 0) {
    FCIS_LAUNCH(add_runs, count, kThreads, 0, stream, boxes, runs, ends, runs_in, rows, columns, run_ends, wrong);
  }
  FCIS_LAUNCH(find_labels, pixel_blocks(height, width), kThreads, 0, stream, boxes, ends, run_ends, count, runs_in, rows, columns,
              labels);
  return cudaGetLastError();
}

size_t paint_workspace(int64_t height, int64_t width) { return static_cast<size_t>(height * width) * sizeof(uint16_t); }

cudaError_t paint(const Overlay& overlay, void* workspace, uint8_t* result, int32_t* wrong, cudaStream_t stream) {
  const auto& [image, labels, colours, instances, alpha, thickness, height, width] = overlay;
  if (const cudaError_t error = cudaMemsetAsync(wrong, 0, sizeof(int32_t), stream)) return error;
  if (height == 0 || width == 0) return cudaSuccess;
  if (height > INT32_MAX || width > INT32_MAX || divide_up(height, kRows) > 65535) return cudaErrorInvalidValue;
  uint16_t* cores = static_cast<uint16_t*>(workspace);
  const int rows = static_cast<int>(height), columns = static_cast<int>(width), wide = static_cast<int>(thickness);
  FCIS_LAUNCH(find_cores, pixel_blocks(height, width), kThreads, 0, stream, labels, wide, rows, columns, cores);
  FCIS_LAUNCH(blend, pixel_blocks(height, width), kThreads, 0, stream, image, labels, cores, colours,
              min(instances, int64_t{65535}), static_cast<int>(alpha * 256.0f + 0.5f), wide, rows, columns, result, wrong);
  return cudaGetLastError();
}

}  // namespace fcis::cuda

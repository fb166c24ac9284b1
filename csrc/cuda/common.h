// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Shared by the kernels on boxes and masks: how a launch divides the memory lent to it, and sums over the threads of a block.
#pragma once

#include <cstddef>
#include <cstdint>

#include "launch.h"

namespace fcis::cuda {

constexpr int kThreads = 256, kWarp = 32, kWarps = kThreads / kWarp;  // of a block, unless a kernel says otherwise

// Arrays one behind the other, each aligned to 256 bytes; taken from a null base they give the size.
struct Workspace {
  void* base;
  size_t used = 0;
  template <class T>
  T* take(int64_t count) {
    T* const array = reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(base) + used);
    used += (static_cast<size_t>(count) * sizeof(T) + 255) / 256 * 256;
    return array;
  }
};

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The sum of the values of all threads before this one in a block of kThreads, and in `all` that of the whole block.
__device__ __forceinline__ int64_t sum_before(int64_t value, int64_t& all) {
  __shared__ int64_t sums[kWarps];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  int64_t before = value;
  for (int step = 1; step < kWarp; step *= 2) {
    const int64_t other = shuffle_up(before, step);
    if (lane >= step) before += other;
  }
  __syncthreads();  // the sums of the last call have been read
  if (lane == kWarp - 1) sums[warp] = before;
  __syncthreads();
  all = 0;
  before -= value;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) before += sums[w];
    all += sums[w];
  }
  return before;
}

}  // namespace fcis::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// CUDA beyond the language itself, for all kernels: launches, dynamic shared memory, warps. Together here, so that tests can run
// the kernels on the host: with FCIS_EMULATE the CUDA names come from test/ops/emulator/emulator.h.
#pragma once

#ifdef FCIS_EMULATE
#include "emulator.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

// FCIS_LAUNCH((kernel<float, 3>), grid, block, shared_bytes, stream, arguments...); cudaGetLastError() says how it went.
#define FCIS_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) kernel<<<grid, block, shared_bytes, stream>>>(__VA_ARGS__)

// Declares `type* name`, the dynamic shared memory of the block, aligned to 16 bytes. Once per kernel: further arrays follow in
// it.
#define FCIS_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char fcis_shared[]; \
  type* const name = reinterpret_cast<type*>(fcis_shared)
#endif

namespace fcis {

constexpr unsigned kAllLanes = 0xffffffffu;

// All 32 lanes of the warp take part in these: none may have returned or be in another branch.
template <typename T>
__device__ __forceinline__ T shuffle(T value, int lane) {
  return __shfl_sync(kAllLanes, value, lane);
}
template <typename T>
__device__ __forceinline__ T shuffle_xor(T value, int lanes) {
  return __shfl_xor_sync(kAllLanes, value, lanes);
}
template <typename T>
__device__ __forceinline__ T shuffle_up(T value, int lanes) {
  return __shfl_up_sync(kAllLanes, value, lanes);
}
__device__ __forceinline__ unsigned ballot(bool flag) { return __ballot_sync(kAllLanes, flag); }

}  // namespace fcis

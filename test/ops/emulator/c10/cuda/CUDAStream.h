// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// For the emulator: one stream, in which everything has happened when a call returns.
#pragma once

#include "emulator.h"

namespace c10::cuda {
struct CUDAStream {
  cudaStream_t stream() const { return nullptr; }
};
inline CUDAStream getCurrentCUDAStream() { return {}; }
}  // namespace c10::cuda

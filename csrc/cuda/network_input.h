// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operator that makes the network's input, without PyTorch. It neither allocates nor waits nor leaves its stream.
#pragma once

#ifdef FCIS_EMULATE
#include "emulator.h"
#else
#include <cuda_runtime_api.h>
#endif

#include "../maps.h"
#include "../pixels.h"

namespace fcis::cuda {

// -> result [height, width, 3] of `element`, as large as `input` says.
cudaError_t network_input(const InputOf& input, Element element, void* result, cudaStream_t stream);

}  // namespace fcis::cuda

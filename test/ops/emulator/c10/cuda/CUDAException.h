// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// For the emulator: a launch that fails says why.
#pragma once

#include <c10/util/Exception.h>

#include "emulator.h"

#define C10_CUDA_CHECK(call)                                                                                        \
  do {                                                                                                              \
    const cudaError_t error = (call);                                                                               \
    TORCH_CHECK(error == cudaSuccess, "error ", static_cast<int>(error), ": ", fcis::emulator::emulator_message()); \
  } while (false)

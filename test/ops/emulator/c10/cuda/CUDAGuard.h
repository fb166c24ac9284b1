// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// For the emulator: there is one device.
#pragma once

#include <c10/core/Device.h>

namespace c10::cuda {
struct CUDAGuard {
  explicit CUDAGuard(c10::Device) {}
};
}  // namespace c10::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// For the emulator: nothing is ever captured.
#pragma once

namespace c10::cuda {
enum class CaptureStatus { None };
inline CaptureStatus currentStreamCaptureStatusMayInitCtx() { return CaptureStatus::None; }
}  // namespace c10::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators as PyTorch calls them, bindings and all, on the host: torch.ops.fcis_emulated, for CPU tensors. Compiled
// once for each FCIS_SOURCE of csrc/ that registers something.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <optional>
#include <tuple>

// PyTorch 2.4 would take the name as it is written, before the next lines replace it.
#undef TORCH_LIBRARY
#define TORCH_LIBRARY(ns, m) TORCH_LIBRARY_FRAGMENT(ns, m)

// From here on: whatever these names stand for elsewhere has been included.
#define fcis_ros fcis_emulated
#define CUDA CPU
#include FCIS_SOURCE

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// What the bindings of operators on maps share.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros_like.h>

namespace fcis {

constexpr int64_t kPartialSums = 8;

// What the kernels read: float16 is no format that CPUs compute in, and is converted as a whole.
inline at::Tensor readable(const at::Tensor& maps) { return maps.scalar_type() == at::kHalf ? maps.to(at::kFloat) : maps; }

inline at::Tensor zeros_like_maps(const at::Tensor& maps) { return at::zeros_like(maps, maps.options().dtype(at::kFloat)); }

}  // namespace fcis

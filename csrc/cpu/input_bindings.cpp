// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// network_input on the CPU for PyTorch.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "../checks.h"
#include "../views.h"
#include "kernels.h"

namespace fcis {
namespace {

at::Tensor input_of(const at::Tensor& data, int64_t layout, int64_t height, int64_t width, int64_t step, double scale,
                    at::ArrayRef<double> mean, at::ArrayRef<double> std, at::ScalarType dtype) {
  check_picture(data, layout, height, width, step, scale, mean, std, dtype);
  const InputOf input = view_picture(data, layout, height, width, step, scale, mean, std);
  at::Tensor result = at::empty({1, input.height, input.width, 3}, data.options().dtype(at::kFloat));
  float* const out = ptr<float>(result);
  at::parallel_for(0, input.height, 16, [&](int64_t begin, int64_t end) { network_input(input, begin, end, out); });
  return result.permute({0, 3, 1, 2}).to(dtype);
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) { m.impl("network_input", input_of); }

}  // namespace fcis

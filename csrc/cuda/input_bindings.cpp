// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// network_input on CUDA for PyTorch.
#include <torch/library.h>

#include "../checks.h"
#include "../views.h"
#include "binding.h"
#include "network_input.h"

namespace fcis::cuda {
namespace {

at::Tensor input_of(const at::Tensor& data, int64_t layout, int64_t height, int64_t width, int64_t step, double scale,
                    at::ArrayRef<double> mean, at::ArrayRef<double> std, at::ScalarType dtype) {
  check_picture(data, layout, height, width, step, scale, mean, std, dtype);
  const InputOf input = view_picture(data, layout, height, width, step, scale, mean, std);
  const Call call(data);
  at::Tensor result = take({1, input.height, input.width, 3}, dtype, data);
  C10_CUDA_CHECK(network_input(input, element_of(dtype), result.mutable_data_ptr(), call.stream));
  return result.permute({0, 3, 1, 2});
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CUDA, m) { m.impl("network_input", input_of); }

}  // namespace fcis::cuda

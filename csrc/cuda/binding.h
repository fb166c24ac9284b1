// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Shared by the bindings to PyTorch: the stream of a call, and memory from PyTorch's allocator. Kernels do not include it.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace fcis::cuda {

// The device of the argument is current during a call, and kernels are launched on its current stream. Nothing waits for the
// device, unless an operator says so.
struct Call {
  explicit Call(const at::Tensor& argument)
      : guard(argument.device()), stream(c10::cuda::getCurrentCUDAStream().stream()), options(argument.options()) {}
  c10::cuda::CUDAGuard guard;
  cudaStream_t stream;
  at::TensorOptions options;

  // Memory for one call: when it is released, PyTorch lends it to later calls on the stream.
  at::Tensor take_workspace(size_t bytes) const {
    return at::empty({static_cast<int64_t>(bytes)}, options.dtype(at::kByte).memory_format(at::MemoryFormat::Contiguous));
  }

  // The gradient of maps, with their elements and layout; launch(workspace, result) writes all of it.
  template <class Launch>
  at::Tensor take_gradient(const at::Tensor& maps, size_t workspace_bytes, Launch launch) const {
    at::Tensor result = at::empty_like(maps), workspace = take_workspace(workspace_bytes);
    C10_CUDA_CHECK(launch(workspace.mutable_data_ptr(), result.mutable_data_ptr()));
    return result;
  }
};

}  // namespace fcis::cuda

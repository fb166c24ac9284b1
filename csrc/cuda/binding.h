// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// What the bindings to PyTorch share: whose stream a call uses and whose memory. Kernels do not include it.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace fcis::cuda {

// The device of the arguments is made current; everything below is launched on its current stream.
struct Call {
  explicit Call(const at::Tensor& argument) : guard(argument.device()), stream(c10::cuda::getCurrentCUDAStream().stream()) {}
  c10::cuda::CUDAGuard guard;
  cudaStream_t stream;
};

// Memory for one call: when it is let go, PyTorch lends it to others behind this call on the stream.
inline at::Tensor take_workspace(size_t bytes, const at::Tensor& like) {
  return at::empty({static_cast<int64_t>(bytes)}, like.options().dtype(at::kByte).memory_format(at::MemoryFormat::Contiguous));
}

inline at::Tensor take(at::IntArrayRef shape, at::ScalarType type, const at::Tensor& like) {
  return at::empty(shape, like.options().dtype(type).memory_format(at::MemoryFormat::Contiguous));
}

}  // namespace fcis::cuda

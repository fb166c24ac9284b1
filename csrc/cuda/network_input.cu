// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// From the bytes of an image to the network's input in one pass: one thread a pixel of the result, bound by memory.
#include "kernels.h"

#include "assemble.h"

namespace fcis::cuda {
namespace {

constexpr int kColumns = 32, kRows = kThreads / kColumns;  // pixels of a block

template <typename T>
__global__ __launch_bounds__(kThreads) void fill_input(InputOf input, T* result) {
  const int x = static_cast<int>(blockIdx.x) * kColumns + static_cast<int>(threadIdx.x) % kColumns;
  const int y = static_cast<int>(blockIdx.y) * kRows + static_cast<int>(threadIdx.x) / kColumns;
  if (x >= input.width || y >= input.height) return;
  const Sample row = find_sample(y, input.step, input.image.height, false),
               column = find_sample(x, input.step, input.image.width, true);
  const Picture& image = input.image;
  float pixel[3];
  write_pixel(input, read_pixel(image, row.low, column.low), read_pixel(image, row.low, column.high),
              read_pixel(image, row.high, column.low), read_pixel(image, row.high, column.high), row, column, pixel);
  T* out = result + (static_cast<int64_t>(y) * input.width + x) * 3;
  for (int c = 0; c < 3; ++c) store(out + c, pixel[c]);
}

}  // namespace

cudaError_t network_input(const InputOf& input, Element element, void* result, cudaStream_t stream) {
  const dim3 grid(divide_up(input.width, kColumns), divide_up(input.height, kRows));
  return with_element(element, [&](auto like) {
    using T = decltype(like);
    FCIS_LAUNCH(fill_input<T>, grid, kThreads, 0, stream, input, static_cast<T*>(result));
  });
}

}  // namespace fcis::cuda

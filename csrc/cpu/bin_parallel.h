// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// How the CPU operators on maps read their arguments and divide their work among PyTorch's threads. Results do not depend on the
// number of threads: every bin has separate channels, and the number of partial sums is fixed.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "../maps.h"
#include "../views.h"

namespace fcis {

// The maps as the kernels read them: CPUs do not compute in float16, so such maps are converted as a whole.
struct ReadableMaps : Maps {
  at::Tensor tensor;
  explicit ReadableMaps(const at::Tensor& maps) : Maps{}, tensor(maps.scalar_type() == at::kHalf ? maps.to(at::kFloat) : maps) {
    static_cast<Maps&>(*this) = view_maps(tensor);
  }
};

inline at::Tensor zeros_like_maps(const at::Tensor& maps) { return at::zeros_like(maps, maps.options().dtype(at::kFloat)); }

inline at::Tensor zeros(at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
  return at::zeros(shape, at::TensorOptions().dtype(type));
}

// Calls add(bin, buffers, sums) for every bin; returns the sums over all bins, of `shape`.
template <class T, class Buffers, class Add>
at::Tensor sum_over_bins(const Rois& rois, at::IntArrayRef shape, Add add) {
  const int64_t bins = rois.bins * rois.bins, parts = std::min<int64_t>(8, bins);
  std::vector<int64_t> partial_shape{parts};
  partial_shape.insert(partial_shape.end(), shape.begin(), shape.end());
  at::Tensor partial = zeros(partial_shape, c10::CppTypeToScalarType<T>::value);
  T* const sums = partial.mutable_data_ptr<T>();
  const int64_t step = partial.numel() / parts;
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    Buffers buffers;
    for (int64_t part = begin; part < end; ++part) {
      for (int64_t bin = part; bin < bins; bin += parts) add(static_cast<int>(bin), buffers, sums + part * step);
    }
  });
  return partial.sum(0);
}

// Calls write(bin, buffers) for every bin.
template <class Buffers, class Write>
void for_each_bin(const Rois& rois, Write write) {
  at::parallel_for(0, rois.bins * rois.bins, 1, [&](int64_t begin, int64_t end) {
    Buffers buffers;
    for (int64_t bin = begin; bin < end; ++bin) write(static_cast<int>(bin), buffers);
  });
}

struct NoBuffers {};

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CPU operators of `assemble: native` for PyTorch: arguments checked, layouts read, work divided among PyTorch's threads.
// Results do not depend on their number: bins own disjoint channels, and partial sums are a fixed number.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>

#include "../checks.h"
#include "../patent_bindings.h"
#include "../views.h"
#include "map_binding.h"
#include "patent_kernels.h"

namespace fcis {
namespace {

at::Tensor find_means(const at::Tensor& maps_in, const at::Tensor& rois_in, bool pairs, int64_t groups, int64_t bins,
                      int64_t stride) {
  const int64_t all_bins = bins * bins, count = rois_in.size(0), shares = std::min(kPartialSums, all_bins);
  const at::Tensor held = readable(maps_in);
  const Maps maps = view_maps(held);
  const Covers rois = find_covers(view_rois(rois_in, bins, bins, stride), maps);
  at::Tensor partial = at::zeros({shares, count, groups}, rois_in.options().dtype(at::kDouble));
  double* const sums = partial.mutable_data_ptr<double>();
  at::parallel_for(0, shares, 1, [&](int64_t begin, int64_t end) {
    PatentBuffers buffers;
    for (int64_t share = begin; share < end; ++share) {
      for (int64_t bin = share; bin < all_bins; bin += shares) {
        add_patent_sums(maps, rois, groups, pairs, static_cast<int>(bin), buffers, sums + share * count * groups);
      }
    }
  });
  at::Tensor means = partial.sum(0);
  double* mean = means.mutable_data_ptr<double>();
  for (int64_t r = 0; r < count; ++r) {
    const double cells = static_cast<double>(std::max<int64_t>(rois.all[r].cells(), 1));
    for (int64_t g = 0; g < groups; ++g) *mean++ /= cells;
  }
  return means.to(at::kFloat);
}

at::Tensor means_gradient(const at::Tensor& grad_in, const at::Tensor& maps_in, const at::Tensor& rois_in, bool pairs,
                          int64_t bins, int64_t stride) {
  const at::Tensor held = readable(maps_in), grad = grad_in.contiguous();
  const Maps maps = view_maps(held);
  const Covers rois = find_covers(view_rois(rois_in, bins, bins, stride), maps);
  std::vector<double> shares(rois.all.size());
  for (size_t r = 0; r < shares.size(); ++r) shares[r] = 1.0 / static_cast<double>(std::max<int64_t>(rois.all[r].cells(), 1));
  at::Tensor result = zeros_like_maps(held);
  float* const out = result.mutable_data_ptr<float>();
  at::parallel_for(0, bins * bins, 1, [&](int64_t begin, int64_t end) {
    PatentBuffers buffers;
    for (int64_t bin = begin; bin < end; ++bin) {
      patent_means_gradient(grad.const_data_ptr<float>(), shares.data(), maps, rois, grad.size(1), pairs, static_cast<int>(bin),
                            buffers, out);
    }
  });
  return result.to(maps_in.scalar_type());
}

at::Tensor patent_mask_logits(const at::Tensor& maps_in, const at::Tensor& rois_in, const at::Tensor& labels, int64_t bins,
                              int64_t size, int64_t stride) {
  check_maps(maps_in, rois_in, bins, bins, stride, kLeastPairs * bins * bins);
  check_points(size);
  check_labels(labels, rois_in);
  const at::Tensor held = readable(maps_in), label = labels.contiguous();
  const Maps maps = view_maps(held);
  const Covers rois = find_covers(view_rois(rois_in, bins, size, stride), maps);
  at::Tensor pairs = at::zeros({rois_in.size(0), 2, size, size}, rois_in.options().memory_format(at::MemoryFormat::Contiguous));
  float* const out = pairs.mutable_data_ptr<float>();
  at::parallel_for(0, rois_in.size(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      patent_mask_of_roi(maps, rois, padded_of(maps, rois.given), r, label.const_data_ptr<int64_t>()[r],
                         out + r * 2 * size * size);
    }
  });
  return pairs;
}

at::Tensor patent_mask_logits_backward(const at::Tensor& grad_in, const at::Tensor& maps_in, const at::Tensor& rois_in,
                                       const at::Tensor& labels, int64_t bins, int64_t size, int64_t stride) {
  check_maps(maps_in, rois_in, bins, bins, stride, kLeastPairs * bins * bins);
  check_points(size);
  check_labels(labels, rois_in);
  check_grad(grad_in, maps_in, {rois_in.size(0), 2, size, size});
  const at::Tensor grad = grad_in.contiguous(), label = labels.contiguous();
  at::Tensor result = zeros_like_maps(maps_in);
  const Maps shape = view_maps(result);
  const Covers rois = find_covers(view_rois(rois_in, bins, size, stride), shape);
  float* const out = result.mutable_data_ptr<float>();
  at::parallel_for(0, bins * bins, 1, [&](int64_t begin, int64_t end) {
    for (int64_t bin = begin; bin < end; ++bin) {
      patent_masks_gradient(grad.const_data_ptr<float>(), label.const_data_ptr<int64_t>(), shape, rois,
                            padded_of(shape, rois.given), static_cast<int>(bin), out);
    }
  });
  return result.to(maps_in.scalar_type());
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) {
  m.impl("patent_class_logits", patent_class_logits<find_means>);
  m.impl("patent_class_logits_backward", patent_class_logits_backward<means_gradient>);
  m.impl("patent_box_deltas", patent_box_deltas<find_means>);
  m.impl("patent_box_deltas_backward", patent_box_deltas_backward<means_gradient>);
  m.impl("patent_mask_logits", patent_mask_logits);
  m.impl("patent_mask_logits_backward", patent_mask_logits_backward);
}

}  // namespace fcis

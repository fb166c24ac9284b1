// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CPU operators of `assemble: native` for PyTorch.
#include "../patent_bindings.h"

#include "bin_parallel.h"
#include "patent_kernels.h"

namespace fcis {
namespace {

// Feature cells in the mean over an ROI; 1 where it covers none.
double cells_of(const Cover& cover) { return static_cast<double>(std::max<int64_t>(cover.cells(), 1)); }

struct CpuPatent {
  explicit CpuPatent(const at::Tensor&) {}

  static at::Tensor means(const at::Tensor& maps_in, const Rois& rois_in, bool pairs, int64_t groups) {
    const ReadableMaps maps(maps_in);
    const Covers rois = find_covers(rois_in, maps);
    const auto add = [&](int bin, PatentBuffers& buffers, double* sums) {
      add_patent_sums(maps, rois, groups, pairs, bin, buffers, sums);
    };
    at::Tensor means = sum_over_bins<double, PatentBuffers>(rois_in, {rois_in.count, groups}, add);
    double* mean = ptr<double>(means);
    for (const Cover& cover : rois.all) {
      for (int64_t g = 0; g < groups; ++g) *mean++ /= cells_of(cover);
    }
    return means.to(at::kFloat);
  }

  static at::Tensor means_backward(const at::Tensor& grad, const at::Tensor& maps_in, const Rois& rois_in, bool pairs) {
    const ReadableMaps maps(maps_in);
    const Covers rois = find_covers(rois_in, maps);
    std::vector<double> shares(rois.all.size());
    for (size_t r = 0; r < shares.size(); ++r) shares[r] = 1.0 / cells_of(rois.all[r]);
    at::Tensor result = zeros_like_maps(maps.tensor);
    float* const out = ptr<float>(result);
    for_each_bin<PatentBuffers>(rois_in, [&](int bin, PatentBuffers& buffers) {
      patent_means_gradient(ptr<const float>(grad), shares.data(), maps, rois, grad.size(1), pairs, bin, buffers, out);
    });
    return result.to(maps_in.scalar_type());
  }

  static at::Tensor mask_logits(const at::Tensor& maps_in, const Rois& rois_in, const at::Tensor& labels) {
    const ReadableMaps maps(maps_in);
    const Covers rois = find_covers(rois_in, maps);
    const int64_t size = rois_in.size;
    at::Tensor pairs = zeros({rois_in.count, 2, size, size});
    float* const out = ptr<float>(pairs);
    at::parallel_for(0, rois_in.count, 8, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        patent_mask_of_roi(maps, rois, padded_of(maps, rois_in), r, ptr<const int64_t>(labels)[r], out + r * 2 * size * size);
      }
    });
    return pairs;
  }

  static at::Tensor mask_logits_backward(const at::Tensor& grad, const at::Tensor& maps, const Rois& rois_in,
                                         const at::Tensor& labels) {
    at::Tensor result = zeros_like_maps(maps);
    const Maps shape = view_maps(result);
    const Covers rois = find_covers(rois_in, shape);
    float* const out = ptr<float>(result);
    for_each_bin<NoBuffers>(rois_in, [&](int bin, NoBuffers) {
      patent_masks_gradient(ptr<const float>(grad), ptr<const int64_t>(labels), shape, rois, padded_of(shape, rois_in), bin, out);
    });
    return result.to(maps.scalar_type());
  }
};

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) { implement_patent_operators<CpuPatent>(m); }

}  // namespace fcis

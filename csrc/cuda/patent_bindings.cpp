// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators of `assemble: native` for PyTorch.
#include "../patent_bindings.h"

#include "binding.h"
#include "kernels.h"

namespace fcis::cuda {
namespace {

struct CudaPatent : Call {
  using Call::Call;

  at::Tensor means(const at::Tensor& maps, const Rois& rois, bool pairs, int64_t groups) const {
    const Maps read = view_maps(maps);
    at::Tensor means = take({rois.count, groups}, at::kFloat, maps),
               workspace = take_workspace(patent_means_workspace(read, rois, groups));
    C10_CUDA_CHECK(patent_means(read, rois, pairs, groups, workspace.mutable_data_ptr(), ptr<float>(means), stream));
    return means;
  }

  at::Tensor means_backward(const at::Tensor& grad, const at::Tensor& maps, const Rois& rois, bool pairs) const {
    const Maps read = view_maps(maps);
    return take_gradient(maps, patent_means_backward_workspace(read, rois), [&](void* workspace, void* result) {
      return patent_means_backward(ptr<const float>(grad), read, rois, pairs, grad.size(1), workspace, result, stream);
    });
  }

  at::Tensor mask_logits(const at::Tensor& maps, const Rois& rois, const at::Tensor& labels) const {
    at::Tensor pairs = take({rois.count, 2, rois.size, rois.size}, at::kFloat, maps);
    C10_CUDA_CHECK(patent_masks(view_maps(maps), rois, ptr<const int64_t>(labels), ptr<float>(pairs), stream));
    return pairs;
  }

  at::Tensor mask_logits_backward(const at::Tensor& grad, const at::Tensor& maps, const Rois& rois,
                                  const at::Tensor& labels) const {
    const Maps shape = view_maps(maps);
    return take_gradient(maps, patent_masks_backward_workspace(shape, rois), [&](void* workspace, void* result) {
      return patent_masks_backward(ptr<const float>(grad), shape, rois, ptr<const int64_t>(labels), workspace, result, stream);
    });
  }
};

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CUDA, m) { implement_patent_operators<CudaPatent>(m); }

}  // namespace fcis::cuda

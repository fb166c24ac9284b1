// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators on maps for PyTorch.
#include "../map_bindings.h"

#include "binding.h"
#include "kernels.h"

namespace fcis::cuda {
namespace {

struct CudaMaps : Call {
  using Call::Call;

  at::Tensor class_logits(const at::Tensor& maps, const Rois& rois, int64_t classes) const {
    at::Tensor logits = take({rois.count, classes}, at::kFloat, maps);
    C10_CUDA_CHECK(cuda::class_logits(view_maps(maps), rois, classes, ptr<float>(logits), stream));
    return logits;
  }

  at::Tensor class_logits_backward(const at::Tensor& grad, const at::Tensor& maps, const Rois& rois) const {
    const Maps shape = view_maps(maps);
    return take_gradient(maps, class_logits_workspace(shape, rois), [&](void* workspace, void* result) {
      return cuda::class_logits_backward(ptr<const float>(grad), shape, rois, grad.size(1), workspace, result, stream);
    });
  }

  at::Tensor mask_logits(const at::Tensor& maps, const Rois& rois, const at::Tensor& labels) const {
    at::Tensor pairs = take({rois.count, 2, rois.size, rois.size}, at::kFloat, maps);
    C10_CUDA_CHECK(cuda::mask_logits(view_maps(maps), rois, ptr<const int64_t>(labels), ptr<float>(pairs), stream));
    return pairs;
  }

  at::Tensor mask_logits_backward(const at::Tensor& grad, const at::Tensor& maps, const Rois& rois,
                                  const at::Tensor& labels) const {
    const Maps shape = view_maps(maps);
    return take_gradient(maps, mask_logits_workspace(shape, rois), [&](void* workspace, void* result) {
      return cuda::mask_logits_backward(ptr<const float>(grad), shape, rois, ptr<const int64_t>(labels), workspace, result,
                                        stream);
    });
  }

  at::Tensor best_class_masks(const at::Tensor& maps, const Rois& rois, const at::Tensor& scores) const {
    at::Tensor masks = take({rois.count, rois.size, rois.size}, at::kFloat, maps);
    C10_CUDA_CHECK(
        cuda::best_class_masks(view_maps(maps), rois, ptr<const float>(scores), scores.size(1), ptr<float>(masks), stream));
    return masks;
  }

  at::Tensor box_deltas(const at::Tensor& maps, const Rois& rois) const {
    const Maps read = view_maps(maps);
    at::Tensor deltas = take({rois.count, outputs_of(read, rois)}, at::kFloat, maps);
    C10_CUDA_CHECK(cuda::box_deltas(read, rois, ptr<float>(deltas), stream));
    return deltas;
  }

  at::Tensor box_deltas_backward(const at::Tensor& grad, const at::Tensor& maps, const Rois& rois) const {
    const Maps shape = view_maps(maps);
    return take_gradient(maps, box_deltas_workspace(shape, rois), [&](void* workspace, void* result) {
      return cuda::box_deltas_backward(ptr<const float>(grad), shape, rois, workspace, result, stream);
    });
  }
};

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CUDA, m) { implement_map_operators<CudaMaps>(m); }

}  // namespace fcis::cuda

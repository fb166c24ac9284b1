// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators on boxes for PyTorch. Values are not checked: an index that does not exist has no result.
#include "../box_bindings.h"

#include "binding.h"
#include "kernels.h"

namespace fcis::cuda {
namespace {

struct CudaBoxes : Call {
  using Call::Call;
  static constexpr auto decode_anchors = &cuda::decode_anchors;
  static constexpr auto decode_rois = &cuda::decode_rois;
  static constexpr auto rois_to_image = &cuda::rois_to_image;
  static constexpr auto vote_weights = &cuda::vote_weights;

  template <class Kernel, class... Arguments>
  void run(Kernel kernel, const Arguments&... arguments) const {
    C10_CUDA_CHECK(kernel(arguments..., stream));
  }

  void nms(const float* boxes, const float* scores, int64_t count, float threshold, int64_t limit, int64_t* kept) const {
    at::Tensor workspace = take_workspace(nms_workspace(count));
    run(cuda::nms, boxes, scores, count, threshold, limit, workspace.mutable_data_ptr(), kept);
  }

  void class_nms(const float* boxes, const float* scores, int64_t count, int64_t classes, float threshold, float floor,
                 int64_t limit, int64_t* rois, int64_t* labels) const {
    at::Tensor workspace = take_workspace(class_nms_workspace(count, classes, limit));
    run(cuda::class_nms, boxes, scores, count, classes, threshold, floor, limit, workspace.mutable_data_ptr(), rois, labels);
  }
};

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CUDA, m) { implement_box_operators<CudaBoxes>(m); }

}  // namespace fcis::cuda

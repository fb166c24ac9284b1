// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators of `assemble: native`, without PyTorch. As in map_kernels.h, but for workspaces, which are aligned to 256
// bytes.
#pragma once

#include "map_kernels.h"

namespace fcis::cuda {

// -> means [R, groups] over the cells of every ROI. Where channels are pairs, of max(outside, inside): groups is then the number
// of classes, else the number of outputs.
size_t patent_means_workspace(const Maps& maps, const Rois& rois, int64_t groups);
cudaError_t patent_means(const Maps& maps, const Rois& rois, bool pairs, int64_t groups, void* workspace, float* means,
                         cudaStream_t stream);
// grad [R, groups] -> result, elements and layout of the maps; all of it is written.
size_t patent_means_backward_workspace(const Maps& maps, const Rois& rois);
cudaError_t patent_means_backward(const float* grad, const Maps& maps, const Rois& rois, bool pairs, int64_t groups,
                                  void* workspace, void* result, cudaStream_t stream);

// labels [R] -> pairs [R, 2, size, size].
cudaError_t patent_masks(const Maps& maps, const Rois& rois, const int64_t* labels, float* pairs, cudaStream_t stream);
// grad [R, 2, size, size] -> result as above.
size_t patent_masks_backward_workspace(const Maps& maps, const Rois& rois);
cudaError_t patent_masks_backward(const float* grad, const Maps& maps, const Rois& rois, const int64_t* labels, void* workspace,
                                  void* result, cudaStream_t stream);

}  // namespace fcis::cuda

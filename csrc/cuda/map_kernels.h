// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators on maps, without PyTorch: values read from them inside every ROI.
//
// All pointers are on the device. Nothing allocates, waits for the device or leaves its stream, so every call can be captured in
// a graph; no atomics, so results repeat bit by bit. A workspace is as large as the function before the operator says, aligned to
// 16 bytes, and free again when the stream has passed. Scores and masks expect maps without infinities.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef FCIS_EMULATE
#include "emulator.h"
#else
#include <cuda_runtime_api.h>
#endif

#include "../maps.h"

namespace fcis::cuda {

// -> logits [R, classes].
cudaError_t class_logits(const Maps& maps, const Rois& rois, int64_t classes, float* logits, cudaStream_t stream);
// grad [R, classes] -> result, elements and layout of the maps; all of it is written.
size_t class_logits_workspace(const Maps& maps, const Rois& rois);
cudaError_t class_logits_backward(const float* grad, const Maps& maps, const Rois& rois, int64_t classes, void* workspace,
                                  void* result, cudaStream_t stream);

// labels [R] -> pairs [R, 2, size, size].
cudaError_t mask_logits(const Maps& maps, const Rois& rois, const int64_t* labels, float* pairs, cudaStream_t stream);
// grad [R, 2, size, size] -> result as above.
size_t mask_logits_workspace(const Maps& maps, const Rois& rois);
cudaError_t mask_logits_backward(const float* grad, const Maps& maps, const Rois& rois, const int64_t* labels, void* workspace,
                                 void* result, cudaStream_t stream);

// scores [R, classes] -> probabilities [R, size, size] of the best class but the background.
cudaError_t best_class_masks(const Maps& maps, const Rois& rois, const float* scores, int64_t classes, float* probabilities,
                             cudaStream_t stream);

// -> deltas [R, outputs].
cudaError_t box_deltas(const Maps& maps, const Rois& rois, float* deltas, cudaStream_t stream);
// grad [R, outputs] -> result as above.
size_t box_deltas_workspace(const Maps& maps, const Rois& rois);
cudaError_t box_deltas_backward(const float* grad, const Maps& maps, const Rois& rois, void* workspace, void* result,
                                cudaStream_t stream);

}  // namespace fcis::cuda

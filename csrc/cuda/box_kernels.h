// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators on boxes, without PyTorch: decoding, suppression, weights of votes.
//
// All pointers are on the device; arguments and results are those of the CPU operators, bit for bit. Nothing allocates, waits for
// the device or leaves its stream, so every call can be captured in a graph. `workspace` is at least as large as the function
// before the operator says, aligned to 256 bytes, and free again when the stream has passed.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef FCIS_EMULATE
#include "emulator.h"
#else
#include <cuda_runtime_api.h>
#endif

#include "../boxes.h"

namespace fcis::cuda {

// -> boxes [size, 4], scores [size] of all candidates of the RPN.
cudaError_t decode_anchors(const Rpn& rpn, float* boxes, float* scores, cudaStream_t stream);
// rois [count, 5], deltas [count, 4] -> moved [count, 5].
cudaError_t decode_rois(const float* rois, const float* deltas, int64_t count, const Stds& stds, float height, float width,
                        float* moved, cudaStream_t stream);
// rois [count, 4], scores [count, classes] -> boxes [count, 4], pixels [count, 4], finite [count].
cudaError_t rois_to_image(const float* rois, const float* scores, int64_t count, int64_t classes, float scale, float min_size,
                          float height, float width, float* boxes, int32_t* pixels, bool* finite, cudaStream_t stream);
// -> voters and weights [winners, count], best [winners]; a winner or label that does not exist has no voters.
cudaError_t vote_weights(const VoteInputs& inputs, int64_t winners, int32_t* voters, float* weights, float* best,
                         cudaStream_t stream);

// boxes [count, 4], scores [count] -> kept [limit], -1 behind the last.
size_t nms_workspace(int64_t count);
cudaError_t nms(const float* boxes, const float* scores, int64_t count, float threshold, int64_t limit, void* workspace,
                int64_t* kept, cudaStream_t stream);

// boxes [count, 4], scores [count, classes] -> rois [limit], labels [limit], -1 behind the last.
size_t class_nms_workspace(int64_t count, int64_t classes, int64_t limit);
cudaError_t class_nms(const float* boxes, const float* scores, int64_t count, int64_t classes, float threshold, float floor,
                      int64_t limit, void* workspace, int64_t* rois, int64_t* labels, cudaStream_t stream);

}  // namespace fcis::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators without PyTorch: of maps, of the same for `assemble: native`, of boxes, of masks and images.
//
// All pointers are on the device; arguments and results are those of the CPU operators, without maps bit for bit. Nothing
// allocates, waits for the device or leaves its stream, so every call can be captured in a graph; results repeat bit by bit. A
// workspace is as large as the function before the operator says, aligned to 256 bytes, and free again when the stream has
// passed. Maps have no infinities.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef FCIS_EMULATE
#include "emulator.h"
#else
#include <cuda_runtime_api.h>
#endif

#include "../boxes.h"
#include "../maps.h"
#include "../pixels.h"

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

// The arguments of vote_masks: boxes [rois, 4], masks [mask_count, size, size], index and weights [winners, rois].
struct Votes {
  const int32_t* boxes;
  const float* masks;
  const int32_t* index;
  const float* weights;
  int64_t winners, rois, mask_count, size, height, width;
  float threshold;
  bool binarise_first;
  int64_t resample;
};

// In two steps, because only the first knows how many run lengths there are: read report[0] between them to allocate exactly, or
// call both at once with a capacity that should do and read the report later.
// -> tight [winners, 4], ends [winners]; report [2]: number of runs, and whether an argument was wrong: bit 0 a box outside the
// image, bit 1 an index without a mask (such voters are left out), bit 2 more runs than int32 counts.
size_t voting_workspace(const Votes& votes);
cudaError_t count_runs(const Votes& votes, void* workspace, int32_t* tight, int32_t* ends, int64_t* report, cudaStream_t stream);
// The same votes and workspace -> runs [capacity]; a winner whose runs do not fit writes none.
cudaError_t write_runs(const Votes& votes, void* workspace, const int32_t* ends, int32_t* runs, int64_t capacity,
                       cudaStream_t stream);

// Instances as above, best first: boxes [instances, 4], runs [total], ends [instances] -> labels [height, width]. wrong [1]: the
// last instance, counted from 1, whose box leaves the image or whose runs do not fill it (its pixels are undefined), else 0.
size_t label_map_workspace(int64_t total);
cudaError_t label_map(const int32_t* boxes, const int32_t* runs, const int32_t* ends, int64_t instances, int64_t total,
                      int64_t height, int64_t width, void* workspace, uint16_t* labels, int32_t* wrong, cudaStream_t stream);

// The arguments of paint: image [height, width, 3], labels [height, width], colours [instances, 3].
struct Overlay {
  const uint8_t* image;
  const uint16_t* labels;
  const uint8_t* colours;
  int64_t instances;
  float alpha;
  int64_t thickness, height, width;
};
// -> result [height, width, 3]. wrong [1]: the highest label without a colour (its pixels stay as they are), else 0.
size_t paint_workspace(int64_t height, int64_t width);
cudaError_t paint(const Overlay& overlay, void* workspace, uint8_t* result, int32_t* wrong, cudaStream_t stream);

// -> result [height, width, 3] of `element`, as large as `input` says.
cudaError_t network_input(const InputOf& input, Element element, void* result, cudaStream_t stream);

}  // namespace fcis::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators on masks, without PyTorch: voting to run lengths, pictures.
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

namespace fcis::cuda {

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

}  // namespace fcis::cuda

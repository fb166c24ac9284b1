// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The spans of all ROIs as a table, for kernels that go over the ROIs.
#include "assemble.h"

namespace fcis::cuda {
namespace {

__global__ void fill_table(Table table, const float* __restrict__ rois, float scale, int images, int height, int width) {
  const int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= table.count) return;
  const Extent box = read_extent(rois + static_cast<int64_t>(r) * 5, table.size, scale, images, height, width);
  if (blockIdx.y == 0) table.image[r] = box.image;
  for (int p = blockIdx.y; p < table.size; p += gridDim.y) {
    table.rows[static_cast<int64_t>(p) * table.count + r] = find_span(box.y, p);
    table.columns[static_cast<int64_t>(p) * table.count + r] = find_span(box.x, p);
  }
}

}  // namespace

Table open_table(const Maps& maps, const Rois& rois, void* workspace, cudaStream_t stream) {
  Span* const rows = static_cast<Span*>(workspace);
  const int64_t half = rois.count * rois.size;
  const Table table{static_cast<int>(rois.count),           rois.bins, rois.size, rois.size / rois.bins, rows, rows + half,
                    reinterpret_cast<int*>(rows + 2 * half)};
  if (rois.count > 0) {
    constexpr int kRois = 64;  // in a block
    const dim3 grid(divide_up(rois.count, kRois), rois.size);
    FCIS_LAUNCH(fill_table, grid, kRois, 0, stream, table, rois.data, rois.scale(), maps.images, maps.height, maps.width);
  }
  return table;
}

}  // namespace fcis::cuda

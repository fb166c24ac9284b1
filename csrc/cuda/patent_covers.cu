// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The table of the cells that every ROI covers where maps are read as they are.
#include "patent.h"

namespace fcis::cuda {
namespace {

__global__ __launch_bounds__(kThreads) void fill_covers(CoverTable table, const float* __restrict__ rois, int stride, int images,
                                                        int height, int width) {
  const int r = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x), count = table.count;
  if (r >= count) return;
  const float* const roi = rois + static_cast<int64_t>(r) * 5;
  const Cover cover = find_cover(roi, images, height, width, stride);
  table.image[r] = cover.image;
  table.share[r] = cover.image < 0 ? 0.0 : 1.0 / static_cast<double>(cover.cells());
  if (cover.image < 0) return;
  for (int i = 0; i <= table.bins; ++i) {
    table.row_edges[static_cast<int64_t>(i) * count + r] = find_bin_edge(cover.rows, table.bins, i);
    table.column_edges[static_cast<int64_t>(i) * count + r] = find_bin_edge(cover.columns, table.bins, i);
  }
  for (int p = 0; p < table.size; ++p) {
    table.row_points[static_cast<int64_t>(p) * count + r] = find_point(roi[2], roi[4], cover.rows, table.size, p, stride);
    table.column_points[static_cast<int64_t>(p) * count + r] = find_point(roi[1], roi[3], cover.columns, table.size, p, stride);
  }
}

CoverTable lay_out(const Rois& rois, bool points, Workspace& w) {
  CoverTable table{
      static_cast<int>(rois.count), rois.bins, points ? rois.size : 0, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
  table.share = w.take<double>(rois.count);
  table.image = w.take<int>(rois.count);
  table.row_edges = w.take<int>(rois.count * (rois.bins + 1));
  table.column_edges = w.take<int>(rois.count * (rois.bins + 1));
  table.row_points = w.take<int>(rois.count * table.size);
  table.column_points = w.take<int>(rois.count * table.size);
  return table;
}

}  // namespace

size_t cover_table_bytes(const Rois& rois, bool points) {
  Workspace w{nullptr};
  lay_out(rois, points, w);
  return w.used;
}

CoverTable open_cover_table(const Maps& maps, const Rois& rois, bool points, void* workspace, cudaStream_t stream) {
  Workspace w{workspace};
  const CoverTable table = lay_out(rois, points, w);
  if (rois.count > 0) {
    FCIS_LAUNCH(fill_covers, divide_up(rois.count, kThreads), kThreads, 0, stream, table, rois.data, rois.stride, maps.images,
                maps.height, maps.width);
  }
  return table;
}

}  // namespace fcis::cuda

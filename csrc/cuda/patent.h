// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Shared by the kernels of `assemble: native`: the cells that every ROI covers, as a table for kernels that go over the ROIs.
#pragma once

#include "../patent.h"
#include "assemble.h"
#include "kernels.h"

namespace fcis::cuda {

// ROIs run fastest: lanes look at 32 of them at once. Without points, size is 0.
struct CoverTable {
  int count, bins, size;
  double* share;                    // [count]: of a cell in the mean over the ROI
  int* image;                       // [count]
  int *row_edges, *column_edges;    // [bins + 1, count]: where bins begin
  int *row_points, *column_points;  // [size, count]: the cells of the points
  __device__ __forceinline__ static int at(const int* table, int i, int count, int r) {
    return table[static_cast<int64_t>(i) * count + r];
  }
  // Whether the bin in row i, column j holds feature cell (y, x).
  __device__ __forceinline__ bool reaches(int r, int from_image, int i, int j, int y, int x) const {
    return image[r] == from_image && y >= at(row_edges, i, count, r) && y < at(row_edges, i + 1, count, r) &&
           x >= at(column_edges, j, count, r) && x < at(column_edges, j + 1, count, r);
  }
};

size_t cover_table_bytes(const Rois& rois, bool points);
CoverTable open_cover_table(const Maps& maps, const Rois& rois, bool points, void* workspace, cudaStream_t stream);

}  // namespace fcis::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CPU operators of `assemble: native` without PyTorch: pointers, shapes and one thread.
#pragma once

#include "../patent.h"
#include "kernels.h"

namespace fcis {

// The ROIs of one call with the feature cells of all their bins.
struct Covers {
  Rois given;
  std::vector<Cover> all;                  // [count]
  std::vector<std::vector<int>> of_image;  // indices of each image's ROIs, in order
  Span rows_of(int64_t r, int bin) const { return bin_along(all[r].rows, bin / given.bins); }
  Span columns_of(int64_t r, int bin) const { return bin_along(all[r].columns, bin % given.bins); }

 private:
  Span bin_along(Span cover, int i) const {
    return {find_bin_edge(cover, given.bins, i), find_bin_edge(cover, given.bins, i + 1)};
  }
};

Covers find_covers(const Rois& rois, const Maps& maps);

// Memory that is used for one bin after another.
struct PatentBuffers {
  std::vector<double> table;
  std::vector<float> maps, result;
};

// Adds the sums over the cells of one bin: sums [R, groups], of max(outside, inside) where channels are pairs.
void add_patent_sums(const Maps& maps, const Covers& rois, int64_t groups, bool pairs, int bin, PatentBuffers& buffers,
                     double* sums);
// Gradient of one bin's channels for the means; grad [R, groups], shares [R] of a cell in the mean over its ROI, result as large
// as the maps and zero.
void patent_means_gradient(const float* grad, const double* shares, const Maps& maps, const Covers& rois, int64_t groups,
                           bool pairs, int bin, PatentBuffers& buffers, float* result);

// pair [2, size, size] of one ROI and class; it holds zeros before.
void patent_mask_of_roi(const Maps& maps, const Covers& rois, int64_t padded, int64_t roi, int64_t label, float* pair);
// Gradient of one bin's channels; grad [R, 2, size, size], labels [R], result as large as the maps and zero.
void patent_masks_gradient(const float* grad, const int64_t* labels, const Maps& shape, const Covers& rois, int64_t padded,
                           int bin, float* result);

}  // namespace fcis

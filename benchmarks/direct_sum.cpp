// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Class logits of `assemble: native` in the simplest way: every cell of every ROI is read. patent.py compares the summed-area
// tables with it; sums are in float, classes in the lanes of vectors, ROIs divided among threads.
#include "../csrc/cpu/kernels.h"
#include "../csrc/patent.h"

namespace {

FCIS_CLONES void add_cell(const float* pairs, int classes, float* sums) {
  for (int c = 0; c < classes; ++c) sums[c] += pairs[2 * c + 1] > pairs[2 * c] ? pairs[2 * c + 1] : pairs[2 * c];
}

}  // namespace

// maps [height, width, bins * bins * padded * 2], rois [count, 5] of image 0 -> logits [count, classes].
extern "C" void direct_sum(const float* maps, int height, int width, int classes, int bins, int stride, const float* rois,
                           int count, int threads, float* logits) {
  const int64_t padded = fcis::pad_classes(classes), channels = bins * bins * padded * 2;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 8)
  for (int r = 0; r < count; ++r) {
    const fcis::Cover cover = fcis::find_cover(rois + static_cast<int64_t>(r) * 5, 1, height, width, stride);
    float* const sums = logits + static_cast<int64_t>(r) * classes;
    for (int c = 0; c < classes; ++c) sums[c] = 0.0f;
    if (cover.image < 0) continue;
    for (int y = cover.rows.begin; y < cover.rows.end; ++y) {
      const int row = fcis::find_bin(cover.rows, bins, y) * bins;
      for (int x = cover.columns.begin; x < cover.columns.end; ++x) {
        const int64_t bin = row + fcis::find_bin(cover.columns, bins, x), cell = static_cast<int64_t>(y) * width + x;
        add_cell(maps + cell * channels + bin * padded * 2, classes, sums);
      }
    }
    for (int c = 0; c < classes; ++c) sums[c] /= static_cast<float>(cover.cells());
  }
}

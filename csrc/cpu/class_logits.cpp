// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Class logits straight from the score maps: per bin max(outside, inside), summed over the bins; nothing per bin is stored.
//
// Lanes are classes. The bins of a cell share the reads of its patch: every feature row is summed once per column of bins.
#include "kernels.h"

namespace fcis {
namespace {

template <int L>
struct Vector {
  typedef float type __attribute__((vector_size(L * sizeof(float)), aligned(4), may_alias));
};
template <int L>
using Lanes = typename Vector<L>::type;

template <int L>
FCIS_INLINE Lanes<L>& lanes(float* at) {
  return *reinterpret_cast<Lanes<L>*>(at);
}

// Sums of the outside and the inside maps over one bin.
template <int L>
FCIS_INLINE void sum_bin(const Cell& cell, Range row, Range column, int64_t classes, int64_t first, Lanes<L>& outside,
                         Lanes<L>& inside) {
  outside = Lanes<L>{};
  inside = Lanes<L>{};
  for (int y = row.begin; y < row.end; ++y) {
    float* at = cell.at(y, column.begin) + first;
    for (int x = column.begin; x < column.end; ++x, at += cell.step) {
      outside += lanes<L>(at);
      inside += lanes<L>(at + classes);
    }
  }
}

template <int L>
FCIS_INLINE void add_block(const Cell& cell, const Range* rows, const Range* columns, int per_cell, int64_t classes, int64_t first,
                           float* sums) {
  Lanes<L> total = lanes<L>(sums + first), outside, inside;
  for (int p = 0; p < per_cell; ++p) {
    for (int q = 0; q < per_cell; ++q) {
      if (rows[p].count() <= 0 || columns[q].count() <= 0) continue;
      sum_bin<L>(cell, rows[p], columns[q], classes, first, outside, inside);
      total += (inside > outside ? inside : outside) * (1.0f / static_cast<float>(rows[p].count() * columns[q].count()));
    }
  }
  lanes<L>(sums + first) = total;
}

template <int L>
FCIS_INLINE void gradient_block(const Cell& cell, const Cell& result, const Range* rows, const Range* columns, int per_cell,
                                int64_t classes, int64_t first, float* grad) {
  const Lanes<L> wanted = lanes<L>(grad + first), zero = {};
  Lanes<L> outside, inside;
  for (int p = 0; p < per_cell; ++p) {
    for (int q = 0; q < per_cell; ++q) {
      const Range row = rows[p], column = columns[q];
      if (row.count() <= 0 || column.count() <= 0) continue;
      sum_bin<L>(cell, row, column, classes, first, outside, inside);
      const Lanes<L> share = wanted * (1.0f / static_cast<float>(row.count() * column.count()));
      const Lanes<L> to_inside = inside > outside ? share : zero, to_outside = share - to_inside;
      for (int y = row.begin; y < row.end; ++y) {
        float* at = result.at(y, column.begin) + first;
        for (int x = column.begin; x < column.end; ++x, at += result.step) {
          lanes<L>(at) += to_outside;
          lanes<L>(at + classes) += to_inside;
        }
      }
    }
  }
}

FCIS_CLONES void add_roi(const Cell& cell, const Range* rows, const Range* columns, int per_cell, int64_t classes, float* sums) {
  int64_t first = 0;
  for (; first + 16 <= classes; first += 16) add_block<16>(cell, rows, columns, per_cell, classes, first, sums);
  for (; first + 4 <= classes; first += 4) add_block<4>(cell, rows, columns, per_cell, classes, first, sums);
  for (; first < classes; ++first) add_block<1>(cell, rows, columns, per_cell, classes, first, sums);
}

FCIS_CLONES void gradient_roi(const Cell& cell, const Cell& result, const Range* rows, const Range* columns, int per_cell,
                              int64_t classes, float* grad) {
  int64_t first = 0;
  for (; first + 16 <= classes; first += 16) gradient_block<16>(cell, result, rows, columns, per_cell, classes, first, grad);
  for (; first + 4 <= classes; first += 4) gradient_block<4>(cell, result, rows, columns, per_cell, classes, first, grad);
  for (; first < classes; ++first) gradient_block<1>(cell, result, rows, columns, per_cell, classes, first, grad);
}

}  // namespace

void add_class_logits(const Maps& maps, const Rois& rois, int64_t classes, int cell, std::vector<float>& buffer, float* sums) {
  for (int64_t image = 0; image < maps.images; ++image) {
    if (rois.of_image[image].empty()) continue;
    const Cell view = read_cell(maps, image, cell, 2 * classes, buffer);
    for (const int r : rois.of_image[image]) {
      add_roi(view, rois.row(r, cell), rois.column(r, cell), rois.per_cell, classes, sums + r * classes);
    }
  }
}

void class_logits_gradient(const float* grad, const Maps& maps, const Rois& rois, int64_t classes, int cell,
                           std::vector<float>& buffer, std::vector<float>& result_buffer, float* result) {
  for (int64_t image = 0; image < maps.images; ++image) {
    if (rois.of_image[image].empty()) continue;
    const Cell view = read_cell(maps, image, cell, 2 * classes, buffer);
    const Cell opened = open_cell(maps, result, image, cell, 2 * classes, result_buffer);
    for (const int r : rois.of_image[image]) {
      gradient_roi(view, opened, rois.row(r, cell), rois.column(r, cell), rois.per_cell, classes,
                   const_cast<float*>(grad) + r * classes);
    }
    close_cell(maps, result, image, cell, 2 * classes, opened);
  }
}

}  // namespace fcis

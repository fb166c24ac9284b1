// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Class logits straight from the score maps: per square max(outside, inside), summed over the squares; nothing per square is
// stored.
//
// Lanes are classes. The squares of a bin share the reads of its patch.
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

// Sums of the outside and the inside maps over one square.
template <int L>
FCIS_INLINE void sum_square(const BinMaps& bin, Span row, Span column, int64_t classes, int64_t first, Lanes<L>& outside,
                            Lanes<L>& inside) {
  outside = Lanes<L>{};
  inside = Lanes<L>{};
  for (int y = row.begin; y < row.end; ++y) {
    float* at = bin.at(y, column.begin) + first;
    for (int x = column.begin; x < column.end; ++x, at += bin.step) {
      outside += lanes<L>(at);
      inside += lanes<L>(at + classes);
    }
  }
}

template <int L>
FCIS_INLINE void add_block(const BinMaps& bin, const Span* rows, const Span* columns, int per_bin, int64_t classes, int64_t first,
                           float* sums) {
  Lanes<L> total = lanes<L>(sums + first), outside, inside;
  for (int p = 0; p < per_bin; ++p) {
    for (int q = 0; q < per_bin; ++q) {
      if (rows[p].count() <= 0 || columns[q].count() <= 0) continue;
      sum_square<L>(bin, rows[p], columns[q], classes, first, outside, inside);
      total += (inside > outside ? inside : outside) * (1.0f / static_cast<float>(rows[p].count() * columns[q].count()));
    }
  }
  lanes<L>(sums + first) = total;
}

template <int L>
FCIS_INLINE void gradient_block(const BinMaps& bin, const BinMaps& result, const Span* rows, const Span* columns, int per_bin,
                                int64_t classes, int64_t first, float* grad) {
  const Lanes<L> wanted = lanes<L>(grad + first), zero = {};
  Lanes<L> outside, inside;
  for (int p = 0; p < per_bin; ++p) {
    for (int q = 0; q < per_bin; ++q) {
      const Span row = rows[p], column = columns[q];
      if (row.count() <= 0 || column.count() <= 0) continue;
      sum_square<L>(bin, row, column, classes, first, outside, inside);
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

FCIS_CLONES void add_roi(const BinMaps& bin, const Span* rows, const Span* columns, int per_bin, int64_t classes, float* sums) {
  int64_t first = 0;
  for (; first + 16 <= classes; first += 16) add_block<16>(bin, rows, columns, per_bin, classes, first, sums);
  for (; first + 4 <= classes; first += 4) add_block<4>(bin, rows, columns, per_bin, classes, first, sums);
  for (; first < classes; ++first) add_block<1>(bin, rows, columns, per_bin, classes, first, sums);
}

FCIS_CLONES void gradient_roi(const BinMaps& bin, const BinMaps& result, const Span* rows, const Span* columns, int per_bin,
                              int64_t classes, float* grad) {
  int64_t first = 0;
  for (; first + 16 <= classes; first += 16) gradient_block<16>(bin, result, rows, columns, per_bin, classes, first, grad);
  for (; first + 4 <= classes; first += 4) gradient_block<4>(bin, result, rows, columns, per_bin, classes, first, grad);
  for (; first < classes; ++first) gradient_block<1>(bin, result, rows, columns, per_bin, classes, first, grad);
}

}  // namespace

void add_class_logits(const Maps& maps, const RoiSpans& rois, int64_t classes, int bin, std::vector<float>& buffer, float* sums) {
  for (int64_t image = 0; image < maps.images; ++image) {
    if (rois.of_image[image].empty()) continue;
    const BinMaps read = read_bin(maps, image, bin, 2 * classes, buffer);
    for (const int r : rois.of_image[image]) {
      add_roi(read, rois.row(r, bin), rois.column(r, bin), rois.per_bin, classes, sums + r * classes);
    }
  }
}

void class_logits_gradient(const float* grad, const Maps& maps, const RoiSpans& rois, int64_t classes, int bin,
                           std::vector<float>& buffer, std::vector<float>& result_buffer, float* result) {
  for (int64_t image = 0; image < maps.images; ++image) {
    if (rois.of_image[image].empty()) continue;
    const BinMaps read = read_bin(maps, image, bin, 2 * classes, buffer);
    const BinMaps opened = open_bin(maps, result, image, bin, 2 * classes, result_buffer);
    for (const int r : rois.of_image[image]) {
      gradient_roi(read, opened, rois.row(r, bin), rois.column(r, bin), rois.per_bin, classes,
                   const_cast<float*>(grad) + r * classes);
    }
    close_bin(maps, result, image, bin, 2 * classes, opened);
  }
}

}  // namespace fcis

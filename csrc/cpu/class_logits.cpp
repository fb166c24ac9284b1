// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Class logits straight from the score maps: per square max(outside, inside), summed over the squares; nothing per square is
// stored.
//
// Lanes are classes with both sides, as many as the maps are padded to. The squares of a bin share the reads of its patch.
#include "pairs.h"

namespace fcis {
namespace {

// N vectors of W pairs.
template <int W, int N>
struct Block {
  Pairs<W> part[N];
};

// Sums of the outside and the inside maps over one square.
template <int W, int N>
FCIS_INLINE Block<W, N> sum_square(const BinMaps& bin, Span row, Span column, int64_t first) {
  Block<W, N> sum{};
  for (int y = row.begin; y < row.end; ++y) {
    float* at = bin.at(y, column.begin) + 2 * first;
    for (int x = column.begin; x < column.end; ++x, at += bin.step) {
      for (int n = 0; n < N; ++n) sum.part[n] += pairs_at<W>(at + 2 * W * n);
    }
  }
  return sum;
}

template <int W, int N>
FCIS_INLINE Block<W, N> read_block(float* singles) {
  Block<W, N> block;
  for (int n = 0; n < N; ++n) block.part[n] = to_low<W>(singles_at<W>(singles + W * n));
  return block;
}

template <int W, int N>
FCIS_INLINE void add_block(const BinMaps& bin, const Span* rows, const Span* columns, int per_bin, int64_t first, float* sums) {
  Block<W, N> total = read_block<W, N>(sums + first);
  for (int p = 0; p < per_bin; ++p) {
    for (int q = 0; q < per_bin; ++q) {
      if (rows[p].count() <= 0 || columns[q].count() <= 0) continue;
      const Block<W, N> sum = sum_square<W, N>(bin, rows[p], columns[q], first);
      const float share = 1.0f / static_cast<float>(rows[p].count() * columns[q].count());
      for (int n = 0; n < N; ++n) total.part[n] += larger<W>(sum.part[n]) * share;
    }
  }
  for (int n = 0; n < N; ++n) singles_at<W>(sums + first + W * n) = from_low<W>(total.part[n]);
}

template <int W, int N>
FCIS_INLINE void gradient_block(const BinMaps& bin, const BinMaps& result, const Span* rows, const Span* columns, int per_bin,
                                int64_t first, float* grad) {
  const Block<W, N> wanted = read_block<W, N>(grad + first);
  for (int p = 0; p < per_bin; ++p) {
    for (int q = 0; q < per_bin; ++q) {
      const Span row = rows[p], column = columns[q];
      if (row.count() <= 0 || column.count() <= 0) continue;
      Block<W, N> sum = sum_square<W, N>(bin, row, column, first);
      const float share = 1.0f / static_cast<float>(row.count() * column.count());
      for (int n = 0; n < N; ++n) sum.part[n] = on_larger<W>(sum.part[n], wanted.part[n] * share);
      for (int y = row.begin; y < row.end; ++y) {
        float* at = result.at(y, column.begin) + 2 * first;
        for (int x = column.begin; x < column.end; ++x, at += result.step) {
          for (int n = 0; n < N; ++n) pairs_at<W>(at + 2 * W * n) += sum.part[n];
        }
      }
    }
  }
}

constexpr int kLarge = 16, kSmall = kClassAlignment;  // classes of a block

template <int W>
FCIS_INLINE void add_roi_with(const BinMaps& bin, const Span* rows, const Span* columns, int per_bin, int64_t padded,
                              float* sums) {
  constexpr int small = W < kSmall ? W : kSmall;
  int64_t first = 0;
  for (; first + kLarge <= padded; first += kLarge) add_block<W, kLarge / W>(bin, rows, columns, per_bin, first, sums);
  for (; first < padded; first += kSmall) add_block<small, kSmall / small>(bin, rows, columns, per_bin, first, sums);
}
FCIS_WIDTHS(add_roi, (const BinMaps& bin, const Span* rows, const Span* columns, int per_bin, int64_t padded, float* sums),
            (bin, rows, columns, per_bin, padded, sums))

template <int W>
FCIS_INLINE void gradient_roi_with(const BinMaps& bin, const BinMaps& result, const Span* rows, const Span* columns, int per_bin,
                                   int64_t padded, float* grad) {
  constexpr int small = W < kSmall ? W : kSmall;
  int64_t first = 0;
  for (; first + kLarge <= padded; first += kLarge) {
    gradient_block<W, kLarge / W>(bin, result, rows, columns, per_bin, first, grad);
  }
  for (; first < padded; first += kSmall) {
    gradient_block<small, kSmall / small>(bin, result, rows, columns, per_bin, first, grad);
  }
}
FCIS_WIDTHS(gradient_roi,
            (const BinMaps& bin, const BinMaps& result, const Span* rows, const Span* columns, int per_bin, int64_t padded,
             float* grad),
            (bin, result, rows, columns, per_bin, padded, grad))

}  // namespace

void add_class_logits(const Maps& maps, const RoiSpans& rois, int64_t padded, int bin, std::vector<float>& buffer, float* sums) {
  for (int64_t image = 0; image < maps.images; ++image) {
    if (rois.of_image[image].empty()) continue;
    const BinMaps read = read_bin(maps, image, bin, 2 * padded, buffer);
    for (const int r : rois.of_image[image]) {
      add_roi(read, rois.row(r, bin), rois.column(r, bin), rois.per_bin, padded, sums + r * padded);
    }
  }
}

void class_logits_gradient(const float* grad, const Maps& maps, const RoiSpans& rois, int64_t padded, int bin,
                           std::vector<float>& buffer, std::vector<float>& result_buffer, float* result) {
  for (int64_t image = 0; image < maps.images; ++image) {
    if (rois.of_image[image].empty()) continue;
    const BinMaps read = read_bin(maps, image, bin, 2 * padded, buffer);
    const BinMaps opened = open_bin(maps, result, image, bin, 2 * padded, result_buffer);
    for (const int r : rois.of_image[image]) {
      gradient_roi(read, opened, rois.row(r, bin), rois.column(r, bin), rois.per_bin, padded,
                   const_cast<float*>(grad) + r * padded);
    }
    close_bin(maps, result, image, bin, 2 * padded, opened);
  }
}

}  // namespace fcis

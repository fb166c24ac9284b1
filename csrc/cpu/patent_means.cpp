// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Means over the cells of every ROI by summed-area tables: four reads per ROI, bin and channel, however large the ROI is. Tables
// are in double: the difference of two sums over thousands of cells would lose a float's last digits. Lanes are channels; a table
// holds one bin and so many channels that it stays in the second-level cache while all ROIs are read from it.
//
// The gradient is the same run backwards: every ROI adds its share at four corners, and summing up the table spreads them over
// its cells.
#include "pairs.h"
#include "patent_kernels.h"

namespace fcis {
namespace {

template <int L>
struct Lanes {
  typedef float Floats __attribute__((vector_size(L * sizeof(float)), aligned(4), may_alias));
  typedef double Doubles __attribute__((vector_size(L * sizeof(double)), aligned(8), may_alias));
};
template <int L>
FCIS_INLINE typename Lanes<L>::Floats& floats(float* at) {
  return *reinterpret_cast<typename Lanes<L>::Floats*>(at);
}
template <int L>
FCIS_INLINE typename Lanes<L>::Doubles& doubles(double* at) {
  return *reinterpret_cast<typename Lanes<L>::Doubles*>(at);
}

// An ROI's part in one bin: where its corners lie in a table of (height + 1) x (width + 1).
struct Corners {
  int roi;
  int64_t top_left, top_right, bottom_left, bottom_right;
};

// One bin's work: `cells` hold the values that are summed, or receive the sums; of pairs `maps` tell which side.
struct Bin {
  BinMaps cells, maps;
  int64_t height, groups;
  const std::vector<Corners>* rois;
  double* table;
};

// N vectors of L groups: so many that the values read of a cell fill a line of the cache.
template <int L, int N>
FCIS_INLINE void sum_chunk(const Bin& bin, int64_t first, double* sums) {
  using Doubles = typename Lanes<L>::Doubles;
  constexpr int64_t chunk = L * N;
  const int64_t step = (bin.cells.width + 1) * chunk;
  for (int64_t i = 0; i < step; ++i) bin.table[i] = 0.0;
  for (int y = 0; y < bin.height; ++y) {
    double *const line = bin.table + (y + 1) * step, *const above = line - step;
    Doubles row[N] = {};
    for (int n = 0; n < N; ++n) doubles<L>(line + n * L) = row[n];
    float* cell = bin.cells.at(y, 0) + first;
    for (int64_t at = chunk; at < step; at += chunk, cell += bin.cells.step) {
      for (int n = 0; n < N; ++n) {
        row[n] += __builtin_convertvector(floats<L>(cell + n * L), Doubles);
        doubles<L>(line + at + n * L) = doubles<L>(above + at + n * L) + row[n];
      }
    }
  }
  for (const Corners& roi : *bin.rois) {
    for (int n = 0; n < N; ++n) {
      const auto at = [&](int64_t corner) -> Doubles& { return doubles<L>(bin.table + corner * chunk + n * L); };
      doubles<L>(sums + roi.roi * bin.groups + first + n * L) +=
          (at(roi.bottom_right) - at(roi.top_right)) - (at(roi.bottom_left) - at(roi.top_left));
    }
  }
}

// shares [R]: of a cell in the mean over its ROI.
template <int L, bool kPairs>
FCIS_INLINE void spread_chunk(const Bin& bin, int64_t first, float* grad, const double* shares) {
  using Doubles = typename Lanes<L>::Doubles;
  const int64_t step = (bin.cells.width + 1) * L;
  for (int64_t i = 0; i < (bin.height + 1) * step; ++i) bin.table[i] = 0.0;
  for (const Corners& roi : *bin.rois) {
    const auto at = [&](int64_t corner) -> Doubles& { return doubles<L>(bin.table + corner * L); };
    const Doubles share = __builtin_convertvector(floats<L>(grad + roi.roi * bin.groups + first), Doubles) * shares[roi.roi];
    at(roi.top_left) += share;
    at(roi.bottom_left) -= share;
    at(roi.top_right) -= share;
    at(roi.bottom_right) += share;
  }
  for (int y = 0; y < bin.height; ++y) {
    double* const line = bin.table + y * step;
    Doubles row = {};
    float* pair = kPairs ? bin.maps.at(y, 0) + 2 * first : nullptr;
    float* to = bin.cells.at(y, 0) + (kPairs ? 2 : 1) * first;
    for (int64_t at = 0; at < step - L; at += L, to += bin.cells.step) {
      row += doubles<L>(line + at);
      const Doubles sum = y > 0 ? doubles<L>(line - step + at) + row : row;
      doubles<L>(line + at) = sum;
      const auto value = __builtin_convertvector(sum, typename Lanes<L>::Floats);
      if constexpr (kPairs) {
        pairs_at<L>(to) = on_larger<L>(pairs_at<L>(pair), to_low<L>(value));
        pair += bin.maps.step;
      } else {
        floats<L>(to) = value;
      }
    }
  }
}

constexpr int kLarge = 16;  // groups of a chunk
template <int W>
constexpr int kChunk = W < kClassAlignment ? W : kClassAlignment;  // also a few classes make one

template <int W>
FCIS_INLINE void sum_bin_with(const Bin& bin, double* sums) {
  int64_t first = 0;
  for (; first + kLarge <= bin.groups; first += kLarge) sum_chunk<W, kLarge / W>(bin, first, sums);
  for (; first + kChunk<W> <= bin.groups; first += kChunk<W>) sum_chunk<kChunk<W>, 1>(bin, first, sums);
  for (; first < bin.groups; ++first) sum_chunk<1, 1>(bin, first, sums);
}
FCIS_WIDTHS(sum_bin, (const Bin& bin, double* sums), (bin, sums))

// The larger of outside and inside at every cell, side by side: the tables read them once per chunk. result [cells, padded].
// A bin's part of a cell is a few lines of the cache, the next cell's are far away: no processor guesses where.
constexpr int kAhead = 8;  // cells
template <int W>
FCIS_INLINE void find_larger_with(const BinMaps& maps, int64_t cells, int64_t padded, float* result) {
  constexpr int wide = kChunk<W>;
  for (int64_t cell = 0; cell < cells; ++cell, result += padded) {
    float* const pairs = maps.data + cell * maps.step;
    for (int64_t c = 0; c < padded; c += wide) {
      __builtin_prefetch(pairs + 2 * c + kAhead * maps.step);
      singles_at<wide>(result + c) = from_low<wide>(larger<wide>(pairs_at<wide>(pairs + 2 * c)));
    }
  }
}
FCIS_WIDTHS(find_larger, (const BinMaps& maps, int64_t cells, int64_t padded, float* result), (maps, cells, padded, result))

template <int W, bool kPairs>
FCIS_INLINE void spread_bin(const Bin& bin, float* grad, const double* shares) {
  int64_t first = 0;
  for (; first + kChunk<W> <= bin.groups; first += kChunk<W>) spread_chunk<kChunk<W>, kPairs>(bin, first, grad, shares);
  for (; first < bin.groups; ++first) spread_chunk<1, kPairs>(bin, first, grad, shares);
}
template <int W>
FCIS_INLINE void spread_pairs_with(const Bin& bin, float* grad, const double* shares) {
  spread_bin<W, true>(bin, grad, shares);
}
template <int W>
FCIS_INLINE void spread_plain_with(const Bin& bin, float* grad, const double* shares) {
  spread_bin<W, false>(bin, grad, shares);
}
FCIS_WIDTHS(spread_pairs, (const Bin& bin, float* grad, const double* shares), (bin, grad, shares))
FCIS_WIDTHS(spread_plain, (const Bin& bin, float* grad, const double* shares), (bin, grad, shares))

std::vector<Corners> find_corners(const Covers& rois, int64_t image, int bin, int64_t width) {
  std::vector<Corners> corners;
  corners.reserve(rois.of_image[image].size());
  for (const int r : rois.of_image[image]) {
    const Span rows = rois.rows_of(r, bin), columns = rois.columns_of(r, bin);
    if (rows.count() <= 0 || columns.count() <= 0) continue;
    const int64_t top = rows.begin * (width + 1), bottom = rows.end * (width + 1);
    corners.push_back({r, top + columns.begin, top + columns.end, bottom + columns.begin, bottom + columns.end});
  }
  return corners;
}

double* open_table(const Maps& maps, int64_t groups, std::vector<double>& table) {
  const size_t size = (maps.height + 1) * (maps.width + 1) * (groups < kLarge ? groups : kLarge);
  if (table.size() < size) table.resize(size);
  return table.data();
}

}  // namespace

void add_patent_sums(const Maps& maps, const Covers& rois, int64_t groups, bool pairs, int bin, PatentBuffers& buffers,
                     double* sums) {
  for (int64_t image = 0; image < maps.images; ++image) {
    if (rois.of_image[image].empty()) continue;
    const std::vector<Corners> corners = find_corners(rois, image, bin, maps.width);
    BinMaps read = read_bin(maps, image, bin, outputs_of(maps, rois.given), buffers.maps);
    if (pairs) {
      const int64_t padded = padded_of(maps, rois.given);
      buffers.result.resize(maps.pixels() * padded);
      find_larger(read, maps.pixels(), padded, buffers.result.data());
      read = {buffers.result.data(), padded, static_cast<int>(maps.width)};
    }
    sum_bin({read, {}, maps.height, groups, &corners, open_table(maps, groups, buffers.table)}, sums);
  }
}

void patent_means_gradient(const float* grad, const double* shares, const Maps& maps, const Covers& rois, int64_t groups,
                           bool pairs, int bin, PatentBuffers& buffers, float* result) {
  const int64_t channels = outputs_of(maps, rois.given);
  for (int64_t image = 0; image < maps.images; ++image) {
    if (rois.of_image[image].empty()) continue;
    const std::vector<Corners> corners = find_corners(rois, image, bin, maps.width);
    BinMaps read{nullptr, 0, static_cast<int>(maps.width)};
    if (pairs) read = read_bin(maps, image, bin, channels, buffers.maps);
    const BinMaps opened = open_bin(maps, result, image, bin, channels, buffers.result);
    const Bin work{opened, read, maps.height, groups, &corners, open_table(maps, groups, buffers.table)};
    if (pairs) {
      spread_pairs(work, const_cast<float*>(grad), shares);
    } else {
      spread_plain(work, const_cast<float*>(grad), shares);
    }
    close_bin(maps, result, image, bin, channels, opened);
  }
}

}  // namespace fcis

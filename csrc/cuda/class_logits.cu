// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Class logits straight from the score maps: per square max(outside, inside), summed over the squares; nothing per square is
// stored.
//
// Two forward kernels. logits_by_bin, for many classes in aligned channels-last maps: a warp takes one bin and 32 classes,
// so loads coalesce and all bounds are the same for the warp; the squares of the bin share the reads of its patch.
// logits_by_square, for everything else: a thread takes one square and one class at a time, which keeps a GPU busy with few
// classes, too.
#include "assemble.h"

namespace fcis::cuda {
namespace {

constexpr int kRows = 4;             // feature rows that a thread of logits_by_bin sums at a time, all in registers
constexpr int kBinWarps = 10;        // at most, in a block of logits_by_bin
constexpr int kSquareThreads = 512;  // at most, in a block of logits_by_square
constexpr int kWinnerThreads = 256;

// Maps smaller than 4 GiB with wide pairs: a 32-bit offset from a base that is the same for all threads takes one register and
// one addition per row, a pointer twice that.
template <typename T>
struct Lane {
  const char* data;               // the same for all threads
  unsigned pixel_step, row_step;  // bytes
  __device__ __forceinline__ Pair read(unsigned offset) const {
    const T* const outside = reinterpret_cast<const T*>(data + offset);
    return read_pair<true>(outside, outside + 1);
  }
};

// The part of a logit that comes from one bin, whose patch has kHeight rows. Columns of the patch are read once,
// from left to right: where two spans overlap they do so in one column (an edge rounded down and up), which is carried over.
// weights [kRows][PER_BIN]: of a row in the mean of a span, 0 outside of it.
template <typename T, int PER_BIN, int kHeight>
__device__ __forceinline__ float sum_patch(const Lane<T>& lane, unsigned offset, const WeightedSpan* columns,
                                           const float* weights) {
  float total = 0.0f;
  Pair last[kHeight];
  int x = columns[0].begin;
  offset += x * lane.pixel_step;
#pragma unroll
  for (int r = 0; r < kHeight; ++r) last[r] = {0.0f, 0.0f};
#pragma unroll 1
  for (int q = 0; q < PER_BIN; ++q) {
    const WeightedSpan column = columns[q];
    const bool carried = column.begin < x;
    Pair sum[kHeight];
#pragma unroll
    for (int r = 0; r < kHeight; ++r) sum[r] = {carried ? last[r].outside : 0.0f, carried ? last[r].inside : 0.0f};
#pragma unroll 1
    for (; x < column.end; ++x, offset += lane.pixel_step) {
#pragma unroll
      for (int r = 0; r < kHeight; ++r) last[r] = lane.read(offset + r * lane.row_step);
#pragma unroll
      for (int r = 0; r < kHeight; ++r) {
        sum[r].outside += last[r].outside;
        sum[r].inside += last[r].inside;
      }
    }
    float best;
    if (kHeight == 1) {  // all spans hold the same row: one comparison decides for all
      float weight = weights[0];
#pragma unroll
      for (int p = 1; p < PER_BIN; ++p) weight += weights[p];
      best = larger(sum[0]) * weight;
    } else {
#pragma unroll
      for (int p = 0; p < PER_BIN; ++p) {
        Pair mean{weights[p] * sum[0].outside, weights[p] * sum[0].inside};
#pragma unroll
        for (int r = 1; r < kHeight; ++r) {
          mean.outside += weights[r * PER_BIN + p] * sum[r].outside;
          mean.inside += weights[r * PER_BIN + p] * sum[r].inside;
        }
        best = p == 0 ? larger(mean) : best + larger(mean);
      }
    }
    total += best * column.weight;
  }
  return total;
}

// The same for a patch of any height, kRows rows at a time; columns at which spans meet are read twice. `offset` is that of the
// first row of the patch.
template <typename T, int PER_BIN>
__device__ __forceinline__ float sum_tall_patch(const Lane<T>& lane, unsigned offset, const WeightedSpan* rows,
                                                const WeightedSpan* columns) {
  const int top = rows[0].begin, bottom = rows[PER_BIN - 1].end;
  float total = 0.0f;
#pragma unroll 1
  for (int q = 0; q < PER_BIN; ++q) {
    const WeightedSpan column = columns[q];
    Pair sum[PER_BIN] = {};
#pragma unroll 1
    for (int y = top; y < bottom; y += kRows) {
      Pair row[kRows] = {};
      unsigned at = offset + (y - top) * lane.row_step + column.begin * lane.pixel_step;
#pragma unroll 1
      for (int x = column.begin; x < column.end; ++x, at += lane.pixel_step) {
        Pair next[kRows];
#pragma unroll
        for (int r = 0; r < kRows; ++r) next[r] = y + r < bottom ? lane.read(at + r * lane.row_step) : Pair{0.0f, 0.0f};
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          row[r].outside += next[r].outside;
          row[r].inside += next[r].inside;
        }
      }
#pragma unroll
      for (int p = 0; p < PER_BIN; ++p) {
        const int begin = rows[p].begin - y, end = rows[p].end - y;
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          if (r < begin || r >= end) continue;
          sum[p].outside += row[r].outside;
          sum[p].inside += row[r].inside;
        }
      }
    }
#pragma unroll
    for (int p = 0; p < PER_BIN; ++p) total += larger(sum[p]) * (rows[p].weight * column.weight);
  }
  return total;
}

// A block is an ROI and 32 classes; its warps take the bins in turn, with up to 8 loads of each in flight.
template <typename T, int PER_BIN>
__global__ void __launch_bounds__(kBinWarps* kWarp, 3)
    logits_by_bin(Access<const T> maps, const float* __restrict__ rois, int bins, float scale, int classes, int padded,
                  int chunks, float* __restrict__ logits) {
  const int size = bins * PER_BIN, roi = blockIdx.x / chunks, chunk = blockIdx.x % chunks;
  const int warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp, label = chunk * kWarp + static_cast<int>(threadIdx.x) % kWarp;
  FCIS_SHARED(WeightedSpan, rows);                                  // [size]
  WeightedSpan* const columns = rows + size;                        // [size]
  float* const weights = reinterpret_cast<float*>(columns + size);  // [bins, kRows, PER_BIN]
  float* const sums = weights + bins * kRows * PER_BIN;             // [warps, 32]
  const int image = find_spans(maps, rois + static_cast<int64_t>(roi) * 5, size, scale, rows);
  for (int at = threadIdx.x; at < bins * kRows * PER_BIN; at += blockDim.x) {
    const int p = at % PER_BIN, r = at / PER_BIN % kRows, i = at / PER_BIN / kRows, y = rows[i * PER_BIN].begin + r;
    weights[at] = weigh(rows + i * PER_BIN + p, 1, y);
  }
  __syncthreads();

  float total = 0.0f;
  if (image >= 0 && label < classes) {
    const unsigned row_step = static_cast<unsigned>(maps.width * maps.pixel_step * sizeof(T));
    const Lane<T> lane{reinterpret_cast<const char*>(maps.data), static_cast<unsigned>(maps.pixel_step * sizeof(T)), row_step};
    for (int bin = warp; bin < bins * bins; bin += warps) {
      const WeightedSpan *const row = rows + bin / bins * PER_BIN, *const column = columns + bin % bins * PER_BIN;
      const float* const weight = weights + bin / bins * kRows * PER_BIN;
      const unsigned offset =
          static_cast<unsigned>((image * maps.image_step + 2 * (bin * padded + label)) * sizeof(T)) + row[0].begin * row_step;
      switch (row[PER_BIN - 1].end - row[0].begin) {
        case 0: break;
        case 1: total += sum_patch<T, PER_BIN, 1>(lane, offset, column, weight); break;
        case 2: total += sum_patch<T, PER_BIN, 2>(lane, offset, column, weight); break;
        case 3: total += sum_patch<T, PER_BIN, 3>(lane, offset, column, weight); break;
        case 4: total += sum_patch<T, PER_BIN, 4>(lane, offset, column, weight); break;
        default: total += sum_tall_patch<T, PER_BIN>(lane, offset, row, column);
      }
    }
  }
  sums[threadIdx.x] = total;
  __syncthreads();
  if (warp > 0 || label >= classes) return;
  for (int w = 1; w < warps; ++w) total += sums[w * kWarp + threadIdx.x];
  logits[static_cast<int64_t>(roi) * classes + label] = total / static_cast<float>(size * size);
}

// A block is an ROI and `lanes` classes, a power of 2: all of them in channels-last maps, where they are adjacent,
// else one, and neighbouring threads read neighbouring feature cells. Two blocks an SM leave room for registers, which spill
// otherwise.
template <typename T>
__global__ void __launch_bounds__(kSquareThreads, 2)
    logits_by_square(Access<const T> maps, const float* __restrict__ rois, int bins, int size, float scale, int classes,
                     int padded, int lanes, int chunks, float* __restrict__ logits) {
  const int roi = blockIdx.x / chunks, label = blockIdx.x % chunks * lanes + threadIdx.x % lanes;
  const int group = threadIdx.x / lanes, groups = blockDim.x / lanes, per_bin = size / bins;
  FCIS_SHARED(WeightedSpan, rows);                               // [size]
  WeightedSpan* const columns = rows + size;                     // [size]
  float* const sums = reinterpret_cast<float*>(columns + size);  // [threads]
  const int image = find_spans(maps, rois + static_cast<int64_t>(roi) * 5, size, scale, rows);
  float total = 0.0f;
  if (image >= 0 && label < classes) {
    for (int square = group; square < size * size; square += groups) {
      const int p = square / size, q = square % size, bin = p / per_bin * bins + q / per_bin;
      const T* const first = maps.at(image, 2 * (static_cast<int64_t>(bin) * padded + label), 0, 0);
      total += larger(sum_square(maps, first, rows[p].span(), columns[q].span())) * (rows[p].weight * columns[q].weight);
    }
  }
  sums[threadIdx.x] = total;
  for (int left = groups; left > 1;) {  // halves, in a fixed order
    const int half = (left + 1) / 2;
    __syncthreads();
    if (group < left - half) sums[threadIdx.x] += sums[threadIdx.x + half * lanes];
    left = half;
  }
  if (group == 0 && label < classes) {
    logits[static_cast<int64_t>(roi) * classes + label] = sums[threadIdx.x] / static_cast<float>(size * size);
  }
}

// Which side wins: a bit per class in winners [R, size^2, chunks], set where the inside does. A warp is a square and 32 classes.
// Sums are added up in the order of the CPU, so that ties and near ties fall alike.
template <typename T>
__global__ void __launch_bounds__(kWinnerThreads, 4)
    find_winners(Access<const T> maps, Table table, int classes, int padded, int chunks, int blocks_per_roi,
                 unsigned* __restrict__ winners) {
  const int r = blockIdx.x / blocks_per_roi, block = blockIdx.x % blocks_per_roi;
  const int unit = block * (kWinnerThreads / kWarp) + threadIdx.x / kWarp, square = unit / chunks;
  const int label = unit % chunks * kWarp + static_cast<int>(threadIdx.x) % kWarp;
  if (square >= table.size * table.size) return;  // the whole warp
  const int p = square / table.size, q = square % table.size, bin = p / table.per_bin * table.bins + q / table.per_bin;
  Pair sum{0.0f, 0.0f};
  if (table.image[r] >= 0 && label < classes) {
    const T* const first = maps.at(table.image[r], 2 * (static_cast<int64_t>(bin) * padded + label), 0, 0);
    sum = sum_square(maps, first, *table.row(r, p), *table.column(r, q));
  }
  const unsigned word = ballot(sum.inside > sum.outside);
  if (threadIdx.x % kWarp == 0)
    winners[(static_cast<int64_t>(r) * table.size * table.size + square) * chunks + unit % chunks] = word;
}

// grad [R, classes]; a warp gathers the gradient of one feature cell, one bin and 32 classes of both sides, zero for the padding.
template <typename T>
__global__ void __launch_bounds__(GradientCell::kWarps* kWarp)
    gather_logits(const float* __restrict__ grad, Access<T> result, Table table, const unsigned* __restrict__ winners,
                  int classes, int padded, int chunks) {
  const int unit = blockIdx.y * GradientCell::kWarps + threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  if (unit >= table.bins * table.bins * chunks) return;  // the whole warp
  const GradientCell cell = find_gradient_cell(blockIdx.x, unit, result.height, result.width, chunks);
  const int label = cell.chunk * kWarp + lane, size = table.size, per_bin = table.per_bin;
  const int top = cell.bin / table.bins * per_bin, left = cell.bin % table.bins * per_bin;
  Pair sum{0.0f, 0.0f};
  for_each_roi(table, cell, [&](int r) {
    const float wanted =
        label < classes ? grad[static_cast<int64_t>(r) * classes + label] / static_cast<float>(size * size) : 0.0f;
    for (int p = top; p < top + per_bin; ++p) {
      const Span row = *table.row(r, p);
      if (!holds(row, cell.y)) continue;
      for (int q = left; q < left + per_bin; ++q) {
        const Span column = *table.column(r, q);
        if (!holds(column, cell.x)) continue;
        const unsigned word = winners[((static_cast<int64_t>(r) * size + p) * size + q) * chunks + cell.chunk];
        const float share = wanted * inverse(row.count() * column.count());
        if (word >> lane & 1) {
          sum.inside += share;
        } else {
          sum.outside += share;
        }
      }
    }
  });
  if (label >= padded) return;
  store_pair(result, result.at(cell.image, 2 * (static_cast<int64_t>(cell.bin) * padded + label), cell.y, cell.x), sum);
}

// Whether logits_by_bin can address the maps.
bool is_small(const Maps& maps) {
  const int64_t bytes = maps.element == Element::kFloat32 ? 4 : 2;
  return maps.images * maps.channels * maps.pixels() * bytes < (int64_t{1} << 32);
}

template <typename T, int PER_BIN>
void launch_by_bin(const Maps& maps, const Rois& rois, int64_t classes, float* logits, cudaStream_t stream) {
  const int64_t all_bins = rois.bins * rois.bins, chunks = divide_up(classes, kWarp),
                warps = divide_up(all_bins, divide_up(all_bins, kBinWarps));
  const size_t shared = 2 * rois.size * sizeof(WeightedSpan) + (rois.bins * kRows * PER_BIN + warps * kWarp) * sizeof(float);
  FCIS_LAUNCH((logits_by_bin<T, PER_BIN>), rois.count * chunks, warps * kWarp, shared, stream,
              access(maps, static_cast<const T*>(maps.data)), rois.data, rois.bins, rois.scale(), classes, padded_of(maps, rois),
              chunks, logits);
}

template <typename T>
void launch_by_square(const Maps& maps, const Rois& rois, int64_t classes, float* logits, cudaStream_t stream) {
  int64_t lanes = 1;
  while (maps.channels_last && lanes < classes && lanes < kWarp) lanes *= 2;
  const int64_t chunks = divide_up(classes, lanes);
  int64_t threads = divide_up(divide_up(lanes * rois.size * rois.size, 2), kWarp) * kWarp;  // two squares per thread
  threads = threads < kSquareThreads ? threads : kSquareThreads;
  const size_t shared = 2 * rois.size * sizeof(WeightedSpan) + threads * sizeof(float);
  FCIS_LAUNCH((logits_by_square<T>), rois.count * chunks, threads, shared, stream, access(maps, static_cast<const T*>(maps.data)),
              rois.data, rois.bins, rois.size, rois.scale(), classes, padded_of(maps, rois), lanes, chunks, logits);
}

}  // namespace

cudaError_t class_logits(const Maps& maps, const Rois& rois, int64_t classes, float* logits, cudaStream_t stream) {
  if (rois.count * classes > 0x7fffffff) return cudaErrorInvalidValue;
  if (rois.count == 0) return cudaSuccess;
  const int per_bin = rois.size / rois.bins;
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    const bool by_bin = has_wide_pairs(maps, static_cast<const T*>(maps.data)) && classes > kWarp / 2 && is_small(maps) &&
                        (per_bin == 1 || per_bin == 3);
    if (by_bin && per_bin == 3) {
      launch_by_bin<T, 3>(maps, rois, classes, logits, stream);
    } else if (by_bin) {
      launch_by_bin<T, 1>(maps, rois, classes, logits, stream);
    } else {
      launch_by_square<T>(maps, rois, classes, logits, stream);
    }
  });
}

size_t class_logits_workspace(const Maps& maps, const Rois& rois) {
  const int64_t words = rois.count * rois.size * rois.size * divide_up(padded_of(maps, rois), kWarp);
  return static_cast<size_t>(Table::bytes(rois.count, rois.size) + words * static_cast<int64_t>(sizeof(unsigned)));
}

cudaError_t class_logits_backward(const float* grad, const Maps& maps, const Rois& rois, int64_t classes, void* workspace,
                                  void* result, cudaStream_t stream) {
  const int64_t padded = padded_of(maps, rois), chunks = divide_up(padded, kWarp), pixels = maps.images * maps.pixels();
  const int64_t units = divide_up(rois.bins * rois.bins * chunks, GradientCell::kWarps);
  const int64_t blocks_per_roi = divide_up(rois.size * rois.size * chunks, kWinnerThreads / kWarp);
  if (rois.count * blocks_per_roi > 0x7fffffff || pixels > 0x7fffffff || units > 65535) return cudaErrorInvalidValue;
  if (pixels == 0) return cudaSuccess;
  const Table table = open_table(maps, rois, workspace, stream);
  unsigned* const winners = reinterpret_cast<unsigned*>(static_cast<char*>(workspace) + Table::bytes(rois.count, rois.size));
  return with_element(maps.element, [&](auto element) {
    using T = decltype(element);
    if (rois.count > 0) {
      FCIS_LAUNCH((find_winners<T>), rois.count * blocks_per_roi, kWinnerThreads, 0, stream,
                  access(maps, static_cast<const T*>(maps.data)), table, classes, padded, chunks, blocks_per_roi, winners);
    }
    FCIS_LAUNCH((gather_logits<T>), dim3(pixels, units), GradientCell::kWarps * kWarp, 0, stream, grad,
                access(maps, static_cast<T*>(result)), table, winners, classes, padded, chunks);
  });
}

}  // namespace fcis::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Greedy non-maximum suppression in float32, of one list and of all classes from one overlap matrix; decisions are those of
// csrc/cpu/nms.cpp, bit by bit.
//
// Candidates are ordered by counting, for each, how many come before it. That is n^2 comparisons, but parallel ones, fewer in
// cost than the n^2 / 2 overlaps which follow, and neither shared memory nor the number of boxes limits it.
#include "../boxes.h"
#include "common.h"
#include "kernels.h"

namespace fcis::cuda {
namespace {

constexpr int kTile = 64;  // boxes in a word of the overlap matrix

// Keys rise as scores fall, equal scores by `rank`; 0.0 and -0.0 are equal.
__device__ __forceinline__ uint64_t make_key(float score, uint32_t rank) {
  const unsigned bits = __float_as_uint(__fadd_rn(score, 0.0f));
  const unsigned rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return static_cast<uint64_t>(~rising) << 32 | rank;
}

// Lists the boxes that may be kept, one list of keys per class from `first` on. The order in a list is that in which threads
// arrive; the later sort does not depend on it.
__global__ __launch_bounds__(kThreads) void list_candidates(const float* boxes, const float* scores, int count, int classes,
                                                            int first, float floor, uint64_t* keys, int* counts) {
  const int64_t all = static_cast<int64_t>(count) * classes, step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; at < all; at += step) {
    const int box = static_cast<int>(at / classes), list = static_cast<int>(at % classes) - first;
    const float score = scores[at];
    if (list < 0 || !(score >= floor) || !isfinite(score) || !is_finite(load_box(boxes, box))) continue;
    keys[static_cast<int64_t>(list) * count + atomicAdd(counts + list, 1)] = make_key(score, static_cast<uint32_t>(box));
  }
}

// ranks += how many keys of the list are smaller; a block compares 256 keys with a share of the list, from shared memory.
__global__ __launch_bounds__(kThreads) void count_before(const uint64_t* keys, const int* counts, int64_t capacity, int* ranks) {
  __shared__ uint64_t others[kThreads];
  const int count = counts[blockIdx.z], thread = static_cast<int>(threadIdx.x);
  if (static_cast<int64_t>(blockIdx.x) * kThreads >= count) return;  // the whole block
  const int index = static_cast<int>(blockIdx.x) * kThreads + thread;
  const uint64_t* list = keys + blockIdx.z * capacity;
  const uint64_t key = index < count ? list[index] : 0;
  const int64_t share = static_cast<int64_t>(blockIdx.y) * kThreads, step = static_cast<int64_t>(gridDim.y) * kThreads;
  int before = 0;
  for (int64_t begin = share; begin < count; begin += step) {
    const int here = static_cast<int>(min(count - begin, static_cast<int64_t>(kThreads)));
    __syncthreads();
    if (thread < here) others[thread] = list[begin + thread];
    __syncthreads();
    for (int j = 0; j < here; ++j) before += others[j] < key;
  }
  if (before > 0) atomicAdd(ranks + blockIdx.z * capacity + index, before);
}

// The boxes of one list in its order.
__global__ __launch_bounds__(kThreads) void sort_boxes(const float* boxes, const uint64_t* keys, const int* ranks,
                                                       const int* counts, float* sorted, int* order) {
  const int at = static_cast<int>(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= *counts) return;
  const int box = static_cast<int>(keys[at] & 0xffffffffu);
  const int rank = ranks[at];
  store_box(load_box(boxes, box), sorted, rank);
  order[rank] = box;
}

// The keys of every list in its order.
__global__ __launch_bounds__(kThreads) void sort_keys(const uint64_t* keys, const int* ranks, const int* counts, int64_t capacity,
                                                      uint64_t* sorted) {
  const int at = static_cast<int>(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= counts[blockIdx.y]) return;
  const int64_t list = blockIdx.y * capacity;
  sorted[list + ranks[list + at]] = keys[list + at];
}

// Bit j % 64 of matrix[i, j / 64]: do boxes i and j overlap. One thread a row of 64 x 64; the columns' boxes are in shared
// memory, where all threads read the same one. With `behind` only j > i matters, and words without such stay as they are.
__global__ __launch_bounds__(kTile) void find_overlaps(const float* boxes, const int* counts, int most, int words,
                                                       float threshold, bool behind, uint64_t* matrix) {
  __shared__ Box<float> columns[kTile];
  __shared__ float areas[kTile];
  const int count = counts ? *counts : most, thread = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.y) * kTile + thread, first = static_cast<int>(blockIdx.x) * kTile;
  if (first >= count || static_cast<int>(blockIdx.y) * kTile >= count || (behind && blockIdx.x < blockIdx.y)) return;
  const int here = min(count - first, kTile);
  if (thread < here) {
    columns[thread] = load_box(boxes, first + thread);
    areas[thread] = find_area(columns[thread]);
  }
  __syncthreads();
  if (row >= count) return;
  const Box<float> box = load_box(boxes, row);
  const float area = find_area(box);
  uint64_t bits = 0;
  for (int j = 0; j < here; ++j) {
    bits |= static_cast<uint64_t>(!(find_iou(box, area, columns[j], areas[j]) <= threshold)) << j;
  }
  matrix[static_cast<int64_t>(row) * words + blockIdx.x] = bits;
}

// The greedy scan over sorted boxes, 64 at a time: one thread decides among the 64 by the words on the diagonal, then all threads
// strike out what the kept ones overlap further on, each in different words, so that the loads of several rows are in flight.
__global__ __launch_bounds__(kThreads) void keep_best(const uint64_t* matrix, const int* order, const int* counts, int words,
                                                      int limit, int64_t* kept) {
  FCIS_SHARED(uint64_t, struck);  // a bit per box
  __shared__ uint64_t diagonal[kTile], chosen;
  const int count = *counts, tiles = (count + kTile - 1) / kTile, thread = static_cast<int>(threadIdx.x);
  for (int w = thread; w < tiles; w += kThreads) struck[w] = 0;
  int total = 0;
  for (int tile = 0; tile < tiles && total < limit; ++tile) {
    const int first = tile * kTile;
    if (thread < kTile && first + thread < count) diagonal[thread] = matrix[static_cast<int64_t>(first + thread) * words + tile];
    __syncthreads();
    if (thread == 0) {
      const int here = min(count - first, kTile);
      uint64_t open = ~struck[tile] & (~uint64_t{0} >> (kTile - here)), kept_bits = 0;
      for (int room = limit - total; open != 0 && room > 0; --room) {
        const int best = __ffsll(static_cast<long long>(open)) - 1;
        kept_bits |= uint64_t{1} << best;
        open &= ~(diagonal[best] | uint64_t{1} << best);
      }
      chosen = kept_bits;
    }
    __syncthreads();
    const uint64_t kept_bits = chosen;
    if (thread < kTile && (kept_bits >> thread & 1)) {
      kept[total + __popcll(kept_bits & ((uint64_t{1} << thread) - 1))] = order[first + thread];
    }
    for (int w = tile + 1 + thread; w < tiles; w += kThreads) {
      uint64_t bits = 0;
      for (uint64_t left = kept_bits; left != 0; left &= left - 1) {
        bits |= matrix[static_cast<int64_t>(first + __ffsll(static_cast<long long>(left)) - 1) * words + w];
      }
      struck[w] |= bits;
    }
    total += __popcll(kept_bits);
  }
  for (int at = total + thread; at < limit; at += kThreads) kept[at] = -1;
}

// The greedy scan of one class, by one warp: 32 candidates are tried at a time, the rows of the matrix are in the order of the
// input. The kept of all classes go into one list, keyed by score, class and index.
__global__ __launch_bounds__(kWarp) void keep_of_class(const uint64_t* matrix, const uint64_t* sorted, const int* counts,
                                                       int count, int words, int limit, uint64_t* winners, int* total) {
  FCIS_SHARED(uint64_t, struck);
  const int list = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x), candidates = counts[list];
  sorted += static_cast<int64_t>(list) * count;
  for (int w = lane; w < words; w += kWarp) struck[w] = 0;
  __syncthreads();
  int kept = 0;
  for (int begin = 0; begin < candidates && kept < limit; begin += kWarp) {
    const uint64_t key = begin + lane < candidates ? sorted[begin + lane] : 0;
    const int box = static_cast<int>(key & 0xffffffffu);
    bool open = begin + lane < candidates;
    while (kept < limit) {
      open = open && !(struck[box / kTile] >> (box % kTile) & 1);
      const unsigned able = ballot(open);
      if (able == 0) break;
      const int first = __ffs(static_cast<int>(able)) - 1, best = shuffle(box, first);
      if (lane == first) {
        open = false;
        winners[atomicAdd(total, 1)] = (key & ~uint64_t{0xffffffffu}) | static_cast<uint32_t>(list * count + box);
      }
      ++kept;
      __syncthreads();  // the block is one warp
      for (int w = lane; w < words; w += kWarp) struck[w] |= matrix[static_cast<int64_t>(best) * words + w];
      __syncthreads();
    }
  }
}

__global__ __launch_bounds__(kThreads) void write_winners(const uint64_t* winners, const int* ranks, const int* total, int count,
                                                          int limit, int64_t* rois, int64_t* labels) {
  const int step = static_cast<int>(gridDim.x) * kThreads, from = static_cast<int>(blockIdx.x) * kThreads + threadIdx.x;
  for (int at = from; at < *total; at += step) {
    if (ranks[at] >= limit) continue;
    const uint32_t which = static_cast<uint32_t>(winners[at] & 0xffffffffu);
    rois[ranks[at]] = which % static_cast<uint32_t>(count);
    labels[ranks[at]] = which / static_cast<uint32_t>(count) + 1;
  }
  for (int at = from + *total; at < limit; at += step) rois[at] = labels[at] = -1;
}

// Arrays that start as zeros come first, side by side.
struct OneList {
  int *counts, *ranks, *order;
  uint64_t *keys, *matrix;
  float* sorted;
  size_t zeroed, size;
  OneList(void* base, int64_t count) {
    Workspace w{base};
    counts = w.take<int>(1);
    ranks = w.take<int>(count);
    zeroed = w.used;
    order = w.take<int>(count);
    keys = w.take<uint64_t>(count);
    sorted = w.take<float>(count * 4);
    matrix = w.take<uint64_t>(count * divide_up(count, kTile));
    size = w.used;
  }
};

struct AllClasses {
  int *counts, *total, *ranks, *winner_ranks;
  uint64_t *keys, *sorted, *matrix, *winners;
  int64_t lists, most;  // classes but the background; winners at most
  size_t zeroed, size;
  AllClasses(void* base, int64_t count, int64_t classes, int64_t limit)
      : lists(classes - 1), most(lists * (limit < count ? limit : count)) {
    Workspace w{base};
    counts = w.take<int>(lists);
    total = w.take<int>(1);
    ranks = w.take<int>(lists * count);
    winner_ranks = w.take<int>(most);
    zeroed = w.used;
    keys = w.take<uint64_t>(lists * count);
    sorted = w.take<uint64_t>(lists * count);
    winners = w.take<uint64_t>(most);
    matrix = w.take<uint64_t>(count * divide_up(count, kTile));
    size = w.used;
  }
};

// The struck bits fit into the shared memory that every device gives without asking.
constexpr int64_t kMostBoxes = 48 * 1024 * 8 - 8 * 1024;

// Shares of the list per block row: enough blocks for a large GPU, few enough that launching idle ones costs nothing.
unsigned shares(int64_t count) { return static_cast<unsigned>(min(divide_up(count, 4 * kThreads), int64_t{32})); }

}  // namespace

size_t nms_workspace(int64_t count) { return OneList(nullptr, count).size; }

cudaError_t nms(const float* boxes, const float* scores, int64_t count, float threshold, int64_t limit, void* workspace,
                int64_t* kept, cudaStream_t stream) {
  if (limit == 0) return cudaSuccess;
  if (count == 0) return cudaMemsetAsync(kept, 0xff, static_cast<size_t>(limit) * sizeof(int64_t), stream);
  if (count > kMostBoxes) return cudaErrorInvalidValue;
  const OneList w(workspace, count);
  const int boxes_in = static_cast<int>(count), words = static_cast<int>(divide_up(count, kTile));
  const unsigned blocks = static_cast<unsigned>(divide_up(count, kThreads));
  if (const cudaError_t error = cudaMemsetAsync(workspace, 0, w.zeroed, stream)) return error;
  FCIS_LAUNCH(list_candidates, blocks, kThreads, 0, stream, boxes, scores, boxes_in, 1, 0, -INFINITY, w.keys, w.counts);
  FCIS_LAUNCH(count_before, dim3(blocks, shares(count)), kThreads, 0, stream, w.keys, w.counts, count, w.ranks);
  FCIS_LAUNCH(sort_boxes, blocks, kThreads, 0, stream, boxes, w.keys, w.ranks, w.counts, w.sorted, w.order);
  FCIS_LAUNCH(find_overlaps, dim3(words, words), kTile, 0, stream, w.sorted, w.counts, boxes_in, words, threshold, true,
              w.matrix);
  FCIS_LAUNCH(keep_best, 1, kThreads, words * sizeof(uint64_t), stream, w.matrix, w.order, w.counts, words, limit, kept);
  return cudaGetLastError();
}

size_t class_nms_workspace(int64_t count, int64_t classes, int64_t limit) {
  return classes < 2 ? 0 : AllClasses(nullptr, count, classes, limit).size;
}

cudaError_t class_nms(const float* boxes, const float* scores, int64_t count, int64_t classes, float threshold, float floor,
                      int64_t limit, void* workspace, int64_t* rois, int64_t* labels, cudaStream_t stream) {
  if (limit == 0) return cudaSuccess;
  if (count == 0 || classes < 2) {
    const size_t bytes = static_cast<size_t>(limit) * sizeof(int64_t);
    const cudaError_t error = cudaMemsetAsync(rois, 0xff, bytes, stream);
    return error ? error : cudaMemsetAsync(labels, 0xff, bytes, stream);
  }
  const AllClasses w(workspace, count, classes, limit);
  if (count > kMostBoxes || w.lists > 65535 || w.lists * count > INT32_MAX) return cudaErrorInvalidValue;
  const int boxes_in = static_cast<int>(count), words = static_cast<int>(divide_up(count, kTile)), most = static_cast<int>(limit);
  const unsigned lists = static_cast<unsigned>(w.lists), blocks = static_cast<unsigned>(divide_up(count, kThreads)),
                 winner_blocks = static_cast<unsigned>(divide_up(w.most, kThreads));
  if (const cudaError_t error = cudaMemsetAsync(workspace, 0, w.zeroed, stream)) return error;
  FCIS_LAUNCH(list_candidates, min(divide_up(count * classes, kThreads), int64_t{1024}), kThreads, 0, stream, boxes, scores,
              boxes_in, classes, 1, floor, w.keys, w.counts);
  FCIS_LAUNCH(count_before, dim3(blocks, shares(count), lists), kThreads, 0, stream, w.keys, w.counts, count, w.ranks);
  FCIS_LAUNCH(sort_keys, dim3(blocks, lists), kThreads, 0, stream, w.keys, w.ranks, w.counts, count, w.sorted);
  FCIS_LAUNCH(find_overlaps, dim3(words, words), kTile, 0, stream, boxes, static_cast<const int*>(nullptr), boxes_in, words,
              threshold, false, w.matrix);
  FCIS_LAUNCH(keep_of_class, lists, kWarp, words * sizeof(uint64_t), stream, w.matrix, w.sorted, w.counts, boxes_in, words, most,
              w.winners, w.total);
  FCIS_LAUNCH(count_before, dim3(winner_blocks, shares(w.most)), kThreads, 0, stream, w.winners, w.total, w.most, w.winner_ranks);
  FCIS_LAUNCH(write_winners, min(winner_blocks + 1, 64u), kThreads, 0, stream, w.winners, w.winner_ranks, w.total, boxes_in, most,
              rois, labels);
  return cudaGetLastError();
}

}  // namespace fcis::cuda

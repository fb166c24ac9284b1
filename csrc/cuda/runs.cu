// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// From the bits of voted masks to run lengths: changes down the columns are counted, then written where their winner's begin.
#include "voting.h"

namespace fcis::cuda {
namespace {

// Calls visit(row, bits) for the words of a column of a window: bits set where a pixel differs from the one before it, down the
// columns. Pixels outside a window are 0.
template <class Visit>
__device__ __forceinline__ void visit_changes(const unsigned* bits, int stride, const Window& window, int column, Visit visit) {
  const int first = window.y1 / kRows, last = (window.y2 - 1) / kRows, foot = (window.y2 - 1) % kRows;
  const unsigned before = column > window.x1 ? bits[static_cast<int64_t>(last) * stride + column - 1] >> foot & 1 : 0;
  unsigned carry = before << (window.y1 % kRows);
  for (int w = first; w <= last; ++w) {
    const unsigned word = bits[static_cast<int64_t>(w) * stride + column];
    const unsigned changes = word ^ (word << 1 | carry);
    visit(w * kRows, w == last ? changes & (0xffffffffu >> (kRows - 1 - foot)) : changes);
    carry = word >> (kRows - 1);
  }
}

// One block a winner: starts[x] = changes in the columns of its window before x, totals = its number of runs, and its tight box.
__global__ __launch_bounds__(kThreads) void count_changes(const Round round, const unsigned* bits, int* starts, int* totals,
                                                          int32_t* tight) {
  const int64_t winner = blockIdx.x;
  const Window window = round.windows[winner];
  const Frame frame = round.frames[winner];
  const bool won = window.x2 > 0;
  bits += winner * ((round.height + kRows - 1) / kRows) * round.width;
  starts += winner * round.width;
  int64_t total = 0;
  for (int begin = window.x1; won && begin < window.x2; begin += kThreads) {
    const int column = begin + static_cast<int>(threadIdx.x);
    int changes = 0;
    if (column < window.x2) {
      visit_changes(bits, round.width, window, column, [&](int, unsigned changed) { changes += __popc(changed); });
    }
    int64_t all;
    const int64_t before = sum_before(changes, all);
    if (column < window.x2) starts[column] = static_cast<int>(total + before);
    total += all;
  }
  if (threadIdx.x > 0) return;
  totals[winner] = won ? static_cast<int>(total) + 1 : 0;
  const int32_t corners[4] = {frame.x + window.x1, frame.y + window.y1, frame.x + window.x2, frame.y + window.y2};
  for (int c = 0; c < 4; ++c) tight[winner * 4 + c] = won ? corners[c] : 0;
}

// One block: ends[i] = runs of the winners up to i.
__global__ __launch_bounds__(kThreads) void find_ends(const int* totals, int winners, int32_t* ends, int64_t* report) {
  int64_t sum = 0;
  for (int begin = 0; begin < winners; begin += kThreads) {
    const int winner = begin + static_cast<int>(threadIdx.x);
    const int count = winner < winners ? totals[winner] : 0;
    int64_t all;
    const int64_t end = sum + sum_before(count, all) + count;
    if (winner < winners) ends[winner] = static_cast<int32_t>(min(end, static_cast<int64_t>(INT32_MAX)));
    sum += all;
  }
  if (threadIdx.x > 0) return;
  report[0] = sum;
  if (sum > INT32_MAX) report[1] |= 4;
}

// One block a winner: first where the changes are, then from the last to the first the way from one to the next.
__global__ __launch_bounds__(kThreads) void write_runs_of(const Round round, const unsigned* bits, const int* starts,
                                                          const int* totals, const int32_t* ends, int32_t* runs,
                                                          int64_t capacity) {
  const int64_t winner = blockIdx.x;
  const Window window = round.windows[winner];
  const int count = totals[winner], thread = static_cast<int>(threadIdx.x), height = window.y2 - window.y1;
  if (count == 0 || ends[winner] > capacity || ends[winner] == INT32_MAX) return;  // the whole block
  bits += winner * ((round.height + kRows - 1) / kRows) * round.width;
  starts += winner * round.width;
  runs += ends[winner] - count;
  for (int column = window.x1 + thread; column < window.x2; column += kThreads) {
    int next = starts[column];
    const int top = (column - window.x1) * height - window.y1;
    visit_changes(bits, round.width, window, column, [&](int row, unsigned changed) {
      for (; changed != 0; changed &= changed - 1) runs[next++] = top + row + __ffs(static_cast<int>(changed)) - 1;
    });
  }
  if (thread == 0) runs[count - 1] = (window.x2 - window.x1) * height;
  __syncthreads();
  for (int begin = (count - 1) / kThreads * kThreads; begin >= 0; begin -= kThreads) {
    const int at = begin + thread;
    const int length = at < count ? runs[at] - (at > 0 ? runs[at - 1] : 0) : 0;
    __syncthreads();
    if (at < count) runs[at] = length;
  }
}

}  // namespace

size_t voting_workspace(const Votes& votes) { return VotingArrays(votes, nullptr).size; }

cudaError_t count_runs(const Votes& v, void* workspace, int32_t* tight, int32_t* ends, int64_t* report, cudaStream_t stream) {
  if (const cudaError_t error = cudaMemsetAsync(report, 0, 2 * sizeof(int64_t), stream)) return error;
  if (v.winners == 0) return cudaSuccess;
  if (v.winners > 65535 || v.rois > INT32_MAX || v.size > 512 || v.resample > 512 || v.width > 32768 || v.height > 32768) {
    return cudaErrorInvalidValue;
  }
  const VotingArrays w(v, workspace);
  const unsigned winners = static_cast<unsigned>(v.winners);
  cast_votes(v, w, report, stream);
  FCIS_LAUNCH(count_changes, winners, kThreads, 0, stream, w.last, w.bits, w.starts, w.totals, tight);
  FCIS_LAUNCH(find_ends, 1, kThreads, 0, stream, w.totals, v.winners, ends, report);
  return cudaGetLastError();
}

cudaError_t write_runs(const Votes& v, void* workspace, const int32_t* ends, int32_t* runs, int64_t capacity,
                       cudaStream_t stream) {
  if (v.winners == 0) return cudaSuccess;
  const VotingArrays w(v, workspace);
  FCIS_LAUNCH(write_runs_of, v.winners, kThreads, 0, stream, w.last, w.bits, w.starts, w.totals, ends, runs, capacity);
  return cudaGetLastError();
}

}  // namespace fcis::cuda

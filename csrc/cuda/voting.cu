// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Mask voting without a picture per ROI: every pixel of a winner adds up its voters in registers, only the outcome is stored, one
// bit a pixel. Arithmetic is that of csrc/cpu/voting.cpp, bit by bit: operations rounded one by one, voters in ROI order.
//
// The released double quantisation is a second vote: each winner's votes over its tight box, sampled on a grid, are the mask of
// the only voter, whose box is that tight box.
#include "voting.h"

namespace fcis::cuda {
namespace {

struct Tap {
  int low, high;
  float weight;
};

__device__ __forceinline__ Tap make_tap(float at, int size) {
  const int first = static_cast<int>(floorf(at));
  return {min(max(first, 0), size - 1), min(first + 1, size - 1),
          first < 0 || first + 1 >= size ? 0.0f : __fsub_rn(at, static_cast<float>(first))};
}

__device__ __forceinline__ float mix(float a, float b, float t) {
  return __fadd_rn(__fmul_rn(a, __fsub_rn(1.0f, t)), __fmul_rn(b, t));
}

__device__ __forceinline__ float add_vote(float sum, float value, const Voter& voter, float threshold, bool binarise) {
  return __fadd_rn(sum, binarise ? (value >= threshold ? voter.weight : 0.0f) : __fmul_rn(voter.weight, value));
}

__device__ __forceinline__ bool is_inside(const int32_t* box, int width, int height) {
  return box[0] >= 0 && box[1] >= 0 && box[0] <= box[2] && box[1] <= box[3] && box[2] < width && box[3] < height;
}

// One block a box. In double, as the CPU does it, and once: most GPUs have few units for it.
__global__ __launch_bounds__(kThreads) void find_positions(const Round round) {
  const int32_t* box = round.boxes + static_cast<int64_t>(blockIdx.x) * 4;
  if (!is_inside(box, round.width, round.height)) return;
  float* positions = round.positions + static_cast<int64_t>(blockIdx.x) * (round.width + round.height);
  for (int axis = 0; axis < 2; ++axis) {
    const int length = box[axis + 2] - box[axis] + 1;
    const double scale = static_cast<double>(round.size) / static_cast<double>(length);
    for (int i = static_cast<int>(threadIdx.x); i < length; i += kThreads) {
      positions[axis * round.width + i] = static_cast<float>(__dadd_rn(__dmul_rn(static_cast<double>(i) + 0.5, scale), -0.5));
    }
  }
}

// One warp a winner: its voters in ROI order and the box around them.
__global__ __launch_bounds__(kWarp) void gather_voters(const Round round, const int32_t* index, const float* weights, int rois,
                                                       int64_t mask_count, int64_t* report) {
  const int lane = static_cast<int>(threadIdx.x);
  const int64_t winner = blockIdx.x;
  Voter* voters = round.voters + winner * round.most;
  int count = 0, x1 = INT32_MAX, y1 = INT32_MAX, x2 = -1, y2 = -1;
  unsigned wrong = 0;
  for (int begin = 0; begin < rois; begin += kWarp) {
    const int roi = begin + lane, mask = roi < rois ? index[winner * rois + roi] : -1;
    bool votes = mask >= 0;
    if (votes) {
      const int32_t* box = round.boxes + static_cast<int64_t>(roi) * 4;
      const unsigned faults = (is_inside(box, round.width, round.height) ? 0 : 1) | (mask < mask_count ? 0 : 2);
      wrong |= faults;
      votes = faults == 0;
      if (votes) x1 = min(x1, box[0]), y1 = min(y1, box[1]), x2 = max(x2, box[2]), y2 = max(y2, box[3]);
    }
    const unsigned all = ballot(votes);
    if (votes) voters[count + __popc(all & ((1u << lane) - 1))] = {roi, mask, weights[winner * rois + roi]};
    count += __popc(all);
  }
  for (int other = kWarp / 2; other > 0; other /= 2) {
    x1 = min(x1, shuffle_xor(x1, other)), y1 = min(y1, shuffle_xor(y1, other));
    x2 = max(x2, shuffle_xor(x2, other)), y2 = max(y2, shuffle_xor(y2, other));
    wrong |= shuffle_xor(wrong, other);
  }
  if (lane > 0) return;
  round.counts[winner] = count;
  round.frames[winner] = count > 0 ? Frame{x1, y1, x2 - x1 + 1, y2 - y1 + 1} : Frame{0, 0, 0, 0};
  round.windows[winner] = {INT32_MAX, INT32_MAX, 0, 0};
  if (wrong != 0) atomicOr(reinterpret_cast<unsigned long long*>(report + 1), static_cast<unsigned long long>(wrong));
}

// One warp a tile of 32 x 32 pixels, one thread a column of it with 32 sums in registers; voters that miss the tile are skipped
// by the whole warp. Rows of a mask are read at its columns' positions once and serve all pixel rows between two of them. Three
// blocks per multiprocessor leave enough registers not to spill.
template <bool kBinarise>
__global__ __launch_bounds__(kThreads, 3) void sum_votes(const Round round, unsigned* bits) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t winner = blockIdx.y;
  const Frame frame = round.frames[winner];
  const int across = (frame.width + kWarp - 1) / kWarp, tiles = across * ((frame.height + kRows - 1) / kRows);
  const Voter* voters = round.voters + winner * round.most;
  const int count = round.counts[winner];
  bits += winner * ((round.height + kRows - 1) / kRows) * round.width;
  for (int tile = static_cast<int>(blockIdx.x) * kWarps + warp; tile < tiles; tile += static_cast<int>(gridDim.x) * kWarps) {
    const int left = tile % across * kWarp, top = tile / across * kRows;
    float sums[kRows];
#pragma unroll
    for (int i = 0; i < kRows; ++i) sums[i] = 0.0f;
    for (int v = 0; v < count; ++v) {
      const Voter voter = voters[v];
      const int32_t* box = round.boxes + static_cast<int64_t>(voter.roi) * 4;
      const int width = box[2] - box[0] + 1, height = box[3] - box[1] + 1;
      const int column = frame.x + left - box[0], row = frame.y + top - box[1];  // of the tile's corner, in the box
      if (column >= width || column + kWarp <= 0 || row >= height || row + kRows <= 0) continue;
      const float* positions = round.positions + static_cast<int64_t>(voter.roi) * (round.width + round.height);
      const float* mask = round.masks + static_cast<int64_t>(voter.mask) * round.size * round.size;
      const bool inside = column + lane >= 0 && column + lane < width;
      const Tap x = make_tap(positions[min(max(column + lane, 0), width - 1)], round.size);
      const Tap y = make_tap(positions[round.width + min(max(row + lane, 0), height - 1)], round.size);  // of row `lane`
      const auto stretch = [&](int line) {
        return mix(mask[line * round.size + x.low], mask[line * round.size + x.high], x.weight);
      };
      const int lows_highs = y.low << 16 | y.high;
      int above_line = -1, below_line = -1;
      float above = 0.0f, below = 0.0f;
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        const int lines = shuffle(lows_highs, i), low = lines >> 16, high = lines & 0xffff;
        const float weight = shuffle(y.weight, i);
        if (row + i < 0 || row + i >= height) continue;
        if (low != above_line) above = low == below_line ? below : stretch(low);
        if (high != below_line) below = stretch(high);
        above_line = low, below_line = high;
        if (inside) sums[i] = add_vote(sums[i], mix(above, below, weight), voter, round.threshold, kBinarise);
      }
    }
    unsigned word = 0;
#pragma unroll
    for (int i = 0; i < kRows; ++i) word |= static_cast<unsigned>(sums[i] >= round.threshold && top + i < frame.height) << i;
    if (left + lane < frame.width) {
      bits[static_cast<int64_t>(top / kRows) * round.width + left + lane] = word;
    } else {
      word = 0;
    }
    const unsigned columns = ballot(word != 0);
    unsigned rows = word;
    for (int other = kWarp / 2; other > 0; other /= 2) rows |= shuffle_xor(rows, other);
    if (lane == 0 && columns != 0) {
      Window* window = round.windows + winner;
      atomicMin(&window->x1, left + __ffs(static_cast<int>(columns)) - 1);
      atomicMin(&window->y1, top + __ffs(static_cast<int>(rows)) - 1);
      atomicMax(&window->x2, left + kWarp - __clz(static_cast<int>(columns)));
      atomicMax(&window->y2, top + kRows - __clz(static_cast<int>(rows)));
    }
  }
}

// The votes of one pixel of a frame, 0 outside it.
template <bool kBinarise>
__device__ float find_votes(const Round& round, const Frame& frame, const Voter* voters, int count, int x, int y) {
  float sum = 0.0f;
  if (x < 0 || y < 0 || x >= frame.width || y >= frame.height) return sum;
  for (int v = 0; v < count; ++v) {
    const Voter voter = voters[v];
    const int32_t* box = round.boxes + static_cast<int64_t>(voter.roi) * 4;
    const int column = frame.x + x - box[0], row = frame.y + y - box[1];
    if (column < 0 || row < 0 || column > box[2] - box[0] || row > box[3] - box[1]) continue;
    const float* positions = round.positions + static_cast<int64_t>(voter.roi) * (round.width + round.height);
    const Tap across = make_tap(positions[column], round.size), down = make_tap(positions[round.width + row], round.size);
    const float *above = round.masks + (static_cast<int64_t>(voter.mask) * round.size + down.low) * round.size,
                *below = round.masks + (static_cast<int64_t>(voter.mask) * round.size + down.high) * round.size;
    const float value = mix(mix(above[across.low], above[across.high], across.weight),
                            mix(below[across.low], below[across.high], across.weight), down.weight);
    sum = add_vote(sum, value, voter, round.threshold, kBinarise);
  }
  return sum;
}

// Sample i of `size` along a window that begins at `from`, in the frame; not past the image, which begins at -before there.
__device__ __forceinline__ float find_sample(int from, int length, int i, int size, int before, int image) {
  const float way = __fmul_rn(__fadd_rn(static_cast<float>(i), 0.5f), static_cast<float>(length));
  const float at = __fsub_rn(__fadd_rn(static_cast<float>(from), __fdiv_rn(way, static_cast<float>(size))), 0.5f);
  return fminf(fmaxf(at, static_cast<float>(-before)), static_cast<float>(image - 1 - before));
}

// The votes over a window at size x size positions, bilinear; they read past the window, 0 past the frame, and past the image
// the votes on its edge. The released GPU path drops masks one pixel wide or high.
template <bool kBinarise>
__global__ __launch_bounds__(kThreads) void sample_votes(const Round round, int size, float* samples) {
  const int64_t winner = blockIdx.y;
  const Window window = round.windows[winner];
  const int at = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x), width = window.x2 - window.x1,
            height = window.y2 - window.y1;
  if (at >= size * size || window.x2 == 0 || width < 2 || height < 2) return;
  const Frame frame = round.frames[winner];
  const Voter* voters = round.voters + winner * round.most;
  const int count = round.counts[winner];
  const float y = find_sample(window.y1, height, at / size, size, frame.y, round.height);
  const float x = find_sample(window.x1, width, at % size, size, frame.x, round.width);
  const int row = static_cast<int>(floorf(y)), column = static_cast<int>(floorf(x));
  float corners[4];
  for (int i = 0; i < 4; ++i) corners[i] = find_votes<kBinarise>(round, frame, voters, count, column + i % 2, row + i / 2);
  const float right = __fsub_rn(x, static_cast<float>(column)), down = __fsub_rn(y, static_cast<float>(row));
  samples[winner * size * size + at] = mix(mix(corners[0], corners[1], right), mix(corners[2], corners[3], right), down);
}

// The second round: the samples vote, with weight 1, over the window of the first.
__global__ __launch_bounds__(kThreads) void open_second_round(const Round first, const Round second, int32_t* boxes,
                                                              int winners) {
  const int winner = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (winner >= winners) return;
  const Window window = first.windows[winner];
  Frame frame = first.frames[winner];
  const int width = window.x2 - window.x1, height = window.y2 - window.y1;
  const bool votes = window.x2 > 0 && width >= 2 && height >= 2;
  frame = votes ? Frame{frame.x + window.x1, frame.y + window.y1, width, height} : Frame{0, 0, 0, 0};
  second.frames[winner] = frame;
  second.windows[winner] = {INT32_MAX, INT32_MAX, 0, 0};
  second.counts[winner] = votes ? 1 : 0;
  second.voters[winner] = {winner, winner, 1.0f};
  const int32_t corners[4] = {frame.x, frame.y, frame.x + frame.width - 1, frame.y + frame.height - 1};  // empty: no box
  for (int c = 0; c < 4; ++c) boxes[winner * 4 + c] = corners[c];
}

}  // namespace

void cast_votes(const Votes& v, const VotingArrays& w, int64_t* report, cudaStream_t stream) {
  const unsigned winners = static_cast<unsigned>(v.winners);
  // Tiles of the image bound those of a winner's box, which the host does not know: few blocks go over all of them.
  const int64_t tiles = divide_up(v.width, kWarp) * divide_up(v.height, kRows);
  const dim3 shares(min(divide_up(tiles, kWarps), int64_t{32}), winners);
  if (v.rois > 0) FCIS_LAUNCH(find_positions, v.rois, kThreads, 0, stream, w.first);
  FCIS_LAUNCH(gather_voters, winners, kWarp, 0, stream, w.first, v.index, v.weights, v.rois, v.mask_count, report);
  if (v.binarise_first) {
    FCIS_LAUNCH(sum_votes<true>, shares, kThreads, 0, stream, w.first, w.bits);
  } else {
    FCIS_LAUNCH(sum_votes<false>, shares, kThreads, 0, stream, w.first, w.bits);
  }
  if (v.resample > 0) {
    const int size = static_cast<int>(v.resample);
    const dim3 grid(divide_up(v.resample * v.resample, kThreads), winners);
    if (v.binarise_first) {
      FCIS_LAUNCH(sample_votes<true>, grid, kThreads, 0, stream, w.first, size, w.samples);
    } else {
      FCIS_LAUNCH(sample_votes<false>, grid, kThreads, 0, stream, w.first, size, w.samples);
    }
    FCIS_LAUNCH(open_second_round, divide_up(v.winners, kThreads), kThreads, 0, stream, w.first, w.second, w.boxes, v.winners);
    FCIS_LAUNCH(find_positions, winners, kThreads, 0, stream, w.second);
    FCIS_LAUNCH(sum_votes<false>, shares, kThreads, 0, stream, w.second, w.bits);
  }
}

}  // namespace fcis::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Mask voting, shared by its two halves: votes are cast (voting.cu), then the outcome becomes run lengths (runs.cu).
//
// The outcome is one bit a pixel. Bits lie down the columns, 32 rows in a word, because run lengths go down the columns: counting
// changes is a matter of shifts, and neighbouring threads, which have neighbouring columns, read and write neighbouring words.
#pragma once

#include "common.h"
#include "kernels.h"

namespace fcis::cuda {

constexpr int kRows = 32;  // in a word

// Pixels x .. x + width - 1, y .. y + height - 1 of the image; a winner without voters has none.
struct Frame {
  int x, y, width, height;
};

// Half-open, within a frame; x1 >= x2 where no pixel has won.
struct Window {
  int x1, y1, x2, y2;
};

struct Voter {
  int roi, mask;
  float weight;
};

// One round of voting as the kernels see it.
struct Round {
  const int32_t* boxes;  // [rois, 4]
  const float* masks;    // [.., size, size]
  float* positions;      // [rois, columns + rows]: of the columns and rows of a box in its mask
  Voter* voters;         // [winners, most]
  int* counts;           // [winners]
  Frame* frames;         // [winners]
  Window* windows;       // [winners]
  int most, size, width, height;
  float threshold;
};

// The arrays of both steps in the workspace.
struct VotingArrays {
  Round first, second, last;
  unsigned* bits;
  int *starts, *totals;
  float* samples;
  int32_t* boxes;  // of the second round
  size_t size;
  VotingArrays(const Votes& v, void* base) {
    Workspace w{base};
    const auto open = [&](int64_t boxes, int64_t most, int64_t size) {
      Round round{};
      round.positions = w.take<float>(boxes * (v.width + v.height));
      round.voters = w.take<Voter>(v.winners * most);
      round.counts = w.take<int>(v.winners);
      round.frames = w.take<Frame>(v.winners);
      round.windows = w.take<Window>(v.winners);
      round.most = static_cast<int>(most), round.size = static_cast<int>(size);
      round.width = static_cast<int>(v.width), round.height = static_cast<int>(v.height), round.threshold = v.threshold;
      return round;
    };
    first = open(v.rois, v.rois, v.size);
    first.boxes = v.boxes, first.masks = v.masks;
    if (v.resample > 0) {
      samples = w.take<float>(v.winners * v.resample * v.resample);
      boxes = w.take<int32_t>(v.winners * 4);
      second = open(v.winners, 1, v.resample);
      second.boxes = boxes, second.masks = samples;
    }
    last = v.resample > 0 ? second : first;
    bits = w.take<unsigned>(v.winners * divide_up(v.height, kRows) * v.width);
    starts = w.take<int>(v.winners * v.width);
    totals = w.take<int>(v.winners);
    size = w.used;
  }
};

// Casts the votes of all winners: bits and windows of the last round. Votes have been checked.
void cast_votes(const Votes& votes, const VotingArrays& arrays, int64_t* report, cudaStream_t stream);

}  // namespace fcis::cuda

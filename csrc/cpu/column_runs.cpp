// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Masks as column runs: run lengths in the form in which they can be moved, scaled and compared.
#include <algorithm>
#include <cmath>

#include "kernels.h"

namespace fcis {

void append_column_runs(const int32_t* runs, int64_t count, const int32_t* box, std::vector<ColumnRun>& column_runs) {
  const int64_t high = box[3] - int64_t{box[1]};
  int64_t at = 0;
  for (int64_t k = 0; k < count; ++k) {
    const int64_t stop = at + runs[k];
    while (k % 2 == 1 && at < stop) {  // a run that goes on at the top of the next column becomes several
      const int64_t column = at / high, next = std::min(stop, (column + 1) * high), top = box[1] - column * high;
      column_runs.push_back(
          {static_cast<int32_t>(box[0] + column), static_cast<int32_t>(top + at), static_cast<int32_t>(top + next)});
      at = next;
    }
    at = stop;
  }
}

void append_moved(const ColumnRun* column_runs, int64_t count, const int32_t* old_box, const double* new_box, int64_t height,
                  int64_t width, std::vector<ColumnRun>& moved) {
  constexpr double far = 1 << 30;  // outside of any image, and its products are no overflow
  int64_t edges[4];
  for (int k = 0; k < 4; ++k) edges[k] = static_cast<int64_t>(std::nearbyint(std::clamp(new_box[k], -far, far)));
  const int64_t left = edges[0], above = edges[1], new_wide = std::max<int64_t>(edges[2] - left, 1),
                new_high = std::max<int64_t>(edges[3] - above, 1), wide = old_box[2] - int64_t{old_box[0]},
                high = old_box[3] - int64_t{old_box[1]};
  const auto row = [&](int64_t y) {
    const int64_t to = above + (2 * (y - old_box[1]) * new_high + high) / (2 * high);
    return static_cast<int32_t>(std::clamp<int64_t>(to, 0, height));
  };
  const ColumnRun* const last = column_runs + count;
  for (int64_t x = std::max<int64_t>(left, 0); x < std::min(left + new_wide, width); ++x) {
    // Every column of the new box shows the one of the old box that its centre falls on.
    const int64_t column = old_box[0] + (2 * (x - left) + 1) * wide / (2 * new_wide);
    while (column_runs < last && column_runs->column < column) ++column_runs;
    for (const ColumnRun* run = column_runs; run < last && run->column == column; ++run) {
      const int32_t top = row(run->top), bottom = row(run->bottom);
      if (top < bottom) moved.push_back({static_cast<int32_t>(x), top, bottom});
    }
  }
}

int64_t count_shared(const ColumnRun* a, int64_t a_count, const ColumnRun* b, int64_t b_count) {
  const ColumnRun *const a_end = a + a_count, *const b_end = b + b_count;
  int64_t sum = 0;
  while (a < a_end && b < b_end) {
    const bool together = a->column == b->column;
    if (together) sum += std::max(std::min(a->bottom, b->bottom) - std::max(a->top, b->top), 0);
    const bool a_ends_first = together ? a->bottom < b->bottom : a->column < b->column;
    a_ends_first ? ++a : ++b;
  }
  return sum;
}

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Masks <-> run lengths in column order. Rows are compared as a whole, and only positions where a mask begins or ends are visited
// one by one.
#include <cstring>

#include "kernels.h"

namespace fcis {
namespace {

constexpr int64_t kChunk = 16;

bool same(const uint8_t* a, const uint8_t* b) {
  uint64_t first[2], second[2];
  std::memcpy(first, a, kChunk);
  std::memcpy(second, b, kChunk);
  return ((first[0] ^ second[0]) | (first[1] ^ second[1])) == 0;
}

}  // namespace

void find_runs(const uint8_t* mask, int64_t stride, int64_t height, int64_t width, std::vector<int32_t>& runs) {
  // changes of every column from the row above, sorted by column (counting sort); row 0 is compared with the column before.
  std::vector<int64_t> columns, rows, starts(width + 1, 0);
  columns.reserve(4 * width);
  rows.reserve(4 * width);
  const auto note = [&](int64_t y, int64_t x) {
    columns.push_back(x);
    rows.push_back(y);
    ++starts[x + 1];
  };
  const uint8_t* bottom = mask + (height - 1) * stride;
  for (int64_t x = 0; x < width; ++x) {
    if (mask[x] != (x > 0 ? bottom[x - 1] : 0)) note(0, x);
  }
  for (int64_t y = 1; y < height; ++y) {
    const uint8_t *above = mask + (y - 1) * stride, *row = mask + y * stride;
    int64_t x = 0;
    for (; x + kChunk <= width; x += kChunk) {
      if (same(above + x, row + x)) continue;
      for (int64_t i = x; i < x + kChunk; ++i) {
        if (above[i] != row[i]) note(y, i);
      }
    }
    for (; x < width; ++x) {
      if (above[x] != row[x]) note(y, x);
    }
  }
  for (int64_t x = 0; x < width; ++x) starts[x + 1] += starts[x];
  std::vector<int64_t> positions(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) positions[starts[columns[i]]++] = columns[i] * height + rows[i];
  int64_t last = 0;
  runs.clear();
  runs.reserve(positions.size() + 1);
  for (const int64_t position : positions) {
    runs.push_back(static_cast<int32_t>(position - last));
    last = position;
  }
  runs.push_back(static_cast<int32_t>(height * width - last));
}

void fill_runs(const int32_t* runs, int64_t count, int64_t height, int64_t width, uint8_t* mask) {
  std::memset(mask, 0, height * width);
  int64_t position = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t end = position + runs[i];
    if (i % 2 == 1 && runs[i] > 0) {
      mask[position % height * width + position / height] ^= 1;                            // begins
      for (int64_t x = position / height + 1; x <= (end - 1) / height; ++x) mask[x] ^= 1;  // goes on at the top of a column
      if (end % height != 0) mask[end % height * width + end / height] ^= 1;               // ends, unless at a column's foot
    }
    position = end;
  }
  for (int64_t y = 1; y < height; ++y) {
    const uint8_t* above = mask + (y - 1) * width;
    uint8_t* row = mask + y * width;
    for (int64_t x = 0; x < width; ++x) row[x] ^= above[x];
  }
}

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// One instance's mask: the weighted vote of the masks of its ROIs, each rendered over its box, row by row.
//
// A mask row is stretched to the width of its box once and serves all image rows between two rows of the mask; votes are summed
// in one row at a time. Rows are padded to whole vectors, so that no loop has a remainder: the padding of a
// rendered row changes no pixel, and the padding of the sums stays below every threshold.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "kernels.h"

namespace fcis {
namespace {

constexpr int64_t kLanes = 16, kTable = 32;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

int64_t pad(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// Half-pixel bilinear sampling of `from` values at `to` positions, clamped at the edge: output i is (1 - weight) * value[low] +
// weight * value[high]. Behind `to`, up to `padded`, low and high are `from`.
FCIS_CLONES void find_taps(int from, int to, int padded, int* __restrict low, int* __restrict high, float* __restrict weight) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  for (int i = 0; i < padded; ++i) {
    const float at = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
    const int cut = static_cast<int>(at), first = cut - (static_cast<float>(cut) > at);  // floor, as loops can be vectorised
    const float share = at - static_cast<float>(first);
    const bool beyond = i >= to, clamped = (first < 0) | (first + 1 >= from);
    const int low_inside = first < 0 ? 0 : first < from ? first : from - 1, high_inside = first + 1 < from ? first + 1 : from - 1;
    low[i] = beyond ? from : low_inside;
    high[i] = beyond ? from : high_inside;
    weight[i] = beyond | clamped ? 0.0f : share;
  }
}

// Rows are worked on kLanes at a time (an extension of GCC and clang): one instruction each where the machine has such vectors,
// several where it has shorter ones, the same bits everywhere.
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));
typedef int Ints __attribute__((vector_size(kLanes * sizeof(int)), aligned(4), may_alias));
FCIS_INLINE const Floats& load(const float* at) { return *reinterpret_cast<const Floats*>(at); }
FCIS_INLINE const Ints& load(const int* at) { return *reinterpret_cast<const Ints*>(at); }
FCIS_INLINE Floats& floats_at(float* at) { return *reinterpret_cast<Floats*>(at); }

// out[x] = the sample at x of a row of `size` values behind which follows `beyond`.
FCIS_CLONES void stretch(const float* row, int64_t size, float beyond, const int* low, const int* high, const float* weight,
                         int64_t width, float* out) {
#ifndef __clang__
  // A short row fits two vectors: looking values up in them takes an eighth of the time of gathering them.
  if (size < kTable) {
    float table[kTable];
    for (int64_t i = 0; i < kTable; ++i) table[i] = i < size ? row[i] : beyond;
    const Floats first = load(table), second = load(table + kLanes);
    for (int64_t x = 0; x < width; x += kLanes) {
      const Floats share = load(weight + x), left = __builtin_shuffle(first, second, load(low + x)),
                   right = __builtin_shuffle(first, second, load(high + x));
      floats_at(out + x) = left * (1.0f - share) + right * share;
    }
    return;
  }
#endif
  for (int64_t x = 0; x < width; ++x) {
    const float left = low[x] < size ? row[low[x]] : beyond, right = high[x] < size ? row[high[x]] : beyond;
    out[x] = left * (1.0f - weight[x]) + right * weight[x];
  }
}

FCIS_CLONES void blend(const float* a, const float* b, float t, int64_t width, float* out) {
  for (int64_t x = 0; x < width; x += kLanes) floats_at(out + x) = load(a + x) * (1.0f - t) + load(b + x) * t;
}
// Adds vote, or vote * probability, to every pixel of a row.
FCIS_CLONES void add_binary(const float* a, const float* b, float t, int64_t width, float threshold, float vote, float* sums) {
  const Floats votes = vote - Floats{}, none = {};
  for (int64_t x = 0; x < width; x += kLanes) {
    floats_at(sums + x) += load(a + x) * (1.0f - t) + load(b + x) * t >= threshold ? votes : none;
  }
}
FCIS_CLONES void add_probability(const float* a, const float* b, float t, int64_t width, float vote, float* sums) {
  for (int64_t x = 0; x < width; x += kLanes) floats_at(sums + x) += vote * (load(a + x) * (1.0f - t) + load(b + x) * t);
}
FCIS_CLONES void binarise(const float* values, int64_t width, float threshold, uint8_t* mask) {
  for (int64_t x = 0; x < width; ++x) mask[x] = values[x] >= threshold;
}

// Where to sample a mask along one axis.
struct Taps {
  const int *low, *high;
  const float* weight;
};

// The memory of an instance's rendered ROIs: taken piece by piece, freed together.
struct Arena {
  std::vector<int> ints;
  std::vector<float> floats;
  size_t ints_used = 0, floats_used = 0;
  Arena(int64_t int_count, int64_t float_count) : ints(int_count), floats(float_count) {}
  int* take_ints(int64_t count) { return ints.data() + (ints_used += count) - count; }
  float* take_floats(int64_t count) { return floats.data() + (floats_used += count) - count; }
  Taps take_taps(int64_t from, int64_t to, int64_t padded) {
    int *const low = take_ints(padded), *const high = take_ints(padded);
    float* const weight = take_floats(padded);
    find_taps(static_cast<int>(from), static_cast<int>(to), static_cast<int>(padded), low, high, weight);
    return {low, high, weight};
  }
};

// One ROI being rendered: its box in the image, and the two stretched rows of its mask that the current image row needs.
struct RenderedRoi {
  int64_t left, top, width, height;  // the width is padded
  float weight;
  const float* mask;
  Taps across, down;
  float *above, *below;
  int above_row = -1, below_row = -1;

  void seek(int64_t y, int64_t size, float beyond) {
    const int above_wanted = down.low[y], below_wanted = down.high[y];
    if (above_row != above_wanted) {
      if (below_row == above_wanted) {
        std::swap(above, below);
        std::swap(above_row, below_row);
      } else {
        stretch(mask + above_wanted * size, size, beyond, across.low, across.high, across.weight, width, above);
        above_row = above_wanted;
      }
    }
    if (below_row != below_wanted) {
      stretch(mask + below_wanted * size, size, beyond, across.low, across.high, across.weight, width, below);
      below_row = below_wanted;
    }
  }
};

struct Window {
  int64_t y1, x1, y2, x2;  // half-open; empty where y1 == y2
};

FCIS_CLONES void merge(const uint8_t* row, int64_t width, uint8_t* any) {
  for (int64_t x = 0; x < width; ++x) any[x] |= row[x];
}

Window tight(const uint8_t* mask, int64_t stride, int64_t height, int64_t width) {
  Window w{height, 0, 0, width};
  std::vector<uint8_t> any(width, 0);
  for (int64_t y = 0; y < height; ++y) {
    if (std::memchr(mask + y * stride, 1, width) == nullptr) continue;
    merge(mask + y * stride, width, any.data());
    w.y1 = std::min(w.y1, y);
    w.y2 = y + 1;
  }
  if (w.y2 == 0) return {0, 0, 0, 0};
  while (!any[w.x1]) ++w.x1;
  while (!any[w.x2 - 1]) --w.x2;
  return w;
}

// Half-pixel bilinear samples [size, size] of the votes over a window. They read past the window, zeros past the map, and past
// the image, which is given in pixels of the map, the votes on its edge.
std::vector<float> shrink(const std::vector<float>& votes, int64_t stride, int64_t height, int64_t width, const Window& w,
                          const Window& image, int64_t size) {
  const auto position = [&](int64_t begin, int64_t end, int64_t i, int64_t low, int64_t high) {
    const float at = static_cast<float>(begin) +
                     (static_cast<float>(i) + 0.5f) * static_cast<float>(end - begin) / static_cast<float>(size) - 0.5f;
    return std::min(std::max(at, static_cast<float>(low)), static_cast<float>(high));
  };
  const auto at = [&](int64_t y, int64_t x) {
    return y >= 0 && x >= 0 && y < height && x < width ? votes[y * stride + x] : 0.0f;
  };
  std::vector<float> samples(size * size);
  for (int64_t i = 0; i < size; ++i) {
    const float y = position(w.y1, w.y2, i, image.y1, image.y2 - 1);
    for (int64_t j = 0; j < size; ++j) {
      const float x = position(w.x1, w.x2, j, image.x1, image.x2 - 1);
      const int64_t row = static_cast<int64_t>(std::floor(y)), column = static_cast<int64_t>(std::floor(x));
      const float down = y - static_cast<float>(row), right = x - static_cast<float>(column);
      const float above = at(row, column) * (1.0f - right) + at(row, column + 1) * right;
      const float below = at(row + 1, column) * (1.0f - right) + at(row + 1, column + 1) * right;
      samples[i * size + j] = above * (1.0f - down) + below * down;
    }
  }
  return samples;
}

// The inverse: [size, size] stretched to height * width and binarised; rows are pad(width) long.
std::unique_ptr<uint8_t[]> enlarge(const std::vector<float>& samples, int64_t size, int64_t height, int64_t width,
                                   float threshold) {
  const int64_t stride = pad(width);
  Arena arena(2 * (stride + height), stride + height);
  const Taps across = arena.take_taps(size, width, stride), down = arena.take_taps(size, height, height);
  std::vector<float> above(stride), below(stride), row(stride);
  std::unique_ptr<uint8_t[]> mask(new uint8_t[height * stride]);
  const auto fetch = [&](int from, std::vector<float>& to) {
    stretch(samples.data() + from * size, size, -kInfinity, across.low, across.high, across.weight, stride, to.data());
  };
  for (int64_t y = 0; y < height; ++y) {
    fetch(down.low[y], above);
    fetch(down.high[y], below);
    blend(above.data(), below.data(), down.weight[y], stride, row.data());
    binarise(row.data(), stride, threshold, mask.get() + y * stride);
  }
  return mask;
}

}  // namespace

BoxedRuns vote(const Vote& v) {
  int64_t x1 = INT64_MAX, y1 = INT64_MAX, x2 = INT64_MIN, y2 = INT64_MIN, count = 0, columns = 0, rows = 0;
  for (int64_t r = 0; r < v.count; ++r) {
    if (v.index[r] < 0) continue;
    const int32_t* box = v.boxes + r * 4;
    x1 = std::min<int64_t>(x1, box[0]), y1 = std::min<int64_t>(y1, box[1]);
    x2 = std::max<int64_t>(x2, box[2]), y2 = std::max<int64_t>(y2, box[3]);
    columns += pad(static_cast<int64_t>(box[2]) - box[0] + 1), rows += static_cast<int64_t>(box[3]) - box[1] + 1, ++count;
  }
  if (count == 0) return {};
  Arena arena(2 * (columns + rows), 3 * columns + rows);
  std::vector<RenderedRoi> rendered;
  rendered.reserve(count);
  for (int64_t r = 0; r < v.count; ++r) {
    if (v.index[r] < 0) continue;
    const int32_t* box = v.boxes + r * 4;
    const int64_t width = static_cast<int64_t>(box[2]) - box[0] + 1, height = static_cast<int64_t>(box[3]) - box[1] + 1;
    const int64_t padded = pad(width);
    rendered.push_back({box[0], box[1], padded, height, v.weights[r], v.masks + v.index[r] * v.size * v.size,
                        arena.take_taps(v.size, width, padded), arena.take_taps(v.size, height, height),
                        arena.take_floats(padded), arena.take_floats(padded)});
  }
  // An ROI at the right edge is padded by less than kLanes. Votes of all rows are kept only where they are resampled.
  const int64_t width = x2 - x1 + 1, height = y2 - y1 + 1, stride = pad(width + kLanes - 1);
  const float beyond = v.binarise_first ? -kInfinity : 0.0f;
  std::vector<float> votes((v.resample > 0 ? height : 1) * stride);
  std::unique_ptr<uint8_t[]> mask(new uint8_t[height * stride]);  // every row is written
  for (int64_t y = 0; y < height; ++y) {
    float* const row = votes.data() + (v.resample > 0 ? y * stride : 0);
    std::fill(row, row + width, 0.0f);
    std::fill(row + width, row + stride, -kInfinity);
    for (RenderedRoi& b : rendered) {
      const int64_t row_in_box = y + y1 - b.top;
      if (row_in_box < 0 || row_in_box >= b.height) continue;
      b.seek(row_in_box, v.size, beyond);
      float* const sums = row + b.left - x1;
      if (v.binarise_first) {
        add_binary(b.above, b.below, b.down.weight[row_in_box], b.width, v.threshold, b.weight, sums);
      } else {
        add_probability(b.above, b.below, b.down.weight[row_in_box], b.width, b.weight, sums);
      }
    }
    binarise(row, stride, v.threshold, mask.get() + y * stride);
  }
  Window w = tight(mask.get(), stride, height, width);
  if (w.y1 == w.y2) return {};
  int64_t step = stride;
  const uint8_t* first = mask.get() + w.y1 * step + w.x1;
  if (v.resample > 0) {
    if (w.x2 - w.x1 < 2 || w.y2 - w.y1 < 2) return {};  // the released GPU path drops masks one pixel wide or high
    step = pad(w.x2 - w.x1);
    const std::vector<float> samples =
        shrink(votes, stride, height, width, w, {-y1, -x1, v.height - y1, v.width - x1}, v.resample);
    mask = enlarge(samples, v.resample, w.y2 - w.y1, w.x2 - w.x1, v.threshold);
    const Window again = tight(mask.get(), step, w.y2 - w.y1, w.x2 - w.x1);
    if (again.y1 == again.y2) return {};
    first = mask.get() + again.y1 * step + again.x1;
    w = {w.y1 + again.y1, w.x1 + again.x1, w.y1 + again.y2, w.x1 + again.x2};
  }
  BoxedRuns result{static_cast<int32_t>(x1 + w.x1),
                   static_cast<int32_t>(y1 + w.y1),
                   static_cast<int32_t>(x1 + w.x2),
                   static_cast<int32_t>(y1 + w.y2),
                   {}};
  find_runs(first, step, w.y2 - w.y1, w.x2 - w.x1, result.runs);
  return result;
}

}  // namespace fcis

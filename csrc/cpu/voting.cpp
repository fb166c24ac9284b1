// One instance's mask: the weighted vote of the masks of its ROIs, each rendered over its own box, row by row.
//
// A mask row is stretched to the width of its box once and serves all image rows between two rows of the mask; only the vote map
// of this instance is stored, over the union of the boxes.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels.h"

namespace fcis {
namespace {

FCIS_CLONES void find_taps(int from, int to, int* low, int* high, float* weight) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  for (int i = 0; i < to; ++i) {
    const float at = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
    const int first = static_cast<int>(std::floor(at));
    low[i] = first < 0 ? 0 : (first < from ? first : from - 1);
    high[i] = first + 1 < from ? first + 1 : from - 1;
    weight[i] = first < 0 || first + 1 >= from ? 0.0f : at - static_cast<float>(first);
  }
}

// Half-pixel bilinear sampling along one axis, clamped at the edge: output i is (1 - weight) * value[low] + weight * value[high].
struct Taps {
  std::vector<int> low, high;
  std::vector<float> weight;
  Taps(int64_t from, int64_t to) : low(to), high(to), weight(to) {
    find_taps(static_cast<int>(from), static_cast<int>(to), low.data(), high.data(), weight.data());
  }
};

FCIS_CLONES void interpolate(const float* row, const int* low, const int* high, const float* weight, int64_t width, float* out) {
  for (int64_t x = 0; x < width; ++x) out[x] = row[low[x]] * (1.0f - weight[x]) + row[high[x]] * weight[x];
}

void stretch(const float* row, const Taps& taps, float* out) {
  interpolate(row, taps.low.data(), taps.high.data(), taps.weight.data(), static_cast<int64_t>(taps.weight.size()), out);
}

FCIS_CLONES void blend(const float* a, const float* b, float t, int64_t width, float* out) {
  for (int64_t x = 0; x < width; ++x) out[x] = a[x] * (1.0f - t) + b[x] * t;
}

// Adds vote, or vote * probability, to every pixel of a row.
FCIS_CLONES void add_binary(const float* a, const float* b, float t, int64_t width, float threshold, float vote, float* sums) {
  for (int64_t x = 0; x < width; ++x) sums[x] += a[x] * (1.0f - t) + b[x] * t >= threshold ? vote : 0.0f;
}
FCIS_CLONES void add_probability(const float* a, const float* b, float t, int64_t width, float vote, float* sums) {
  for (int64_t x = 0; x < width; ++x) sums[x] += vote * (a[x] * (1.0f - t) + b[x] * t);
}
FCIS_CLONES void binarise(const float* values, int64_t count, float threshold, uint8_t* mask) {
  for (int64_t i = 0; i < count; ++i) mask[i] = values[i] >= threshold;
}

// One ROI being rendered: its place in the union box, and the two stretched rows of its mask that the current image row needs.
struct Ballot {
  int64_t left, top, width, height;
  float weight;
  const float* mask;
  Taps across, down;
  std::vector<float> above, below;
  int above_row = -1, below_row = -1;

  void seek(int64_t y, int64_t size) {
    const int above_wanted = down.low[y], below_wanted = down.high[y];
    if (above_row != above_wanted) {
      if (below_row == above_wanted) {
        std::swap(above, below);
        std::swap(above_row, below_row);
      } else {
        stretch(mask + above_wanted * size, across, above.data());
        above_row = above_wanted;
      }
    }
    if (below_row != below_wanted) {
      stretch(mask + below_wanted * size, across, below.data());
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

Window tight(const uint8_t* mask, int64_t height, int64_t width) {
  Window w{height, 0, 0, width};
  std::vector<uint8_t> any(width, 0);
  for (int64_t y = 0; y < height; ++y) {
    if (std::memchr(mask + y * width, 1, width) == nullptr) continue;
    merge(mask + y * width, width, any.data());
    w.y1 = std::min(w.y1, y);
    w.y2 = y + 1;
  }
  if (w.y2 == 0) return {0, 0, 0, 0};
  while (!any[w.x1]) ++w.x1;
  while (!any[w.x2 - 1]) --w.x2;
  return w;
}

// Half-pixel bilinear samples [size, size] of the votes over a window; samples read past the window and are 0 past the map.
std::vector<float> shrink(const std::vector<float>& votes, int64_t height, int64_t width, const Window& w, int64_t size) {
  const auto at = [&](int64_t y, int64_t x) {
    return y >= 0 && x >= 0 && y < height && x < width ? votes[y * width + x] : 0.0f;
  };
  std::vector<float> samples(size * size);
  for (int64_t i = 0; i < size; ++i) {
    const float y = static_cast<float>(w.y1) + (static_cast<float>(i) + 0.5f) * static_cast<float>(w.y2 - w.y1) / static_cast<float>(size) - 0.5f;
    for (int64_t j = 0; j < size; ++j) {
      const float x = static_cast<float>(w.x1) + (static_cast<float>(j) + 0.5f) * static_cast<float>(w.x2 - w.x1) / static_cast<float>(size) - 0.5f;
      const int64_t row = static_cast<int64_t>(std::floor(y)), column = static_cast<int64_t>(std::floor(x));
      const float down = y - static_cast<float>(row), right = x - static_cast<float>(column);
      const float above = at(row, column) * (1.0f - right) + at(row, column + 1) * right;
      const float below = at(row + 1, column) * (1.0f - right) + at(row + 1, column + 1) * right;
      samples[i * size + j] = above * (1.0f - down) + below * down;
    }
  }
  return samples;
}

// The inverse: [size, size] stretched to height * width and binarised.
std::vector<uint8_t> enlarge(const std::vector<float>& samples, int64_t size, int64_t height, int64_t width, float threshold) {
  const Taps across(size, width), down(size, height);
  std::vector<float> above(width), below(width), row(width);
  std::vector<uint8_t> mask(height * width);
  for (int64_t y = 0; y < height; ++y) {
    stretch(samples.data() + down.low[y] * size, across, above.data());
    stretch(samples.data() + down.high[y] * size, across, below.data());
    blend(above.data(), below.data(), down.weight[y], width, row.data());
    binarise(row.data(), width, threshold, mask.data() + y * width);
  }
  return mask;
}

}  // namespace

Placed vote(const Vote& v) {
  std::vector<Ballot> ballots;
  int64_t x1 = INT64_MAX, y1 = INT64_MAX, x2 = INT64_MIN, y2 = INT64_MIN;
  for (int64_t r = 0; r < v.count; ++r) {
    if (v.index[r] < 0) continue;
    const int32_t* box = v.boxes + r * 4;
    x1 = std::min<int64_t>(x1, box[0]), y1 = std::min<int64_t>(y1, box[1]);
    x2 = std::max<int64_t>(x2, box[2]), y2 = std::max<int64_t>(y2, box[3]);
    const int64_t width = static_cast<int64_t>(box[2]) - box[0] + 1, height = static_cast<int64_t>(box[3]) - box[1] + 1;
    ballots.push_back({box[0], box[1], width, height, v.weights[r], v.masks + v.index[r] * v.size * v.size, Taps(v.size, width),
                       Taps(v.size, height), std::vector<float>(width), std::vector<float>(width)});
  }
  if (ballots.empty()) return {};
  const int64_t width = x2 - x1 + 1, height = y2 - y1 + 1;
  std::vector<float> votes(width * height, 0.0f);
  std::vector<uint8_t> mask(width * height);
  for (int64_t y = 0; y < height; ++y) {
    float* row = votes.data() + y * width;
    for (Ballot& b : ballots) {
      const int64_t own = y + y1 - b.top;
      if (own < 0 || own >= b.height) continue;
      b.seek(own, v.size);
      float* sums = row + b.left - x1;
      if (v.binarise_first) {
        add_binary(b.above.data(), b.below.data(), b.down.weight[own], b.width, v.threshold, b.weight, sums);
      } else {
        add_probability(b.above.data(), b.below.data(), b.down.weight[own], b.width, b.weight, sums);
      }
    }
    binarise(row, width, v.threshold, mask.data() + y * width);
  }
  Window w = tight(mask.data(), height, width);
  if (w.y1 == w.y2) return {};
  int64_t stride = width;
  const uint8_t* first = mask.data() + w.y1 * stride + w.x1;
  if (v.resample > 0) {
    if (w.x2 - w.x1 < 2 || w.y2 - w.y1 < 2) return {};  // the released GPU path drops masks one pixel wide or high
    stride = w.x2 - w.x1;
    mask = enlarge(shrink(votes, height, width, w, v.resample), v.resample, w.y2 - w.y1, stride, v.threshold);
    const Window again = tight(mask.data(), w.y2 - w.y1, stride);
    if (again.y1 == again.y2) return {};
    first = mask.data() + again.y1 * stride + again.x1;
    w = {w.y1 + again.y1, w.x1 + again.x1, w.y1 + again.y2, w.x1 + again.x2};
  }
  Placed placed{static_cast<int32_t>(x1 + w.x1), static_cast<int32_t>(y1 + w.y1), static_cast<int32_t>(x1 + w.x2),
                static_cast<int32_t>(y1 + w.y2), {}};
  find_runs(first, stride, w.y2 - w.y1, w.x2 - w.x1, placed.runs);
  return placed;
}

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The results of the CPU kernels, computed once more and slowly: in double where nothing depends on the rounding, cell by cell
// and pixel by pixel, without tables, lanes or shared work. fuzz.cpp compares.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <tuple>
#include <vector>

namespace slow {

// Maps as nested arrays would be read: value(image, channel, y, x).
using Value = std::function<double(int64_t, int64_t, int64_t, int64_t)>;

struct Roi {
  float image, low[2], high[2];  // x, y: first and last pixel
  bool lies_in(int64_t images) const {
    for (int axis = 0; axis < 2; ++axis) {
      if (!(std::fabs(low[axis]) <= 1e29f && std::fabs(high[axis]) <= 1e29f)) return false;
    }
    return image >= 0 && image < static_cast<float>(images) && std::trunc(image) == image;
  }
  // Whether span p of `size` touches a cell. The rounding is part of the definition, hence float.
  bool touches(int axis, int p, int size, int stride, int64_t cell) const {
    const float scale = static_cast<float>(1.0 / stride), start = std::round(low[axis]) * scale;
    const float step = std::max((std::round(high[axis]) + 1.0f) * scale - start, 0.1f) / static_cast<float>(size);
    const float from = std::floor(static_cast<float>(p) * step + start), to = std::ceil(static_cast<float>(p + 1) * step + start);
    return static_cast<float>(cell) >= from && static_cast<float>(cell) < to;
  }
};

// Cells begin..end-1 that an ROI touches along an axis where maps are read as they are; by trying every cell. A reversed
// ROI touches none.
inline std::vector<int64_t> touched(float low, float high, int stride, int64_t length) {
  std::vector<int64_t> cells;
  const double first = std::round(static_cast<double>(low)), last = std::round(static_cast<double>(high));
  for (int64_t cell = 0; cell < length && first <= last; ++cell) {
    if (first < static_cast<double>((cell + 1) * stride) && last >= static_cast<double>(cell * stride)) cells.push_back(cell);
  }
  return cells;
}
// The bin of cell u of n: the one that its centre lies in, the later one where it lies between two.
inline int64_t bin_of(int64_t u, int64_t n, int bins) {
  int64_t bin = 0;
  while ((bin + 1) * 2 * n <= (2 * u + 1) * bins) ++bin;
  return bin;
}

struct Square {
  std::vector<std::pair<int64_t, int64_t>> cells;  // y, x
  int64_t bin;
};

// The size * size squares of an ROI's grid, row by row.
inline std::vector<Square> squares(const Roi& roi, int bins, int size, int stride, int64_t height, int64_t width) {
  std::vector<Square> all;
  for (int p = 0; p < size; ++p) {
    for (int q = 0; q < size; ++q) {
      Square square{{}, p * bins / size * bins + q * bins / size};
      for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          if (roi.touches(1, p, size, stride, y) && roi.touches(0, q, size, stride, x)) square.cells.emplace_back(y, x);
        }
      }
      all.push_back(square);
    }
  }
  return all;
}

inline double sum(const Square& square, const Value& value, int64_t image, int64_t channel) {
  double total = 0.0;
  for (const auto& [y, x] : square.cells) total += value(image, channel, y, x);
  return total;
}

// A box as float64 numbers: x1, y1, x2, y2 of the first and last pixel, moved by dx, dy, dw, dh and clipped to the image.
struct Moved {
  double corner[4];
};
inline Moved decode(const double* box, const double* delta, double height, double width) {
  Moved moved;
  for (int axis = 0; axis < 2; ++axis) {
    const double side = box[axis + 2] - box[axis] + 1, middle = (box[axis] + box[axis + 2]) / 2 + delta[axis] * side;
    const double half = (std::exp(std::min(delta[axis + 2], std::log(1000.0 / 16))) * side - 1) / 2;
    const double last = (axis == 0 ? width : height) - 1;
    moved.corner[axis] = std::clamp(middle - half, 0.0, last);
    moved.corner[axis + 2] = std::clamp(middle + half, 0.0, last);
  }
  return moved;
}

template <class T>
T iou(const float* a, const float* b) {
  const auto side = [](const float* box, int axis) { return static_cast<T>(box[axis + 2]) - static_cast<T>(box[axis]) + 1; };
  const auto common = [&](int axis) {
    const T from = std::max(a[axis], b[axis]), to = std::min(a[axis + 2], b[axis + 2]);
    return std::max(to - from + 1, T(0));
  };
  const T both = common(0) * common(1);
  return both / (side(a, 0) * side(a, 1) + side(b, 0) * side(b, 1) - both);
}

// Greedy suppression by definition: the best remaining box is kept, and those that overlap it are dropped.
inline std::vector<int64_t> nms(const float* boxes, std::vector<float> scores, float threshold, float floor, int64_t limit) {
  std::vector<int64_t> kept;
  for (size_t i = 0; i < scores.size(); ++i) {
    const bool finite = std::all_of(boxes + i * 4, boxes + i * 4 + 4, [](float corner) { return std::isfinite(corner); });
    if (!finite || !std::isfinite(scores[i]) || scores[i] < floor) scores[i] = -INFINITY;
  }
  while (static_cast<int64_t>(kept.size()) < limit) {
    const auto best = std::max_element(scores.begin(), scores.end());  // the first of equals
    if (best == scores.end() || *best == -INFINITY) break;
    const int64_t index = best - scores.begin();
    kept.push_back(index);
    for (size_t i = 0; i < scores.size(); ++i) {
      if (!(iou<float>(boxes + index * 4, boxes + i * 4) <= threshold)) scores[i] = -INFINITY;
    }
    scores[index] = -INFINITY;
  }
  return kept;
}

// Half-pixel bilinear sample of a mask [size, size] that is stretched to `width` x `height`, clamped at its edge.
inline double stretched(const float* mask, int size, int64_t height, int64_t width, int64_t y, int64_t x) {
  const auto along = [&](int64_t i, int64_t length) {
    return std::clamp((static_cast<double>(i) + 0.5) * size / static_cast<double>(length) - 0.5, 0.0, size - 1.0);
  };
  const double v = along(y, height), u = along(x, width);
  const int row = static_cast<int>(v), column = static_cast<int>(u), below = std::min(row + 1, size - 1),
            right = std::min(column + 1, size - 1);
  const auto mix = [](double a, double b, double t) { return a + (b - a) * t; };
  return mix(mix(mask[row * size + column], mask[row * size + right], u - column),
             mix(mask[below * size + column], mask[below * size + right], u - column), v - row);
}

// Whether a value reaches a threshold; nothing where rounding decides.
inline std::optional<bool> reaches(double value, double threshold) {
  if (std::fabs(value - threshold) < 1e-4) return std::nullopt;
  return value >= threshold;
}

// A mask as runs down its columns, pixel by pixel.
inline std::vector<int32_t> runs(const std::vector<uint8_t>& mask, int64_t height, int64_t width) {
  std::vector<int32_t> lengths{0};
  for (int64_t i = 0; i < height * width; ++i) {
    const bool set = mask[i % height * width + i / height] != 0;
    if (set != (lengths.size() % 2 == 0)) lengths.push_back(0);
    ++lengths.back();
  }
  return lengths;
}

}  // namespace slow

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The overlay picture in one pass over the image and the label map.
//
// A pixel is at its instance's visible edge where the square of 2 * thickness + 1 pixels around it, as far as the image goes,
// holds another label. Rows are taken apart into runs of one label, whose middles are cores: without another label in the row's
// part of the square. A pixel is inside where all cores above and below it, as far as the square goes, have its label.
#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels.h"

namespace fcis {
namespace {

// Position after the last of the equal labels from `x` on.
FCIS_INLINE int64_t find_end(const uint16_t* row, int64_t x, int64_t width) {
  const uint16_t label = row[x];
  const uint64_t four = label * 0x0001000100010001ull;
  for (uint64_t next; x + 4 <= width; x += 4) {
    std::memcpy(&next, row + x, sizeof(next));
    if (next != four) break;
  }
  while (x < width && row[x] == label) ++x;
  return x;
}

// since = y wherever a row differs from the one before.
FCIS_CLONES void note_changes(const uint16_t* row, const uint16_t* before, int64_t width, int y, int* since) {
  for (int64_t x = 0; x < width; ++x) since[x] = row[x] == before[x] ? since[x] : y;
}

// Down the columns: the label of the core in the last row that was seen, 0 for none, and the first row since which it is that.
class Cores {
 public:
  Cores(const Overlay& overlay, int64_t first)
      : overlay_(overlay),
        next_(first),
        cores_(overlay.width),
        row_(overlay.width),
        since_(overlay.width, static_cast<int>(first)) {}

  // Goes on down to a row.
  void see(int64_t last) {
    for (; next_ <= last; ++next_) {
      const bool any = find_row(overlay_.labels + next_ * overlay_.width);
      if (!any && !any_) continue;
      note_changes(row_.data(), cores_.data(), overlay_.width, static_cast<int>(next_), since_.data());
      cores_.swap(row_);
      any_ = any;
    }
  }

  // Whether the cores of column x are of one label from row `first` to the last that was seen.
  bool hold(int64_t x, int64_t first) const { return cores_[x] != 0 && since_[x] <= first; }

 private:
  // The cores of a row of labels, and whether it has any.
  bool find_row(const uint16_t* labels) {
    const int64_t width = overlay_.width, thickness = overlay_.thickness;
    bool any = false;
    for (int64_t begin = 0, end; begin < width; begin = end) {
      end = find_end(labels, begin, width);
      const int64_t low = begin == 0 ? 0 : std::min(begin + thickness, end),
                    high = end == width ? width : std::max(end - thickness, low);
      std::fill(row_.begin() + begin, row_.begin() + low, uint16_t{0});
      std::fill(row_.begin() + low, row_.begin() + high, labels[begin]);
      std::fill(row_.begin() + high, row_.begin() + end, uint16_t{0});
      any |= labels[begin] != 0;
    }
    return any;
  }

  const Overlay& overlay_;
  int64_t next_;
  std::vector<uint16_t> cores_, row_;
  std::vector<int> since_;
  bool any_ = false;
};

// Pixels blended with a colour, 16 at a time in 16 bits: value * (256 - opacity) + colour * opacity + 128 is less than 2^16.
constexpr int kBlended = 48;
FCIS_CLONES void blend(const uint8_t* in, int64_t bytes, const uint8_t* colour, int opacity, uint8_t* out) {
  const uint16_t other = static_cast<uint16_t>(256 - opacity);
  uint16_t added[kBlended];
  for (int c = 0; c < kBlended; ++c) added[c] = static_cast<uint16_t>(colour[c % 3] * opacity + 128);
  int64_t at = 0;
  for (; at + kBlended <= bytes; at += kBlended) {
    for (int c = 0; c < kBlended; ++c) {
      out[at + c] = static_cast<uint8_t>(static_cast<uint16_t>(in[at + c] * other + added[c]) >> 8);
    }
  }
  for (int c = 0; at < bytes; ++at, ++c) out[at] = static_cast<uint8_t>(static_cast<uint16_t>(in[at] * other + added[c]) >> 8);
}

}  // namespace

FCIS_CLONES uint16_t find_highest(const uint16_t* labels, int64_t count) {
  uint16_t most = 0;
  for (int64_t i = 0; i < count; ++i) most = std::max(most, labels[i]);
  return most;
}

void paint(const Overlay& overlay, int64_t begin, int64_t end, uint8_t* result) {
  const int64_t height = overlay.height, width = overlay.width, thickness = overlay.thickness;
  const int opacity = static_cast<int>(overlay.alpha * 256.0f + 0.5f);
  Cores cores(overlay, std::max<int64_t>(begin - thickness, 0));
  for (int64_t y = begin; y < end; ++y) {
    cores.see(std::min(y + thickness, height - 1));
    const uint16_t* labels = overlay.labels + y * width;
    const uint8_t* in = overlay.image + y * width * 3;
    uint8_t* out = result + y * width * 3;
    for (int64_t x = 0, stop; x < width; x = stop) {
      stop = find_end(labels, x, width);
      if (labels[x] == 0) {
        std::memcpy(out + x * 3, in + x * 3, (stop - x) * 3);
        continue;
      }
      const uint8_t* colour = overlay.colours + (labels[x] - 1) * 3;
      blend(in + x * 3, (stop - x) * 3, colour, opacity, out + x * 3);
      for (int64_t at = x; at < stop; ++at) {
        if (!cores.hold(at, std::max<int64_t>(y - thickness, 0))) std::memcpy(out + at * 3, colour, 3);
      }
    }
  }
}

}  // namespace fcis

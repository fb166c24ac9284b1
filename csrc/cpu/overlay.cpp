// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The overlay picture in one pass over the image and the label map.
#include "kernels.h"

namespace fcis {

void paint(const uint8_t* image, const uint16_t* labels, const uint8_t* colours, float alpha, int64_t height, int64_t width,
           int64_t begin, int64_t end, uint8_t* result) {
  const int own = static_cast<int>(alpha * 256.0f + 0.5f), other = 256 - own;
  for (int64_t y = begin; y < end; ++y) {
    const uint16_t* row = labels + y * width;
    for (int64_t x = 0; x < width; ++x) {
      const uint8_t* in = image + (y * width + x) * 3;
      uint8_t* out = result + (y * width + x) * 3;
      const uint16_t label = row[x];
      if (label == 0) {
        out[0] = in[0], out[1] = in[1], out[2] = in[2];
        continue;
      }
      const uint8_t* colour = colours + (label - 1) * 3;
      const bool edge = (x > 0 && row[x - 1] != label) || (x + 1 < width && row[x + 1] != label) ||
                        (y > 0 && row[x - width] != label) || (y + 1 < height && row[x + width] != label);
      for (int c = 0; c < 3; ++c) {
        out[c] = edge ? colour[c] : static_cast<uint8_t>((in[c] * other + colour[c] * own + 128) >> 8);
      }
    }
  }
}

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The pixels of a camera's image as OpenCV converts and resizes them, to the bit: colours to RGB, then bilinear samples. For host
// and device; every step is integer arithmetic but the position of a sample.
#pragma once

#include <cstdint>

#include "geometry.h"

namespace fcis {

// How the bytes of an image lie, in the order of fcis_ros/encodings.py. A Bayer name gives the first two pixels of the first two
// rows.
enum class Layout : int32_t {
  kRgb,
  kBgr,
  kRgba,
  kBgra,
  kMono,
  kBayerRggb,
  kBayerBggr,
  kBayerGbrg,
  kBayerGrbg,
  kUyvy,
  kYuyv,
  kNv12,
  kNv21
};
constexpr int64_t kLayouts = 13;

// Bytes of a row that hold pixels, and rows in all: planar layouts have their chroma below the luma.
FCIS_HD int64_t row_bytes(Layout layout, int64_t width) {
  switch (layout) {
    case Layout::kRgb:
    case Layout::kBgr: return width * 3;
    case Layout::kRgba:
    case Layout::kBgra: return width * 4;
    case Layout::kUyvy:
    case Layout::kYuyv: return width * 2;
    default: return width;
  }
}
FCIS_HD bool is_planar(Layout layout) { return layout == Layout::kNv12 || layout == Layout::kNv21; }
FCIS_HD bool is_bayer(Layout layout) { return layout >= Layout::kBayerRggb && layout <= Layout::kBayerGrbg; }
FCIS_HD bool has_chroma_pairs(Layout layout) { return layout >= Layout::kUyvy; }

struct Picture {
  const uint8_t* data;
  Layout layout;
  int height, width;
  int64_t step;  // bytes from row to row
};

struct Rgb {
  int r, g, b;
};

FCIS_HD int clamp_int(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

// BT.601, limited range, in OpenCV's 20-bit fixed point.
FCIS_HD Rgb from_yuv(int y, int u, int v) {
  const int luma = (y > 16 ? y - 16 : 0) * 1220542, half = 1 << 19;
  u -= 128, v -= 128;
  return {clamp_int((luma + 1673527 * v + half) >> 20, 0, 255), clamp_int((luma - 852492 * v - 409993 * u + half) >> 20, 0, 255),
          clamp_int((luma + 2116026 * u + half) >> 20, 0, 255)};
}

// Bilinear; the outermost pixels take the colours of their inner neighbours. Needs at least 3x3 pixels.
FCIS_HD Rgb from_bayer(const Picture& image, int y, int x) {
  y = clamp_int(y, 1, image.height - 2), x = clamp_int(x, 1, image.width - 2);
  const uint8_t *here = image.data + y * image.step + x, *up = here - image.step, *down = here + image.step;
  // Where the first red pixel lies.
  const bool red_below = image.layout == Layout::kBayerBggr || image.layout == Layout::kBayerGbrg;
  const bool red_right = image.layout == Layout::kBayerBggr || image.layout == Layout::kBayerGrbg;
  const bool red_row = (y % 2 == 1) == red_below, red_column = (x % 2 == 1) == red_right;
  if (red_row == red_column) {  // a red or a blue pixel
    const int cross = (up[0] + down[0] + here[-1] + here[1] + 2) >> 2, corners = (up[-1] + up[1] + down[-1] + down[1] + 2) >> 2;
    return red_row ? Rgb{here[0], cross, corners} : Rgb{corners, cross, here[0]};
  }
  const int horizontal = (here[-1] + here[1] + 1) >> 1, vertical = (up[0] + down[0] + 1) >> 1;
  return red_row ? Rgb{horizontal, here[0], vertical} : Rgb{vertical, here[0], horizontal};
}

FCIS_HD Rgb read_pixel(const Picture& image, int y, int x) {
  const uint8_t* row = image.data + y * image.step;
  switch (image.layout) {
    case Layout::kRgb: return {row[x * 3], row[x * 3 + 1], row[x * 3 + 2]};
    case Layout::kBgr: return {row[x * 3 + 2], row[x * 3 + 1], row[x * 3]};
    case Layout::kRgba: return {row[x * 4], row[x * 4 + 1], row[x * 4 + 2]};
    case Layout::kBgra: return {row[x * 4 + 2], row[x * 4 + 1], row[x * 4]};
    case Layout::kMono: return {row[x], row[x], row[x]};
    case Layout::kUyvy: return from_yuv(row[x * 2 + 1], row[x / 2 * 4], row[x / 2 * 4 + 2]);
    case Layout::kYuyv: return from_yuv(row[x * 2], row[x / 2 * 4 + 1], row[x / 2 * 4 + 3]);
    case Layout::kNv12:
    case Layout::kNv21: {
      const uint8_t* chroma = image.data + (image.height + y / 2) * image.step + x / 2 * 2;
      const bool swapped = image.layout == Layout::kNv21;
      return from_yuv(row[x], chroma[swapped], chroma[!swapped]);
    }
    default: return from_bayer(image, y, x);
  }
}

// The position of a sample of a resized line, with weights in 1/2048.
struct Sample {
  int low, high, low_weight, high_weight;
};

// cv2.resize, INTER_LINEAR, uint8. `step`: pixels of the source per pixel of the result. Beyond the ends of a row it repeats the
// last pixel with the whole weight, beyond the ends of a column with both; the roundings differ.
FCIS_HD Sample find_sample(int at, double step, int length, bool along_row) {
  float position = static_cast<float>((at + 0.5) * step - 0.5);
  int low = static_cast<int>(floorf(position));
  float fraction = position - static_cast<float>(low);
  if (along_row && (low < 0 || low >= length - 1)) fraction = 0.0f;
  return {clamp_int(low, 0, length - 1), clamp_int(low + 1, 0, length - 1), static_cast<int>(rintf((1.0f - fraction) * 2048.0f)),
          static_cast<int>(rintf(fraction * 2048.0f))};
}

// The two pixels that remain of a block of two by two at the edge of a halved picture: OpenCV takes the mean, half to even.
FCIS_HD int mean_of_two(int a, int b) {
  const int sum = a + b;
  return (sum + (sum >> 1 & 1)) >> 1;
}

FCIS_HD int blend(int top_left, int top_right, int bottom_left, int bottom_right, const Sample& y, const Sample& x, bool halved) {
  if (halved && (y.low == y.high) != (x.low == x.high)) return mean_of_two(top_left, y.low == y.high ? top_right : bottom_left);
  const int top = top_left * x.low_weight + top_right * x.high_weight,
            bottom = bottom_left * x.low_weight + bottom_right * x.high_weight;
  return (((y.low_weight * (top >> 4)) >> 16) + ((y.high_weight * (bottom >> 4)) >> 16) + 2) >> 2;
}

// From an image to the input of the network.
struct InputOf {
  Picture image;
  int height, width;  // of the result
  double step;        // pixels of the image per pixel of the result
  float mean[3], std[3];
};

// One pixel of the input from the four around its position.
FCIS_HD void write_pixel(const InputOf& input, const Rgb& a, const Rgb& b, const Rgb& c, const Rgb& d, const Sample& y,
                         const Sample& x, float* out) {
  const bool halved = input.step == 2.0;
  out[0] = (static_cast<float>(blend(a.r, b.r, c.r, d.r, y, x, halved)) - input.mean[0]) / input.std[0];
  out[1] = (static_cast<float>(blend(a.g, b.g, c.g, d.g, y, x, halved)) - input.mean[1]) / input.std[1];
  out[2] = (static_cast<float>(blend(a.b, b.b, c.b, d.b, y, x, halved)) - input.mean[2]) / input.std[2];
}

}  // namespace fcis

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// From the bytes of an image to the network's input. Two lines of the image are kept as RGB: most lines of the result share
// theirs.
#include <vector>

#include "kernels.h"

namespace fcis {
namespace {

void read_row(const Picture& image, int y, std::vector<Rgb>& row) {
  for (int x = 0; x < image.width; ++x) row[x] = read_pixel(image, y, x);
}

}  // namespace

void network_input(const InputOf& input, int64_t begin, int64_t end, float* result) {
  const Picture& image = input.image;
  std::vector<Sample> columns(input.width);
  for (int x = 0; x < input.width; ++x) columns[x] = find_sample(x, input.step, image.width, true);
  std::vector<Rgb> top(image.width), bottom(image.width);
  int in_top = -1, in_bottom = -1;
  for (int64_t row = begin; row < end; ++row) {
    const Sample y = find_sample(static_cast<int>(row), input.step, image.height, false);
    if (y.low == in_bottom) top.swap(bottom), std::swap(in_top, in_bottom);
    if (y.low != in_top) read_row(image, in_top = y.low, top);
    if (y.high != in_bottom) read_row(image, in_bottom = y.high, bottom);
    float* out = result + row * input.width * 3;
    for (int x = 0; x < input.width; ++x, out += 3) {
      const Sample& at = columns[x];
      write_pixel(input, top[at.low], top[at.high], bottom[at.low], bottom[at.high], y, at, out);
    }
  }
}

}  // namespace fcis

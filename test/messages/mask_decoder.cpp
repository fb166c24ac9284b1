// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Reads masks from standard input, decodes them with the header under test and prints what came out; see test_mask_decoder.py.

#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "fcis_ros/instance_mask.hpp"

struct Roi {
  std::uint32_t x_offset, y_offset, width, height;
};

class Runs  // no more than the decoder asks for
{
 public:
  explicit Runs(std::vector<std::uint32_t>& runs) : runs_(&runs) {}
  const std::uint32_t* data() const { return runs_->data(); }
  std::size_t size() const { return runs_->size(); }

 private:
  std::vector<std::uint32_t>* runs_;
};

struct Mask  // the fields of fcis_ros::msg::InstanceMask that the decoder reads
{
  Roi roi;
  std::uint32_t area;
  Runs rle;
};

std::string text(const std::vector<std::uint8_t>& pixels) {
  std::string out;
  for (const auto pixel : pixels) {
    out += static_cast<char>('0' + pixel);
  }
  return out;
}

int main() {
  std::uint32_t height, width;
  std::size_t runs;
  std::vector<std::uint32_t> lengths;
  Mask mask{{}, 0, Runs(lengths)};
  while (std::cin >> height >> width >> mask.roi.x_offset >> mask.roi.y_offset >> mask.roi.width >> mask.roi.height >>
         mask.area >> runs) {
    lengths.resize(runs);
    for (auto& run : lengths) {
      std::cin >> run;
    }
    try {
      // A label image with two columns of padding, in which 7 stands for "not touched".
      const std::size_t stride = width + 2;
      std::vector<std::uint16_t> labels(height * stride, 7);
      fcis_ros::paint(mask, height, width, labels.data(), stride, std::uint16_t{9});
      const auto front = fcis_ros::foreground(mask, height, width), back = fcis_ros::background(mask, height, width);
      bool same = front.size() == std::size_t{height} * width && back.size() == front.size();
      for (std::size_t y = 0; y < height; ++y) {
        for (std::size_t x = 0; x < stride; ++x) {
          same = same && labels[y * stride + x] == (x < width && front[y * width + x] ? 9 : 7);
        }
      }
      std::cout << "ok " << (same ? "same" : "different") << " " << text(front) << " " << text(back) << "\n";
    } catch (const fcis_ros::MaskError& error) {
      std::cout << "error " << error.what() << "\n";
    }
  }
}

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Decoder of fcis_ros/msg/InstanceMask. Header-only, C++17; every function is a template on the message, so that it takes the
// generated fcis_ros::msg::InstanceMask as well as any struct with the same fields, and needs no ROS itself. `rle` may be
// whatever has data() and size().
//
//   for (const auto & mask : message->masks) {
//     std::vector<std::uint8_t> pixels = fcis_ros::foreground(mask, message->height, message->width);  // 1 = object
//   }
//
// Masks come from the network, so nothing in them is trusted: a box outside the image, or runs that do not fill it, throws
// fcis_ros::MaskError before anything is written.

#ifndef FCIS_ROS__INSTANCE_MASK_HPP_
#define FCIS_ROS__INSTANCE_MASK_HPP_

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace fcis_ros {

/// The message contradicts itself or the image; what() says how in one line.
class MaskError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws MaskError unless the box lies inside a height x width image, is not empty, and the runs fill it with `area` pixels.
template <typename Mask>
void check(const Mask& mask, std::uint32_t height, std::uint32_t width) {
  // 64 bits: sums of two 32-bit fields must not wrap around.
  const std::uint64_t right = std::uint64_t{mask.roi.x_offset} + mask.roi.width;
  const std::uint64_t bottom = std::uint64_t{mask.roi.y_offset} + mask.roi.height;
  if (mask.roi.width == 0 || mask.roi.height == 0 || right > width || bottom > height) {
    throw MaskError("box " + std::to_string(mask.roi.x_offset) + "," + std::to_string(mask.roi.y_offset) + "," +
                    std::to_string(right) + "," + std::to_string(bottom) + " is not inside the " + std::to_string(width) + "x" +
                    std::to_string(height) + " image");
  }
  const std::uint64_t pixels = std::uint64_t{mask.roi.width} * mask.roi.height;
  std::uint64_t sum = 0, area = 0;
  bool object = false;
  const auto* const runs = mask.rle.data();  // all that is asked of it: in newer ROS it is a buffer, not a std::vector
  for (std::size_t i = 0; i < mask.rle.size(); ++i) {
    const std::uint32_t run = runs[i];
    if (run > pixels - sum) {  // also keeps the sum from wrapping around, however many runs there are
      throw MaskError("runs sum to more than the " + std::to_string(pixels) + " pixels of the box");
    }
    sum += run;
    area += object ? run : 0;
    object = !object;
  }
  if (sum != pixels) {
    throw MaskError("runs sum to " + std::to_string(sum) + ", the box has " + std::to_string(pixels) + " pixels");
  }
  if (area != mask.area) {
    throw MaskError("area " + std::to_string(mask.area) + ", the runs have " + std::to_string(area) + " foreground pixels");
  }
}

/// Writes `value` to every pixel of the object and leaves the others alone, so that several masks can share one image.
///
/// @param mask    one InstanceMask.
/// @param height  of the image in pixels (InstanceMaskArray::height).
/// @param width   of the image in pixels (InstanceMaskArray::width).
/// @param image   first pixel of the image.
/// @param stride  elements from one image row to the next, at least width (cv::Mat: image.step1()).
/// @param value   for instance the number of the mask, for a label image.
/// @throws MaskError the mask cannot be decoded; the image is untouched.
template <typename Mask, typename Pixel>
void paint(const Mask& mask, std::uint32_t height, std::uint32_t width, Pixel* image, std::size_t stride, Pixel value) {
  check(mask, height, width);
  if (stride < width) {
    throw MaskError("stride " + std::to_string(stride) + " is less than the width " + std::to_string(width));
  }
  Pixel* const corner = image + std::size_t{mask.roi.y_offset} * stride + mask.roi.x_offset;
  std::size_t row = 0, column = 0;  // inside the box; runs go down the columns
  bool object = false;
  const auto* const runs = mask.rle.data();
  for (std::size_t i = 0; i < mask.rle.size(); ++i) {
    std::size_t run = runs[i];
    while (run > 0) {
      const std::size_t left = mask.roi.height - row;
      const std::size_t step = run < left ? run : left;
      if (object) {
        for (std::size_t y = row; y < row + step; ++y) {
          corner[y * stride + column] = value;
        }
      }
      run -= step;
      row += step;
      if (row == mask.roi.height) {
        row = 0;
        ++column;
      }
    }
    object = !object;
  }
}

/// The object at the size of the image, row by row: 1 on it, 0 elsewhere.
/// @throws MaskError the mask cannot be decoded.
template <typename Mask>
std::vector<std::uint8_t> foreground(const Mask& mask, std::uint32_t height, std::uint32_t width) {
  check(mask, height, width);  // before the memory is taken
  std::vector<std::uint8_t> pixels(std::size_t{height} * width, 0);
  paint(mask, height, width, pixels.data(), width, std::uint8_t{1});
  return pixels;
}

/// The complement of `foreground`: 0 on the object, 1 elsewhere.
/// @throws MaskError the mask cannot be decoded.
template <typename Mask>
std::vector<std::uint8_t> background(const Mask& mask, std::uint32_t height, std::uint32_t width) {
  check(mask, height, width);
  std::vector<std::uint8_t> pixels(std::size_t{height} * width, 1);
  paint(mask, height, width, pixels.data(), width, std::uint8_t{0});
  return pixels;
}

}  // namespace fcis_ros

#endif  // FCIS_ROS__INSTANCE_MASK_HPP_

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Reads frames of masks from standard input, prints the command after each:
// HEIGHT WIDTH MASKS, then for every mask X Y WIDTH HEIGHT AREA RUNS and its runs. A mask that contradicts itself is a stop.
#include <cstddef>
#include <cstdint>
#include <iostream>

#include <fcis_ros/instance_mask.hpp>
#include <fcis_ros/msg/instance_mask_array.hpp>

#include "planner.hpp"

int main() {
  planner::Planner planner;
  std::uint32_t height, width;
  std::size_t masks, runs;
  while (std::cin >> height >> width >> masks) {
    fcis_ros::msg::InstanceMaskArray array;
    array.masks.resize(masks);
    for (auto& mask : array.masks) {
      std::cin >> mask.roi.x_offset >> mask.roi.y_offset >> mask.roi.width >> mask.roi.height >> mask.area >> runs;
      mask.rle.resize(runs);
      for (auto& run : mask.rle) {
        std::cin >> run;
      }
    }
    try {
      for (const auto& mask : array.masks) {
        fcis_ros::check(mask, height, width);
      }
      std::cout << planner::name(planner.update(array.masks, height, width)) << "\n";
    } catch (const fcis_ros::MaskError&) {
      planner = planner::Planner();
      std::cout << planner::name(planner::Command::kStop) << "\n";
    }
  }
}

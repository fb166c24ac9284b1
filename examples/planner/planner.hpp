// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Go, slow or stop for the nearest road user in the ego lane: the decision, without ROS. planner.py is the same in Python, and
// vectors.json holds both to the same answers. An example of what to do with masks; not a safety function (see README.md).

#ifndef FCIS_ROS_EXAMPLES__PLANNER_HPP_
#define FCIS_ROS_EXAMPLES__PLANNER_HPP_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace planner {

enum class Command { kGo, kSlow, kStop };

/// The ego lane in the image: a trapezoid around the middle column; rows and widths as shares of the image's height and width.
struct Lane {
  double top = 0.55;           // row of its far end
  double top_width = 0.06;     // width there
  double bottom_width = 0.80;  // width at the last row
};

/// Rows in which the nearest ground contact means slow or stop, as shares of the height, and the frames that it takes to relax.
struct Limits {
  double slow = 0.62;
  double stop = 0.75;
  double margin = 0.03;  // a row must be so much higher than the limit before the command relaxes
  int calm_frames = 3;   // and in so many frames in a row
};

/// The part of a mask that matters: per column of its box the lowest row of the object, -1 where it has none.
template <typename Mask>
std::vector<std::int64_t> feet(const Mask& mask) {
  std::vector<std::int64_t> lowest(mask.roi.width, -1);
  const std::uint64_t height = mask.roi.height;
  std::uint64_t position = 0;
  const std::uint64_t count = mask.rle.size();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t end = position + mask.rle.data()[i];
    if (i % 2 == 1 && end > position) {
      for (std::uint64_t x = position / height; x <= (end - 1) / height; ++x) {
        lowest[x] = static_cast<std::int64_t>(std::min(end - x * height, height)) - 1 + mask.roi.y_offset;
      }
    }
    position = end;
  }
  return lowest;
}

/// Row of the nearest ground contact in the lane as a share of the image's height; 0 where the lane is free.
/// `masks` must have been checked (fcis_ros::check): nothing here reads outside of what a checked mask may hold.
template <typename Masks>
double nearest_contact(const Masks& masks, std::uint32_t height, std::uint32_t width, const Lane& lane) {
  double nearest = 0.0;
  for (const auto& mask : masks) {
    const std::vector<std::int64_t> lowest = feet(mask);
    // What stands on the ground does so within a tenth of its height above its lowest pixel; the rest hangs over.
    const std::int64_t foot = *std::max_element(lowest.begin(), lowest.end()), reach = mask.roi.height / 10;
    for (std::size_t column = 0; column < lowest.size(); ++column) {
      if (lowest[column] < 0 || lowest[column] < foot - reach) continue;
      const double row = (static_cast<double>(lowest[column]) + 1.0) / height;
      if (row < lane.top) continue;
      const double share = (row - lane.top) / (1.0 - lane.top);
      const double half = (lane.top_width + share * (lane.bottom_width - lane.top_width)) / 2.0;
      const double x = (static_cast<double>(column) + mask.roi.x_offset + 0.5) / width - 0.5;
      if (-half <= x && x <= half) nearest = std::max(nearest, row);
    }
  }
  return nearest;
}

/// Commands with hysteresis: stricter at once, laxer one step at a time and only after calm frames.
class Planner {
 public:
  explicit Planner(Lane lane = {}, Limits limits = {}) : lane_(lane), limits_(limits) {}

  template <typename Masks>
  Command update(const Masks& masks, std::uint32_t height, std::uint32_t width) {
    return decide(nearest_contact(masks, height, width, lane_));
  }

  /// @param row  nearest ground contact, share of the height, 0 for none.
  Command decide(double row) {
    const Command wanted = command(row, 0.0);
    if (wanted > command_) {
      command_ = wanted;
      calm_ = 0;
    } else if (command(row, limits_.margin) < command_) {
      if (++calm_ >= limits_.calm_frames) {
        command_ = static_cast<Command>(static_cast<int>(command_) - 1);
        calm_ = 0;
      }
    } else {
      calm_ = 0;
    }
    return command_;
  }

 private:
  Command command(double row, double margin) const {
    if (row >= limits_.stop - margin) return Command::kStop;
    return row >= limits_.slow - margin ? Command::kSlow : Command::kGo;
  }

  Lane lane_;
  Limits limits_;
  Command command_ = Command::kStop;  // until frames have shown that the lane is free
  int calm_ = 0;
};

inline const char* name(Command command) {
  constexpr const char* names[] = {"go", "slow", "stop"};
  return names[static_cast<int>(command)];
}

}  // namespace planner

#endif  // FCIS_ROS_EXAMPLES__PLANNER_HPP_

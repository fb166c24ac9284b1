// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The planner as a node: `masks` (fcis_ros/InstanceMaskArray) in, `command` (std_msgs/String: go, slow, stop) out.
#include <chrono>
#include <memory>

#include <fcis_ros/instance_mask.hpp>
#include <fcis_ros/msg/instance_mask_array.hpp>
#include <rclcpp/rclcpp.hpp>
#include <std_msgs/msg/string.hpp>

#include "planner.hpp"

class PlannerNode : public rclcpp::Node {
 public:
  PlannerNode() : Node("planner") {
    publisher_ = create_publisher<std_msgs::msg::String>("command", 1);
    subscription_ = create_subscription<fcis_ros::msg::InstanceMaskArray>(
        "masks", 1, [this](const fcis_ros::msg::InstanceMaskArray& message) { decide(message); });
    watchdog_ = create_wall_timer(std::chrono::milliseconds(500), [this] { stop(); });
  }

 private:
  void decide(const fcis_ros::msg::InstanceMaskArray& message) {
    watchdog_->reset();
    try {  // masks come from the network: nothing in them is trusted
      for (const auto& mask : message.masks) {
        fcis_ros::check(mask, message.height, message.width);
      }
    } catch (const fcis_ros::MaskError& error) {
      RCLCPP_ERROR_THROTTLE(get_logger(), *get_clock(), 5000, "%s", error.what());
      stop();
      return;
    }
    say(planner_.update(message.masks, message.height, message.width));
  }

  void stop() {
    planner_ = {};
    say(planner::Command::kStop);
  }

  void say(planner::Command command) {
    std_msgs::msg::String answer;
    answer.data = planner::name(command);
    publisher_->publish(answer);
  }

  planner::Planner planner_;
  rclcpp::Publisher<std_msgs::msg::String>::SharedPtr publisher_;
  rclcpp::Subscription<fcis_ros::msg::InstanceMaskArray>::SharedPtr subscription_;
  rclcpp::TimerBase::SharedPtr watchdog_;
};

int main(int argc, char** argv) {
  rclcpp::init(argc, argv);
  rclcpp::spin(std::make_shared<PlannerNode>());
  rclcpp::shutdown();
}

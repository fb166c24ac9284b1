// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Random arguments for fuzz.cpp, and how results are compared.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels.h"

using namespace fcis;

namespace {

std::mt19937 generator(1);
int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }
float real(float low, float high) { return std::uniform_real_distribution<float>(low, high)(generator); }

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}
void expect_near(double actual, double expected, double tolerance, const char* what) {
  if (std::fabs(actual - expected) <= tolerance) return;
  std::fprintf(stderr, "%s: %.9g, expected %.9g\n", what, actual, expected);
  std::abort();
}

float coordinate() {
  static const float odd[] = {0.0f,
                              -0.0f,
                              0.5f,
                              -0.5f,
                              1e9f,
                              -1e9f,
                              3e38f,
                              -3e38f,
                              1e-40f,
                              16777216.0f,
                              std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()};
  if (integer(0, 4) == 0) return odd[integer(0, 12)];
  return integer(0, 1) == 0 ? static_cast<float>(integer(-160, 600)) / 2.0f : real(-80.0f, 300.0f);  // halves: roundings, ties
}

std::vector<float> values(int64_t count) {
  std::vector<float> result(count);
  for (float& value : result) value = real(-1.0f, 1.0f);
  return result;
}
// In steps of 1/64: sums of them are exact, so that which side of a square wins does not depend on the order of summation.
std::vector<float> exact_values(int64_t count) {
  std::vector<float> result(count);
  for (float& value : result) value = static_cast<float>(integer(-64, 64)) / 64.0f;
  return result;
}
std::vector<BFloat16> halved(const std::vector<float>& wide) {
  std::vector<BFloat16> result(wide.size());
  for (size_t i = 0; i < wide.size(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &wide[i], sizeof bits);
    result[i].bits = static_cast<uint16_t>(bits >> 16);
  }
  return result;
}

struct Layout {
  int64_t channels, height, width;
  bool channels_last;
  int64_t offset(int64_t image, int64_t channel, int64_t y, int64_t x) const {
    return channels_last ? ((image * height + y) * width + x) * channels + channel
                         : ((image * channels + channel) * height + y) * width + x;
  }
};

}  // namespace

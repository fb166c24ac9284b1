// Which feature cells every bin of an ROI covers: once, for all kernels, forward and backward, on host and device.
//
// All arithmetic is IEEE float32 in the order of the released psroi_pooling.cu: rounding half away from zero in image pixels,
// then scaling. Another order, a reciprocal instead of the division, or -ffast-math moves edges (docs: "0..47" has 4 cells).
#pragma once

#include <cmath>

#ifdef __CUDACC__
#define FCIS_HD __host__ __device__ inline
#else
#define FCIS_HD inline
#endif

namespace fcis {

// One axis of an ROI.
struct Axis {
  float start;  // feature cells
  float bin;    // feature cells per bin
  int length;   // cells of the map; 0 makes every bin empty
};

FCIS_HD Axis make_axis(float low, float high, int size, int length, float scale) {
  const float start = roundf(low) * scale;
  const float end = (roundf(high) + 1.0f) * scale;
  const float side = end - start;
  if (!(fabsf(start) <= 3.0e38f && fabsf(end) <= 3.0e38f)) return {0.0f, 0.0f, 0};  // NaN or infinite: ignored
  return {start, (side > 0.1f ? side : 0.1f) / static_cast<float>(size), length};
}

// Clamped before it becomes an integer: boxes of any size stay inside the map.
FCIS_HD int clamp_cell(float value, int length) {
  return value > 0.0f ? (value < static_cast<float>(length) ? static_cast<int>(value) : length) : 0;
}

FCIS_HD int bin_start(const Axis& axis, int p) {
  const float offset = static_cast<float>(p) * axis.bin;
  return clamp_cell(floorf(offset + axis.start), axis.length);
}

// start == end (or less) marks an empty bin.
FCIS_HD int bin_end(const Axis& axis, int p) {
  const float offset = static_cast<float>(p + 1) * axis.bin;
  return clamp_cell(ceilf(offset + axis.start), axis.length);
}

}  // namespace fcis

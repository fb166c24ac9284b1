// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Which feature cells every square of an ROI's grid covers: once, for all kernels, forward and backward, on host and device.
//
// All arithmetic is IEEE float32 in the order of the released psroi_pooling.cu: rounding half away from zero in image pixels,
// then scaling. Another order, a reciprocal instead of the division, or -ffast-math moves edges: of the 499 500 extents within
// 0..999 exact arithmetic gives another last span for 0.1 %, "0..47" being one.
#pragma once

#include <cmath>

#ifdef __CUDACC__
#define FCIS_HD __host__ __device__ __forceinline__
#else
#define FCIS_HD inline
#endif

namespace fcis {

// Feature cells begin..end-1 along an axis; empty where end <= begin. An ROI has a grid of size x size squares, each of one span
// of rows and one of columns; its k x k bins are blocks of squares, each read from separate maps.
struct Span {
  int begin, end;
  FCIS_HD int count() const { return end - begin; }
};

// One axis of an ROI.
struct Axis {
  float start;  // feature cells
  float span;   // feature cells per span
  int length;   // cells of the map; 0 makes every span empty
};

// a * b + c rounded twice, whatever the compiler's flags: nvcc would contract it.
FCIS_HD float multiply_add(float a, float b, float c) {
#ifdef __CUDA_ARCH__
  return __fadd_rn(__fmul_rn(a, b), c);
#else
  return a * b + c;
#endif
}

// low, high: first and last pixel of the ROI; scale: feature cells per pixel. A box that is not finite covers nothing.
FCIS_HD Axis make_axis(float low, float high, int size, int length, float scale) {
  const float start = roundf(low) * scale;
  const float end = (roundf(high) + 1.0f) * scale;
  const float side = end - start;
  if (!(fabsf(start) <= 1.0e30f && fabsf(end) <= 1.0e30f)) return {0.0f, 0.0f, 0};
  return {start, (side > 0.1f ? side : 0.1f) / static_cast<float>(size), length};
}

// Limited before it becomes an integer: boxes of any size stay inside the map.
FCIS_HD int to_cell(float value, int length) {
  return value > 0.0f ? (value < static_cast<float>(length) ? static_cast<int>(value) : length) : 0;
}

FCIS_HD Span find_span(const Axis& axis, int p) {
  return {to_cell(floorf(multiply_add(static_cast<float>(p), axis.span, axis.start)), axis.length),
          to_cell(ceilf(multiply_add(static_cast<float>(p + 1), axis.span, axis.start)), axis.length)};
}

}  // namespace fcis

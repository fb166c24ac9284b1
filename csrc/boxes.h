// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Box arithmetic of the released code, once for host and device. Boxes are x1, y1, x2, y2 of the first and last pixel, so a side
// is x2 - x1 + 1. Every product and sum is rounded by itself, so CPU and GPU decide alike; fcis_ros/boxes.py is the same in
// PyTorch.
#pragma once

#include <cstdint>

#include "geometry.h"

namespace fcis {

template <class T>
struct alignas(4 * sizeof(T)) Box {
  T x1, y1, x2, y2;
};

// By single floats: a slice of a tensor need not be aligned as a box is.
template <class T = float>
FCIS_HD Box<T> load_box(const float* boxes, int64_t i) {
  const float* corners = boxes + i * 4;
  return {corners[0], corners[1], corners[2], corners[3]};
}
FCIS_HD void store_box(const Box<float>& box, float* boxes, int64_t i) {
  float* corners = boxes + i * 4;
  corners[0] = box.x1, corners[1] = box.y1, corners[2] = box.x2, corners[3] = box.y2;
}

FCIS_HD float multiply(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

FCIS_HD double multiply(double a, double b) {
#ifdef __CUDA_ARCH__
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

template <class T>
FCIS_HD T find_area(const Box<T>& box) {
  return multiply(box.x2 - box.x1 + T(1), box.y2 - box.y1 + T(1));
}

// Intersection over union, given both areas; symmetric in the boxes, NaN where a coordinate is.
template <class T>
FCIS_HD T find_iou(const Box<T>& a, T area, const Box<T>& b, T other) {
  const T width = (a.x2 < b.x2 ? a.x2 : b.x2) - (a.x1 > b.x1 ? a.x1 : b.x1) + T(1);
  const T height = (a.y2 < b.y2 ? a.y2 : b.y2) - (a.y1 > b.y1 ? a.y1 : b.y1) + T(1);
  const T common = multiply(width > T(0) ? width : T(0), height > T(0) ? height : T(0));
  return common / (area + other - common);
}

FCIS_HD bool is_finite(const Box<float>& box) {
  return fabsf(box.x1) < INFINITY && fabsf(box.y1) < INFINITY && fabsf(box.x2) < INFINITY && fabsf(box.y2) < INFINITY;
}

FCIS_HD bool is_larger(const Box<float>& box, float least) {
  return box.x2 - box.x1 + 1.0f >= least && box.y2 - box.y1 + 1.0f >= least;
}

// To the pixels 0..most; NaN stays NaN.
FCIS_HD float clip(float value, float most) { return value < 0.0f ? 0.0f : value > most ? most : value; }
FCIS_HD Box<float> clip(const Box<float>& box, float height, float width) {
  return {clip(box.x1, width - 1.0f), clip(box.y1, height - 1.0f), clip(box.x2, width - 1.0f), clip(box.y2, height - 1.0f)};
}

// One axis of a box moved by its delta and scaled by the exponential of the other, in float64. A side grows by 1000/16 at most,
// which no trained network reaches and which keeps it finite.
FCIS_HD void decode(float low, float high, float shift, float growth, float& new_low, float& new_high) {
  const double side = static_cast<double>(high) - low + 1.0, most = 4.135166556742356;
  const double centre = low + 0.5 * (side - 1.0) + multiply(static_cast<double>(shift), side);
  const double half = 0.5 * (multiply(exp(growth > most ? most : static_cast<double>(growth)), side) - 1.0);
  new_low = static_cast<float>(centre - half);
  new_high = static_cast<float>(centre + half);
}

FCIS_HD Box<float> decode(const Box<float>& box, const Box<float>& deltas) {  // deltas: dx, dy, dw, dh
  Box<float> moved;
  decode(box.x1, box.x2, deltas.x1, deltas.x2, moved.x1, moved.x2);
  decode(box.y1, box.y2, deltas.y1, deltas.y2, moved.y1, moved.y2);
  return moved;
}

// The RPN's outputs for one image, in any memory layout: steps from channel to channel, row to row, cell to cell.
struct Strided {
  const float* data;
  int64_t channel, row, column;
  FCIS_HD float at(int64_t c, int64_t y, int64_t x) const { return data[c * channel + y * row + x * column]; }
};

struct Rpn {
  Strided logits, deltas;  // [2A, rows, columns], [4A, rows, columns]
  const float* anchors;    // [A, 4] of the cell at the origin
  int64_t count, rows, columns;
  float stride, height, width, min_size;
  FCIS_HD int64_t size() const { return rows * columns * count; }
};

// Candidate `index` = (y * columns + x) * A + anchor, and its score: -inf where the box is too small or a value is not finite.
FCIS_HD float decode_anchor(const Rpn& rpn, int64_t index, Box<float>& candidate) {
  const int64_t anchor = index % rpn.count, x = index / rpn.count % rpn.columns, y = index / rpn.count / rpn.columns;
  const float right = static_cast<float>(x) * rpn.stride, down = static_cast<float>(y) * rpn.stride;
  const Box<float> base = load_box(rpn.anchors, anchor);
  const Box<float> box{base.x1 + right, base.y1 + down, base.x2 + right, base.y2 + down};
  const int64_t first = anchor * 4;
  const Box<float> deltas{rpn.deltas.at(first, y, x), rpn.deltas.at(first + 1, y, x), rpn.deltas.at(first + 2, y, x),
                          rpn.deltas.at(first + 3, y, x)};
  candidate = clip(decode(box, deltas), rpn.height, rpn.width);
  // The softmax of the pair, in float64 so that CPU and GPU agree on the order of scores.
  const double background = rpn.logits.at(anchor, y, x), object = rpn.logits.at(rpn.count + anchor, y, x);
  const float score = static_cast<float>(1.0 / (1.0 + exp(background - object)));
  const bool finite = fabs(background) < INFINITY && fabs(object) < INFINITY;
  return finite && is_larger(candidate, rpn.min_size) ? score : -INFINITY;
}

// ROI [5] moved by deltas [4] * stds [4], its image index as it is.
struct Stds {
  float values[4];
};
FCIS_HD void decode_roi(const float* roi, const float* deltas, const Stds& stds, float height, float width, float* moved) {
  const Box<float> box{roi[1], roi[2], roi[3], roi[4]};
  const Box<float> scaled{deltas[0] * stds.values[0], deltas[1] * stds.values[1], deltas[2] * stds.values[2],
                          deltas[3] * stds.values[3]};
  const Box<float> result = clip(decode(box, scaled), height, width);
  moved[0] = roi[0], moved[1] = result.x1, moved[2] = result.y1, moved[3] = result.x2, moved[4] = result.y2;
}

// An ROI's box in the original image, of `height` x `width` pixels; NaN where it is too small or not finite.
FCIS_HD Box<float> roi_to_image(const Box<float>& roi, bool finite, float scale, float min_size, float height, float width) {
  if (!finite || !is_larger(roi, min_size)) return {NAN, NAN, NAN, NAN};
  return clip({roi.x1 / scale, roi.y1 / scale, roi.x2 / scale, roi.y2 / scale}, height, width);
}

// The nearest pixel, halves to the even one; 0 for NaN.
FCIS_HD int32_t to_pixel(float value) { return value >= 0.0f ? static_cast<int32_t>(rintf(value)) : 0; }
FCIS_HD void store_pixels(const Box<float>& box, int32_t* pixels, int64_t i) {
  int32_t* corners = pixels + i * 4;
  corners[0] = to_pixel(box.x1), corners[1] = to_pixel(box.y1), corners[2] = to_pixel(box.x2), corners[3] = to_pixel(box.y2);
}

// The arguments of vote_weights: every ROI that overlaps a winner of NMS enough votes for it, with its score in the winner's
// class as its weight.
struct VoteInputs {
  const float* boxes;      // [count, 4], NaN for an ROI without a box
  const float* scores;     // [count, classes]
  const int64_t* winners;  // [W], -1: none
  const int64_t* labels;   // [W]
  int64_t count, classes;
  double threshold;
};
constexpr int kVoteLanes = 32;  // partial sums of the weights, added up pairwise: in the same order on every device

}  // namespace fcis

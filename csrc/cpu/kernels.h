// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CPU operators without PyTorch: pointers, shapes and one thread. The bindings divide the work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "../boxes.h"
#include "../maps.h"
#include "../pixels.h"

// Hot loops are compiled for several instruction sets and the loader picks; without contraction all give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__) && !defined(FCIS_NO_CLONES)
#define FCIS_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FCIS_CLONES
#endif
#define FCIS_INLINE __attribute__((always_inline)) inline

namespace fcis {

// The upper half of a float.
struct BFloat16 {
  uint16_t bits;
};
FCIS_INLINE float to_float(float value) { return value; }
FCIS_INLINE float to_float(BFloat16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// Calls run(data) with the maps' data by its type: floats or BFloat16.
template <class Run>
auto with_element(const Maps& maps, Run run) {
  return maps.element == Element::kBFloat16 ? run(static_cast<const BFloat16*>(maps.data))
                                            : run(static_cast<const float*>(maps.data));
}

// The ROIs of one call with the spans of all their grids.
struct RoiSpans {
  int64_t count;
  int bins, size, per_bin;
  std::vector<int> image;                  // -1: ignored (no such image, or a box that is not finite)
  std::vector<Span> rows, columns;         // [count, size]
  std::vector<std::vector<int>> of_image;  // indices of each image's ROIs, in order
  const Span* row(int64_t r, int bin) const { return &rows[r * size + bin / bins * per_bin]; }
  const Span* column(int64_t r, int bin) const { return &columns[r * size + bin % bins * per_bin]; }
};

RoiSpans find_spans(const Rois& rois, const Maps& maps);

// One bin's channels of one image, [pixel][channel] with `step` floats from pixel to pixel.
struct BinMaps {
  float* data;
  int64_t step;
  int width;
  float* at(int y, int x) const { return data + (static_cast<int64_t>(y) * width + x) * step; }
};

// The maps themselves where they are channels-last floats, else a copy in `buffer`, which stays in the cache while all ROIs are
// read from it. `groups` is the number of channels of a bin.
BinMaps read_bin(const Maps& maps, int64_t image, int bin, int64_t groups, std::vector<float>& buffer);
// The same for a result: zeroed by the caller where channels-last, zeroed here where it is a buffer.
BinMaps open_bin(const Maps& shape, float* result, int64_t image, int bin, int64_t groups, std::vector<float>& buffer);
// Writes the buffer back, if there is one.
void close_bin(const Maps& shape, float* result, int64_t image, int bin, int64_t groups, const BinMaps& opened);

// Adds what one bin of the partition contributes to the logits: sums [R, padded], still to be divided by size * size.
void add_class_logits(const Maps& maps, const RoiSpans& rois, int64_t padded, int bin, std::vector<float>& buffer, float* sums);
// Gradient of one bin's channels; grad [R, padded] is already divided by size * size, and zero for the padding.
void class_logits_gradient(const float* grad, const Maps& maps, const RoiSpans& rois, int64_t padded, int bin,
                           std::vector<float>& buffer, std::vector<float>& result_buffer, float* result);

// pair [2, size, size] of one ROI and class; it holds zeros before.
void mask_logits_of_roi(const Maps& maps, const RoiSpans& rois, int64_t padded, int64_t roi, int64_t label, float* pair);
// Gradient of one bin's channels; grad [R, 2, size, size], labels [R], result as large as the maps and zero.
void mask_logits_gradient(const float* grad, const int64_t* labels, const Maps& shape, const RoiSpans& rois, int64_t padded,
                          int bin, float* result);

// deltas [outputs] of one ROI, still to be divided by size * size.
void add_box_deltas(const Maps& maps, const RoiSpans& rois, int64_t outputs, int64_t roi, float* deltas);
void box_deltas_gradient(const float* grad, const Maps& shape, const RoiSpans& rois, int64_t outputs, int bin, float* result);

// Candidates begin..end-1 of the RPN -> boxes [.., 4], scores.
void decode_anchors(const Rpn& rpn, int64_t begin, int64_t end, float* boxes, float* scores);
// rois [count, 5], deltas [count, 4] -> moved [count, 5].
void decode_rois(const float* rois, const float* deltas, int64_t count, const Stds& stds, float height, float width,
                 float* moved);
// rois [count, 4], scores [count, classes] -> boxes [count, 4] in the original image, pixels [count, 4], finite [count].
void rois_to_image(const float* rois, const float* scores, int64_t count, int64_t classes, float scale, float min_size,
                   float height, float width, float* boxes, int32_t* pixels, bool* finite);
// -> voters [count] (the ROI itself or -1), weights [count], and the winner's score.
void vote_weights(const VoteInputs& inputs, int64_t winner, int32_t* voters, float* weights, float* best);

// Greedy suppression of boxes [count, 4]; indices of the kept, best first, at most `limit`.
std::vector<int64_t> nms(const float* boxes, const float* scores, int64_t count, float threshold, int64_t limit);
struct Winner {
  float score;
  int64_t label, roi;
};
// NMS of every class but the background over scores [count, classes] >= floor, then the best `limit` of all.
std::vector<Winner> class_nms(const float* boxes, const float* scores, int64_t count, int64_t classes, float threshold,
                              float floor, int64_t limit);

// A mask in its tight half-open box: run lengths down the columns, background first. Empty where no pixel won.
struct BoxedRuns {
  int32_t x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  std::vector<int32_t> runs;
};
struct Vote {
  const int32_t* boxes;                // [R, 4] first and last pixel, inside the image
  const float* masks;                  // [M, size, size]
  const int32_t* index;                // [R] which mask an ROI casts, -1: none
  const float* weights;                // [R]
  int64_t count, size, height, width;  // height and width are the image's
  float threshold;
  bool binarise_first;
  int resample;  // 0: the vote map itself is the mask; else it is first shrunk to this many samples a side (released)
};
BoxedRuns vote(const Vote& vote);

// A mask [height, width] of 0 and 1 as runs down its columns, background first; and back.
void find_runs(const uint8_t* mask, int64_t stride, int64_t height, int64_t width, std::vector<int32_t>& runs);
void fill_runs(const int32_t* runs, int64_t count, int64_t height, int64_t width, uint8_t* mask);

// A stretch of foreground in one column of the image, rows top..bottom-1. Those of a mask are in order, by column and then by
// row.
struct ColumnRun {
  int32_t column, top, bottom;
};
// Appends the column runs of a mask in its half-open box, which its run lengths fill at most.
void append_column_runs(const int32_t* runs, int64_t count, const int32_t* box, std::vector<ColumnRun>& column_runs);
// Appends a mask moved and scaled as its box is, which is not empty, as far as it is inside the image; edges of the new box are
// rounded, halves to even, and a side is at least one pixel.
void append_moved(const ColumnRun* column_runs, int64_t count, const int32_t* old_box, const double* new_box, int64_t height,
                  int64_t width, std::vector<ColumnRun>& moved);
// Pixels that two masks share.
int64_t count_shared(const ColumnRun* a, int64_t a_count, const ColumnRun* b, int64_t b_count);

// Rows begin..end-1 of the network's input [height, width, 3].
void network_input(const InputOf& input, int64_t begin, int64_t end, float* result);

// The overlay of rows begin..end-1: labelled pixels blended with their instance's colour, in that colour at the instance's edge,
// `thickness` pixels wide.
struct Overlay {
  const uint8_t* image;    // [height, width, 3]
  const uint16_t* labels;  // [height, width]
  const uint8_t* colours;  // [instances, 3]
  float alpha;
  int64_t thickness, height, width;
};
uint16_t find_highest(const uint16_t* labels, int64_t count);
void paint(const Overlay& overlay, int64_t begin, int64_t end, uint8_t* result);

}  // namespace fcis

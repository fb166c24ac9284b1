// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Every operator of the extension on one page. Shapes and units are described in fcis_ros/ops.
//
// N images, R ROIs, C+1 classes, P as many padded to a multiple of 4, k*k bins of the position-sensitive partition, a grid of S*S
// squares, h*w feature cells. Channels are bin-major: ((i*k + j)*P + class)*2 + side for score maps, side 0 outside and 1 inside,
// and (i*k + j)*D + d for box maps.
#include <torch/library.h>

#ifndef FCIS_SOURCES
#error "FCIS_SOURCES, the digest of csrc/, is given by setup.py"
#endif

TORCH_LIBRARY(fcis_ros, m) {
  // maps [N, k*k*P*2, h, w], rois [R, 5] -> [R, C+1], classes being C+1
  m.def("class_logits(Tensor maps, Tensor rois, int classes, int bins, int size, int stride) -> Tensor");
  m.def("class_logits_backward(Tensor grad, Tensor maps, Tensor rois, int bins, int size, int stride) -> Tensor");
  // and labels [R] -> [R, 2, S, S]
  m.def("mask_logits(Tensor maps, Tensor rois, Tensor labels, int bins, int size, int stride) -> Tensor");
  m.def("mask_logits_backward(Tensor grad, Tensor maps, Tensor rois, Tensor labels, int bins, int size, int stride) -> Tensor");
  // and scores [R, C+1] -> [R, S, S], of the best class but the background
  m.def("best_class_masks(Tensor maps, Tensor rois, Tensor scores, int bins, int size, int stride) -> Tensor");
  // maps [N, k*k*D, h, w] -> [R, D]
  m.def("box_deltas(Tensor maps, Tensor rois, int bins, int size, int stride) -> Tensor");
  m.def("box_deltas_backward(Tensor grad, Tensor maps, Tensor rois, int bins, int size, int stride) -> Tensor");

  // The same of `assemble: native`: no grid, S*S points instead of squares.
  m.def("patent_class_logits(Tensor maps, Tensor rois, int classes, int bins, int stride) -> Tensor");
  m.def("patent_class_logits_backward(Tensor grad, Tensor maps, Tensor rois, int bins, int stride) -> Tensor");
  m.def("patent_mask_logits(Tensor maps, Tensor rois, Tensor labels, int bins, int size, int stride) -> Tensor");
  m.def(
      "patent_mask_logits_backward(Tensor grad, Tensor maps, Tensor rois, Tensor labels, int bins, int size, int stride) "
      "-> Tensor");
  m.def("patent_box_deltas(Tensor maps, Tensor rois, int bins, int stride) -> Tensor");
  m.def("patent_box_deltas_backward(Tensor grad, Tensor maps, Tensor rois, int bins, int stride) -> Tensor");

  // logits [2A, h, w], deltas [4A, h, w], anchors [A, 4] -> boxes [h*w*A, 4], scores [h*w*A]
  m.def(
      "decode_anchors(Tensor logits, Tensor deltas, Tensor anchors, int stride, int height, int width, float min_size) "
      "-> (Tensor, Tensor)");
  // rois [R, 5], deltas [R, 4] -> [R, 5]
  m.def("decode_rois(Tensor rois, Tensor deltas, float[] stds, int height, int width) -> Tensor");
  // rois [R, 4], scores [R, C+1] -> boxes [R, 4], pixels [R, 4] int32, finite [R] bool
  m.def(
      "rois_to_image(Tensor rois, Tensor scores, float scale, float min_size, int height, int width) -> (Tensor, Tensor, "
      "Tensor)");
  // boxes [R, 4], scores [R, C+1], winners [V], labels [V] -> voters [V, R] int32, weights [V, R], scores [V]
  m.def("vote_weights(Tensor boxes, Tensor scores, Tensor winners, Tensor labels, float threshold) -> (Tensor, Tensor, Tensor)");

  // boxes [R, 4], scores [R] -> indices [limit], -1 behind the last
  m.def("nms(Tensor boxes, Tensor scores, float threshold, int limit) -> Tensor");
  // boxes [R, 4], scores [R, C+1] -> rois [limit], labels [limit], -1 behind the last
  m.def("class_nms(Tensor boxes, Tensor scores, float threshold, float floor, int limit) -> (Tensor, Tensor)");
  // boxes [R, 4] int32, masks [M, S, S], index [V, R] int32, weights [V, R] -> boxes [V, 4], runs [T], ends [V], all int32;
  // with a capacity runs are [capacity], and an instance whose runs do not fit has none there
  m.def(
      "vote_masks(Tensor boxes, Tensor masks, Tensor index, Tensor weights, int height, int width, float threshold, "
      "bool binarise_first, int resample, int? capacity=None) -> (Tensor, Tensor, Tensor)");
  // instances as above, best first -> [H, W] uint16, the best instance at every pixel counted from 1
  m.def("label_map(Tensor boxes, Tensor runs, Tensor ends, int height, int width) -> Tensor");
  // boxes [N, 4], runs [T], ends [N] as above -> starts [N + 1], column_runs [S, 3] int32; on the host, like the two that follow
  m.def("column_runs(Tensor boxes, Tensor runs, Tensor ends) -> (Tensor, Tensor)");
  // and old [N, 4] int32, new [N, 4] float64 -> starts, column_runs
  m.def("move_column_runs(Tensor starts, Tensor column_runs, Tensor old, Tensor new, int height, int width) -> (Tensor, Tensor)");
  // masks and others as column_runs, pairs [P, 2] -> [P]
  m.def("shared_pixels(Tensor starts, Tensor column_runs, Tensor other_starts, Tensor other_runs, Tensor pairs) -> Tensor");
  // image [H, W, 3] uint8, labels [H, W] uint16, colours [V, 3] uint8 -> [H, W, 3] uint8
  m.def("paint(Tensor image, Tensor labels, Tensor colours, float alpha, int thickness) -> Tensor");

  // data uint8, the bytes of an image, and how they lie (fcis_ros/encodings.py) -> [1, 3, height * scale, width * scale],
  // channels-last
  m.def(
      "network_input(Tensor data, int layout, int height, int width, int step, float scale, float[] mean, float[] std, "
      "ScalarType dtype) -> Tensor");

  // The digest of csrc/ at the time of the build, which fcis_ros/ops/library.py compares with that of the sources now.
  m.def("sources() -> str", [] { return std::string(FCIS_SOURCES); });
}

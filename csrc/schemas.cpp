// Every operator of the extension on one page. Shapes are described in fcis_ros/ops.
#include <torch/library.h>

TORCH_LIBRARY(fcis_ros, m) {
  // maps [N, (C+1)*2*k*k, h, w], rois [R, 5] -> [R, C+1]
  m.def("class_scores(Tensor maps, Tensor rois, int bins, int size, int stride) -> Tensor");
  m.def("class_scores_backward(Tensor grad, Tensor maps, Tensor rois, int bins, int size, int stride) -> Tensor");
  // labels [R] -> [R, 2, S, S]
  m.def("class_masks(Tensor maps, Tensor rois, Tensor labels, int bins, int size, int stride) -> Tensor");
  m.def("class_masks_backward(Tensor grad, Tensor maps, Tensor rois, Tensor labels, int bins, int size, int stride) -> Tensor");
  // maps [N, D*k*k, h, w] -> [R, D]
  m.def("box_deltas(Tensor maps, Tensor rois, int bins, int size, int stride) -> Tensor");
  m.def("box_deltas_backward(Tensor grad, Tensor maps, Tensor rois, int bins, int size, int stride) -> Tensor");
  // boxes [R, 4], scores [R] -> indices of the kept
  m.def("nms(Tensor boxes, Tensor scores, float threshold, int limit) -> Tensor");
  // The bins themselves, for tests: low, high [R] -> [R, S, 2]
  m.def("bin_edges(Tensor low, Tensor high, int size, int length, int stride) -> Tensor");
  // fcis_ros/ops/library.py expects this number; raise both whenever a schema or its meaning changes.
  m.def("version() -> int", [] { return static_cast<int64_t>(1); });
}

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CPU operators on boxes for PyTorch.
#include "../box_bindings.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "kernels.h"

namespace fcis {
namespace {

struct CpuBoxes {
  explicit CpuBoxes(const at::Tensor&) {}

  template <class Kernel, class... Arguments>
  static void run(Kernel kernel, const Arguments&... arguments) {
    kernel(arguments...);
  }

  static constexpr auto decode_rois = &fcis::decode_rois;
  static constexpr auto rois_to_image = &fcis::rois_to_image;

  static void decode_anchors(const Rpn& rpn, float* boxes, float* scores) {
    at::parallel_for(0, rpn.size(), 1024,
                     [&](int64_t begin, int64_t end) { fcis::decode_anchors(rpn, begin, end, boxes, scores); });
  }

  static void vote_weights(const VoteInputs& inputs, int64_t winners, int32_t* voters, float* weights, float* best) {
    for (int64_t w = 0; w < winners; ++w) {
      TORCH_CHECK_VALUE(inputs.winners[w] < inputs.count, "winners: ", inputs.winners[w], ", there are ", inputs.count, " boxes");
      TORCH_CHECK_VALUE(inputs.labels[w] < inputs.classes, "labels: ", inputs.labels[w], ", there are ", inputs.classes,
                        " classes");
    }
    at::parallel_for(0, winners, 16, [&](int64_t begin, int64_t end) {
      for (int64_t w = begin; w < end; ++w) {
        fcis::vote_weights(inputs, w, voters + w * inputs.count, weights + w * inputs.count, best + w);
      }
    });
  }

  static void nms(const float* boxes, const float* scores, int64_t count, float threshold, int64_t limit, int64_t* kept) {
    const std::vector<int64_t> all = fcis::nms(boxes, scores, count, threshold, limit);
    std::fill(std::copy(all.begin(), all.end(), kept), kept + limit, -1);
  }

  static void class_nms(const float* boxes, const float* scores, int64_t count, int64_t classes, float threshold, float floor,
                        int64_t limit, int64_t* rois, int64_t* labels) {
    std::fill(rois, rois + limit, -1);
    std::fill(labels, labels + limit, -1);
    for (const Winner& winner : fcis::class_nms(boxes, scores, count, classes, threshold, floor, limit)) {
      *rois++ = winner.roi;
      *labels++ = winner.label;
    }
  }
};

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) { implement_box_operators<CpuBoxes>(m); }

}  // namespace fcis

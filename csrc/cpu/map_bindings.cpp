// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CPU operators on maps for PyTorch.
#include "../map_bindings.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/select.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sub.h>

#include <limits>

#include "bin_parallel.h"
#include "kernels.h"

namespace fcis {
namespace {

// The foreground class with the highest score, the lower one of equals; -1 where there is only background.
int64_t find_best_class(const float* scores, int64_t classes) {
  float best = -std::numeric_limits<float>::infinity();
  int64_t label = classes > 1 ? 1 : -1;
  for (int64_t c = 1; c < classes; ++c) {
    if (scores[c] > best) best = scores[c], label = c;
  }
  return label;
}

// The pair of class label_of(r) for every ROI r.
template <class LabelOf>
at::Tensor assemble_pairs(const at::Tensor& maps_in, const Rois& rois_in, LabelOf label_of) {
  const ReadableMaps maps(maps_in);
  const RoiSpans rois = find_spans(rois_in, maps);
  const int64_t size = rois.size;
  at::Tensor pairs = zeros({rois.count, 2, size, size});
  float* out = ptr<float>(pairs);
  at::parallel_for(0, rois.count, 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      mask_logits_of_roi(maps, rois, padded_of(maps, rois_in), r, label_of(r), out + r * 2 * size * size);
    }
  });
  return pairs;
}

double squares_of(const Rois& rois) { return static_cast<double>(rois.size * rois.size); }

struct CpuMaps {
  explicit CpuMaps(const at::Tensor&) {}

  static at::Tensor class_logits(const at::Tensor& maps_in, const Rois& rois_in, int64_t classes) {
    const int64_t padded = pad_classes(classes);
    const ReadableMaps maps(maps_in);
    const RoiSpans rois = find_spans(rois_in, maps);
    const auto add = [&](int bin, std::vector<float>& buffer, float* sums) {
      add_class_logits(maps, rois, padded, bin, buffer, sums);
    };
    const at::Tensor sums = sum_over_bins<float, std::vector<float>>(rois_in, {rois.count, padded}, add);
    return sums.narrow(1, 0, classes).div(squares_of(rois_in));
  }

  static at::Tensor class_logits_backward(const at::Tensor& grad_in, const at::Tensor& maps_in, const Rois& rois_in) {
    const ReadableMaps maps(maps_in);
    const int64_t classes = grad_in.size(1), padded = pad_classes(classes);
    const at::Tensor grad = at::constant_pad_nd(grad_in.div(squares_of(rois_in)), {0, padded - classes}).contiguous();
    const RoiSpans rois = find_spans(rois_in, maps);
    at::Tensor result = zeros_like_maps(maps.tensor);
    float* out = ptr<float>(result);
    struct Buffers {
      std::vector<float> read, written;
    };
    for_each_bin<Buffers>(rois_in, [&](int bin, Buffers& buffers) {
      class_logits_gradient(ptr<const float>(grad), maps, rois, padded, bin, buffers.read, buffers.written, out);
    });
    return result.to(maps_in.scalar_type());
  }

  static at::Tensor mask_logits(const at::Tensor& maps, const Rois& rois, const at::Tensor& labels) {
    return assemble_pairs(maps, rois, [label = ptr<const int64_t>(labels)](int64_t r) { return label[r]; });
  }

  static at::Tensor mask_logits_backward(const at::Tensor& grad, const at::Tensor& maps, const Rois& rois_in,
                                         const at::Tensor& labels) {
    at::Tensor result = zeros_like_maps(maps);
    const Maps shape = view_maps(result);
    const RoiSpans rois = find_spans(rois_in, shape);
    float* out = ptr<float>(result);
    for_each_bin<NoBuffers>(rois_in, [&](int bin, NoBuffers) {
      mask_logits_gradient(ptr<const float>(grad), ptr<const int64_t>(labels), shape, rois, padded_of(shape, rois_in), bin, out);
    });
    return result.to(maps.scalar_type());
  }

  static at::Tensor best_class_masks(const at::Tensor& maps, const Rois& rois, const at::Tensor& scores) {
    const auto label_of = [classes = scores.size(1), all = ptr<const float>(scores)](int64_t r) {
      return find_best_class(all + r * classes, classes);
    };
    const at::Tensor pairs = assemble_pairs(maps, rois, label_of);
    return at::sigmoid(at::sub(pairs.select(1, 1), pairs.select(1, 0)));
  }

  static at::Tensor box_deltas(const at::Tensor& maps_in, const Rois& rois_in) {
    const ReadableMaps maps(maps_in);
    const int64_t outputs = outputs_of(maps, rois_in);
    const RoiSpans rois = find_spans(rois_in, maps);
    at::Tensor deltas = zeros({rois.count, outputs});
    float* out = ptr<float>(deltas);
    at::parallel_for(0, rois.count, 8, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) add_box_deltas(maps, rois, outputs, r, out + r * outputs);
    });
    return deltas.div_(squares_of(rois_in));
  }

  static at::Tensor box_deltas_backward(const at::Tensor& grad_in, const at::Tensor& maps, const Rois& rois_in) {
    const at::Tensor grad = grad_in.div(squares_of(rois_in)).contiguous();
    at::Tensor result = zeros_like_maps(maps);
    const Maps shape = view_maps(result);
    const RoiSpans rois = find_spans(rois_in, shape);
    float* out = ptr<float>(result);
    for_each_bin<NoBuffers>(rois_in, [&](int bin, NoBuffers) {
      box_deltas_gradient(ptr<const float>(grad), shape, rois, outputs_of(shape, rois_in), bin, out);
    });
    return result.to(maps.scalar_type());
  }
};

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) { implement_map_operators<CpuMaps>(m); }

}  // namespace fcis

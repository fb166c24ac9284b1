// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CPU operators on maps for PyTorch: arguments checked, layouts read, work divided among PyTorch's threads. Results do not
// depend on their number: bins own disjoint channels, and partial sums are a fixed number.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/select.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>

#include "../checks.h"
#include "../views.h"
#include "kernels.h"
#include "map_binding.h"

namespace fcis {
namespace {

RoiSpans spans_of(const at::Tensor& rois, int64_t bins, int64_t size, int64_t stride, const Maps& maps) {
  return find_spans(view_rois(rois, bins, size, stride), maps);
}

at::Tensor class_logits(const at::Tensor& maps_in, const at::Tensor& rois_in, int64_t classes, int64_t bins, int64_t size,
                        int64_t stride) {
  const int64_t all_bins = bins * bins, padded = pad_classes(classes);
  check_maps(maps_in, rois_in, bins, size, stride, kLeastPairs * all_bins);
  check_classes("classes", classes, maps_in, bins);
  const at::Tensor held = readable(maps_in);
  const Maps maps = view_maps(held);
  const RoiSpans rois = spans_of(rois_in, bins, size, stride, maps);
  const int64_t groups = std::min(kPartialSums, all_bins);
  at::Tensor partial = at::zeros({groups, rois.count, padded}, rois_in.options());
  float* sums = partial.mutable_data_ptr<float>();
  at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> buffer;
    for (int64_t group = begin; group < end; ++group) {
      for (int64_t bin = group; bin < all_bins; bin += groups) {
        add_class_logits(maps, rois, padded, static_cast<int>(bin), buffer, sums + group * rois.count * padded);
      }
    }
  });
  return partial.sum(0).narrow(1, 0, classes).div(static_cast<double>(size * size));
}

at::Tensor class_logits_backward(const at::Tensor& grad_in, const at::Tensor& maps_in, const at::Tensor& rois_in, int64_t bins,
                                 int64_t size, int64_t stride) {
  const int64_t all_bins = bins * bins;
  check_maps(maps_in, rois_in, bins, size, stride, kLeastPairs * all_bins);
  check_logits_grad(grad_in, maps_in, rois_in, bins);
  const at::Tensor held = readable(maps_in);
  const Maps maps = view_maps(held);
  const int64_t classes = grad_in.size(1), padded = pad_classes(classes);
  const at::Tensor grad = at::constant_pad_nd(grad_in.div(static_cast<double>(size * size)), {0, padded - classes}).contiguous();
  const RoiSpans rois = spans_of(rois_in, bins, size, stride, maps);
  at::Tensor result = zeros_like_maps(held);
  float* out = result.mutable_data_ptr<float>();
  at::parallel_for(0, all_bins, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> buffer, result_buffer;
    for (int64_t bin = begin; bin < end; ++bin) {
      class_logits_gradient(grad.const_data_ptr<float>(), maps, rois, padded, static_cast<int>(bin), buffer, result_buffer, out);
    }
  });
  return result.to(maps_in.scalar_type());
}

// The pair of class label_of(r) for every ROI r.
template <class LabelOf>
at::Tensor assemble_pairs(const at::Tensor& maps_in, const at::Tensor& rois_in, int64_t bins, int64_t size, int64_t stride,
                          LabelOf label_of) {
  const at::Tensor held = readable(maps_in);
  const Maps maps = view_maps(held);
  const RoiSpans rois = spans_of(rois_in, bins, size, stride, maps);
  at::Tensor pairs = at::zeros({rois.count, 2, size, size}, rois_in.options().memory_format(at::MemoryFormat::Contiguous));
  float* out = pairs.mutable_data_ptr<float>();
  at::parallel_for(0, rois.count, 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      mask_logits_of_roi(maps, rois, maps.channels / (2 * bins * bins), r, label_of(r), out + r * 2 * size * size);
    }
  });
  return pairs;
}

at::Tensor mask_logits(const at::Tensor& maps, const at::Tensor& rois, const at::Tensor& labels, int64_t bins, int64_t size,
                       int64_t stride) {
  check_maps(maps, rois, bins, size, stride, kLeastPairs * bins * bins);
  check_labels(labels, rois);
  const at::Tensor label = labels.contiguous();
  return assemble_pairs(maps, rois, bins, size, stride,
                        [wanted = label.const_data_ptr<int64_t>()](int64_t r) { return wanted[r]; });
}

at::Tensor best_class_masks(const at::Tensor& maps, const at::Tensor& rois, const at::Tensor& scores_in, int64_t bins,
                            int64_t size, int64_t stride) {
  check_maps(maps, rois, bins, size, stride, kLeastPairs * bins * bins);
  check_scores(scores_in, maps, rois, bins);
  const at::Tensor scores = scores_in.contiguous();
  const int64_t classes = scores.size(1);
  const auto find_winner = [classes, all = scores.const_data_ptr<float>()](int64_t r) {
    const float* own = all + r * classes;
    float best = -std::numeric_limits<float>::infinity();
    int64_t label = classes > 1 ? 1 : -1;  // nothing but background
    for (int64_t c = 1; c < classes; ++c) {
      if (own[c] > best) best = own[c], label = c;
    }
    return label;
  };
  const at::Tensor pairs = assemble_pairs(maps, rois, bins, size, stride, find_winner);
  return at::sigmoid(at::sub(pairs.select(1, 1), pairs.select(1, 0)));
}

at::Tensor mask_logits_backward(const at::Tensor& grad_in, const at::Tensor& maps_in, const at::Tensor& rois_in,
                                const at::Tensor& labels, int64_t bins, int64_t size, int64_t stride) {
  const int64_t all_bins = bins * bins;
  check_maps(maps_in, rois_in, bins, size, stride, kLeastPairs * all_bins);
  check_labels(labels, rois_in);
  check_grad(grad_in, maps_in, {rois_in.size(0), 2, size, size});
  const at::Tensor grad = grad_in.contiguous(), label = labels.contiguous();
  at::Tensor result = zeros_like_maps(maps_in);
  const Maps shape = view_maps(result);
  const RoiSpans rois = spans_of(rois_in, bins, size, stride, shape);
  float* out = result.mutable_data_ptr<float>();
  at::parallel_for(0, all_bins, 1, [&](int64_t begin, int64_t end) {
    for (int64_t bin = begin; bin < end; ++bin) {
      mask_logits_gradient(grad.const_data_ptr<float>(), label.const_data_ptr<int64_t>(), shape, rois,
                           shape.channels / (2 * all_bins), static_cast<int>(bin), out);
    }
  });
  return result.to(maps_in.scalar_type());
}

at::Tensor box_deltas(const at::Tensor& maps_in, const at::Tensor& rois_in, int64_t bins, int64_t size, int64_t stride) {
  check_maps(maps_in, rois_in, bins, size, stride, bins * bins);
  const at::Tensor held = readable(maps_in);
  const Maps maps = view_maps(held);
  const int64_t outputs = maps.channels / (bins * bins);
  const RoiSpans rois = spans_of(rois_in, bins, size, stride, maps);
  at::Tensor deltas = at::zeros({rois.count, outputs}, rois_in.options().memory_format(at::MemoryFormat::Contiguous));
  float* out = deltas.mutable_data_ptr<float>();
  at::parallel_for(0, rois.count, 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) add_box_deltas(maps, rois, outputs, r, out + r * outputs);
  });
  return deltas.div_(static_cast<double>(size * size));
}

at::Tensor box_deltas_backward(const at::Tensor& grad_in, const at::Tensor& maps_in, const at::Tensor& rois_in, int64_t bins,
                               int64_t size, int64_t stride) {
  const int64_t all_bins = bins * bins;
  check_maps(maps_in, rois_in, bins, size, stride, all_bins);
  const int64_t outputs = maps_in.size(1) / all_bins;
  check_grad(grad_in, maps_in, {rois_in.size(0), outputs});
  const at::Tensor grad = grad_in.div(static_cast<double>(size * size)).contiguous();
  at::Tensor result = zeros_like_maps(maps_in);
  const Maps shape = view_maps(result);
  const RoiSpans rois = spans_of(rois_in, bins, size, stride, shape);
  float* out = result.mutable_data_ptr<float>();
  at::parallel_for(0, all_bins, 1, [&](int64_t begin, int64_t end) {
    for (int64_t bin = begin; bin < end; ++bin) {
      box_deltas_gradient(grad.const_data_ptr<float>(), shape, rois, outputs, static_cast<int>(bin), out);
    }
  });
  return result.to(maps_in.scalar_type());
}

at::Tensor span_edges(const at::Tensor& low, const at::Tensor& high, int64_t size, int64_t length, int64_t stride) {
  TORCH_CHECK_VALUE(low.dim() == 1 && low.sizes() == high.sizes(), "low, high: expected [R], got ", low.sizes(), high.sizes());
  const at::Tensor from = low.to(at::kFloat).contiguous(), to = high.to(at::kFloat).contiguous();
  at::Tensor edges = at::empty({low.size(0), size, 2}, low.options().dtype(at::kLong));
  int64_t* out = edges.mutable_data_ptr<int64_t>();
  for (int64_t r = 0; r < low.size(0); ++r) {
    const Axis axis = make_axis(from.const_data_ptr<float>()[r], to.const_data_ptr<float>()[r], static_cast<int>(size),
                                static_cast<int>(length), static_cast<float>(1.0 / static_cast<double>(stride)));
    for (int p = 0; p < size; ++p) {
      const Span span = find_span(axis, p);
      *out++ = span.begin;
      *out++ = span.end;
    }
  }
  return edges;
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) {
  m.impl("class_logits", class_logits);
  m.impl("class_logits_backward", class_logits_backward);
  m.impl("mask_logits", mask_logits);
  m.impl("mask_logits_backward", mask_logits_backward);
  m.impl("best_class_masks", best_class_masks);
  m.impl("box_deltas", box_deltas);
  m.impl("box_deltas_backward", box_deltas_backward);
  m.impl("span_edges", span_edges);
}

}  // namespace fcis

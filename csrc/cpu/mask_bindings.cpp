// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CPU operators on masks for PyTorch: arguments checked, work divided among PyTorch's threads.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "../checks.h"
#include "kernels.h"

namespace fcis {
namespace {

std::tuple<at::Tensor, at::Tensor, at::Tensor> vote_masks(const at::Tensor& boxes_in, const at::Tensor& masks_in,
                                                          const at::Tensor& index_in, const at::Tensor& weights_in,
                                                          int64_t height, int64_t width, double threshold, bool binarise_first,
                                                          int64_t resample, std::optional<int64_t> capacity) {
  check_votes(boxes_in, masks_in, index_in, weights_in, height, width, resample, capacity);
  const at::Tensor boxes = boxes_in.contiguous(), masks = masks_in.contiguous(), index = index_in.contiguous(),
                   weights = weights_in.contiguous();
  const int32_t *box = boxes.const_data_ptr<int32_t>(), *chosen = index.const_data_ptr<int32_t>();
  const int64_t winners = index.size(0), rois = index.size(1);
  for (int64_t i = 0; i < winners * rois; ++i) {
    if (chosen[i] < 0) continue;
    TORCH_CHECK_VALUE(chosen[i] < masks.size(0), "index: ", chosen[i], ", there are ", masks.size(0), " masks");
    const int32_t* b = box + i % rois * 4;
    TORCH_CHECK_VALUE(b[0] >= 0 && b[1] >= 0 && b[0] <= b[2] && b[1] <= b[3] && b[2] < width && b[3] < height, "boxes: (", b[0],
                      ", ", b[1], ", ", b[2], ", ", b[3], ") is not inside the ", width, "x", height, " image");
  }
  std::vector<Placed> placed(winners);
  at::parallel_for(0, winners, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      placed[i] = vote({box, masks.const_data_ptr<float>(), chosen + i * rois, weights.const_data_ptr<float>() + i * rois, rois,
                        masks.size(1), height, width, static_cast<float>(threshold), binarise_first, static_cast<int>(resample)});
    }
  });
  int64_t total = 0;
  for (const Placed& p : placed) total += static_cast<int64_t>(p.runs.size());
  const auto options = boxes.options();
  const int64_t room = capacity.value_or(total);
  at::Tensor tight = at::zeros({winners, 4}, options), runs = at::zeros({room}, options), ends = at::empty({winners}, options);
  int32_t* run = runs.mutable_data_ptr<int32_t>();
  int64_t filled = 0;
  for (int64_t i = 0; i < winners; ++i) {
    const int32_t corners[4] = {placed[i].x1, placed[i].y1, placed[i].x2, placed[i].y2};
    std::copy_n(corners, 4, tight.mutable_data_ptr<int32_t>() + i * 4);
    const int64_t size = static_cast<int64_t>(placed[i].runs.size());
    if (filled + size <= room) std::copy(placed[i].runs.begin(), placed[i].runs.end(), run + filled);
    filled += size;
    ends.mutable_data_ptr<int32_t>()[i] = static_cast<int32_t>(filled);
  }
  return {tight, runs, ends};
}

at::Tensor label_map(const at::Tensor& boxes_in, const at::Tensor& runs_in, const at::Tensor& ends_in, int64_t height,
                     int64_t width) {
  check_instances(boxes_in, runs_in, ends_in, height, width);
  const at::Tensor boxes = boxes_in.contiguous(), runs = runs_in.contiguous(), ends = ends_in.contiguous();
  const int32_t *box = boxes.const_data_ptr<int32_t>(), *run = runs.const_data_ptr<int32_t>(),
                *stop = ends.const_data_ptr<int32_t>();
  at::Tensor labels = at::zeros({height, width}, boxes.options().dtype(at::kUInt16));
  uint16_t* out = labels.mutable_data_ptr<uint16_t>();
  std::vector<uint8_t> mask;
  for (int64_t i = boxes.size(0) - 1; i >= 0; --i) {  // worst first, so that the best lies on top
    const int32_t* b = box + i * 4;
    const int64_t begin = i > 0 ? stop[i - 1] : 0, end = stop[i];
    TORCH_CHECK_VALUE(b[0] >= 0 && b[1] >= 0 && b[0] <= b[2] && b[1] <= b[3] && b[2] <= width && b[3] <= height, "boxes: (", b[0],
                      ", ", b[1], ", ", b[2], ", ", b[3], ") is not inside the ", width, "x", height, " image");
    TORCH_CHECK_VALUE(begin >= 0 && begin <= end && end <= runs.size(0), "ends: ", end, " of instance ", i, " is out of order");
    const int64_t h = b[3] - b[1], w = b[2] - b[0];
    int64_t sum = 0;
    for (int64_t k = begin; k < end; ++k) {
      TORCH_CHECK_VALUE(run[k] >= 0, "runs: ", run[k], " is negative");
      sum += run[k];
    }
    TORCH_CHECK_VALUE(sum == h * w, "runs: ", sum, " pixels of instance ", i, ", its box has ", h * w);
    mask.resize(h * w);
    if (h > 0 && w > 0) fill_runs(run + begin, end - begin, h, w, mask.data());
    for (int64_t y = 0; y < h; ++y) {
      uint16_t* row = out + (b[1] + y) * width + b[0];
      for (int64_t x = 0; x < w; ++x) row[x] = mask[y * w + x] ? static_cast<uint16_t>(i + 1) : row[x];
    }
  }
  return labels;
}

at::Tensor paint_overlay(const at::Tensor& image_in, const at::Tensor& labels_in, const at::Tensor& colours_in, double alpha,
                         int64_t thickness) {
  check_overlay(image_in, labels_in, colours_in, alpha, thickness);
  const at::Tensor image = image_in.contiguous(), labels = labels_in.contiguous(), colours = colours_in.contiguous();
  const uint16_t* label = labels.const_data_ptr<uint16_t>();
  const uint16_t most = find_highest(label, labels.numel());
  TORCH_CHECK_VALUE(most <= colours.size(0), "labels: instance ", most, ", there are ", colours.size(0), " colours");
  at::Tensor result = at::empty_like(image);
  const Overlay overlay{image.const_data_ptr<uint8_t>(),
                        label,
                        colours.const_data_ptr<uint8_t>(),
                        static_cast<float>(alpha),
                        thickness,
                        image.size(0),
                        image.size(1)};
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  at::parallel_for(0, image.size(0), 64, [&](int64_t begin, int64_t end) { paint(overlay, begin, end, out); });
  return result;
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) {
  m.impl("vote_masks", vote_masks);
  m.impl("label_map", label_map);
  m.impl("paint", paint_overlay);
}

}  // namespace fcis

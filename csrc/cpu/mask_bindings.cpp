// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CPU operators on masks and images for PyTorch.
#include "../mask_bindings.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <tuple>

#include "kernels.h"

namespace fcis {
namespace {

// `box` lies inside the image; x2 and y2 may reach `past` beyond the last pixel.
void check_inside(const int32_t* box, int64_t height, int64_t width, int64_t past) {
  const bool inside = box[0] >= 0 && box[1] >= 0 && box[0] <= box[2] && box[1] <= box[3];
  TORCH_CHECK_VALUE(inside && box[2] < width + past && box[3] < height + past, "boxes: (", box[0], ", ", box[1], ", ", box[2],
                    ", ", box[3], ") is not inside the ", width, "x", height, " image");
}

struct CpuMasks {
  explicit CpuMasks(const at::Tensor&) {}

  static std::tuple<at::Tensor, at::Tensor, at::Tensor> vote_masks(const at::Tensor& boxes, const at::Tensor& masks,
                                                                   const at::Tensor& index, const at::Tensor& weights,
                                                                   int64_t height, int64_t width, float threshold,
                                                                   bool binarise_first, int64_t resample,
                                                                   std::optional<int64_t> capacity) {
    const int32_t *box = ptr<const int32_t>(boxes), *picks = ptr<const int32_t>(index);
    const int64_t winners = index.size(0), rois = index.size(1);
    for (int64_t i = 0; i < winners * rois; ++i) {
      if (picks[i] < 0) continue;
      TORCH_CHECK_VALUE(picks[i] < masks.size(0), "index: ", picks[i], ", there are ", masks.size(0), " masks");
      check_inside(box + i % rois * 4, height, width, 0);
    }
    std::vector<BoxedRuns> voted(winners);
    at::parallel_for(0, winners, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        voted[i] = vote({box, ptr<const float>(masks), picks + i * rois, ptr<const float>(weights) + i * rois, rois,
                         masks.size(1), height, width, threshold, binarise_first, static_cast<int>(resample)});
      }
    });
    int64_t total = 0;
    for (const BoxedRuns& mask : voted) total += static_cast<int64_t>(mask.runs.size());
    const int64_t room = capacity.value_or(total);
    at::Tensor tight = at::zeros({winners, 4}, at::kInt), runs = at::zeros({room}, at::kInt),
               ends = at::empty({winners}, at::kInt);
    int32_t* run = ptr<int32_t>(runs);
    int64_t filled = 0;
    for (int64_t i = 0; i < winners; ++i) {
      const int32_t corners[4] = {voted[i].x1, voted[i].y1, voted[i].x2, voted[i].y2};
      std::copy_n(corners, 4, ptr<int32_t>(tight) + i * 4);
      const int64_t size = static_cast<int64_t>(voted[i].runs.size());
      if (filled + size <= room) std::copy(voted[i].runs.begin(), voted[i].runs.end(), run + filled);
      filled += size;
      ptr<int32_t>(ends)[i] = static_cast<int32_t>(filled);
    }
    return {tight, runs, ends};
  }

  static at::Tensor label_map(const at::Tensor& boxes, const at::Tensor& runs, const at::Tensor& ends, int64_t height,
                              int64_t width) {
    const int32_t *run = ptr<const int32_t>(runs), *stop = ptr<const int32_t>(ends);
    at::Tensor labels = at::zeros({height, width}, at::kUInt16);
    uint16_t* out = ptr<uint16_t>(labels);
    std::vector<uint8_t> mask;
    for (int64_t i = boxes.size(0) - 1; i >= 0; --i) {  // worst first, so that the best lies on top
      const int32_t* box = ptr<const int32_t>(boxes) + i * 4;
      const int64_t begin = i > 0 ? stop[i - 1] : 0, end = stop[i];
      check_inside(box, height, width, 1);
      TORCH_CHECK_VALUE(begin >= 0 && begin <= end && end <= runs.size(0), "ends: ", end, " of instance ", i, " is out of order");
      const int64_t h = box[3] - box[1], w = box[2] - box[0];
      int64_t sum = 0;
      for (int64_t k = begin; k < end; ++k) {
        TORCH_CHECK_VALUE(run[k] >= 0, "runs: ", run[k], " is negative");
        sum += run[k];
      }
      TORCH_CHECK_VALUE(sum == h * w, "runs: ", sum, " pixels of instance ", i, ", its box has ", h * w);
      mask.resize(h * w);
      if (h > 0 && w > 0) fill_runs(run + begin, end - begin, h, w, mask.data());
      for (int64_t y = 0; y < h; ++y) {
        uint16_t* row = out + (box[1] + y) * width + box[0];
        for (int64_t x = 0; x < w; ++x) row[x] = mask[y * w + x] ? static_cast<uint16_t>(i + 1) : row[x];
      }
    }
    return labels;
  }

  static at::Tensor paint(const at::Tensor& image, const at::Tensor& labels, const at::Tensor& colours, float alpha,
                          int64_t thickness) {
    const uint16_t* label = ptr<const uint16_t>(labels);
    const uint16_t most = find_highest(label, labels.numel());
    TORCH_CHECK_VALUE(most <= colours.size(0), "labels: instance ", most, ", there are ", colours.size(0), " colours");
    at::Tensor result = at::empty_like(image);
    const Overlay overlay{
        ptr<const uint8_t>(image), label, ptr<const uint8_t>(colours), alpha, thickness, image.size(0), image.size(1)};
    uint8_t* out = ptr<uint8_t>(result);
    at::parallel_for(0, image.size(0), 64, [&](int64_t begin, int64_t end) { fcis::paint(overlay, begin, end, out); });
    return result;
  }

  static at::Tensor network_input(const InputOf& input, const at::Tensor&, at::ScalarType dtype) {
    at::Tensor result = at::empty({1, input.height, input.width, 3}, at::kFloat);
    float* const out = ptr<float>(result);
    at::parallel_for(0, input.height, 16, [&](int64_t begin, int64_t end) { fcis::network_input(input, begin, end, out); });
    return result.to(dtype);
  }
};

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) { implement_mask_operators<CpuMasks>(m); }

}  // namespace fcis

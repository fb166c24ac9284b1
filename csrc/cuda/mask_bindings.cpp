// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators on masks for PyTorch: arguments checked, memory taken from PyTorch's allocator, kernels launched on the
// current stream. Nothing waits for the device but what has to look at a result: vote_masks without a capacity, whose run lengths
// are as many as they are, and errors in values, which label_map and paint look for unless a graph is being captured.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <torch/library.h>

#include <optional>
#include <tuple>

#include "../checks.h"
#include "binding.h"
#include "mask_kernels.h"

namespace fcis::cuda {
namespace {

std::tuple<at::Tensor, at::Tensor, at::Tensor> vote_masks(const at::Tensor& boxes_in, const at::Tensor& masks_in,
                                                          const at::Tensor& index_in, const at::Tensor& weights_in,
                                                          int64_t height, int64_t width, double threshold, bool binarise_first,
                                                          int64_t resample, std::optional<int64_t> capacity) {
  check_votes(boxes_in, masks_in, index_in, weights_in, height, width, resample, capacity);
  const Call call(boxes_in);
  const at::Tensor boxes = boxes_in.contiguous(), masks = masks_in.contiguous(), index = index_in.contiguous(),
                   weights = weights_in.contiguous();
  const Votes votes{boxes.const_data_ptr<int32_t>(),
                    masks.const_data_ptr<float>(),
                    index.const_data_ptr<int32_t>(),
                    weights.const_data_ptr<float>(),
                    index.size(0),
                    index.size(1),
                    masks.size(0),
                    masks.size(1),
                    height,
                    width,
                    static_cast<float>(threshold),
                    binarise_first,
                    resample};
  at::Tensor tight = take({votes.winners, 4}, at::kInt, boxes), ends = take({votes.winners}, at::kInt, boxes),
             report = take({2}, at::kLong, boxes), workspace = take_workspace(voting_workspace(votes), boxes);
  C10_CUDA_CHECK(count_runs(votes, workspace.mutable_data_ptr(), tight.mutable_data_ptr<int32_t>(),
                            ends.mutable_data_ptr<int32_t>(), report.mutable_data_ptr<int64_t>(), call.stream));
  if (!capacity) {
    const at::Tensor found = report.cpu();  // waits
    const int64_t wrong = found.const_data_ptr<int64_t>()[1];
    TORCH_CHECK_VALUE(!(wrong & 2), "index: one is too high, there are ", masks.size(0), " masks");
    TORCH_CHECK_VALUE(!(wrong & 1), "boxes: one that votes is not inside the ", width, "x", height, " image");
    TORCH_CHECK_VALUE(!(wrong & 4), "masks: more run lengths than an int32 counts");
    capacity = found.const_data_ptr<int64_t>()[0];
  }
  at::Tensor runs = take({*capacity}, at::kInt, boxes);
  C10_CUDA_CHECK(write_runs(votes, workspace.mutable_data_ptr(), ends.const_data_ptr<int32_t>(), runs.mutable_data_ptr<int32_t>(),
                            *capacity, call.stream));
  return {tight, runs, ends};
}

// What a kernel found wrong, 0 for nothing and while a graph is captured.
int32_t read_wrong(const at::Tensor& wrong) {
  if (c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None) return 0;
  const at::Tensor found = wrong.cpu();  // waits
  return *found.const_data_ptr<int32_t>();
}

at::Tensor label_map_of(const at::Tensor& boxes_in, const at::Tensor& runs_in, const at::Tensor& ends_in, int64_t height,
                        int64_t width) {
  check_instances(boxes_in, runs_in, ends_in, height, width);
  const Call call(boxes_in);
  const at::Tensor boxes = boxes_in.contiguous(), runs = runs_in.contiguous(), ends = ends_in.contiguous();
  at::Tensor labels = take({height, width}, at::kUInt16, boxes), wrong = take({1}, at::kInt, boxes),
             workspace = take_workspace(label_map_workspace(runs.size(0)), boxes);
  C10_CUDA_CHECK(label_map(boxes.const_data_ptr<int32_t>(), runs.const_data_ptr<int32_t>(), ends.const_data_ptr<int32_t>(),
                           boxes.size(0), runs.size(0), height, width, workspace.mutable_data_ptr(),
                           labels.mutable_data_ptr<uint16_t>(), wrong.mutable_data_ptr<int32_t>(), call.stream));
  const int32_t instance = read_wrong(wrong);
  TORCH_CHECK_VALUE(instance == 0, "boxes, runs: of instance ", instance - 1, ", the box is not inside the ", width, "x", height,
                    " image or the runs do not fill it");
  return labels;
}

at::Tensor paint_overlay(const at::Tensor& image_in, const at::Tensor& labels_in, const at::Tensor& colours_in, double alpha,
                         int64_t thickness) {
  check_overlay(image_in, labels_in, colours_in, alpha, thickness);
  const Call call(image_in);
  const at::Tensor image = image_in.contiguous(), labels = labels_in.contiguous(), colours = colours_in.contiguous();
  const Overlay overlay{image.const_data_ptr<uint8_t>(),
                        labels.const_data_ptr<uint16_t>(),
                        colours.const_data_ptr<uint8_t>(),
                        colours.size(0),
                        static_cast<float>(alpha),
                        thickness,
                        image.size(0),
                        image.size(1)};
  at::Tensor result = at::empty_like(image), wrong = take({1}, at::kInt, image),
             workspace = take_workspace(paint_workspace(image.size(0), image.size(1)), image);
  C10_CUDA_CHECK(paint(overlay, workspace.mutable_data_ptr(), result.mutable_data_ptr<uint8_t>(),
                       wrong.mutable_data_ptr<int32_t>(), call.stream));
  const int32_t most = read_wrong(wrong);
  TORCH_CHECK_VALUE(most == 0, "labels: instance ", most, ", there are ", colours.size(0), " colours");
  return result;
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CUDA, m) {
  m.impl("vote_masks", vote_masks);
  m.impl("label_map", label_map_of);
  m.impl("paint", paint_overlay);
}

}  // namespace fcis::cuda

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The CUDA operators on masks and images for PyTorch. Some wait for the device: vote_masks without a capacity, for the number of
// run lengths, and label_map and paint, for errors in values, unless a graph is being captured.
#include "../mask_bindings.h"

#include <c10/cuda/CUDAGraphsC10Utils.h>

#include <tuple>

#include "binding.h"
#include "kernels.h"

namespace fcis::cuda {
namespace {

// The error that a kernel reports, 0 for none and while a graph is captured.
int32_t read_wrong(const at::Tensor& wrong) {
  if (c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None) return 0;
  const at::Tensor on_host = wrong.cpu();  // waits
  return *ptr<const int32_t>(on_host);
}

struct CudaMasks : Call {
  using Call::Call;

  std::tuple<at::Tensor, at::Tensor, at::Tensor> vote_masks(const at::Tensor& boxes, const at::Tensor& masks,
                                                            const at::Tensor& index, const at::Tensor& weights, int64_t height,
                                                            int64_t width, float threshold, bool binarise_first, int64_t resample,
                                                            std::optional<int64_t> capacity) const {
    const Votes votes{ptr<const int32_t>(boxes),
                      ptr<const float>(masks),
                      ptr<const int32_t>(index),
                      ptr<const float>(weights),
                      index.size(0),
                      index.size(1),
                      masks.size(0),
                      masks.size(1),
                      height,
                      width,
                      threshold,
                      binarise_first,
                      resample};
    at::Tensor tight = take({votes.winners, 4}, at::kInt, boxes), ends = take({votes.winners}, at::kInt, boxes),
               report = take({2}, at::kLong, boxes), workspace = take_workspace(voting_workspace(votes));
    C10_CUDA_CHECK(
        count_runs(votes, workspace.mutable_data_ptr(), ptr<int32_t>(tight), ptr<int32_t>(ends), ptr<int64_t>(report), stream));
    if (!capacity) {
      const at::Tensor on_host = report.cpu();  // waits
      const int64_t wrong = ptr<const int64_t>(on_host)[1];
      TORCH_CHECK_VALUE(!(wrong & 2), "index: one is too high, there are ", masks.size(0), " masks");
      TORCH_CHECK_VALUE(!(wrong & 1), "boxes: one that votes is not inside the ", width, "x", height, " image");
      TORCH_CHECK_VALUE(!(wrong & 4), "masks: more run lengths than an int32 counts");
      capacity = ptr<const int64_t>(on_host)[0];
    }
    at::Tensor runs = take({*capacity}, at::kInt, boxes);
    C10_CUDA_CHECK(
        write_runs(votes, workspace.mutable_data_ptr(), ptr<const int32_t>(ends), ptr<int32_t>(runs), *capacity, stream));
    return {tight, runs, ends};
  }

  at::Tensor label_map(const at::Tensor& boxes, const at::Tensor& runs, const at::Tensor& ends, int64_t height,
                       int64_t width) const {
    at::Tensor labels = take({height, width}, at::kUInt16, boxes), wrong = take({1}, at::kInt, boxes),
               workspace = take_workspace(label_map_workspace(runs.size(0)));
    C10_CUDA_CHECK(cuda::label_map(ptr<const int32_t>(boxes), ptr<const int32_t>(runs), ptr<const int32_t>(ends), boxes.size(0),
                                   runs.size(0), height, width, workspace.mutable_data_ptr(), ptr<uint16_t>(labels),
                                   ptr<int32_t>(wrong), stream));
    const int32_t instance = read_wrong(wrong);
    TORCH_CHECK_VALUE(instance == 0, "boxes, runs: of instance ", instance - 1, ", the box is not inside the ", width, "x",
                      height, " image or the runs do not fill it");
    return labels;
  }

  at::Tensor paint(const at::Tensor& image, const at::Tensor& labels, const at::Tensor& colours, float alpha,
                   int64_t thickness) const {
    const Overlay overlay{ptr<const uint8_t>(image),
                          ptr<const uint16_t>(labels),
                          ptr<const uint8_t>(colours),
                          colours.size(0),
                          alpha,
                          thickness,
                          image.size(0),
                          image.size(1)};
    at::Tensor result = at::empty_like(image), wrong = take({1}, at::kInt, image),
               workspace = take_workspace(paint_workspace(image.size(0), image.size(1)));
    C10_CUDA_CHECK(cuda::paint(overlay, workspace.mutable_data_ptr(), ptr<uint8_t>(result), ptr<int32_t>(wrong), stream));
    const int32_t most = read_wrong(wrong);
    TORCH_CHECK_VALUE(most == 0, "labels: instance ", most, ", there are ", colours.size(0), " colours");
    return result;
  }

  at::Tensor network_input(const InputOf& input, const at::Tensor& data, at::ScalarType dtype) const {
    at::Tensor result = take({1, input.height, input.width, 3}, dtype, data);
    C10_CUDA_CHECK(cuda::network_input(input, element_of(dtype), result.mutable_data_ptr(), stream));
    return result;
  }
};

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CUDA, m) { implement_mask_operators<CudaMasks>(m); }

}  // namespace fcis::cuda

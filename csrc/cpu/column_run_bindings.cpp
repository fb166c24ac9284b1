// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The operators on column runs for PyTorch, on the host alone, where trackers and evaluation are. Column runs are [S, 3] int32:
// column, first row, row behind the last; starts [N + 1] int64: the first column run of each mask.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <vector>

#include "../checks.h"
#include "../views.h"
#include "kernels.h"

namespace fcis {
namespace {

struct Masks {
  const int64_t* starts;
  const ColumnRun* column_runs;
  int64_t count;
  const ColumnRun* of(int64_t mask) const { return column_runs + starts[mask]; }
  int64_t size(int64_t mask) const { return starts[mask + 1] - starts[mask]; }
};

Masks view_masks(const at::Tensor& starts, const at::Tensor& column_runs) {
  check_tensor("starts", starts, at::kLong, {-1}, at::kCPU);
  check_tensor("column_runs", column_runs, at::kInt, {-1, 3}, at::kCPU);
  TORCH_CHECK_VALUE(starts.size(0) > 0 && starts.is_contiguous() && column_runs.is_contiguous(),
                    "starts, column_runs: expected contiguous ones with at least one start");
  const Masks masks{ptr<const int64_t>(starts), reinterpret_cast<const ColumnRun*>(ptr<const int32_t>(column_runs)),
                    starts.size(0) - 1};
  TORCH_CHECK_VALUE(masks.starts[0] == 0 && masks.starts[masks.count] == column_runs.size(0) &&
                        std::is_sorted(masks.starts, masks.starts + masks.count + 1),
                    "starts: expected 0 to ", column_runs.size(0), ", ascending");
  return masks;
}

std::tuple<at::Tensor, at::Tensor> to_tensors(const std::vector<int64_t>& starts, const std::vector<ColumnRun>& column_runs) {
  at::Tensor first = at::empty({static_cast<int64_t>(starts.size())}, at::kLong),
             rows = at::empty({static_cast<int64_t>(column_runs.size()), 3}, at::kInt);
  std::copy(starts.begin(), starts.end(), ptr<int64_t>(first));
  if (!column_runs.empty()) std::memcpy(ptr<int32_t>(rows), column_runs.data(), column_runs.size() * sizeof(ColumnRun));
  return {first, rows};
}

std::tuple<at::Tensor, at::Tensor> find_column_runs(const at::Tensor& boxes_in, const at::Tensor& runs_in,
                                                    const at::Tensor& ends_in) {
  check_tensor("runs", runs_in, at::kInt, {-1}, at::kCPU);
  check_tensor("ends", ends_in, at::kInt, {-1}, at::kCPU);
  check_tensor("boxes", boxes_in, at::kInt, {ends_in.size(0), 4}, at::kCPU);
  const at::Tensor boxes = boxes_in.contiguous(), runs = runs_in.contiguous(), ends = ends_in.contiguous();
  const int32_t *box = ptr<const int32_t>(boxes), *run = ptr<const int32_t>(runs), *end = ptr<const int32_t>(ends);
  std::vector<int64_t> starts{0};
  std::vector<ColumnRun> column_runs;
  for (int64_t i = 0, begin = 0; i < boxes.size(0); begin = end[i++], box += 4) {
    TORCH_CHECK_VALUE(begin <= end[i] && end[i] <= runs.size(0), "ends: ", end[i], " of mask ", i, " is out of order");
    const int64_t wide = box[2] - int64_t{box[0]}, high = box[3] - int64_t{box[1]};
    TORCH_CHECK_VALUE(wide >= 0 && high >= 0, "boxes: (", box[0], ", ", box[1], ", ", box[2], ", ", box[3], ") is reversed");
    int64_t room = wide * high;
    for (int64_t k = begin; k < end[i]; room -= run[k++]) {
      TORCH_CHECK_VALUE(run[k] >= 0 && run[k] <= room, "runs: ", run[k], " of mask ", i, " is more than its box has left");
    }
    append_column_runs(run + begin, end[i] - begin, box, column_runs);
    starts.push_back(static_cast<int64_t>(column_runs.size()));
  }
  return to_tensors(starts, column_runs);
}

std::tuple<at::Tensor, at::Tensor> move_column_runs(const at::Tensor& starts_in, const at::Tensor& runs_in,
                                                    const at::Tensor& old_in, const at::Tensor& new_in, int64_t height,
                                                    int64_t width) {
  const Masks masks = view_masks(starts_in, runs_in);
  check_tensor("old", old_in, at::kInt, {masks.count, 4}, at::kCPU);
  check_tensor("new", new_in, at::kDouble, {masks.count, 4}, at::kCPU);
  check_size(height, width);
  const at::Tensor old_boxes = old_in.contiguous(), new_boxes = new_in.contiguous();
  const int32_t* old_box = ptr<const int32_t>(old_boxes);
  const double* new_box = ptr<const double>(new_boxes);
  std::vector<int64_t> starts{0};
  std::vector<ColumnRun> moved;
  for (int64_t i = 0; i < masks.count; ++i, old_box += 4, new_box += 4) {
    TORCH_CHECK_VALUE(old_box[0] < old_box[2] && old_box[1] < old_box[3], "old: box ", i, " is empty");
    TORCH_CHECK_VALUE(std::none_of(new_box, new_box + 4, [](double edge) { return std::isnan(edge); }), "new: box ", i,
                      " has an edge that is no number");
    append_moved(masks.of(i), masks.size(i), old_box, new_box, height, width, moved);
    starts.push_back(static_cast<int64_t>(moved.size()));
  }
  return to_tensors(starts, moved);
}

at::Tensor shared_pixels(const at::Tensor& starts_in, const at::Tensor& runs_in, const at::Tensor& other_starts_in,
                         const at::Tensor& other_runs_in, const at::Tensor& pairs_in) {
  const Masks masks = view_masks(starts_in, runs_in), others = view_masks(other_starts_in, other_runs_in);
  check_tensor("pairs", pairs_in, at::kLong, {-1, 2}, at::kCPU);
  const at::Tensor pairs = pairs_in.contiguous();
  at::Tensor shared = at::empty({pairs.size(0)}, at::kLong);
  int64_t* out = ptr<int64_t>(shared);
  for (const int64_t *pair = ptr<const int64_t>(pairs), *const end = pair + 2 * pairs.size(0); pair < end; pair += 2) {
    TORCH_CHECK_VALUE(pair[0] >= 0 && pair[0] < masks.count && pair[1] >= 0 && pair[1] < others.count, "pairs: (", pair[0], ", ",
                      pair[1], ") of ", masks.count, " and ", others.count, " masks");
    *out++ = count_shared(masks.of(pair[0]), masks.size(pair[0]), others.of(pair[1]), others.size(pair[1]));
  }
  return shared;
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) {
  m.impl("column_runs", find_column_runs);
  m.impl("move_column_runs", move_column_runs);
  m.impl("shared_pixels", shared_pixels);
}

}  // namespace fcis

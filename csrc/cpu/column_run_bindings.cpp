// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The operators on masks as vertical column_runs for PyTorch: arguments checked, layouts read. Strips are [S, 3] int32: column,
// first row, the row behind the last; starts [N + 1] int64: where each mask's begin. For trackers and evaluation, which are on
// the host.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <vector>

#include "../checks.h"
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
  TORCH_CHECK_VALUE(starts.dim() == 1 && starts.size(0) > 0 && starts.scalar_type() == at::kLong && starts.is_contiguous(),
                    "starts: expected int64 [N + 1], got ", starts.scalar_type(), " ", starts.sizes());
  TORCH_CHECK_VALUE(
      column_runs.dim() == 2 && column_runs.size(1) == 3 && column_runs.scalar_type() == at::kInt && column_runs.is_contiguous(),
      "column_runs: expected int32 [S, 3], got ", column_runs.scalar_type(), " ", column_runs.sizes());
  const Masks masks{starts.const_data_ptr<int64_t>(), reinterpret_cast<const ColumnRun*>(column_runs.const_data_ptr<int32_t>()),
                    starts.size(0) - 1};
  TORCH_CHECK_VALUE(masks.starts[0] == 0 && masks.starts[masks.count] == column_runs.size(0) &&
                        std::is_sorted(masks.starts, masks.starts + masks.count + 1),
                    "starts: expected 0 to ", column_runs.size(0), ", ascending");
  return masks;
}

std::tuple<at::Tensor, at::Tensor> to_tensors(const std::vector<int64_t>& starts, const std::vector<ColumnRun>& column_runs) {
  at::Tensor own = at::empty({static_cast<int64_t>(starts.size())}, at::kLong),
             found = at::empty({static_cast<int64_t>(column_runs.size()), 3}, at::kInt);
  std::copy(starts.begin(), starts.end(), own.mutable_data_ptr<int64_t>());
  if (!column_runs.empty())
    std::memcpy(found.mutable_data_ptr<int32_t>(), column_runs.data(), column_runs.size() * sizeof(ColumnRun));
  return {own, found};
}

void check_boxes(const char* name, const at::Tensor& boxes, at::ScalarType type, int64_t count) {
  TORCH_CHECK_VALUE(boxes.dim() == 2 && boxes.size(0) == count && boxes.size(1) == 4 && boxes.scalar_type() == type, name,
                    ": expected ", type, " [", count, ", 4], got ", boxes.scalar_type(), " ", boxes.sizes());
}

void check_list(const char* name, const at::Tensor& list) {
  TORCH_CHECK_VALUE(list.dim() == 1 && list.scalar_type() == at::kInt, name, ": expected int32 [.], got ", list.scalar_type(),
                    " ", list.sizes());
}

std::tuple<at::Tensor, at::Tensor> find_column_runs(const at::Tensor& boxes_in, const at::Tensor& runs_in,
                                                    const at::Tensor& ends_in) {
  check_list("runs", runs_in);
  check_list("ends", ends_in);
  check_boxes("boxes", boxes_in, at::kInt, ends_in.size(0));
  const at::Tensor boxes = boxes_in.contiguous(), runs = runs_in.contiguous(), ends = ends_in.contiguous();
  const int32_t *box = boxes.const_data_ptr<int32_t>(), *run = runs.const_data_ptr<int32_t>(),
                *end = ends.const_data_ptr<int32_t>();
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
  check_boxes("old", old_in, at::kInt, masks.count);
  check_boxes("new", new_in, at::kDouble, masks.count);
  check_size(height, width);
  const at::Tensor old_boxes = old_in.contiguous(), new_boxes = new_in.contiguous();
  const int32_t* old_box = old_boxes.const_data_ptr<int32_t>();
  const double* new_box = new_boxes.const_data_ptr<double>();
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
  TORCH_CHECK_VALUE(pairs_in.dim() == 2 && pairs_in.size(1) == 2 && pairs_in.scalar_type() == at::kLong,
                    "pairs: expected int64 [P, 2], got ", pairs_in.scalar_type(), " ", pairs_in.sizes());
  const at::Tensor pairs = pairs_in.contiguous();
  at::Tensor shared = at::empty({pairs.size(0)}, at::kLong);
  int64_t* out = shared.mutable_data_ptr<int64_t>();
  for (const int64_t *pair = pairs.const_data_ptr<int64_t>(), *const end = pair + 2 * pairs.size(0); pair < end; pair += 2) {
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

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Masks as vertical strips, [S, 3] int32: column, first row, the row behind the last; mask after mask, by column and then by row.
// starts [N + 1] int64: where each mask's strips begin. For trackers and evaluation, which follow masks on the host.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <vector>

#include "../checks.h"

namespace fcis {
namespace {

struct Strip {
  int32_t column, top, bottom;
};

struct Masks {
  const int64_t* starts;
  const Strip* strips;
  int64_t count;
};

Masks view_masks(const at::Tensor& starts, const at::Tensor& strips) {
  TORCH_CHECK_VALUE(starts.dim() == 1 && starts.size(0) > 0 && starts.scalar_type() == at::kLong && starts.is_contiguous(),
                    "starts: expected int64 [N + 1], got ", starts.scalar_type(), " ", starts.sizes());
  TORCH_CHECK_VALUE(strips.dim() == 2 && strips.size(1) == 3 && strips.scalar_type() == at::kInt && strips.is_contiguous(),
                    "strips: expected int32 [S, 3], got ", strips.scalar_type(), " ", strips.sizes());
  const Masks masks{starts.const_data_ptr<int64_t>(), reinterpret_cast<const Strip*>(strips.const_data_ptr<int32_t>()),
                    starts.size(0) - 1};
  TORCH_CHECK_VALUE(masks.starts[0] == 0 && masks.starts[masks.count] == strips.size(0) &&
                        std::is_sorted(masks.starts, masks.starts + masks.count + 1),
                    "starts: expected 0 to ", strips.size(0), ", ascending");
  return masks;
}

std::tuple<at::Tensor, at::Tensor> to_tensors(const std::vector<int64_t>& starts, const std::vector<Strip>& strips) {
  at::Tensor own = at::empty({static_cast<int64_t>(starts.size())}, at::kLong),
             found = at::empty({static_cast<int64_t>(strips.size()), 3}, at::kInt);
  std::copy(starts.begin(), starts.end(), own.mutable_data_ptr<int64_t>());
  if (!strips.empty()) std::memcpy(found.mutable_data_ptr<int32_t>(), strips.data(), strips.size() * sizeof(Strip));
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

std::tuple<at::Tensor, at::Tensor> find_strips(const at::Tensor& boxes_in, const at::Tensor& runs_in, const at::Tensor& ends_in) {
  check_list("runs", runs_in);
  check_list("ends", ends_in);
  check_boxes("boxes", boxes_in, at::kInt, ends_in.size(0));
  const at::Tensor boxes = boxes_in.contiguous(), runs = runs_in.contiguous(), ends = ends_in.contiguous();
  const int32_t *box = boxes.const_data_ptr<int32_t>(), *run = runs.const_data_ptr<int32_t>(),
                *end = ends.const_data_ptr<int32_t>();
  std::vector<int64_t> starts{0};
  std::vector<Strip> strips;
  for (int64_t i = 0, k = 0; i < boxes.size(0); ++i, box += 4) {
    TORCH_CHECK_VALUE(k <= end[i] && end[i] <= runs.size(0), "ends: ", end[i], " of mask ", i, " is out of order");
    const int64_t left = box[0], above = box[1], wide = box[2] - left, high = box[3] - above, pixels = wide * high;
    TORCH_CHECK_VALUE(wide >= 0 && high >= 0, "boxes: (", box[0], ", ", box[1], ", ", box[2], ", ", box[3], ") is reversed");
    int64_t at = 0;
    for (bool inside = false; k < end[i]; ++k, inside = !inside) {
      const int64_t stop = at + run[k];
      TORCH_CHECK_VALUE(run[k] >= 0 && stop <= pixels, "runs: ", run[k], " of mask ", i, " is more than its box has left");
      for (; inside && at < stop;) {  // what goes on at the top of the next column is several strips
        const int64_t column = at / high, next = std::min(stop, (column + 1) * high), top = above - column * high;
        strips.push_back({static_cast<int32_t>(left + column), static_cast<int32_t>(top + at), static_cast<int32_t>(top + next)});
        at = next;
      }
      at = stop;
    }
    starts.push_back(static_cast<int64_t>(strips.size()));
  }
  return to_tensors(starts, strips);
}

// Edges of a box, halves rounded to even, those far outside of any image brought nearer; a side is at least one pixel.
struct Edges {
  int64_t left, top, right, bottom;
};

Edges round_box(const double* box) {
  constexpr double far = 1 << 30;
  int64_t edges[4];
  for (int k = 0; k < 4; ++k) {
    TORCH_CHECK_VALUE(!std::isnan(box[k]), "new: a box has an edge that is no number");
    edges[k] = static_cast<int64_t>(std::nearbyint(std::clamp(box[k], -far, far)));
  }
  return {edges[0], edges[1], std::max(edges[2], edges[0] + 1), std::max(edges[3], edges[1] + 1)};
}

std::tuple<at::Tensor, at::Tensor> move_strips(const at::Tensor& starts_in, const at::Tensor& strips_in, const at::Tensor& old_in,
                                               const at::Tensor& new_in, int64_t height, int64_t width) {
  const Masks masks = view_masks(starts_in, strips_in);
  check_boxes("old", old_in, at::kInt, masks.count);
  check_boxes("new", new_in, at::kDouble, masks.count);
  check_size(height, width);
  const at::Tensor old_boxes = old_in.contiguous(), new_boxes = new_in.contiguous();
  const int32_t* old_box = old_boxes.const_data_ptr<int32_t>();
  std::vector<int64_t> starts{0};
  std::vector<Strip> strips;
  for (int64_t i = 0; i < masks.count; ++i, old_box += 4) {
    const Edges box = round_box(new_boxes.const_data_ptr<double>() + 4 * i);
    const int64_t wide = old_box[2] - int64_t{old_box[0]}, high = old_box[3] - int64_t{old_box[1]};
    TORCH_CHECK_VALUE(wide > 0 && high > 0, "old: box ", i, " is empty");
    const auto row = [&](int64_t y) {
      const int64_t moved = box.top + (2 * (y - old_box[1]) * (box.bottom - box.top) + high) / (2 * high);
      return static_cast<int32_t>(std::clamp<int64_t>(moved, 0, height));
    };
    const Strip *first = masks.strips + masks.starts[i], *const last = masks.strips + masks.starts[i + 1];
    for (int64_t x = std::max<int64_t>(box.left, 0); x < std::min(box.right, width); ++x) {
      // Every column of the new box shows the one of the old box that its centre falls on.
      const int64_t column = old_box[0] + (2 * (x - box.left) + 1) * wide / (2 * (box.right - box.left));
      while (first < last && first->column < column) ++first;
      for (const Strip* strip = first; strip < last && strip->column == column; ++strip) {
        const int32_t top = row(strip->top), bottom = row(strip->bottom);
        if (top < bottom) strips.push_back({static_cast<int32_t>(x), top, bottom});
      }
    }
    starts.push_back(static_cast<int64_t>(strips.size()));
  }
  return to_tensors(starts, strips);
}

at::Tensor count_shared(const at::Tensor& starts_in, const at::Tensor& strips_in, const at::Tensor& other_starts_in,
                        const at::Tensor& other_strips_in, const at::Tensor& pairs_in) {
  const Masks masks = view_masks(starts_in, strips_in), others = view_masks(other_starts_in, other_strips_in);
  TORCH_CHECK_VALUE(pairs_in.dim() == 2 && pairs_in.size(1) == 2 && pairs_in.scalar_type() == at::kLong,
                    "pairs: expected int64 [P, 2], got ", pairs_in.scalar_type(), " ", pairs_in.sizes());
  const at::Tensor pairs = pairs_in.contiguous();
  at::Tensor shared = at::empty({pairs.size(0)}, at::kLong);
  int64_t* out = shared.mutable_data_ptr<int64_t>();
  for (const int64_t *pair = pairs.const_data_ptr<int64_t>(), *const end = pair + 2 * pairs.size(0); pair < end; pair += 2) {
    TORCH_CHECK_VALUE(pair[0] >= 0 && pair[0] < masks.count && pair[1] >= 0 && pair[1] < others.count, "pairs: (", pair[0], ", ",
                      pair[1], ") of ", masks.count, " and ", others.count, " masks");
    const Strip *a = masks.strips + masks.starts[pair[0]], *const a_end = masks.strips + masks.starts[pair[0] + 1],
                *b = others.strips + others.starts[pair[1]], *const b_end = others.strips + others.starts[pair[1] + 1];
    int64_t sum = 0;
    while (a < a_end && b < b_end) {
      if (a->column == b->column) {
        sum += std::max(std::min(a->bottom, b->bottom) - std::max(a->top, b->top), 0);
      }
      const bool a_ends_first = a->column != b->column ? a->column < b->column : a->bottom < b->bottom;
      a_ends_first ? ++a : ++b;
    }
    *out++ = sum;
  }
  return shared;
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) {
  m.impl("strips", find_strips);
  m.impl("move_strips", move_strips);
  m.impl("shared_pixels", count_shared);
}

}  // namespace fcis

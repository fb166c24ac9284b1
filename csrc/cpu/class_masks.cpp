// The assembled outside/inside pair of one class per ROI.
#include <torch/library.h>

#include "common.h"

namespace fcis {
namespace {

at::Tensor check_labels(const at::Tensor& labels, const at::Tensor& boxes) {
  TORCH_CHECK_VALUE(labels.dim() == 1 && labels.size(0) == boxes.size(0), "labels: expected [", boxes.size(0), "], got ",
                    labels.sizes());
  TORCH_CHECK_VALUE(at::isIntegralType(labels.scalar_type(), false), "labels: expected integers, got ", labels.scalar_type());
  TORCH_CHECK_VALUE(labels.device() == boxes.device(), "labels: on ", labels.device(), ", but rois on ", boxes.device());
  return labels.to(at::kLong).contiguous();
}

at::Tensor class_masks(const at::Tensor& maps_in, const at::Tensor& boxes, const at::Tensor& labels_in, int64_t bins,
                       int64_t size, int64_t stride) {
  const int64_t cells = bins * bins;
  check(maps_in, boxes, bins, size, stride, 2 * cells);
  const at::Tensor labels = check_labels(labels_in, boxes), maps = maps_in.contiguous();
  const int64_t pixels = maps.size(2) * maps.size(3), width = maps.size(3), classes = maps.size(1) / (2 * cells);
  const int64_t* label = labels.const_data_ptr<int64_t>();
  const Rois rois = find_bins(maps, boxes, bins, size, stride);
  at::Tensor pairs = at::zeros({rois.count, 2, size, size}, maps.options().dtype(at::kFloat));
  float* out = pairs.data_ptr<float>();
  FCIS_DISPATCH(maps, "class_masks", [&] {
    const scalar_t* data = maps.const_data_ptr<scalar_t>();
    at::parallel_for(0, rois.count, 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        if (rois.image[r] < 0 || label[r] < 0 || label[r] >= classes) continue;  // zeros
        const scalar_t* pair = data + (rois.image[r] * maps.size(1) + label[r] * 2 * cells) * pixels;
        for (int side = 0; side < 2; ++side) {
          for (int64_t p = 0; p < size; ++p) {
            for (int64_t q = 0; q < size; ++q) {
              const Range row = rois.rows[r * size + p], column = rois.columns[r * size + q];
              if (row.count() <= 0 || column.count() <= 0) continue;
              const int64_t cell = p / rois.per_cell * bins + q / rois.per_cell;
              const scalar_t* plane = pair + (side * cells + cell) * pixels;
              float sum = 0.0f;
              for (int y = row.begin; y < row.end; ++y) {
                for (int x = column.begin; x < column.end; ++x) sum += static_cast<float>(plane[y * width + x]);
              }
              out[((r * 2 + side) * size + p) * size + q] = sum / static_cast<float>(row.count() * column.count());
            }
          }
        }
      }
    });
  });
  return pairs;
}

// Cells own disjoint channels: one thread per cell needs no atomics, and sums have one order.
at::Tensor class_masks_backward(const at::Tensor& grad_in, const at::Tensor& maps, const at::Tensor& boxes,
                                const at::Tensor& labels_in, int64_t bins, int64_t size, int64_t stride) {
  const int64_t cells = bins * bins;
  check(maps, boxes, bins, size, stride, 2 * cells);
  const at::Tensor labels = check_labels(labels_in, boxes), grad = grad_in.to(at::kFloat).contiguous();
  TORCH_CHECK_VALUE(grad.dim() == 4 && grad.size(0) == boxes.size(0) && grad.size(1) == 2 && grad.size(2) == size &&
                        grad.size(3) == size, "grad: expected [", boxes.size(0), ", 2, ", size, ", ", size, "], got ", grad.sizes());
  const int64_t pixels = maps.size(2) * maps.size(3), width = maps.size(3), classes = maps.size(1) / (2 * cells);
  const int64_t* label = labels.const_data_ptr<int64_t>();
  const float* in = grad.const_data_ptr<float>();
  const Rois rois = find_bins(maps, boxes, bins, size, stride);
  at::Tensor sums = at::zeros(maps.sizes(), maps.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous));
  float* out = sums.data_ptr<float>();
  at::parallel_for(0, cells, 1, [&](int64_t begin, int64_t end) {
    for (int64_t cell = begin; cell < end; ++cell) {
      for (int64_t r = 0; r < rois.count; ++r) {
        if (rois.image[r] < 0 || label[r] < 0 || label[r] >= classes) continue;
        const Range *rows = rois.row(r, cell / bins), *columns = rois.column(r, cell % bins);
        const int64_t top = cell / bins * rois.per_cell, left = cell % bins * rois.per_cell;
        for (int side = 0; side < 2; ++side) {
          float* plane = out + (rois.image[r] * maps.size(1) + (label[r] * 2 + side) * cells + cell) * pixels;
          for (int p = 0; p < rois.per_cell; ++p) {
            for (int q = 0; q < rois.per_cell; ++q) {
              if (rows[p].count() <= 0 || columns[q].count() <= 0) continue;
              const float share = in[((r * 2 + side) * size + top + p) * size + left + q] /
                                  static_cast<float>(rows[p].count() * columns[q].count());
              for (int y = rows[p].begin; y < rows[p].end; ++y) {
                for (int x = columns[q].begin; x < columns[q].end; ++x) plane[y * width + x] += share;
              }
            }
          }
        }
      }
    }
  });
  return sums.to(maps.scalar_type());
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) {
  m.impl("class_masks", class_masks);
  m.impl("class_masks_backward", class_masks_backward);
}

}  // namespace fcis

// Position-sensitive average of the box maps. The mean over bins is linear and bin membership separable: within a cell every
// feature cell (y, x) counts wy(y) * wx(x), with w the sum of 1/n over the bins that contain it. No grid is formed.
#include <torch/library.h>

#include <algorithm>

#include "common.h"

namespace fcis {
namespace {

// Weights of the cells of an axis within one cell of the partition; returns the cells they are for.
Range weigh(const Range* bins, int count, std::vector<float>& weights) {
  Range all{1 << 30, 0};
  for (int p = 0; p < count; ++p) {
    if (bins[p].count() > 0) all = {std::min(all.begin, bins[p].begin), std::max(all.end, bins[p].end)};
  }
  if (all.count() <= 0) return {0, 0};
  weights.assign(all.count(), 0.0f);
  for (int p = 0; p < count; ++p) {
    for (int i = bins[p].begin; i < bins[p].end; ++i) weights[i - all.begin] += 1.0f / static_cast<float>(bins[p].count());
  }
  return all;
}

at::Tensor box_deltas(const at::Tensor& maps_in, const at::Tensor& boxes, int64_t bins, int64_t size, int64_t stride) {
  const int64_t cells = bins * bins;
  check(maps_in, boxes, bins, size, stride, cells);
  const at::Tensor maps = maps_in.contiguous();
  const int64_t pixels = maps.size(2) * maps.size(3), width = maps.size(3), outputs = maps.size(1) / cells;
  const Rois rois = find_bins(maps, boxes, bins, size, stride);
  at::Tensor deltas = at::zeros({rois.count, outputs}, maps.options().dtype(at::kFloat));
  float* out = deltas.data_ptr<float>();
  FCIS_DISPATCH(maps, "box_deltas", [&] {
    const scalar_t* data = maps.const_data_ptr<scalar_t>();
    at::parallel_for(0, rois.count, 16, [&](int64_t begin, int64_t end) {
      std::vector<float> wy, wx;
      for (int64_t r = begin; r < end; ++r) {
        if (rois.image[r] < 0) continue;
        for (int64_t cell = 0; cell < cells; ++cell) {
          const Range rows = weigh(rois.row(r, cell / bins), rois.per_cell, wy);
          const Range columns = weigh(rois.column(r, cell % bins), rois.per_cell, wx);
          for (int64_t d = 0; d < outputs; ++d) {
            const scalar_t* plane = data + (rois.image[r] * maps.size(1) + d * cells + cell) * pixels;
            float sum = 0.0f;
            for (int y = rows.begin; y < rows.end; ++y) {
              float row = 0.0f;
              for (int x = columns.begin; x < columns.end; ++x) {
                row += wx[x - columns.begin] * static_cast<float>(plane[y * width + x]);
              }
              sum += wy[y - rows.begin] * row;
            }
            out[r * outputs + d] += sum;
          }
        }
      }
    });
  });
  return deltas.div_(static_cast<double>(size * size));
}

at::Tensor box_deltas_backward(const at::Tensor& grad_in, const at::Tensor& maps, const at::Tensor& boxes, int64_t bins,
                               int64_t size, int64_t stride) {
  const int64_t cells = bins * bins;
  check(maps, boxes, bins, size, stride, cells);
  const int64_t pixels = maps.size(2) * maps.size(3), width = maps.size(3), outputs = maps.size(1) / cells;
  TORCH_CHECK_VALUE(grad_in.dim() == 2 && grad_in.size(0) == boxes.size(0) && grad_in.size(1) == outputs, "grad: expected [",
                    boxes.size(0), ", ", outputs, "], got ", grad_in.sizes());
  const at::Tensor grad = grad_in.to(at::kFloat).div(static_cast<double>(size * size)).contiguous();
  const float* in = grad.const_data_ptr<float>();
  const Rois rois = find_bins(maps, boxes, bins, size, stride);
  at::Tensor sums = at::zeros(maps.sizes(), maps.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous));
  float* out = sums.data_ptr<float>();
  at::parallel_for(0, cells, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> wy, wx;
    for (int64_t cell = begin; cell < end; ++cell) {
      for (int64_t r = 0; r < rois.count; ++r) {
        if (rois.image[r] < 0) continue;
        const Range rows = weigh(rois.row(r, cell / bins), rois.per_cell, wy);
        const Range columns = weigh(rois.column(r, cell % bins), rois.per_cell, wx);
        for (int64_t d = 0; d < outputs; ++d) {
          float* plane = out + (rois.image[r] * maps.size(1) + d * cells + cell) * pixels;
          const float share = in[r * outputs + d];
          for (int y = rows.begin; y < rows.end; ++y) {
            const float row = share * wy[y - rows.begin];
            for (int x = columns.begin; x < columns.end; ++x) plane[y * width + x] += row * wx[x - columns.begin];
          }
        }
      }
    }
  });
  return sums.to(maps.scalar_type());
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) {
  m.impl("box_deltas", box_deltas);
  m.impl("box_deltas_backward", box_deltas_backward);
}

}  // namespace fcis

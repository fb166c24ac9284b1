// Class scores straight from the score maps: per bin max(outside, inside), then the mean over all bins.
//
// Work goes cell by cell: the planes of one cell of the k x k partition are transposed into a buffer [pixel, side, class] that
// stays in the L2 cache while all ROIs are read from it, 16 classes at a time. Maps are read from memory once; half-precision
// maps are widened on the way. Backward fills a buffer of the same layout: cells own disjoint channels, so nothing is shared
// between threads and the sums have one order.
#include <torch/library.h>

#include <algorithm>

#include "common.h"

namespace fcis {
namespace {

constexpr int kLanes = 16;
constexpr int64_t kGroups = 16;  // partial sums, a fixed number: results do not depend on the number of threads
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(4)));

struct Cell {
  float* data;        // [h * w, 2, padded]
  int width, padded;  // classes rounded up to whole vectors
  Lanes& at(int y, int x, int side, int block) const {
    return *reinterpret_cast<Lanes*>(data + ((static_cast<int64_t>(y) * width + x) * 2 + side) * padded + block);
  }
};

template <typename T>
void pack(const T* maps, int64_t step, int classes, int64_t pixels, const Cell& cell) {
  const int64_t row = 2 * cell.padded;
  for (int64_t first = 0; first < pixels; first += kLanes) {
    const int64_t last = std::min<int64_t>(first + kLanes, pixels);
    for (int side = 0; side < 2; ++side) {
      for (int c = 0; c < classes; ++c) {
        const T* plane = maps + (2 * c + side) * step;
        float* out = cell.data + side * cell.padded + c;
        for (int64_t p = first; p < last; ++p) out[p * row] = static_cast<float>(plane[p]);
      }
    }
  }
}

template <typename T>
void unpack(T* maps, int64_t step, int classes, int64_t pixels, const Cell& cell) {
  const int64_t row = 2 * cell.padded;
  for (int64_t first = 0; first < pixels; first += kLanes) {
    const int64_t last = std::min<int64_t>(first + kLanes, pixels);
    for (int side = 0; side < 2; ++side) {
      for (int c = 0; c < classes; ++c) {
        T* plane = maps + (2 * c + side) * step;
        const float* in = cell.data + side * cell.padded + c;
        for (int64_t p = first; p < last; ++p) plane[p] = static_cast<T>(in[p * row]);
      }
    }
  }
}

// Adds one cell's bins of one ROI to sums [padded].
FCIS_CLONES void add_scores(const Cell& cell, const Range* rows, const Range* columns, int per_cell, float* sums) {
  for (int block = 0; block < cell.padded; block += kLanes) {
    Lanes total = *reinterpret_cast<Lanes*>(sums + block);
    for (int p = 0; p < per_cell; ++p) {
      for (int q = 0; q < per_cell; ++q) {
        const Range row = rows[p], column = columns[q];
        if (row.count() <= 0 || column.count() <= 0) continue;
        Lanes outside = {}, inside = {};
        for (int y = row.begin; y < row.end; ++y) {
          for (int x = column.begin; x < column.end; ++x) {
            outside += cell.at(y, x, 0, block);
            inside += cell.at(y, x, 1, block);
          }
        }
        total += (inside > outside ? inside : outside) / static_cast<float>(row.count() * column.count());
      }
    }
    *reinterpret_cast<Lanes*>(sums + block) = total;
  }
}

// Finds the winners again and gives them grad [padded], the gradient of one bin.
FCIS_CLONES void add_gradients(const Cell& cell, const Cell& result, const Range* rows, const Range* columns, int per_cell,
                               const float* grad) {
  for (int block = 0; block < cell.padded; block += kLanes) {
    const Lanes wanted = *reinterpret_cast<const Lanes*>(grad + block);
    const Lanes zero = {};
    for (int p = 0; p < per_cell; ++p) {
      for (int q = 0; q < per_cell; ++q) {
        const Range row = rows[p], column = columns[q];
        if (row.count() <= 0 || column.count() <= 0) continue;
        Lanes outside = {}, inside = {};
        for (int y = row.begin; y < row.end; ++y) {
          for (int x = column.begin; x < column.end; ++x) {
            outside += cell.at(y, x, 0, block);
            inside += cell.at(y, x, 1, block);
          }
        }
        const Lanes share = wanted / static_cast<float>(row.count() * column.count());
        const Lanes to_inside = inside > outside ? share : zero, to_outside = inside > outside ? zero : share;
        for (int y = row.begin; y < row.end; ++y) {
          for (int x = column.begin; x < column.end; ++x) {
            result.at(y, x, 0, block) += to_outside;
            result.at(y, x, 1, block) += to_inside;
          }
        }
      }
    }
  }
}

int padded(int64_t classes) { return static_cast<int>((classes + kLanes - 1) / kLanes * kLanes); }

at::Tensor class_scores(const at::Tensor& maps_in, const at::Tensor& boxes, int64_t bins, int64_t size, int64_t stride) {
  const int64_t cells = bins * bins;
  check(maps_in, boxes, bins, size, stride, 2 * cells);
  const at::Tensor maps = maps_in.contiguous();
  const int64_t pixels = maps.size(2) * maps.size(3), classes = maps.size(1) / (2 * cells);
  const Rois rois = find_bins(maps, boxes, bins, size, stride);
  const int width = static_cast<int>(maps.size(3)), lanes = padded(classes);
  const int64_t groups = std::min(kGroups, cells);
  at::Tensor partial = at::zeros({groups, rois.count, lanes}, maps.options().dtype(at::kFloat));
  float* sums = partial.data_ptr<float>();
  FCIS_DISPATCH(maps, "class_scores", [&] {
    const scalar_t* data = maps.const_data_ptr<scalar_t>();
    at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> buffer(pixels * 2 * lanes);
      const Cell cell{buffer.data(), width, lanes};
      for (int64_t group = begin; group < end; ++group) {
        for (int64_t index = group; index < cells; index += groups) {
          for (int64_t n = 0; n < maps.size(0); ++n) {
            if (rois.of_image[n].empty()) continue;
            pack(data + (n * maps.size(1) + index) * pixels, cells * pixels, classes, pixels, cell);
            for (int r : rois.of_image[n]) {
              add_scores(cell, rois.row(r, index / bins), rois.column(r, index % bins), rois.per_cell,
                         sums + (group * rois.count + r) * lanes);
            }
          }
        }
      }
    });
  });
  return partial.sum(0).slice(1, 0, classes).div(static_cast<double>(size * size));
}

at::Tensor class_scores_backward(const at::Tensor& grad, const at::Tensor& maps_in, const at::Tensor& boxes, int64_t bins,
                                 int64_t size, int64_t stride) {
  const int64_t cells = bins * bins;
  check(maps_in, boxes, bins, size, stride, 2 * cells);
  const at::Tensor maps = maps_in.contiguous();
  const int64_t pixels = maps.size(2) * maps.size(3), classes = maps.size(1) / (2 * cells);
  TORCH_CHECK_VALUE(grad.dim() == 2 && grad.size(0) == boxes.size(0) && grad.size(1) == classes, "grad: expected [",
                    boxes.size(0), ", ", classes, "], got ", grad.sizes());
  const Rois rois = find_bins(maps, boxes, bins, size, stride);
  const int width = static_cast<int>(maps.size(3)), lanes = padded(classes);
  at::Tensor wanted = at::zeros({rois.count, lanes}, maps.options().dtype(at::kFloat));
  wanted.slice(1, 0, classes).copy_(grad.to(at::kFloat).div(static_cast<double>(size * size)));
  const float* share = wanted.data_ptr<float>();
  at::Tensor result = at::empty_like(maps);
  FCIS_DISPATCH(maps, "class_scores_backward", [&] {
    const scalar_t* data = maps.const_data_ptr<scalar_t>();
    scalar_t* out = result.data_ptr<scalar_t>();
    at::parallel_for(0, cells, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> buffer(pixels * 2 * lanes), sums(pixels * 2 * lanes);
      const Cell cell{buffer.data(), width, lanes}, gradient{sums.data(), width, lanes};
      for (int64_t index = begin; index < end; ++index) {
        for (int64_t n = 0; n < maps.size(0); ++n) {
          const int64_t offset = (n * maps.size(1) + index) * pixels;
          std::fill(sums.begin(), sums.end(), 0.0f);
          if (!rois.of_image[n].empty()) pack(data + offset, cells * pixels, classes, pixels, cell);
          for (int r : rois.of_image[n]) {
            add_gradients(cell, gradient, rois.row(r, index / bins), rois.column(r, index % bins), rois.per_cell,
                          share + static_cast<int64_t>(r) * lanes);
          }
          unpack(out + offset, cells * pixels, classes, pixels, gradient);
        }
      }
    });
  });
  return result;
}

at::Tensor bin_edges(const at::Tensor& low, const at::Tensor& high, int64_t size, int64_t length, int64_t stride) {
  TORCH_CHECK_VALUE(low.dim() == 1 && low.sizes() == high.sizes(), "high: expected the shape of low");
  const at::Tensor lows = low.to(at::kFloat).contiguous(), highs = high.to(at::kFloat).contiguous();
  at::Tensor edges = at::empty({low.size(0), size, 2}, low.options().dtype(at::kLong));
  int64_t* out = edges.data_ptr<int64_t>();
  const float scale = static_cast<float>(1.0 / static_cast<double>(stride));
  for (int64_t r = 0; r < low.size(0); ++r) {
    const Axis axis = make_axis(lows.data_ptr<float>()[r], highs.data_ptr<float>()[r], size, length, scale);
    for (int p = 0; p < size; ++p) {
      *out++ = bin_start(axis, p);
      *out++ = bin_end(axis, p);
    }
  }
  return edges;
}

}  // namespace

TORCH_LIBRARY_IMPL(fcis_ros, CPU, m) {
  m.impl("class_scores", class_scores);
  m.impl("class_scores_backward", class_scores_backward);
  m.impl("bin_edges", bin_edges);
}

}  // namespace fcis

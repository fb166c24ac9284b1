// What the CPU operators share: checked arguments and the bins of every ROI.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <vector>

#include "../geometry.h"

// Kernels are compiled for several instruction sets; the loader picks. Contraction is off, so all give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__)
#define FCIS_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FCIS_CLONES
#endif

#define FCIS_DISPATCH(maps, name, ...) \
  AT_DISPATCH_SWITCH(maps.scalar_type(), name, AT_DISPATCH_CASE(at::kFloat, __VA_ARGS__) \
                     AT_DISPATCH_CASE(at::kHalf, __VA_ARGS__) AT_DISPATCH_CASE(at::kBFloat16, __VA_ARGS__))

namespace fcis {

struct Range {
  int begin, end;
  int count() const { return end - begin; }
};

// The ROIs of one call with the cells of all their bins.
struct Rois {
  int64_t count;
  int size, per_cell;
  std::vector<int> image;                     // -1: ignored (no such image, or a box that is not finite)
  std::vector<Range> rows, columns;           // [count, size]
  std::vector<std::vector<int>> of_image;     // indices of each image's ROIs, in order
  const Range* row(int64_t r, int cell) const { return &rows[r * size + cell * per_cell]; }
  const Range* column(int64_t r, int cell) const { return &columns[r * size + cell * per_cell]; }
};

// Channels of the maps are groups * k * k. Throws with the argument's name.
inline void check(const at::Tensor& maps, const at::Tensor& rois, int64_t bins, int64_t size, int64_t stride, int64_t multiple) {
  TORCH_CHECK_VALUE(maps.dim() == 4, "maps: expected [N, channels, h, w], got ", maps.dim(), " dimensions");
  TORCH_CHECK_VALUE(maps.scalar_type() == at::kFloat || maps.scalar_type() == at::kHalf || maps.scalar_type() == at::kBFloat16,
                    "maps: expected float32, float16 or bfloat16, got ", maps.scalar_type());
  TORCH_CHECK_VALUE(rois.dim() == 2 && rois.size(1) == 5, "rois: expected [R, 5], got ", rois.sizes());
  TORCH_CHECK_VALUE(rois.is_floating_point(), "rois: expected floating point, got ", rois.scalar_type());
  TORCH_CHECK_VALUE(rois.device() == maps.device(), "rois: on ", rois.device(), ", but maps on ", maps.device());
  TORCH_CHECK_VALUE(bins >= 1 && bins <= 1024, "bins: expected 1..1024, got ", bins);
  TORCH_CHECK_VALUE(size >= 1 && size <= 4096 && size % bins == 0, "size: ", size, " is no multiple of bins = ", bins);
  TORCH_CHECK_VALUE(stride >= 1, "stride: expected at least 1, got ", stride);
  TORCH_CHECK_VALUE(maps.size(1) >= multiple && maps.size(1) % multiple == 0, "maps: ", maps.size(1),
                    " channels are no multiple of ", multiple, " for bins = ", bins);
  TORCH_CHECK_VALUE(maps.size(2) < (1 << 24) && maps.size(3) < (1 << 24), "maps: too large, ", maps.sizes());
}

inline Rois find_bins(const at::Tensor& maps, const at::Tensor& tensor, int64_t bins, int64_t size, int64_t stride) {
  const at::Tensor contiguous = tensor.to(at::kFloat).contiguous();
  const float* box = contiguous.data_ptr<float>();
  const float scale = static_cast<float>(1.0 / static_cast<double>(stride));
  const int height = static_cast<int>(maps.size(2)), width = static_cast<int>(maps.size(3));
  Rois rois{tensor.size(0), static_cast<int>(size), static_cast<int>(size / bins), {}, {}, {}, {}};
  rois.image.resize(rois.count);
  rois.rows.resize(rois.count * size);
  rois.columns.resize(rois.count * size);
  rois.of_image.resize(maps.size(0));
  for (int64_t r = 0; r < rois.count; ++r, box += 5) {
    const Axis y = make_axis(box[2], box[4], rois.size, height, scale);
    const Axis x = make_axis(box[1], box[3], rois.size, width, scale);
    int image = -1;
    for (int64_t n = 0; n < maps.size(0); ++n) {
      if (box[0] == static_cast<float>(n)) image = static_cast<int>(n);
    }
    if (y.length == 0 || x.length == 0) image = -1;
    rois.image[r] = image;
    if (image >= 0) rois.of_image[image].push_back(static_cast<int>(r));
    for (int p = 0; p < rois.size; ++p) {
      rois.rows[r * size + p] = {bin_start(y, p), bin_end(y, p)};
      rois.columns[r * size + p] = {bin_start(x, p), bin_end(x, p)};
    }
  }
  return rois;
}

}  // namespace fcis

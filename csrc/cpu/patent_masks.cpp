// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The cells that every ROI covers where the maps are read as they are, and the outside/inside pair of one class at points of its
// box.
#include "patent_kernels.h"

namespace fcis {

Covers find_covers(const Rois& given, const Maps& maps) {
  Covers rois{given, {}, {}};
  rois.all.resize(given.count);
  rois.of_image.resize(maps.images);
  for (int64_t r = 0; r < given.count; ++r) {
    rois.all[r] = find_cover(given.data + r * 5, static_cast<int>(maps.images), static_cast<int>(maps.height),
                             static_cast<int>(maps.width), given.stride);
    if (rois.all[r].image >= 0) rois.of_image[rois.all[r].image].push_back(static_cast<int>(r));
  }
  return rois;
}

namespace {

// Cells and bins of an ROI's points along one axis.
struct Points {
  std::vector<int> cell, bin;
  Points(const Rois& rois, float low, float high, Span cover) : cell(rois.size), bin(rois.size) {
    for (int p = 0; p < rois.size; ++p) {
      cell[p] = find_point(low, high, cover, rois.size, p, rois.stride);
      bin[p] = find_bin(cover, rois.bins, cell[p]);
    }
  }
};
Points rows_of(const Covers& rois, int64_t r) {
  const float* roi = rois.given.data + r * 5;
  return {rois.given, roi[2], roi[4], rois.all[r].rows};
}
Points columns_of(const Covers& rois, int64_t r) {
  const float* roi = rois.given.data + r * 5;
  return {rois.given, roi[1], roi[3], rois.all[r].columns};
}

}  // namespace

void patent_mask_of_roi(const Maps& maps, const Covers& rois, int64_t padded, int64_t roi, int64_t label, float* pair) {
  if (rois.all[roi].image < 0 || label < 0 || label >= padded) return;
  const Points rows = rows_of(rois, roi), columns = columns_of(rois, roi);
  const int size = rois.given.size, bins = rois.given.bins;
  with_element(maps, [&](auto* data) {
    const auto* image = data + rois.all[roi].image * maps.channels * maps.pixels();
    for (int side = 0; side < 2; ++side) {
      for (int p = 0; p < size; ++p) {
        for (int q = 0; q < size; ++q) {
          const int64_t channel = ((rows.bin[p] * bins + columns.bin[q]) * padded + label) * 2 + side;
          const int64_t cell = rows.cell[p] * maps.width + columns.cell[q];
          *pair++ = to_float(image[channel * maps.channel_step() + cell * maps.pixel_step()]);
        }
      }
    }
  });
}

void patent_masks_gradient(const float* grad, const int64_t* labels, const Maps& shape, const Covers& rois, int64_t padded,
                           int bin, float* result) {
  const int size = rois.given.size, bins = rois.given.bins;
  for (int64_t r = 0; r < rois.given.count; ++r) {
    if (rois.all[r].image < 0 || labels[r] < 0 || labels[r] >= padded) continue;
    const Points rows = rows_of(rois, r), columns = columns_of(rois, r);
    for (int side = 0; side < 2; ++side) {
      float* const plane = result + rois.all[r].image * shape.channels * shape.pixels() +
                           ((bin * padded + labels[r]) * 2 + side) * shape.channel_step();
      const float* const wanted = grad + (r * 2 + side) * size * size;
      for (int p = 0; p < size; ++p) {
        if (rows.bin[p] != bin / bins) continue;
        for (int q = 0; q < size; ++q) {
          if (columns.bin[q] != bin % bins) continue;
          plane[(rows.cell[p] * shape.width + columns.cell[q]) * shape.pixel_step()] += wanted[p * size + q];
        }
      }
    }
  }
}

}  // namespace fcis

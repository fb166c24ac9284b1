// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// The kernels that read maps inside ROIs, through a grid and as they are, against slow.h.
#pragma once

#include "fuzz_values.h"
#include "patent_kernels.h"
#include "slow.h"

namespace {

// Some of no class.
int64_t any_label(int64_t classes) {
  const int label = integer(-2, static_cast<int>(classes) + 1);
  return label < classes ? label : label + kClassAlignment;
}

// [rows, padded] with zeros behind the classes, where the sums are of no meaning.
std::vector<float> zero_behind(std::vector<float> rows, int64_t classes, int64_t padded) {
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i) % padded < classes ? rows[i] : 0.0f;
  return rows;
}

void assembling() {
  const int bins = integer(1, 4), size = bins * integer(1, 3), stride = integer(1, 32), all_bins = bins * bins;
  const int64_t classes = integer(1, 40), images = integer(1, 2), height = integer(1, 12), width = integer(1, 12),
                count = integer(0, 8), squares = size * size;
  const bool channels_last = integer(0, 1) == 1;
  std::vector<float> rois(count * 5);
  std::vector<int64_t> labels(count);
  for (int64_t r = 0; r < count; ++r) {
    rois[r * 5] = integer(0, 3) == 0 ? coordinate() : static_cast<float>(integer(-1, 2));
    for (int c = 1; c < 5; ++c) rois[r * 5 + c] = coordinate();
    labels[r] = any_label(classes);
  }
  const int64_t padded = pad_classes(classes);
  const Layout score{all_bins * padded * 2, height, width, channels_last}, box{all_bins * 4, height, width, channels_last};
  const std::vector<float> score_maps = exact_values(images * score.channels * height * width),
                           box_maps = exact_values(images * box.channels * height * width);
  const bool brain = integer(0, 1) == 1;
  const std::vector<BFloat16> score_brain = halved(score_maps), box_brain = halved(box_maps);
  const Element element = brain ? Element::kBFloat16 : Element::kFloat32;
  const void* score_data = brain ? static_cast<const void*>(score_brain.data()) : score_maps.data();
  const void* box_data = brain ? static_cast<const void*>(box_brain.data()) : box_maps.data();
  const Maps scores{score_data, images, score.channels, height, width, element, channels_last};
  const Maps boxes{box_data, images, box.channels, height, width, element, channels_last};
  const RoiSpans spans = find_spans({rois.data(), count, bins, size, stride}, scores);
  std::vector<float> buffer, result_buffer, sums(count * padded), pairs(count * 2 * squares), deltas(count * 4);
  std::vector<float> score_grad(score_maps.size()), mask_grad(score_maps.size()), box_grad(box_maps.size());
  const std::vector<float> logits_wanted = zero_behind(values(sums.size()), classes, padded), pairs_wanted = values(pairs.size()),
                           deltas_wanted = values(deltas.size());
  for (int bin = 0; bin < all_bins; ++bin) {
    add_class_logits(scores, spans, padded, bin, buffer, sums.data());
    class_logits_gradient(logits_wanted.data(), scores, spans, padded, bin, buffer, result_buffer, score_grad.data());
    mask_logits_gradient(pairs_wanted.data(), labels.data(), scores, spans, padded, bin, mask_grad.data());
    box_deltas_gradient(deltas_wanted.data(), boxes, spans, 4, bin, box_grad.data());
  }
  for (int64_t r = 0; r < count; ++r) {
    mask_logits_of_roi(scores, spans, padded, r, labels[r], pairs.data() + r * 2 * squares);
    add_box_deltas(boxes, spans, 4, r, deltas.data() + r * 4);
  }

  const slow::Value score_at = [&](auto... position) { return score_maps[score.offset(position...)]; };
  const slow::Value box_at = [&](auto... position) { return box_maps[box.offset(position...)]; };
  std::vector<double> slow_sums(sums.size()), slow_pairs(pairs.size()), slow_deltas(deltas.size());
  std::vector<double> slow_score_grad(score_maps.size()), slow_mask_grad(score_maps.size()), slow_box_grad(box_maps.size());
  for (int64_t r = 0; r < count; ++r) {
    const float* given = rois.data() + r * 5;
    const slow::Roi roi{given[0], {given[1], given[2]}, {given[3], given[4]}};
    if (!roi.lies_in(images)) continue;
    const int64_t image = static_cast<int64_t>(given[0]);
    const auto all = slow::squares(roi, bins, size, stride, height, width);
    for (int64_t s = 0; s < squares; ++s) {
      const slow::Square& square = all[s];
      const double share = square.cells.empty() ? 0.0 : 1.0 / static_cast<double>(square.cells.size());
      for (int64_t c = 0; c < classes; ++c) {
        const int64_t outside = (square.bin * padded + c) * 2, inside = outside + 1;
        const double out = slow::sum(square, score_at, image, outside), in = slow::sum(square, score_at, image, inside);
        slow_sums[r * padded + c] += std::max(out, in) * share;
        for (const auto& [y, x] : square.cells) {
          slow_score_grad[score.offset(image, in > out ? inside : outside, y, x)] += share * logits_wanted[r * padded + c];
        }
        if (c != labels[r]) continue;
        for (int side = 0; side < 2; ++side) {
          const int64_t at = (r * 2 + side) * squares + s;
          slow_pairs[at] = (side ? in : out) * share;
          for (const auto& [y, x] : square.cells) {
            slow_mask_grad[score.offset(image, side ? inside : outside, y, x)] += share * pairs_wanted[at];
          }
        }
      }
      for (int d = 0; d < 4; ++d) {
        slow_deltas[r * 4 + d] += slow::sum(square, box_at, image, square.bin * 4 + d) * share;
        for (const auto& [y, x] : square.cells) {
          slow_box_grad[box.offset(image, square.bin * 4 + d, y, x)] += share * deltas_wanted[r * 4 + d];
        }
      }
    }
  }
  const auto compare = [](const std::vector<float>& fast, const std::vector<double>& slowly, const char* what) {
    for (size_t i = 0; i < fast.size(); ++i) expect_near(fast[i], slowly[i], 1e-4, what);
  };
  compare(zero_behind(sums, classes, padded), slow_sums, "class logits");
  compare(pairs, slow_pairs, "mask logits");
  compare(deltas, slow_deltas, "box deltas");
  compare(score_grad, slow_score_grad, "gradient of class logits");
  compare(mask_grad, slow_mask_grad, "gradient of mask logits");
  compare(box_grad, slow_box_grad, "gradient of box deltas");
}

void reading_as_it_is() {
  const int bins = integer(1, 5), size = integer(1, 9), stride = integer(1, 32), all_bins = bins * bins;
  const int64_t classes = integer(1, 40), images = integer(1, 2), height = integer(1, 12), width = integer(1, 12),
                count = integer(0, 8);
  const bool pairs = integer(0, 1) == 1, channels_last = integer(0, 1) == 1, brain = integer(0, 1) == 1;
  std::vector<float> rois(count * 5);
  std::vector<int64_t> labels(count);
  for (int64_t r = 0; r < count; ++r) {
    rois[r * 5] = integer(0, 3) == 0 ? coordinate() : static_cast<float>(integer(-1, 2));
    for (int c = 1; c < 5; ++c) rois[r * 5 + c] = coordinate();
    labels[r] = any_label(classes);
  }
  const int64_t padded = pad_classes(classes);
  const Layout layout{all_bins * (pairs ? 2 * padded : classes), height, width, channels_last};
  const std::vector<float> wide = exact_values(images * layout.channels * height * width);
  const std::vector<BFloat16> narrow = halved(wide);
  const Maps maps{brain ? static_cast<const void*>(narrow.data()) : wide.data(),
                  images,
                  layout.channels,
                  height,
                  width,
                  brain ? Element::kBFloat16 : Element::kFloat32,
                  channels_last};
  const Covers covers = find_covers({rois.data(), count, bins, size, stride}, maps);
  PatentBuffers buffers;
  std::vector<double> sums(count * classes), shares(count), slow_sums(sums.size()), slow_grad(wide.size()),
      slow_mask_grad(wide.size());
  std::vector<float> grad(wide.size()), mask_grad(wide.size()), points(count * 2 * size * size);
  const std::vector<float> wanted = values(sums.size()), points_wanted = values(points.size());
  for (int64_t r = 0; r < count; ++r) shares[r] = 1.0 / static_cast<double>(std::max<int64_t>(covers.all[r].cells(), 1));
  for (int bin = 0; bin < all_bins; ++bin) {
    add_patent_sums(maps, covers, classes, pairs, bin, buffers, sums.data());
    patent_means_gradient(wanted.data(), shares.data(), maps, covers, classes, pairs, bin, buffers, grad.data());
    if (pairs) patent_masks_gradient(points_wanted.data(), labels.data(), maps, covers, padded, bin, mask_grad.data());
  }
  for (int64_t r = 0; pairs && r < count; ++r)
    patent_mask_of_roi(maps, covers, padded, r, labels[r], points.data() + r * 2 * size * size);

  for (int64_t r = 0; r < count; ++r) {
    const float* given = rois.data() + r * 5;
    bool valid = given[0] >= 0 && given[0] < static_cast<float>(images) && std::trunc(given[0]) == given[0];
    for (int c = 1; c < 5; ++c) valid = valid && std::isfinite(given[c]);
    const auto rows = slow::touched(given[2], given[4], stride, valid ? height : 0);
    const auto columns = slow::touched(given[1], given[3], stride, valid ? width : 0);
    const double share = 1.0 / std::max<double>(static_cast<double>(rows.size() * columns.size()), 1.0);
    const int64_t image = valid ? static_cast<int64_t>(given[0]) : 0, n = rows.size(), m = columns.size();
    const auto channel_of = [&](int64_t y, int64_t x, int64_t side, int64_t c) {
      const int64_t bin = slow::bin_of(y - rows[0], n, bins) * bins + slow::bin_of(x - columns[0], m, bins);
      return pairs ? (bin * padded + c) * 2 + side : bin * classes + c;
    };
    for (const int64_t y : rows) {
      for (const int64_t x : columns) {
        for (int64_t c = 0; c < classes; ++c) {
          int64_t at = layout.offset(image, channel_of(y, x, 0, c), y, x);
          const int64_t inside = pairs ? layout.offset(image, channel_of(y, x, 1, c), y, x) : at;
          if (wide[inside] > wide[at]) at = inside;
          slow_sums[r * classes + c] += wide[at];
          slow_grad[at] += wanted[r * classes + c] * share;
        }
      }
    }
    for (int64_t i = 0; pairs && i < 2 * size * size; ++i) {
      const int64_t side = i / size / size, p = i / size % size, q = i % size, label = labels[r];
      double expected = 0.0;
      if (n > 0 && m > 0 && label >= 0 && label < classes) {
        const auto cell = [&](float low, float high, int64_t point, const std::vector<int64_t>& cells) {
          const double first = std::round(static_cast<double>(low)), length = std::round(static_cast<double>(high)) + 1.0 - first;
          const double at = std::floor((first + (static_cast<double>(point) + 0.5) / size * length) / stride);
          return static_cast<int64_t>(std::clamp(at, static_cast<double>(cells.front()), static_cast<double>(cells.back())));
        };
        const int64_t y = cell(given[2], given[4], p, rows), x = cell(given[1], given[3], q, columns);
        const int64_t at = layout.offset(image, channel_of(y, x, side, label), y, x);
        expected = wide[at];
        slow_mask_grad[at] += points_wanted[r * 2 * size * size + i];
      }
      expect(points[r * 2 * size * size + i] == expected, "patent mask logits");
    }
  }
  for (size_t i = 0; i < sums.size(); ++i) expect_near(sums[i], slow_sums[i], 1e-9, "patent sums");
  for (size_t i = 0; i < grad.size(); ++i) expect_near(grad[i], slow_grad[i], 1e-5, "gradient of patent means");
  for (size_t i = 0; pairs && i < grad.size(); ++i)
    expect_near(mask_grad[i], slow_mask_grad[i], 1e-4, "gradient of patent mask logits");
}

}  // namespace

// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Runs a package of `fcis export` on a picture and prints what it finds. Needs LibTorch and the operators' library, no Python.
//
//   exported MODEL.pt2 OPERATORS_C.so PICTURE.ppm [SCORE]
//
// The package has to be made for rgb8 images of the picture's size. Masks come as run lengths down the columns of their box,
// background first (include/fcis_ros/instance_mask.hpp); here only their area is printed.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <dlfcn.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// A binary PPM of eight bits.
struct Picture {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb;
};

Picture read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string kind;
  int64_t largest = 0;
  Picture picture;
  if (!(file >> kind >> picture.width >> picture.height >> largest) || kind != "P6" || largest != 255 || picture.width < 1 ||
      picture.height < 1 || picture.width > 32768 || picture.height > 32768) {
    throw std::runtime_error(path + ": not a binary PPM picture of 8 bits");
  }
  file.get();
  picture.rgb.resize(static_cast<size_t>(picture.width * picture.height * 3));
  if (!file.read(reinterpret_cast<char*>(picture.rgb.data()), static_cast<std::streamsize>(picture.rgb.size()))) {
    throw std::runtime_error(path + ": the file ends before the picture does");
  }
  return picture;
}

void run(const std::string& model, const std::string& operators, const std::string& path, double floor) {
  // Registers the operators that the package calls.
  if (dlopen(operators.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) throw std::runtime_error(dlerror());
  torch::inductor::AOTIModelPackageLoader loader(model);
  const auto about = loader.get_metadata();
  Picture picture = read_ppm(path);
  const std::string size = about.at("width") + "x" + about.at("height") + " " + about.at("encoding");
  if (size != std::to_string(picture.width) + "x" + std::to_string(picture.height) + " rgb8") {
    throw std::runtime_error(model + ": made for " + size + ", not for this picture");
  }
  const c10::InferenceMode inference;
  const at::Tensor bytes = at::from_blob(picture.rgb.data(), {static_cast<int64_t>(picture.rgb.size())}, at::kByte);
  std::vector<at::Tensor> outputs = loader.run({bytes.to(at::Device(about.at("device")))});
  for (at::Tensor& part : outputs) part = part.cpu();
  const auto scores = outputs[0].accessor<float, 1>();
  const auto labels = outputs[1].accessor<int32_t, 1>(), runs = outputs[3].accessor<int32_t, 1>(),
             ends = outputs[4].accessor<int32_t, 1>();
  const auto boxes = outputs[2].accessor<int32_t, 2>();
  if (ends[ends.size(0) - 1] > runs.size(0))
    throw std::runtime_error("the masks have more run lengths than the package has room for");
  for (int64_t i = 0; i < scores.size(0); ++i) {
    if (labels[i] < 1 || boxes[i][2] <= boxes[i][0] || scores[i] < floor) continue;
    int64_t area = 0;
    for (int32_t at = (i > 0 ? ends[i - 1] : 0) + 1; at < ends[i]; at += 2) area += runs[at];
    std::printf("%d %.6f %d %d %d %d %lld\n", labels[i], scores[i], boxes[i][0], boxes[i][1], boxes[i][2], boxes[i][3],
                static_cast<long long>(area));
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4 || count > 5) {
    std::fprintf(stderr, "usage: exported MODEL.pt2 OPERATORS_C.so PICTURE.ppm [SCORE]\n");
    return 2;
  }
  try {
    run(arguments[1], arguments[2], arguments[3], count > 4 ? std::atof(arguments[4]) : 0.5);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "exported: %s\n", error.what());
    return 2;
  }
  return 0;
}

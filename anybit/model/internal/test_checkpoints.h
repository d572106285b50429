// For tests: scratch folders, and the tiny checkpoints of tests/golden/model.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/model/weights/weight_source.h"

namespace anybit::model::internal {

/// A folder that lives as long as the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "anybit_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::filesystem::path golden_folder() {
  return std::filesystem::path(ANYBIT_SOURCE_DIR) / "tests" / "golden" / "model";
}

/// The cases of one family of tests/golden/model.
inline Json golden_cases(const std::string& family) {
  const auto text = read_text_file(golden_folder() / (family + ".json"));
  if (!text) return Json::array();
  return (*parse_json(*text, family))["cases"];
}

/// Makes `folder` a checkpoint of that family with this config.
inline void write_checkpoint(const std::filesystem::path& folder, const std::string& family,
                             const Json& config) {
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(golden_folder() / (family + ".safetensors"),
                             folder / "model.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  ASSERT_TRUE(write_file(folder / "config.json", config.dump()));
}

inline std::shared_ptr<const WeightSource> open_checkpoint(const std::filesystem::path& folder) {
  auto source = open_folder_weights(folder);
  EXPECT_TRUE(source) << source.error().message;
  return source ? *source : nullptr;
}

/// The case's logits, [num_tokens * vocab_size].
inline std::vector<double> golden_logits(const Json& golden) {
  std::vector<double> logits;
  for (const Json& row : golden["logits"]) {
    for (const Json& logit : row) logits.push_back(logit.get<double>());
  }
  return logits;
}

/// Bound on the error of a forward pass in f32, relative to the largest logit: every sum adds one
/// rounding of 2^-24 an element at most, over the lengths of a layer's four chained sums and two
/// norms, and errors of layers add.
inline double forward_tolerance(const ModelConfig& config) {
  const int64_t chained =
      3 * config.hidden_size + config.head_dim + config.q_size() + config.intermediate_size;
  return std::ldexp(static_cast<double>(chained * config.num_layers + config.hidden_size), -24);
}

/// max |a - b| / max |b|.
template <class A, class B>
double relative_distance(const A& a, const B& b) {
  EXPECT_EQ(std::size(a), std::size(b));
  double difference = 0, largest = 0;
  for (size_t i = 0; i < std::min(std::size(a), std::size(b)); ++i) {
    const double distance = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    difference = std::isnan(distance) ? INFINITY : std::max(difference, distance);
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return difference / largest;
}

}  // namespace anybit::model::internal

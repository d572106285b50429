#include "anybit/recipe/quantize_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "anybit/base/file.h"
#include "anybit/base/philox.h"
#include "anybit/recipe/report_json.h"
#include "anybit/tensor/io/quantized_folder.h"

namespace anybit::recipe {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLayers = 3;

std::vector<float> values_of(std::string_view name, int64_t count) {
  const Philox random(std::hash<std::string_view>{}(name));
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

// Three layers of one matrix and one norm, and an embedding. `loads` counts the matrices read.
CheckpointSource small_checkpoint(int* loads, const std::string& failing = "") {
  CheckpointSource source;
  source.description = "small";
  source.tensors.push_back({"embed.weight", {40, 64}, TensorKind::kEmbedding, -1});
  for (int64_t i = 0; i < kLayers; ++i) {
    source.tensors.push_back(
        {fmt::format("layers.{}.proj.weight", i), {32, 64}, TensorKind::kLinear, i});
    source.tensors.push_back({fmt::format("layers.{}.norm", i), {64}, TensorKind::kVector, i});
  }
  const auto tensors = source.tensors;
  source.matrix = [tensors, loads, failing](size_t i) -> Result<tensor::QuantizedTensor> {
    const TensorSummary& t = tensors[i];
    if (t.name == failing) return fail(ErrorCode::kIo, "{}: disk on fire", t.name);
    ++*loads;
    return tensor::dense_f32(values_of(t.name, t.shape[0] * t.shape[1]), t.shape[0], t.shape[1]);
  };
  source.vector = [tensors](size_t i) -> Result<tensor::Tensor> {
    return tensor::from_floats(values_of(tensors[i].name, 64), {64});
  };
  source.config_json = R"({"model_type": "llama"})";
  source.files = {{"tokenizer.json", "{}"}};
  return source;
}

QuantizeOptions options_for(std::string_view scheme) {
  QuantizeOptions options;
  options.plan.scheme = *numeric::parse_scheme(scheme);
  options.method = *quant::find_method("rtn");
  return options;
}

class QuantizeModelTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::temp_directory_path() /
        fmt::format("anybit_{}", testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      files[entry.path().filename().string()] = *read_text_file(entry.path());
    }
    files.erase("quantization_report.json");  // Counts resumed shards.
    return files;
  }

  fs::path folder_;
};

TEST_F(QuantizeModelTest, WritesAFolderThatReadsBack) {
  int loads = 0;
  const auto report = quantize_model(small_checkpoint(&loads), folder_, options_for("int4_g32"));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->num_parameters, 40 * 64 + kLayers * (32 * 64 + 64));
  EXPECT_EQ(report->tensors.size(), 1 + 2 * kLayers);
  const auto folder = tensor::QuantizedFolder::open(folder_);
  ASSERT_TRUE(folder.has_value()) << folder.error().message;
  const auto matrix = folder->matrix("layers.1.proj.weight");
  ASSERT_TRUE(matrix.has_value());
  EXPECT_EQ(numeric::scheme_name(matrix->scheme), "int4_g32");
  const auto original = values_of("layers.1.proj.weight", 32 * 64);
  const auto error = quant::tensor_error(original, *matrix, {});
  EXPECT_LT(error->relative, 0.12);
  EXPECT_GT(error->relative, 0.05);
  EXPECT_EQ(tensor::to_floats(*folder->tensor("layers.2.norm")), values_of("layers.2.norm", 64));
  EXPECT_EQ(numeric::scheme_name(folder->matrix("embed.weight")->scheme), "int8_g32");
  EXPECT_TRUE(fs::exists(folder_ / "tokenizer.json"));
}

TEST_F(QuantizeModelTest, ResumesWhereItStopped) {
  int loads = 0;
  const auto failed = quantize_model(small_checkpoint(&loads, "layers.1.proj.weight"), folder_,
                                     options_for("int3_g32"));
  ASSERT_FALSE(failed.has_value());
  EXPECT_FALSE(fs::exists(folder_ / "config.json"));
  EXPECT_EQ(loads, 2);
  const fs::path leftover = folder_ / "model-00003-of-00004.safetensors.tmp-Abc123";
  ASSERT_TRUE(write_file(leftover, "half a shard").has_value());
  loads = 0;
  const auto resumed = quantize_model(small_checkpoint(&loads), folder_, options_for("int3_g32"));
  ASSERT_TRUE(resumed.has_value()) << resumed.error().message;
  EXPECT_EQ(resumed->resumed_shards, 2);
  EXPECT_EQ(loads, 2);
  const auto after_resume = contents();
  fs::remove_all(folder_);
  const auto whole = quantize_model(small_checkpoint(&loads), folder_, options_for("int3_g32"));
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(contents(), after_resume);
  EXPECT_EQ(whole->relative_error, resumed->relative_error);
  EXPECT_EQ(whole->size_bytes, resumed->size_bytes);
}

TEST_F(QuantizeModelTest, DoesNotMixRunsOrOverwriteUnasked) {
  int loads = 0;
  ASSERT_FALSE(quantize_model(small_checkpoint(&loads, "layers.1.proj.weight"), folder_,
                              options_for("int3_g32")));
  auto options = options_for("int4_g32");
  const auto mixed = quantize_model(small_checkpoint(&loads), folder_, options);
  ASSERT_FALSE(mixed.has_value());
  EXPECT_NE(mixed.error().message.find("unfinished run"), std::string::npos);
  options.overwrite = true;
  const auto replaced = quantize_model(small_checkpoint(&loads), folder_, options);
  ASSERT_TRUE(replaced.has_value());
  EXPECT_EQ(replaced->resumed_shards, 0);
  ASSERT_TRUE(write_file(folder_ / "notes.txt", "mine").has_value());
  ASSERT_TRUE(quantize_model(small_checkpoint(&loads), folder_, options));
  EXPECT_TRUE(fs::exists(folder_ / "notes.txt"));
  options.overwrite = false;
  EXPECT_FALSE(quantize_model(small_checkpoint(&loads), folder_, options));
}

TEST_F(QuantizeModelTest, SmallerWidthsTakeLessAndErrMore) {
  int loads = 0;
  double bits = 100, error = 0;
  for (const char* scheme : {"int8_g32", "int6_g32", "int4_g32", "int3_g32", "int2_g32"}) {
    auto options = options_for(scheme);
    options.overwrite = true;
    options.plan.embedding_scheme = options.plan.scheme;
    const auto report = quantize_model(small_checkpoint(&loads), folder_, options);
    ASSERT_TRUE(report.has_value());
    EXPECT_LT(report->bits_per_weight, bits) << scheme;
    EXPECT_GT(report->relative_error, error) << scheme;
    bits = report->bits_per_weight;
    error = report->relative_error;
  }
}

TEST(ReportJson, ReportsSurviveTheRoundTrip) {
  std::vector<TensorReport> reports(2);
  reports[0] = {"a", "int4_g32", {3, 5}, 4.5, 17, quant::TensorError{0.1, 20, 0.5, 0.99}};
  reports[1] = {"b \"quoted\"", "F32", {}, 32, 4, std::nullopt};
  const std::string text = tensor_reports_to_json(reports);
  const auto parsed = parse_tensor_reports(text, "t");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(tensor_reports_to_json(*parsed), text);
  EXPECT_EQ((*parsed)[0].error->sqnr_db, 20);
  EXPECT_FALSE(parse_tensor_reports("{}", "t").has_value());
  EXPECT_FALSE(parse_tensor_reports("[{\"name\": 3}]", "t").has_value());
}

}  // namespace
}  // namespace anybit::recipe

#include "anybit/tensor/io/quantized_folder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/tensor/random_quantized_tensor.h"
#include "tests/support/temporary_folder.h"

namespace anybit::tensor {
namespace {

using anybit::testing::TemporaryFolder;

numeric::Scheme scheme_of(std::string_view text) { return numeric::parse_scheme(text).value(); }

struct NamedMatrix {
  std::string name;
  QuantizedTensor matrix;
};

QuantizationConfig config_of(const std::vector<NamedMatrix>& matrices) {
  QuantizationConfig config{.scheme = scheme_of("int4_g128"), .method = "rtn", .tensors = {}};
  for (const NamedMatrix& m : matrices) {
    if (is_plain(m.matrix.scheme)) continue;
    config.tensors.emplace(m.name, StoredMatrix{m.matrix.scheme, m.matrix.rows, m.matrix.cols});
  }
  return config;
}

Status write_folder(const std::filesystem::path& folder, const std::vector<NamedMatrix>& matrices) {
  std::vector<TensorDescription> parts;
  for (const NamedMatrix& m : matrices) {
    ANYBIT_ASSIGN(const auto described,
                  describe_parts(m.name, {m.matrix.scheme, m.matrix.rows, m.matrix.cols}));
    parts.insert(parts.end(), described.begin(), described.end());
  }
  ANYBIT_ASSIGN(auto writer, SafetensorsWriter::create(folder / "model.safetensors", parts));
  for (const NamedMatrix& m : matrices) ANYBIT_TRY(write_parts(writer, m.name, m.matrix));
  ANYBIT_TRY(writer.commit());
  ANYBIT_ASSIGN(const std::string config,
                with_quantization_config(R"({"z": 1, "a": [2]})", config_of(matrices)));
  return write_file(folder / "config.json", config);
}

bool same_bytes(const Buffer& a, const Buffer& b) {
  return std::ranges::equal(a.bytes(), b.bytes());
}

void expect_equal(const QuantizedTensor& found, const QuantizedTensor& expected,
                  std::string_view name) {
  EXPECT_EQ(found.scheme, expected.scheme) << name;
  EXPECT_EQ(found.rows, expected.rows) << name;
  EXPECT_EQ(found.cols, expected.cols) << name;
  EXPECT_TRUE(same_bytes(found.codes, expected.codes)) << name;
  EXPECT_TRUE(same_bytes(found.scales, expected.scales)) << name;
  EXPECT_TRUE(same_bytes(found.zero_points, expected.zero_points)) << name;
  EXPECT_EQ(found.codebook, expected.codebook) << name;
  EXPECT_EQ(found.tensor_scale, expected.tensor_scale) << name;
}

TEST(QuantizedFolder, SlabsMakeTheFileThatTheWholeMatrixMakes) {
  const TemporaryFolder folder;
  for (const char* text : kSampledSchemes) {
    const numeric::Scheme scheme = scheme_of(text);
    const int64_t rows = 2 * slab_row_multiple(scheme) + 3, cols = 256;
    if (!numeric::check_fits(scheme, rows, cols)) continue;
    const QuantizedTensor matrix = random_quantized_tensor(scheme, rows, cols, 9);
    const auto parts = describe_parts("w", {scheme, rows, cols}).value();
    auto whole = SafetensorsWriter::create(folder / "whole", parts).value();
    ASSERT_TRUE(write_parts(whole, "w", matrix)) << text;
    ASSERT_TRUE(whole.commit());
    auto pieces = SafetensorsWriter::create(folder / "pieces", parts).value();
    for (int64_t first = 0; first < rows; first += slab_row_multiple(scheme)) {
      const int64_t count = std::min(slab_row_multiple(scheme), rows - first);
      const QuantizedTensor slab = row_slab(matrix, first, count);
      const Status written = append_parts(pieces, "w", slab, first == 0);
      ASSERT_TRUE(written) << text << ": " << written.error().message;
      std::vector<float> expected(static_cast<size_t>(count * cols));
      ASSERT_TRUE(dequantize_rows(matrix, first, count, expected));
      const std::vector<float> found = dequantize(slab).value();
      EXPECT_EQ(0, std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)))
          << text;
    }
    ASSERT_TRUE(pieces.commit()) << text;
    EXPECT_EQ(read_text_file(folder / "pieces").value(), read_text_file(folder / "whole").value())
        << text;
  }
}

TEST(QuantizedFolder, RoundTripsEverySampledScheme) {
  const TemporaryFolder folder;
  std::vector<NamedMatrix> matrices;
  for (const char* text : kSampledSchemes) {
    for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{3, 256}, {5, 70}, {0, 256}}) {
      if (!numeric::check_fits(scheme_of(text), rows, cols)) continue;
      matrices.push_back({fmt::format("{}.{}.{}", text, rows, cols),
                          random_quantized_tensor(scheme_of(text), rows, cols, matrices.size())});
    }
  }
  const Status written = write_folder(folder.path(), matrices);
  ASSERT_TRUE(written) << written.error().message;
  const auto opened = QuantizedFolder::open(folder.path());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->names().size(), matrices.size());
  for (const NamedMatrix& m : matrices) {
    ASSERT_TRUE(opened->contains(m.name));
    const auto matrix = opened->matrix(m.name);
    ASSERT_TRUE(matrix) << matrix.error().message;
    expect_equal(*matrix, m.matrix, m.name);
    EXPECT_EQ(opened->shape(m.name).value(), (std::vector<int64_t>{m.matrix.rows, m.matrix.cols}));
    EXPECT_EQ(opened->tensor(m.name).has_value(), is_plain(m.matrix.scheme)) << m.name;
  }
  EXPECT_EQ(*opened->quantization(), config_of(matrices));
}

TEST(QuantizedFolder, OpensPlainCheckpoints) {
  const TemporaryFolder folder;
  const NamedTensor tensors[] = {
      {"w", from_floats(std::vector<float>{1, 2, 3, 4}, {2, 2})},
      {"norm", from_floats(std::vector<float>{1, 2}, {2})},
      {"ids", {.data_type = DataType::kI64, .shape = {1, 1}, .elements = Buffer::allocate(8)}}};
  ASSERT_TRUE(write_safetensors(folder / "model.safetensors", tensors));
  ASSERT_TRUE(write_file(folder / "config.json", R"({"quantization_config": null})"));
  const auto opened = QuantizedFolder::open(folder.path());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_FALSE(opened->quantization());
  EXPECT_EQ(opened->names(), (std::vector<std::string>{"ids", "norm", "w"}));
  EXPECT_EQ(dequantize(opened->matrix("w").value()).value(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(opened->shape("norm").value(), (std::vector<int64_t>{2}));
  EXPECT_EQ(opened->matrix("norm").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(opened->matrix("ids").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(opened->matrix("none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(opened->tensor("none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(opened->shape("none").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(opened->contains("none"));
}

TEST(QuantizedFolder, NeedsItsConfig) {
  const TemporaryFolder folder;
  EXPECT_EQ(QuantizedFolder::open(folder.path()).error().code, ErrorCode::kNotFound);
}

TEST(WithQuantizationConfig, KeepsOtherMembersAndTheirOrder) {
  const std::string text =
      with_quantization_config(R"({"z":1,"quantization_config":{"old":1},"a":2})",
                               {.scheme = scheme_of("nf4"), .method = "", .tensors = {}})
          .value();
  EXPECT_LT(text.find("\"z\""), text.find("\"a\""));
  EXPECT_EQ(text.find("old"), std::string::npos);
  EXPECT_EQ(parse_quantization_config(text, "c").value()->scheme, scheme_of("nf4"));
  EXPECT_FALSE(with_quantization_config("[]", {}));
  EXPECT_FALSE(with_quantization_config("{", {}));
  QuantizationConfig not_utf8{.scheme = scheme_of("nf4"), .method = "", .tensors = {}};
  not_utf8.tensors["\xff"] = {scheme_of("nf4"), 1, 1};
  EXPECT_EQ(with_quantization_config("{}", not_utf8).error().code, ErrorCode::kInvalidArgument);
}

TEST(ParseQuantizationConfig, RefusesConfigsThatLie) {
  const auto with = [](std::string_view tensors) {
    return fmt::format(R"({{"quantization_config":{{"quant_method":"anybit","format_version":1,)"
                       R"("scheme":"int4_g32","tensors":{}}}}})",
                       tensors);
  };
  ASSERT_TRUE(parse_quantization_config(with("{}"), "c.json"));
  struct Case {
    std::string text;
    std::string_view said;
    ErrorCode code = ErrorCode::kCorruptData;
  };
  const Case cases[] = {
      {"[]", "an object"},
      {"nonsense", "not JSON"},
      {R"({"quantization_config":1})", "quant_method"},
      {R"({"quantization_config":{}})", "quant_method"},
      {R"({"quantization_config":{"quant_method":"gptq"}})", "\"gptq\"", ErrorCode::kUnsupported},
      {R"({"quantization_config":{"quant_method":"anybit"}})", "format_version"},
      {R"({"quantization_config":{"quant_method":"anybit","format_version":2}})", "found 2",
       ErrorCode::kUnsupported},
      {R"({"quantization_config":{"quant_method":"anybit","format_version":1}})", "scheme"},
      {R"({"quantization_config":{"quant_method":"anybit","format_version":1,"scheme":"int99"}})",
       "int99"},
      {R"({"quantization_config":{"quant_method":"anybit","format_version":1,"scheme":"nf4"}})",
       "tensors"},
      {with("[]"), "tensors"},
      {with(R"({"w":1})"), "\"w\""},
      {with(R"({"w":{"scheme":"what","shape":[1,2]}})"), "what"},
      {with(R"({"w":{"scheme":"bf16","shape":[1,2]}})"), "bf16"},
      {with(R"({"w":{"scheme":"nf4"}})"), "shape"},
      {with(R"({"w":{"scheme":"nf4","shape":[1]}})"), "shape"},
      {with(R"({"w":{"scheme":"nf4","shape":[1,2,3]}})"), "shape"},
      {with(R"({"w":{"scheme":"nf4","shape":[1,-2]}})"), "shape"},
      {with(R"({"w":{"scheme":"nf4","shape":[1,2.5]}})"), "shape"},
      {with(R"({"w":{"scheme":"nf4","shape":[4294967296,4294967296]}})"), "fits in memory"},
      {with(R"({"w":{"scheme":"q4_k","shape":[1,255]}})"), "256"},
  };
  for (const Case& c : cases) {
    const auto parsed = parse_quantization_config(c.text, "c.json");
    ASSERT_FALSE(parsed) << c.text;
    EXPECT_EQ(parsed.error().code, c.code) << parsed.error().message;
    EXPECT_NE(parsed.error().message.find(c.said), std::string::npos) << parsed.error().message;
    EXPECT_EQ(parsed.error().message.find("c.json"), 0U) << parsed.error().message;
  }
}

// A folder whose parts and config can be tampered with one by one.
class LyingFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    matrices_ = {{"w", random_quantized_tensor(scheme_of("uint3_g32_asym"), 4, 64, 1)},
                 {"c", random_quantized_tensor(scheme_of("codebook2_channel_sf16_ts"), 4, 64, 2)}};
    ASSERT_TRUE(write_folder(folder_.path(), matrices_));
    const Safetensors file = Safetensors::open(folder_.path()).value();
    for (const NamedTensor& t : file.tensors()) parts_[t.name] = t.tensor;
    config_ = config_of(matrices_);
  }

  Result<QuantizedFolder> reopen() {
    std::vector<NamedTensor> tensors;
    for (const auto& [name, tensor] : parts_) tensors.push_back({name, tensor});
    EXPECT_TRUE(write_safetensors(folder_ / "model.safetensors", tensors));
    EXPECT_TRUE(
        write_file(folder_ / "config.json", with_quantization_config("{}", config_).value()));
    return QuantizedFolder::open(folder_.path());
  }

  void expect_refused(std::string_view said) {
    const auto opened = reopen();
    ASSERT_FALSE(opened) << said;
    EXPECT_EQ(opened.error().code, ErrorCode::kCorruptData);
    EXPECT_NE(opened.error().message.find(said), std::string::npos) << opened.error().message;
  }

  TemporaryFolder folder_;
  std::vector<NamedMatrix> matrices_;
  std::map<std::string, Tensor> parts_;
  QuantizationConfig config_;
};

TEST_F(LyingFolder, OpensUntouched) { EXPECT_TRUE(reopen()); }

TEST_F(LyingFolder, MissesAPart) {
  const auto good = parts_;
  for (const auto& [name, tensor] : good) {
    parts_ = good;
    parts_.erase(name);
    expect_refused("\"" + name + "\"");
  }
}

TEST_F(LyingFolder, HasPartsOfAnotherTypeOrShape) {
  const auto good = parts_;
  for (const auto& [name, tensor] : good) {
    parts_ = good;
    parts_[name] = from_floats(std::vector<float>{1, 2, 3}, {3});
    expect_refused("\"" + name + "\"");
    parts_[name] = tensor;
    parts_[name].shape.push_back(1);
    expect_refused("\"" + name + "\"");
  }
}

TEST_F(LyingFolder, HasPartsItsSchemeLacks) {
  parts_["w.tensor_scale"] = from_floats(std::vector<float>{1}, {});
  expect_refused("no such part");
}

TEST_F(LyingFolder, HoldsAMatrixTwice) {
  parts_["w"] = from_floats(std::vector<float>{1}, {1});
  expect_refused("plain too");
}

TEST_F(LyingFolder, ClaimsAnotherSchemeOrShape) {
  const QuantizationConfig good = config_;
  for (const char* scheme : {"uint4_g32_asym", "uint3_g64_asym", "int3_g32", "uint3_channel_asym",
                             "uint3_g32_sbf16_asym", "uint3_g32_asym_ts", "q4_0", "nf4"}) {
    config_ = good;
    config_.tensors["w"].scheme = scheme_of(scheme);
    expect_refused("\"w.");
  }
  config_ = good;
  config_.tensors["w"].rows = 5;
  expect_refused("\"w.codes\"");
  config_ = good;
  config_.tensors["ghost"] = good.tensors.at("w");
  expect_refused("\"ghost.codes\"");
}

TEST_F(LyingFolder, HasACodebookThatDoesNotAscend) {
  parts_["c.codebook"] = from_floats(std::vector<float>{1, 0, 2, 3}, {4});
  expect_refused("ascend");
  parts_["c.codebook"] =
      from_floats(std::vector<float>{0, 1, 2, std::numeric_limits<float>::quiet_NaN()}, {4});
  expect_refused("finite");
}

TEST_F(LyingFolder, HasATensorScaleThatIsNoNumber) {
  parts_["c.tensor_scale"] =
      from_floats(std::vector<float>{std::numeric_limits<float>::infinity()}, {});
  expect_refused("finite");
}

TEST(DescribeParts, ListsTypesAndShapes) {
  const auto parts = describe_parts("w", {scheme_of("uint4_g32_asym"), 4, 64}).value();
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].name, "w.codes");
  EXPECT_EQ(parts[0].shape, (std::vector<int64_t>{4, 32}));
  EXPECT_EQ(parts[1].name, "w.scales");
  EXPECT_EQ(parts[1].data_type, DataType::kF16);
  EXPECT_EQ(parts[1].shape, (std::vector<int64_t>{4, 2}));
  EXPECT_EQ(parts[2].name, "w.zero_points");
  EXPECT_EQ(parts[2].shape, (std::vector<int64_t>{4}));
  const auto odd = describe_parts("w", {scheme_of("int3_g32_sue5m3"), 3, 33}).value();
  EXPECT_EQ(odd[0].shape, (std::vector<int64_t>{38}));  // 297 bits.
  EXPECT_EQ(odd[1].data_type, DataType::kU8);
  EXPECT_EQ(odd[1].shape, (std::vector<int64_t>{6}));
  EXPECT_EQ(describe_parts("w", {scheme_of("bf16"), 3, 33})->at(0).name, "w");
  EXPECT_EQ(describe_parts("w", {scheme_of("q4_k"), 1, 255}).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(WriteParts, RefusesAMatrixThatIsNotValid) {
  const TemporaryFolder folder;
  QuantizedTensor matrix = random_quantized_tensor(scheme_of("codebook2_channel"), 4, 64, 1);
  const auto parts = describe_parts("w", {matrix.scheme, 4, 64}).value();
  auto writer = SafetensorsWriter::create(folder / "x.safetensors", parts).value();
  std::swap(matrix.codebook[0], matrix.codebook[3]);
  EXPECT_EQ(write_parts(writer, "w", matrix).error().code, ErrorCode::kCorruptData);
  matrix.rows = 3;
  EXPECT_EQ(write_parts(writer, "w", matrix).error().code, ErrorCode::kCorruptData);
}

}  // namespace
}  // namespace anybit::tensor

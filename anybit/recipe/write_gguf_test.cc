#include "anybit/recipe/write_gguf.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/model/reference_forward.h"
#include "anybit/recipe/checkpoint_source.h"
#include "anybit/recipe/gguf_contents.h"
#include "anybit/tensor/io/gguf.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::recipe {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(ANYBIT_SOURCE_DIR) / "tests" / "golden" / "model";

QuantizeOptions options_for(std::string_view scheme) {
  QuantizeOptions options;
  options.plan.scheme = *numeric::parse_scheme(scheme);
  options.method = *quant::find_method("rtn");
  return options;
}

// The tiny checkpoints of tests/golden/model, and what is written from them.
class WriteGgufTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              fmt::format("anybit_{}_{}", getpid(),
                          testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Json config_of(const std::string& family, size_t index) const {
    const auto text = read_text_file(kGolden / (family + ".json"));
    return (*parse_json(*text, family))["cases"][index]["config"];
  }

  // The checkpoint as a folder of that name.
  fs::path write_checkpoint(const std::string& family, const Json& config) const {
    fs::path path = folder_ / family;
    fs::create_directories(path);
    fs::copy_file(kGolden / (family + ".safetensors"), path / "model.safetensors",
                  fs::copy_options::overwrite_existing);
    EXPECT_TRUE(write_file(path / "config.json", config.dump()));
    return path;
  }

  Result<GgufReport> write(const fs::path& model, const fs::path& out,
                           const QuantizeOptions& options) const {
    ANYBIT_ASSIGN(const model::OpenedModel opened, model::open_model(model.string()));
    return write_gguf(opened, out, options);
  }

  fs::path gguf() const { return folder_ / "model.gguf"; }

  fs::path folder_;
};

std::vector<double> logits_of(const fs::path& path) {
  const auto opened = model::open_model(path.string());
  EXPECT_TRUE(opened) << opened.error().message;
  if (!opened) return {};
  const std::vector<int32_t> tokens = {1, 5, 9, 13, 40, 2, 7, 7, 31, 22, 11, 3};
  const auto logits = model::reference_forward(*opened->weights, tokens);
  EXPECT_TRUE(logits) << logits.error().message;
  return logits ? *logits : std::vector<double>();
}

double relative_distance(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  EXPECT_FALSE(b.empty());
  double difference = 0, largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    difference = std::max(difference, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return difference / largest;
}

struct FamilyCase {
  const char* family;
  size_t index;
  const char* architecture;
};

TEST_F(WriteGgufTest, F32FilesGiveTheFoldersLogits) {
  // llama: plain, linear, llama3 and yarn rope; mistral with and without window.
  const FamilyCase cases[] = {{"llama", 0, "llama"},   {"llama", 1, "llama"},
                              {"llama", 2, "llama"},   {"llama", 3, "llama"},
                              {"mistral", 0, "llama"}, {"mistral", 1, "llama"},
                              {"mixtral", 0, "llama"}, {"qwen2", 0, "qwen2"},
                              {"qwen3", 0, "qwen3"},   {"gemma3", 0, "gemma3"}};
  for (const FamilyCase& row : cases) {
    SCOPED_TRACE(fmt::format("{} case {}", row.family, row.index));
    Json config = config_of(row.family, row.index);
    if (std::string_view(row.family) == "gemma3") {
      // What the format takes for granted.
      config["query_pre_attn_scalar"] = config["head_dim"];
      for (Json& type : config["layer_types"]) type = "sliding_attention";
    }
    const fs::path source = write_checkpoint(row.family, config);
    auto options = options_for("f32");
    options.overwrite = true;
    const auto report = write(source, gguf(), options);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->left_out.empty());
    EXPECT_EQ(report->quantization.relative_error, 0);
    const auto opened = model::open_model(gguf().string());
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(*opened->gguf->metadata.get_string("general.architecture"), row.architecture);
    EXPECT_EQ(*opened->gguf->metadata.get_int("general.file_type"), 0);
    // Both passes are in double; the file rounds rope's base and divisors, and Gemma's norms, to
    // f32: some 2^-24 each, in angles of up to 12 radians, through two to four layers.
    EXPECT_LE(relative_distance(logits_of(gguf()), logits_of(source)), std::ldexp(1.0, -16));
  }
}

TEST_F(WriteGgufTest, RefusesWhatTheFormatCannotSay) {
  const struct {
    const char* family;
    size_t index;
    const char* what;
  } cases[] = {{"llama_biased", 0, "bias of queries"},
               {"qwen2", 1, "sliding window of layer 1"},
               {"gemma3", 0, "attention scale"}};
  for (const auto& row : cases) {
    const fs::path source = write_checkpoint(row.family, config_of(row.family, row.index));
    const auto report = write(source, gguf(), options_for("f32"));
    ASSERT_FALSE(report) << row.family;
    EXPECT_EQ(report.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(report.error().message.find(row.what), std::string::npos) << report.error().message;
    EXPECT_FALSE(fs::exists(gguf()));
  }
}

TEST_F(WriteGgufTest, FilesBecomeTheFolderAgain) {
  const fs::path source = write_checkpoint("mixtral", config_of("mixtral", 0));
  ASSERT_TRUE(write(source, gguf(), options_for("f32")));
  const auto original = open_checkpoint(source.string());
  const auto opened = model::open_model(gguf().string());
  ASSERT_TRUE(original && opened);
  // The tokenizer, which this checkpoint lacks, is what open_gguf_checkpoint() would miss.
  EXPECT_EQ(*opened->gguf->metadata.get_string("tokenizer.ggml.model"), "none");
  const auto names = model::architecture("llama").gguf_names;
  const auto stacked = opened->gguf->find(
      model::tensor_name(names[static_cast<size_t>(model::TensorRole::kDownExperts)], 1));
  ASSERT_NE(stacked, nullptr);
  EXPECT_EQ(stacked->shape, (std::vector<int64_t>{4, 32, 40}));
  for (size_t i = 0; i < original->tensors.size(); ++i) {
    const TensorSummary& tensor = original->tensors[i];
    const std::string expert = "model.layers.1.block_sparse_moe.experts.2.w2.weight";
    if (tensor.name == expert) {
      const auto rows = model::slice_rows(*tensor::as_matrix(*stacked), 2 * 32, 32);
      ASSERT_TRUE(rows) << rows.error().message;
      EXPECT_EQ(*tensor::dequantize(*rows), *tensor::dequantize(*original->matrix(i)));
    }
    if (tensor.name == "model.layers.0.self_attn.k_proj.weight") {
      const auto expected = *tensor::dequantize(*original->matrix(i));
      const auto found =
          *tensor::dequantize(*tensor::as_matrix(*opened->gguf->find("blk.0.attn_k.weight")));
      for (int64_t row = 0; row < tensor.shape[0]; ++row) {
        const int64_t cols = tensor.shape[1], to = interleaved_row(row, 8);
        EXPECT_TRUE(std::equal(expected.begin() + row * cols, expected.begin() + (row + 1) * cols,
                               found.begin() + to * cols))
            << row;
      }
    }
  }
}

TEST(InterleavedRow, PutsHalvesOfAHeadSideBySide) {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < 12; ++row) rows.push_back(interleaved_row(row, 6));
  EXPECT_EQ(rows, (std::vector<int64_t>{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11}));
}

TEST(GgufScheme, TakesTheTypesOfTheFormatOnly) {
  for (const char* name : {"f32", "f16", "bf16", "q4_0", "q4_k", "q6_k", "iq4_nl", "tq2_0"}) {
    const auto scheme = gguf_scheme(*numeric::parse_scheme(name));
    ASSERT_TRUE(scheme) << name;
    EXPECT_EQ(numeric::scheme_name(*scheme), name);
  }
  EXPECT_EQ(gguf_scheme(*numeric::parse_scheme("mxfp4"))->ggml, numeric::GgmlType::kMXFP4);
  EXPECT_EQ(gguf_scheme(*numeric::parse_scheme("nvfp4"))->ggml, numeric::GgmlType::kNVFP4);
  for (const char* name : {"int4_g64", "e4m3_tensor", "posit8_1", "nf4", "q8_k", "iq2_xxs"}) {
    const auto scheme = gguf_scheme(*numeric::parse_scheme(name));
    ASSERT_FALSE(scheme) << name;
    EXPECT_EQ(scheme.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(scheme.error().message.find("q4_k, q5_k"), std::string::npos);
  }
}

TEST_F(WriteGgufTest, NamesTensorsThatDoNotFit) {
  // 40 columns: no whole block of 32.
  const fs::path source = write_checkpoint("llama", config_of("llama", 0));
  const auto unfit = write(source, gguf(), options_for("q8_0"));
  ASSERT_FALSE(unfit);
  EXPECT_NE(unfit.error().message.find("down_proj"), std::string::npos) << unfit.error().message;
  EXPECT_NE(unfit.error().message.find("--keep"), std::string::npos);
  auto options = options_for("q4_0");
  options.plan.keep.push_back(*parse_keep_rule("down_proj=f16"));
  options.plan.keep.push_back(*parse_keep_rule("v_proj=keep"));
  const auto report = write(source, gguf(), options);
  ASSERT_TRUE(report) << report.error().message;
  const auto file = tensor::open_gguf(gguf());
  ASSERT_TRUE(file);
  EXPECT_EQ(file->find("blk.1.ffn_down.weight")->type, numeric::GgmlType::kF16);
  EXPECT_EQ(file->find("blk.1.ffn_up.weight")->type, numeric::GgmlType::kQ4_0);
  EXPECT_EQ(file->find("blk.1.attn_v.weight")->type, numeric::GgmlType::kBF16);
  EXPECT_EQ(file->find("token_embd.weight")->type, numeric::GgmlType::kQ8_0);
  EXPECT_EQ(file->find("output_norm.weight")->type, numeric::GgmlType::kF32);
  EXPECT_EQ(*file->metadata.get_int("general.file_type"), 2);
  EXPECT_GT(report->quantization.relative_error, 0.01);
  const auto again = write(source, gguf(), options);
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("--overwrite"), std::string::npos);
}

TEST_F(WriteGgufTest, ExpertsShareOneScheme) {
  const fs::path source = write_checkpoint("mixtral", config_of("mixtral", 0));
  auto options = options_for("f16");
  options.plan.keep.push_back(*parse_keep_rule("experts.3.w1=f32"));
  const auto mixed = write(source, gguf(), options);
  ASSERT_FALSE(mixed);
  EXPECT_NE(mixed.error().message.find("one scheme for all experts"), std::string::npos);
}

TEST_F(WriteGgufTest, QuantizesAnAnybitFolder) {
  const fs::path source = write_checkpoint("llama", config_of("llama", 0));
  const auto checkpoint = open_checkpoint(source.string());
  ASSERT_TRUE(checkpoint);
  const fs::path quantized = folder_ / "int8";
  ASSERT_TRUE(quantize_model(*checkpoint, quantized, options_for("int8_g8")));
  ASSERT_TRUE(write(quantized, gguf(), options_for("f32")));
  // Codes and scales of 8 and 16 bits: their products are exact in f32.
  EXPECT_LE(relative_distance(logits_of(gguf()), logits_of(quantized)), std::ldexp(1.0, -16));
  auto options = options_for("f32");
  options.overwrite = true;
  options.plan.keep.push_back(*parse_keep_rule("up_proj=keep"));
  const auto kept = write(quantized, gguf(), options);
  ASSERT_FALSE(kept);
  EXPECT_NE(kept.error().message.find("up_proj"), std::string::npos);
  EXPECT_NE(kept.error().message.find("int8_g8"), std::string::npos);
}

TEST_F(WriteGgufTest, RequantizesAGgufFileInPlaceOfItsMatrices) {
  const fs::path source = write_checkpoint("mixtral", config_of("mixtral", 0));
  ASSERT_TRUE(write(source, gguf(), options_for("f32")));
  const fs::path out = folder_ / "small.gguf";
  auto options = options_for("q8_0");
  options.plan.keep.push_back(*parse_keep_rule("ffn_down_exps=bf16"));
  options.plan.keep.push_back(*parse_keep_rule("attn_q.weight=keep"));
  const auto report = write(gguf(), out, options);
  ASSERT_TRUE(report) << report.error().message;
  const auto before = tensor::open_gguf(gguf()), after = tensor::open_gguf(out);
  ASSERT_TRUE(before && after);
  ASSERT_EQ(after->tensors.size(), before->tensors.size());
  std::map<std::string, int> counts;
  for (size_t i = 0; i < after->tensors.size(); ++i) {
    const tensor::GgufTensor &a = before->tensors[i], &b = after->tensors[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.shape, b.shape);
    ++counts[std::string(numeric::find_ggml_type(b.type)->name)];
    EXPECT_TRUE(a.type != b.type || std::ranges::equal(a.blocks.bytes(), b.blocks.bytes()));
  }
  // Of two layers: key, value, output, gates, ups; embedding and output.
  EXPECT_EQ(counts["q8_0"], 2 * 5 + 2);
  EXPECT_EQ(counts["bf16"], 2);
  // Two norms, router and query of each layer; the last norm.
  EXPECT_EQ(counts["f32"], 2 * 4 + 1);
  for (const auto& [key, value] : before->metadata.entries()) {
    if (key == "general.file_type") continue;
    ASSERT_NE(after->metadata.find(key), nullptr) << key;
    EXPECT_EQ(*after->metadata.find(key), value) << key;
  }
  EXPECT_EQ(*after->metadata.get_int("general.file_type"), 7);
  EXPECT_EQ(*after->metadata.get_int("general.quantization_version"), 2);
}

TEST_F(WriteGgufTest, TokenizerAndModelOfARealFolder) {
  const fs::path source = fs::path(ANYBIT_SOURCE_DIR) / ".." / "shared" / "models" / "wiki-6m";
  if (!fs::exists(source)) GTEST_SKIP() << source << " is absent";
  const auto report = write(source, gguf(), options_for("bf16"));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->quantization.relative_error, 0);
  const auto folder = model::open_model(source.string()), file = model::open_model(gguf().string());
  ASSERT_TRUE(folder && file);
  EXPECT_EQ(*file->gguf->metadata.get_string("tokenizer.ggml.pre"), "gpt-2");
  const auto expected = model::load_tokenizer(*folder), found = model::load_tokenizer(*file);
  ASSERT_TRUE(expected && found);
  for (const char* text : {"The city of Paris, in 1889, wasn't (yet)  large.\n\n\u00e9",
                           "<|endoftext|> <|endoftext|>x", ""}) {
    EXPECT_EQ(*found->encode(text), *expected->encode(text)) << text;
  }
  EXPECT_EQ(found->bos_id(), expected->bos_id());
  EXPECT_EQ(found->eos_id(), expected->eos_id());
  EXPECT_EQ(file->end_ids, folder->end_ids);
  EXPECT_LE(relative_distance(logits_of(gguf()), logits_of(source)), std::ldexp(1.0, -16));
}

}  // namespace
}  // namespace anybit::recipe

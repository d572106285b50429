// The tiny checkpoints written as GGUF, as llama.cpp's converter writes them: query and key rows
// reordered for neighbouring pairs, norms of Gemma plus one, experts stacked.
#include <gtest/gtest.h>

#include "anybit/model/internal/test_checkpoints.h"
#include "anybit/model/model.h"
#include "anybit/model/open.h"
#include "anybit/model/reference_forward.h"
#include "anybit/tensor/io/gguf_writer.h"

namespace anybit::model {
namespace {

using internal::relative_distance;

struct GgufEntry {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

/// Row (head, half j, i) moves to (head, i, j).
std::vector<float> interleaved(const std::vector<float>& rows, int64_t num_heads,
                               int64_t head_dim) {
  const int64_t cols = static_cast<int64_t>(rows.size()) / (num_heads * head_dim);
  std::vector<float> out(rows.size());
  for (int64_t head = 0; head < num_heads; ++head) {
    for (int64_t i = 0; i < head_dim / 2; ++i) {
      for (int64_t j = 0; j < 2; ++j) {
        const int64_t from = head * head_dim + j * (head_dim / 2) + i;
        const int64_t to = head * head_dim + 2 * i + j;
        std::copy_n(rows.begin() + from * cols, cols, out.begin() + to * cols);
      }
    }
  }
  return out;
}

/// Converts every tensor of a folder's model.
class Converter {
 public:
  Converter(const WeightSource& source, bool stacks_experts)
      : source_(source), config_(source.config()), stacks_experts_(stacks_experts) {}

  std::vector<GgufEntry> convert() {
    const TensorNames& names = architecture(is_gemma() ? "gemma3" : "llama").gguf_names;
    for (const ModelTensor& tensor : model_tensors(config_)) {
      std::vector<float> values = read(tensor);
      if (tensor.role == TensorRole::kQuery && !is_gemma()) {
        values = interleaved(values, config_.num_q_heads, config_.head_dim);
      } else if (tensor.role == TensorRole::kKey && !is_gemma()) {
        values = interleaved(values, config_.num_kv_heads, config_.head_dim);
      }
      if (is_gemma() && !tensor.is_matrix()) {
        for (float& value : values) value += 1;
      }
      if (tensor.expert >= 0) {
        add_expert(tensor, std::move(values));
        continue;
      }
      entries_.push_back({tensor_name(names[static_cast<size_t>(tensor.role)], tensor.layer),
                          tensor.shape, std::move(values)});
    }
    return std::move(entries_);
  }

 private:
  bool is_gemma() const { return config_.family == "gemma3"; }

  std::vector<float> read(const ModelTensor& tensor) const {
    if (!tensor.is_matrix()) return *source_.floats(tensor.name);
    return *tensor::dequantize(*source_.matrix(tensor.name));
  }

  void add_expert(const ModelTensor& tensor, std::vector<float> values) {
    const char* part = tensor.role == TensorRole::kGate ? "gate"
                       : tensor.role == TensorRole::kUp ? "up"
                                                        : "down";
    if (!stacks_experts_) {
      entries_.push_back({fmt::format("blk.{}.ffn_{}.{}.weight", tensor.layer, part, tensor.expert),
                          tensor.shape, std::move(values)});
      return;
    }
    const std::string name = fmt::format("blk.{}.ffn_{}_exps.weight", tensor.layer, part);
    auto found = std::ranges::find(entries_, name, &GgufEntry::name);
    if (found == entries_.end()) {
      entries_.push_back({name, {0, tensor.shape[0], tensor.shape[1]}, {}});
      found = entries_.end() - 1;
    }
    ++found->shape[0];
    found->values.insert(found->values.end(), values.begin(), values.end());
  }

  const WeightSource& source_;
  const ModelConfig& config_;
  bool stacks_experts_;
  std::vector<GgufEntry> entries_;
};

tensor::GgufMetadata make_metadata(const ModelConfig& config) {
  const std::string arch = config.family == "gemma3" ? "gemma3" : "llama";
  tensor::GgufMetadata metadata;
  metadata.set_string("general.architecture", arch);
  const auto set = [&](const char* key, int64_t value) {
    metadata.set_uint32(arch + "." + key, static_cast<uint32_t>(value));
  };
  set("embedding_length", config.hidden_size);
  set("feed_forward_length", config.intermediate_size);
  set("block_count", config.num_layers);
  set("attention.head_count", config.num_q_heads);
  set("attention.head_count_kv", config.num_kv_heads);
  set("attention.key_length", config.head_dim);
  set("attention.value_length", config.head_dim);
  set("context_length", config.max_positions);
  set("vocab_size", config.vocab_size);
  if (config.is_moe()) {
    set("expert_count", config.num_experts);
    set("expert_used_count", config.num_experts_per_token);
  }
  metadata.set_float32(arch + ".attention.layer_norm_rms_epsilon", config.norm_eps);
  metadata.set_float32(arch + ".rope.freq_base", static_cast<float>(config.rope.theta));
  return metadata;
}

void write_gguf(const std::filesystem::path& path, const tensor::GgufMetadata& metadata,
                const std::vector<GgufEntry>& entries) {
  std::vector<tensor::GgufTensorDescription> descriptions;
  for (const GgufEntry& entry : entries) descriptions.push_back({entry.name, entry.shape});
  auto writer = tensor::GgufWriter::create(path, metadata, descriptions);
  ASSERT_TRUE(writer) << writer.error().message;
  for (const GgufEntry& entry : entries) {
    ASSERT_TRUE(writer->write(entry.name, std::as_bytes(std::span(entry.values))));
  }
  ASSERT_TRUE(writer->commit());
}

/// Checks both passes over `name` against the golden logits.
void expect_logits(const std::string& name, const Json& golden) {
  const auto opened = open_model(name);
  ASSERT_TRUE(opened) << opened.error().message;
  const auto tokens = golden["tokens"].get<std::vector<int32_t>>();
  const std::vector<double> expected = internal::golden_logits(golden);
  const double tolerance = internal::forward_tolerance(opened->config());
  const auto reference = reference_forward(*opened->weights, tokens);
  ASSERT_TRUE(reference) << reference.error().message;
  EXPECT_LE(relative_distance(*reference, expected), tolerance);
  const auto model = Model::load(*opened->weights, {});
  ASSERT_TRUE(model) << model.error().message;
  auto state = model->start({.kv_element = kernel::KvElement::kF32});
  ASSERT_TRUE(state) << state.error().message;
  const auto logits = model->forward(*state, tokens, LogitsOf::kAllTokens);
  ASSERT_TRUE(logits) << logits.error().message;
  EXPECT_LE(relative_distance(*logits, expected), tolerance);
}

void expect_family(const std::string& family, bool stacks_experts) {
  const Json golden = internal::golden_cases(family)[0];
  const internal::ScratchFolder folder;
  internal::write_checkpoint(folder.path(), family, golden["config"]);
  const auto source = internal::open_checkpoint(folder.path());
  ASSERT_NE(source, nullptr);
  const auto path = folder.path() / "model.gguf";
  write_gguf(path, make_metadata(source->config()), Converter(*source, stacks_experts).convert());
  expect_logits(path.string(), golden);
}

TEST(GgufSource, TurnsReorderedLlamaRowsAsPairs) { expect_family("llama", false); }
TEST(GgufSource, ReadsStackedExperts) { expect_family("mixtral", true); }
TEST(GgufSource, ReadsSplitExperts) { expect_family("mixtral", false); }

TEST(GgufSource, DividesFrequenciesByRopeFreqs) {
  // llama.cpp's converter turns Llama 3's scaling into a divisor for each pair.
  const Json golden = internal::golden_cases("llama")[2];
  ASSERT_EQ(golden["name"], "llama3");
  const internal::ScratchFolder folder;
  internal::write_checkpoint(folder.path(), "llama", golden["config"]);
  const auto source = internal::open_checkpoint(folder.path());
  ASSERT_NE(source, nullptr);
  kernel::RopeParameters plain = source->config().rope;
  const auto scaled = kernel::rope_frequencies(plain, 64);
  plain.scaling = kernel::RopeScaling::kNone;
  const auto unscaled = kernel::rope_frequencies(plain, 64);
  ASSERT_TRUE(scaled && unscaled);
  std::vector<GgufEntry> entries = Converter(*source, false).convert();
  GgufEntry divisors{"rope_freqs.weight", {plain.rotary_dim / 2}, {}};
  for (size_t i = 0; i < scaled->radians_per_position.size(); ++i) {
    divisors.values.push_back(
        static_cast<float>(unscaled->radians_per_position[i] / scaled->radians_per_position[i]));
  }
  entries.push_back(std::move(divisors));
  const auto path = folder.path() / "model.gguf";
  write_gguf(path, make_metadata(source->config()), entries);
  expect_logits(path.string(), golden);
}

TEST(GgufSource, NamesWhatIsMissing) {
  const Json golden = internal::golden_cases("llama")[0];
  const internal::ScratchFolder folder;
  internal::write_checkpoint(folder.path(), "llama", golden["config"]);
  const auto source = internal::open_checkpoint(folder.path());
  ASSERT_NE(source, nullptr);
  std::vector<GgufEntry> entries = Converter(*source, false).convert();
  std::erase_if(entries, [](const GgufEntry& e) { return e.name == "blk.1.attn_k.weight"; });
  const auto path = folder.path() / "model.gguf";
  write_gguf(path, make_metadata(source->config()), entries);
  const auto opened = open_model(path.string());
  ASSERT_TRUE(opened) << opened.error().message;
  const auto model = Model::load(*opened->weights, {});
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message.find("blk.1.attn_k.weight"), std::string::npos);

  tensor::GgufMetadata strange = make_metadata(source->config());
  strange.set_string("general.architecture", "warp-drive");
  write_gguf(path, strange, entries);
  const auto unknown = open_model(path.string());
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("warp-drive"), std::string::npos);
}

}  // namespace
}  // namespace anybit::model

// stories260K, a llama2.c checkpoint, turned into GGUF (which keeps that program's rope order), and
// the text it is known to write.
#include <gtest/gtest.h>

#include <cstring>

#include "anybit/model/internal/test_checkpoints.h"
#include "anybit/model/model.h"
#include "anybit/model/open.h"
#include "anybit/model/reference_forward.h"
#include "anybit/tensor/io/gguf_writer.h"

namespace anybit::model {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(ANYBIT_SOURCE_DIR) / ".." / "shared" / "models" / "stories260K";

/// What llama2.c's own test expects of this file at temperature 0.
constexpr std::string_view kKnownText =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high.\n"
    "Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She "
    "said, \"I want to play with your ball, but I can't find it.\"\n"
    "Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to "
    "do.\"\n"
    "Lily didn't want to help her mom, so she said, \"I'm sorry, mom. I didn't know what to do.\" "
    "Her mom said, \"Don't worry, Lily. We can help you.";

/// Reads values one after another.
class ByteReader {
 public:
  explicit ByteReader(std::string bytes) : bytes_(std::move(bytes)) {}
  template <class T>
  T read() {
    T value{};
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view take(size_t count) {
    EXPECT_LE(at_ + count, bytes_.size());
    at_ += count;
    return std::string_view(bytes_).substr(at_ - count, count);
  }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

/// The fields of the file's header, in order.
struct Header {
  int32_t dim, hidden_dim, num_layers, num_heads, num_kv_heads, vocab_size, context;
};

void set_shape(const Header& header, tensor::GgufMetadata& metadata) {
  metadata.set_string("general.architecture", "llama");
  const auto set = [&](const char* key, int32_t value) {
    metadata.set_uint32(std::string("llama.") + key, static_cast<uint32_t>(value));
  };
  set("embedding_length", header.dim);
  set("feed_forward_length", header.hidden_dim);
  set("block_count", header.num_layers);
  set("attention.head_count", header.num_heads);
  set("attention.head_count_kv", header.num_kv_heads);
  set("context_length", header.context);
  metadata.set_float32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

/// Pieces of a SentencePiece vocabulary, spaces as plain text.
void set_tokenizer(ByteReader& reader, int32_t vocab_size, tensor::GgufMetadata& metadata) {
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<int32_t> types;
  reader.read<int32_t>();  // The longest piece.
  for (int32_t id = 0; id < vocab_size; ++id) {
    scores.push_back(reader.read<float>());
    const std::string_view piece = reader.take(static_cast<size_t>(reader.read<int32_t>()));
    std::string token;
    for (const char c : piece) token += c == ' ' ? "\u2581" : std::string(1, c);
    tokens.push_back(token);
    const bool is_byte = token.size() == 6 && token.starts_with("<0x");
    types.push_back(static_cast<int32_t>(id == 0   ? TokenType::kUnknown
                                         : id < 3  ? TokenType::kControl
                                         : is_byte ? TokenType::kByte
                                                   : TokenType::kNormal));
  }
  metadata.set_string("tokenizer.ggml.model", "llama");
  metadata.set_strings("tokenizer.ggml.tokens", tokens);
  metadata.set_float32s("tokenizer.ggml.scores", scores);
  metadata.set_int32s("tokenizer.ggml.token_type", types);
  metadata.set_uint32("tokenizer.ggml.bos_token_id", 1);
  metadata.set_uint32("tokenizer.ggml.eos_token_id", 2);
}

/// The tensors in the order of the checkpoint; a name with {L} stands for all layers.
std::vector<std::pair<std::string, std::vector<int64_t>>> tensor_order(const Header& h) {
  const int64_t kv = h.dim / h.num_heads * h.num_kv_heads;
  return {{"token_embd.weight", {h.vocab_size, h.dim}},
          {"blk.{L}.attn_norm.weight", {h.dim}},
          {"blk.{L}.attn_q.weight", {h.dim, h.dim}},
          {"blk.{L}.attn_k.weight", {kv, h.dim}},
          {"blk.{L}.attn_v.weight", {kv, h.dim}},
          {"blk.{L}.attn_output.weight", {h.dim, h.dim}},
          {"blk.{L}.ffn_norm.weight", {h.dim}},
          {"blk.{L}.ffn_gate.weight", {h.hidden_dim, h.dim}},
          {"blk.{L}.ffn_down.weight", {h.dim, h.hidden_dim}},
          {"blk.{L}.ffn_up.weight", {h.hidden_dim, h.dim}},
          {"output_norm.weight", {h.dim}}};
}

void convert(const std::filesystem::path& target) {
  const auto checkpoint = read_text_file(kFolder / "stories260K.bin");
  const auto vocabulary = read_text_file(kFolder / "tok512.bin");
  ASSERT_TRUE(checkpoint && vocabulary);
  ByteReader reader(*checkpoint), tokens(*vocabulary);
  const auto header = reader.read<Header>();
  ASSERT_GT(header.vocab_size, 0);  // Positive: the embedding is also the output.
  tensor::GgufMetadata metadata;
  set_shape(header, metadata);
  set_tokenizer(tokens, header.vocab_size, metadata);
  std::vector<tensor::GgufTensorDescription> descriptions;
  std::vector<std::string_view> contents;
  for (const auto& [pattern, shape] : tensor_order(header)) {
    const bool is_layered = pattern.find("{L}") != std::string::npos;
    const int64_t count = shape[0] * (shape.size() == 2 ? shape[1] : 1);
    for (int64_t layer = 0; layer < (is_layered ? header.num_layers : 1); ++layer) {
      descriptions.push_back({tensor_name(pattern, layer), shape});
      contents.push_back(reader.take(static_cast<size_t>(count) * sizeof(float)));
    }
  }
  auto writer = tensor::GgufWriter::create(target, metadata, descriptions);
  ASSERT_TRUE(writer) << writer.error().message;
  for (size_t i = 0; i < contents.size(); ++i) {
    ASSERT_TRUE(writer->write(descriptions[i].name, std::as_bytes(std::span(contents[i]))));
  }
  ASSERT_TRUE(writer->commit());
}

TEST(Stories260K, WritesTheKnownText) {
  if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << kFolder << " is absent";
  const internal::ScratchFolder folder;
  const auto path = folder.path() / "stories260K.gguf";
  ASSERT_NO_FATAL_FAILURE(convert(path));
  const auto opened = open_model(path.string());
  ASSERT_TRUE(opened) << opened.error().message;
  const auto tokenizer = load_tokenizer(*opened);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto model = Model::load(*opened->weights, {});
  ASSERT_TRUE(model) << model.error().message;
  auto state = model->start({.kv_element = kernel::KvElement::kF32});
  ASSERT_TRUE(state) << state.error().message;
  std::vector<int32_t> ids = {1};
  while (ids.size() < 270) {
    const auto logits = model->forward(*state, std::span(ids).last(1));
    ASSERT_TRUE(logits) << logits.error().message;
    ids.push_back(static_cast<int32_t>(std::ranges::max_element(*logits) - logits->begin()));
  }
  const auto text = tokenizer->decode(ids);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_TRUE(text->starts_with(kKnownText)) << *text;

  // The reference, given those tokens, would have chosen each of them.
  const auto logits = reference_forward(*opened->weights, ids);
  ASSERT_TRUE(logits) << logits.error().message;
  const auto vocab_size = static_cast<size_t>(model->config().vocab_size);
  for (size_t i = 0; i + 1 < ids.size(); ++i) {
    const auto row = std::span(*logits).subspan(i * vocab_size, vocab_size);
    EXPECT_EQ(std::ranges::max_element(row) - row.begin(), ids[i + 1]) << "token " << i;
  }
}

}  // namespace
}  // namespace anybit::model

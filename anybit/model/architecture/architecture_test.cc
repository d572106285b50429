// Configs of real models, and configs that lie.
#include "anybit/model/architecture/architecture.h"

#include <gtest/gtest.h>

#include "anybit/base/json.h"
#include "anybit/model/internal/test_checkpoints.h"

namespace anybit::model {
namespace {

Json llama_config() {
  return {{"model_type", "llama"},
          {"hidden_size", 2048},
          {"intermediate_size", 8192},
          {"num_hidden_layers", 16},
          {"num_attention_heads", 32},
          {"num_key_value_heads", 8},
          {"vocab_size", 128256},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 500000.0},
          {"tie_word_embeddings", true},
          {"max_position_embeddings", 131072},
          {"eos_token_id", {128001, 128008, 128009}},
          {"rope_scaling",
           {{"factor", 32.0},
            {"low_freq_factor", 1.0},
            {"high_freq_factor", 4.0},
            {"original_max_position_embeddings", 8192},
            {"rope_type", "llama3"}}}};
}

TEST(Architecture, ReadsLlama3) {
  const auto config = parse_model_config(llama_config().dump(), "config.json");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->family, "llama");
  EXPECT_EQ(config->head_dim, 64);
  EXPECT_EQ(config->rope.scaling, kernel::RopeScaling::kLlama3);
  EXPECT_EQ(config->rope.factor, 32);
  EXPECT_EQ(config->rope.original_max_position, 8192);
  EXPECT_EQ(config->rope.rotary_dim, 64);
  EXPECT_EQ(config->eos_ids, (std::vector<int32_t>{128001, 128008, 128009}));
  EXPECT_EQ(config->num_parameters(), 1235814400);  // As the model card counts Llama 3.2 1B.
}

TEST(Architecture, ReadsMistralWindow) {
  Json json = llama_config();
  json["model_type"] = "mistral";
  json.erase("rope_scaling");
  json["sliding_window"] = 4096;
  const auto windowed = parse_model_config(json.dump(), "config.json");
  ASSERT_TRUE(windowed) << windowed.error().message;
  EXPECT_EQ(windowed->window(0), 4096);
  json["sliding_window"] = nullptr;
  const auto full = parse_model_config(json.dump(), "config.json");
  ASSERT_TRUE(full) << full.error().message;
  EXPECT_EQ(full->window(0), 0);
}

TEST(Architecture, ReadsGemma3Pattern) {
  const Json json = {{"model_type", "gemma3_text"},
                     {"hidden_size", 640},
                     {"intermediate_size", 2048},
                     {"num_hidden_layers", 18},
                     {"num_attention_heads", 4},
                     {"num_key_value_heads", 1},
                     {"head_dim", 256},
                     {"vocab_size", 262144},
                     {"sliding_window", 512},
                     {"sliding_window_pattern", 6},
                     {"query_pre_attn_scalar", 256},
                     {"max_position_embeddings", 32768}};
  const auto config = parse_model_config(json.dump(), "config.json");
  ASSERT_TRUE(config) << config.error().message;
  for (int64_t layer = 0; layer < 18; ++layer) {
    EXPECT_EQ(config->window(layer), layer % 6 == 5 ? 0 : 512) << layer;
  }
  EXPECT_EQ(config->rope.theta, 1e6);
  EXPECT_EQ(config->sliding_rope.theta, 1e4);
  EXPECT_EQ(config->attention_scale, 1.0f / 16);
  EXPECT_TRUE(config->norm_adds_one && config->has_qk_norm && config->has_post_norms);
  EXPECT_TRUE(config->has_tied_embeddings);
  EXPECT_EQ(config->num_parameters(), 268098176);  // The 270M of its name.
}

TEST(Architecture, ListsEveryTensorOnce) {
  for (const char* family : {"llama", "llama_biased", "mixtral", "qwen2", "qwen3", "gemma3"}) {
    SCOPED_TRACE(family);
    const internal::ScratchFolder folder;
    internal::write_checkpoint(folder.path(), family, internal::golden_cases(family)[0]["config"]);
    const auto source = internal::open_checkpoint(folder.path());
    ASSERT_NE(source, nullptr);
    int64_t num_parameters = 0;
    for (const ModelTensor& tensor : model_tensors(source->config())) {
      const auto shape = source->shape(tensor.name);
      ASSERT_TRUE(shape) << shape.error().message;
      EXPECT_EQ(*shape, tensor.shape) << tensor.name;
      int64_t count = 1;
      for (const int64_t extent : tensor.shape) count *= extent;
      num_parameters += count;
    }
    EXPECT_EQ(num_parameters, source->config().num_parameters());
  }
}

struct Lie {
  const char* field;
  Json value;
  const char* expected;  // In the message.
};

TEST(Architecture, RefusesLies) {
  const Lie lies[] = {
      {"model_type", "no_such_model", "no_such_model"},
      {"model_type", 7, "model_type"},
      {"hidden_size", nullptr, "hidden_size"},
      {"hidden_size", -1, "found -1"},
      {"hidden_size", int64_t{1} << 62, "hidden_size"},
      {"hidden_size", "wide", "hidden_size"},
      {"num_hidden_layers", 0, "num_layers"},
      {"num_hidden_layers", int64_t{1} << 40, "num_layers"},
      {"num_attention_heads", 0, "num_attention_heads"},
      {"num_key_value_heads", 5, "does not divide"},
      {"num_key_value_heads", 0, "num_kv_heads"},
      {"head_dim", 63, "rotary_dim"},
      {"vocab_size", int64_t{1} << 50, "vocab_size"},
      {"rms_norm_eps", -1.0, "norm_eps"},
      {"hidden_act", "sine", "sine"},
      {"rope_theta", 0.0, "theta"},
      {"rope_scaling", {{"rope_type", "spiral"}}, "spiral"},
      {"rope_scaling", 3, "object"},
      {"rope_scaling", {{"rope_type", "linear"}, {"factor", "four"}}, "factor"},
      {"eos_token_id", {1, "two"}, "eos_token_id"},
      {"eos_token_id", -4, "eos_token_id"},
      {"partial_rotary_factor", 2.0, "partial_rotary_factor"},
  };
  for (const Lie& lie : lies) {
    Json json = llama_config();
    if (lie.value.is_null()) {
      json.erase(lie.field);
    } else {
      json[lie.field] = lie.value;
    }
    const auto config = parse_model_config(json.dump(), "some/config.json");
    ASSERT_FALSE(config) << lie.field << " " << lie.value;
    EXPECT_NE(config.error().message.find("some/config.json"), std::string::npos)
        << config.error().message;
    EXPECT_NE(config.error().message.find(lie.expected), std::string::npos)
        << config.error().message;
  }
  for (const char* text : {"", "[]", "{", "null", "{\"model_type\": null}"}) {
    EXPECT_FALSE(parse_model_config(text, "config.json")) << text;
  }
}

TEST(Weights, NameTensorExpectedAndFoundShape) {
  const Json config = internal::golden_cases("llama")[0]["config"];
  const internal::ScratchFolder folder;
  Json wider = config;
  wider["intermediate_size"] = 41;
  internal::write_checkpoint(folder.path(), "llama", wider);
  auto source = internal::open_checkpoint(folder.path());
  ASSERT_NE(source, nullptr);
  auto layer = read_layer(*source, 0);
  ASSERT_FALSE(layer);
  for (const char* part : {"model.layers.0.mlp.gate_proj.weight", "[41, 32]", "[40, 32]"}) {
    EXPECT_NE(layer.error().message.find(part), std::string::npos) << layer.error().message;
  }

  Json deeper = config;
  deeper["num_hidden_layers"] = 3;
  internal::write_checkpoint(folder.path(), "llama", deeper);
  source = internal::open_checkpoint(folder.path());
  ASSERT_NE(source, nullptr);
  layer = read_layer(*source, 2);
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().code, ErrorCode::kNotFound);
  EXPECT_NE(layer.error().message.find("model.layers.2."), std::string::npos);
}

}  // namespace
}  // namespace anybit::model

#include "anybit/model/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "anybit/base/json.h"
#include "anybit/model/tokenizer/pre_tokenizer_table.h"

namespace anybit::model {
namespace {

TokenType type_of(const TokenizerData& data, size_t id) {
  return data.token_types.empty() ? TokenType::kNormal
                                  : static_cast<TokenType>(data.token_types[id]);
}

bool is_special(TokenType type) {
  return type == TokenType::kControl || type == TokenType::kUnknown;
}

Result<std::string> token_at(const TokenizerData& data, std::optional<int64_t> id,
                             std::string_view role) {
  if (!id) return std::string();
  if (*id < 0 || *id >= std::ssize(data.tokens)) {
    return fail(ErrorCode::kCorruptData,
                "tokenizer.ggml.{}_token_id: expected an id below {}, "
                "found {}",
                role, data.tokens.size(), *id);
  }
  return data.tokens[static_cast<size_t>(*id)];
}

OrderedJson added_tokens(const TokenizerData& data) {
  OrderedJson list = OrderedJson::array();
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    const TokenType type = type_of(data, id);
    if (!is_special(type) && type != TokenType::kUserDefined) continue;
    list.push_back({{"id", id},
                    {"content", data.tokens[id]},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", is_special(type)}});
  }
  return list;
}

OrderedJson vocabulary(const TokenizerData& data) {
  OrderedJson vocab = OrderedJson::object();
  for (size_t id = 0; id < data.tokens.size(); ++id) vocab[data.tokens[id]] = id;
  return vocab;
}

OrderedJson bpe_model(const TokenizerData& data, OrderedJson merges) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", vocabulary(data)},
          {"merges", std::move(merges)}};
}

Status fill_byte_level(const TokenizerData& data, OrderedJson& object) {
  const std::string_view pre = data.pre.empty() ? std::string_view("default") : data.pre;
  const PreTokenizerRow* row = find_pre_tokenizer(pre);
  if (row == nullptr) {
    return fail(ErrorCode::kUnsupported,
                "tokenizer.ggml.pre: the pre-tokenizer \"{}\" is not supported", pre);
  }
  OrderedJson steps = OrderedJson::array();
  for (const std::string_view pattern : row->patterns) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  const OrderedJson byte_level = {{"type", "ByteLevel"},
                                  {"add_prefix_space", false},
                                  {"trim_offsets", true},
                                  {"use_regex", false}};
  steps.push_back(byte_level);
  object["normalizer"] = nullptr;
  object["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", steps}};
  object["decoder"] = byte_level;
  object["model"] = bpe_model(data, data.merges);
  object["model"]["ignore_merges"] = row->ignore_merges;
  return {};
}

// All splits of tokens into two tokens, best result first; of one result, the split whose parts
// have the lower ids first.
OrderedJson implied_merges(const TokenizerData& data) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    if (type_of(data, id) == TokenType::kNormal) ids.emplace(data.tokens[id], id);
  }
  struct Merge {
    float score;
    size_t left, right;
  };
  std::vector<Merge> merges;
  for (const auto& [token, id] : ids) {
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const auto left = ids.find(token.substr(0, cut)), right = ids.find(token.substr(cut));
      if (left == ids.end() || right == ids.end()) continue;
      merges.push_back({data.scores[id], left->second, right->second});
    }
  }
  std::ranges::sort(merges, [](const Merge& a, const Merge& b) {
    if (a.score != b.score) return a.score > b.score;
    return std::pair(a.left, a.right) < std::pair(b.left, b.right);
  });
  OrderedJson list = OrderedJson::array();
  for (const Merge& merge : merges) {
    list.push_back({data.tokens[merge.left], data.tokens[merge.right]});
  }
  return list;
}

Status fill_scored(const TokenizerData& data, OrderedJson& object) {
  if (data.scores.size() != data.tokens.size()) {
    return fail(ErrorCode::kCorruptData,
                "tokenizer.ggml.scores: expected {} entries, one a token, found {}",
                data.tokens.size(), data.scores.size());
  }
  if (data.collapse_spaces.value_or(false)) {
    return fail(ErrorCode::kUnsupported,
                "tokenizer.ggml.remove_extra_whitespaces: no tokenizer.json says that");
  }
  const std::string mark = "\u2581";
  const bool adds_space = data.add_space_prefix.value_or(true);
  OrderedJson normalizers = OrderedJson::array(), decoders = OrderedJson::array();
  if (adds_space) normalizers.push_back({{"type", "Prepend"}, {"prepend", mark}});
  normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", mark}});
  decoders.push_back({{"type", "Replace"}, {"pattern", {{"String", mark}}}, {"content", " "}});
  decoders.push_back({{"type", "ByteFallback"}});
  decoders.push_back({{"type", "Fuse"}});
  if (adds_space) {
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  object["normalizer"] = {{"type", "Sequence"}, {"normalizers", normalizers}};
  object["pre_tokenizer"] = nullptr;
  object["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
  object["model"] = bpe_model(data, implied_merges(data));
  object["model"]["byte_fallback"] = true;
  object["model"]["fuse_unk"] = true;
  ANYBIT_ASSIGN(const std::string unknown, token_at(data, data.unknown_id, "unknown"));
  if (!unknown.empty()) object["model"]["unk_token"] = unknown;
  return {};
}

bool adds_bos(const TokenizerData& data) {
  if (data.add_bos) return *data.add_bos;
  if (!data.bos_id) return false;
  if (data.model != "gpt2") return true;
  const PreTokenizerRow* row =
      find_pre_tokenizer(data.pre.empty() ? std::string_view("default") : data.pre);
  return row != nullptr && row->add_bos;
}

Result<OrderedJson> post_processor(const TokenizerData& data) {
  const bool bos = adds_bos(data), eos = data.add_eos.value_or(false);
  if (!bos && !eos) return OrderedJson(nullptr);
  OrderedJson single = OrderedJson::array(), pair = OrderedJson::array();
  OrderedJson special = OrderedJson::object();
  const auto add_special = [&](std::optional<int64_t> id, std::string_view role) -> Status {
    ANYBIT_ASSIGN(const std::string token, token_at(data, id, role));
    const OrderedJson entry = {{"SpecialToken", {{"id", token}, {"type_id", 0}}}};
    single.push_back(entry);
    pair.push_back(entry);
    special[token] = {{"id", token}, {"ids", {id.value_or(0)}}, {"tokens", {token}}};
    return {};
  };
  if (bos) ANYBIT_TRY(add_special(data.bos_id, "bos"));
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  pair.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
  if (eos) ANYBIT_TRY(add_special(data.eos_id, "eos"));
  return OrderedJson{{"type", "TemplateProcessing"},
                     {"single", single},
                     {"pair", pair},
                     {"special_tokens", special}};
}

Result<std::string> dump(const OrderedJson& object) {
  try {
    return object.dump(1) + "\n";
  } catch (const OrderedJson::exception& error) {
    return fail(ErrorCode::kCorruptData, "tokenizer.ggml.tokens: expected UTF-8: {}", error.what());
  }
}

}  // namespace

Result<std::string> tokenizer_json(const TokenizerData& data) {
  OrderedJson object = {{"version", "1.0"},
                        {"truncation", nullptr},
                        {"padding", nullptr},
                        {"added_tokens", added_tokens(data)}};
  if (data.model == "gpt2") {
    ANYBIT_TRY(fill_byte_level(data, object));
  } else if (data.model == "llama") {
    ANYBIT_TRY(fill_scored(data, object));
  } else {
    return fail(ErrorCode::kUnsupported,
                "tokenizer.ggml.model: expected gpt2 or llama, found \"{}\"", data.model);
  }
  ANYBIT_ASSIGN(object["post_processor"], post_processor(data));
  return dump(object);
}

Result<std::string> tokenizer_config_json(const TokenizerData& data,
                                          const std::string& chat_template) {
  const struct {
    std::string_view key, role;
    std::optional<int64_t> id;
  } roles[] = {{"bos_token", "bos", data.bos_id},
               {"eos_token", "eos", data.eos_id},
               {"unk_token", "unknown", data.unknown_id},
               {"pad_token", "padding", data.padding_id}};
  OrderedJson object;
  for (const auto& role : roles) {
    if (!role.id) continue;
    ANYBIT_ASSIGN(object[role.key], token_at(data, role.id, role.role));
  }
  object["add_bos_token"] = adds_bos(data);
  object["add_eos_token"] = data.add_eos.value_or(false);
  if (!chat_template.empty()) object["chat_template"] = chat_template;
  object["tokenizer_class"] = "PreTrainedTokenizerFast";
  return dump(object);
}

}  // namespace anybit::model

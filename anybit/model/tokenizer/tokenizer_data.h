// TokenizerData: the tokenizer part of a GGUF file as plain values, so that this layer's tokenizer
// needs no file reader. Reading the file is left to tensor/io/gguf.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace anybit::model {

/// What a vocabulary entry is for.
/// Source: GGUF specification, `tokenizer.ggml.token_type`.
enum class TokenType : int32_t {
  kUndefined = 0,
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

/// The `tokenizer.ggml.*` metadata of one GGUF file. Absent keys are empty.
struct TokenizerData {
  std::string model;                     // tokenizer.ggml.model: "gpt2" or "llama".
  std::string pre;                       // tokenizer.ggml.pre; only "gpt2" reads it.
  std::vector<std::string> tokens;       // [vocab_size]
  std::vector<float> scores;             // [vocab_size]; "llama" only.
  std::vector<int32_t> token_types;      // [vocab_size] TokenType values, or empty: all normal.
  std::vector<std::string> merges;       // "left right", best first; "gpt2" only.
  std::optional<int64_t> bos_id;         // tokenizer.ggml.bos_token_id
  std::optional<int64_t> eos_id;         // tokenizer.ggml.eos_token_id
  std::optional<int64_t> unknown_id;     // tokenizer.ggml.unknown_token_id
  std::optional<int64_t> padding_id;     // tokenizer.ggml.padding_token_id
  std::optional<bool> add_bos;           // tokenizer.ggml.add_bos_token
  std::optional<bool> add_eos;           // tokenizer.ggml.add_eos_token
  std::optional<bool> add_space_prefix;  // tokenizer.ggml.add_space_prefix
  std::optional<bool> collapse_spaces;   // tokenizer.ggml.remove_extra_whitespaces
  std::string model_name;                // general.name: Phi-3 files strip after special tokens.
};

}  // namespace anybit::model

// The pre-tokenizers that GGUF files name in `tokenizer.ggml.pre`: one row a name.
#pragma once

#include <span>
#include <string_view>

namespace anybit::model {

/// What one `tokenizer.ggml.pre` name means.
struct PreTokenizerRow {
  std::string_view name;
  std::span<const std::string_view> patterns;  // Applied in turn; matches are isolated.
  bool ignore_merges;                          // A word that is a token is that token.
  bool add_bos;                                // Where the file does not say.
};

/// The rows.
/// Source: GGUF files as llama.cpp's converter writes them; patterns from the models' own files.
std::span<const PreTokenizerRow> pre_tokenizer_table();

/// The row called `name`, or null.
const PreTokenizerRow* find_pre_tokenizer(std::string_view name);

}  // namespace anybit::model

// Tokenizer: text to token ids and back, from a tokenizer.json or from GGUF metadata.
// Chat templates are left to model/chat_template; truncation and padding to the caller.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/tokenizer_data.h"

namespace anybit::model {

namespace internal {
struct Pipeline;
}

/// How encode() treats special tokens.
struct EncodeOptions {
  bool add_special = true;    // Add what the file asks for: usually a beginning-of-sequence token.
  bool parse_special = true;  // "<s>" in the text is the token, not three characters.
};

/// How decode() treats special tokens.
struct DecodeOptions {
  bool skip_special = true;  // Leave special tokens out of the text.
};

/// What tokenizer_config.json says beside tokenizer.json. Empty or absent: nothing.
struct SpecialTokens {
  std::string bos;
  std::string eos;
  std::string padding;
  std::string unknown;
  // If either is present, both replace what tokenizer.json adds around a text; absent is no.
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
};

/// An immutable tokenizer; every method may be called from several threads at once.
/// Text is UTF-8. Bytes that are not UTF-8 pass every normalizer unchanged and match no pattern;
/// a byte-level or byte-fallback vocabulary still encodes them exactly.
class Tokenizer {
 public:
  /// Builds the pipeline described by the text of a tokenizer.json; `name` opens error messages.
  /// The file's `truncation` and `padding` are the caller's matter and are not applied.
  /// Errors: kCorruptData naming file, field, expected and found; kUnsupported naming the
  /// component or option this tokenizer does not have. A special token must be in the vocabulary.
  /// Source: format of the `tokenizers` package, version "1.0".
  static Result<Tokenizer> load_json(std::string_view json, std::string_view name,
                                     const SpecialTokens& special = {});

  /// load_json() of `folder`/tokenizer.json, with the special tokens of tokenizer_config.json if it
  /// is there. Errors: those of load_json(); kNotFound; kIo.
  static Result<Tokenizer> load_folder(const std::filesystem::path& folder);

  /// Builds the tokenizer of a GGUF file. "gpt2" files name their split patterns in `pre`;
  /// like the format's reference, no Unicode normalization is applied.
  /// Errors: kCorruptData naming `name`, the key, expected and found; kUnsupported for another
  /// tokenizer model or an unknown `pre`.
  static Result<Tokenizer> from_gguf_data(const TokenizerData& data, std::string_view name);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// The ids of `text`, at most 1 GiB. O(n log n) in the length of the text.
  /// Errors: kInvalidArgument for a longer text, or one on which a pattern of the file exceeds its
  /// backtracking limit; kCorruptData where the file lacks the unknown token it needs.
  Result<std::vector<int32_t>> encode(std::string_view text, EncodeOptions options = {}) const;

  /// The bytes `ids` stand for; not necessarily UTF-8 (an id may end inside a character).
  /// Post: a byte-level tokenizer returns exactly the bytes that were encoded.
  /// Errors: kInvalidArgument for an id outside [0, vocab_size()).
  Result<std::string> decode(std::span<const int32_t> ids, DecodeOptions options = {}) const;

  /// The bytes one id adds in the middle of a text, special tokens included; empty for an id that
  /// is not in the vocabulary.
  std::string token_bytes(int32_t id) const;

  /// The vocabulary's spelling of `id` ("Ġthe", "▁the", "<0x0A>"); empty if there is none.
  std::string_view token_text(int32_t id) const;

  /// The id spelled `text` in the vocabulary or the added tokens.
  std::optional<int32_t> token_id(std::string_view text) const;

  /// One more than the largest id.
  int64_t vocab_size() const;

  std::optional<int32_t> bos_id() const;
  std::optional<int32_t> eos_id() const;
  std::optional<int32_t> padding_id() const;
  std::optional<int32_t> unknown_id() const;

  /// Whether decode() leaves `id` out under skip_special.
  bool is_special(int32_t id) const;

  /// Ascending: the ids after which generation stops. eos_id() and the ends of a turn
  /// ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", ...) that the vocabulary has.
  std::span<const int32_t> end_ids() const;

 private:
  explicit Tokenizer(std::unique_ptr<const internal::Pipeline> pipeline);

  std::unique_ptr<const internal::Pipeline> pipeline_;
};

}  // namespace anybit::model

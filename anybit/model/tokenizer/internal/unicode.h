// UTF-8 and Unicode character properties for tokenizers. Invalid bytes are characters of their own
// that have no property.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace anybit::model::internal {

/// U+2581, which SentencePiece vocabularies write for a space.
inline constexpr std::string_view kMetaspaceText = "\xE2\x96\x81";

/// Code point of a byte that begins no valid UTF-8 sequence.
inline constexpr int32_t kInvalidByte = -1;

/// A decoded character and the bytes it takes; an invalid byte is {kInvalidByte, 1}.
struct Character {
  int32_t code_point;
  int32_t size_bytes;
};

/// Decodes the character at `position`. Pre: position < text.size().
Character decode_utf8(std::string_view text, size_t position);

/// Bytes of the longest valid UTF-8 prefix of `text`.
size_t valid_utf8_prefix(std::string_view text);

/// Appends a code point in [0, 0x10FFFF].
void append_utf8(std::string& text, int32_t code_point);

/// White_Space, as in Unicode's PropList.
bool is_whitespace(int32_t code_point);

/// General category N*.
bool is_numeric(int32_t code_point);

/// General category P*, or ASCII punctuation of any category.
bool is_punctuation(int32_t code_point);

/// General category M*.
bool is_mark(int32_t code_point);

/// `\w` of Unicode regular expressions (UTS #18, annex C).
bool is_word(int32_t code_point);

/// Appends the full lower-case mapping of one code point, without context.
void append_lowercase(std::string& text, int32_t code_point);

/// Unicode normalization forms.
enum class NormalForm : uint8_t { kNfc, kNfd, kNfkc, kNfkd };

/// `text` in that form; invalid bytes stay where they are.
std::string normalize_unicode(std::string_view text, NormalForm form);

}  // namespace anybit::model::internal

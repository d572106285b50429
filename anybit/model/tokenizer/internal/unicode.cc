#include "anybit/model/tokenizer/internal/unicode.h"

#include <utf8proc.h>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace anybit::model::internal {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080ULL;

struct CodePointRange {
  int32_t first;
  int32_t last;
};

// Symbols (So) with the property Other_Alphabetic: circled and squared letters.
constexpr CodePointRange kAlphabeticSymbols[] = {
    {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

struct FreeDeleter {
  void operator()(utf8proc_uint8_t* pointer) const { std::free(pointer); }
};

utf8proc_option_t options_of(NormalForm form) {
  switch (form) {
    case NormalForm::kNfc:
      return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    case NormalForm::kNfd:
      return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    case NormalForm::kNfkc:
      return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    case NormalForm::kNfkd: break;
  }
  return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
}

// Pre: `valid` is UTF-8.
void append_normal_form(std::string& out, std::string_view valid, NormalForm form) {
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t size_bytes =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(valid.data()),
                   static_cast<utf8proc_ssize_t>(valid.size()), &mapped, options_of(form));
  const std::unique_ptr<utf8proc_uint8_t, FreeDeleter> owner(mapped);
  if (size_bytes < 0) {
    out += valid;  // Only memory exhaustion gets here; the text is then left as it was.
    return;
  }
  out.append(reinterpret_cast<const char*>(mapped), static_cast<size_t>(size_bytes));
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

Character decode_utf8(std::string_view text, size_t position) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data()) + position;
  const size_t available = text.size() - position;
  const unsigned char lead = bytes[0];
  if (lead < 0x80) return {lead, 1};
  if (lead >= 0xC2 && lead < 0xE0 && available >= 2 && is_continuation(bytes[1])) {
    return {(lead & 0x1F) << 6 | (bytes[1] & 0x3F), 2};
  }
  if ((lead & 0xF0) == 0xE0 && available >= 3 && is_continuation(bytes[1]) &&
      is_continuation(bytes[2])) {
    const int32_t code_point = (lead & 0x0F) << 12 | (bytes[1] & 0x3F) << 6 | (bytes[2] & 0x3F);
    const bool is_surrogate = code_point >= 0xD800 && code_point < 0xE000;
    if (code_point >= 0x800 && !is_surrogate) return {code_point, 3};
  }
  if ((lead & 0xF8) == 0xF0 && available >= 4 && is_continuation(bytes[1]) &&
      is_continuation(bytes[2]) && is_continuation(bytes[3])) {
    const int32_t code_point =
        (lead & 0x07) << 18 | (bytes[1] & 0x3F) << 12 | (bytes[2] & 0x3F) << 6 | (bytes[3] & 0x3F);
    if (code_point >= 0x10000 && code_point <= 0x10FFFF) return {code_point, 4};
  }
  return {kInvalidByte, 1};
}

size_t valid_utf8_prefix(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    uint64_t word = 0;
    if (position + sizeof(word) <= text.size()) {
      std::memcpy(&word, text.data() + position, sizeof(word));
      if ((word & kHighBits) == 0) {
        position += sizeof(word);
        continue;
      }
    }
    const Character character = decode_utf8(text, position);
    if (character.code_point == kInvalidByte) return position;
    position += static_cast<size_t>(character.size_bytes);
  }
  return position;
}

void append_utf8(std::string& text, int32_t code_point) {
  utf8proc_uint8_t buffer[4];
  const utf8proc_ssize_t size_bytes = utf8proc_encode_char(code_point, buffer);
  text.append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(size_bytes));
}

bool is_whitespace(int32_t code_point) {
  if (code_point < 0x80) return code_point == ' ' || (code_point >= '\t' && code_point <= '\r');
  return code_point == 0x85 || code_point == 0xA0 || code_point == 0x1680 ||
         (code_point >= 0x2000 && code_point <= 0x200A) || code_point == 0x2028 ||
         code_point == 0x2029 || code_point == 0x202F || code_point == 0x205F ||
         code_point == 0x3000;
}

bool is_numeric(int32_t code_point) {
  if (code_point < 0x80) return code_point >= '0' && code_point <= '9';
  const utf8proc_category_t category = utf8proc_category(code_point);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool is_punctuation(int32_t code_point) {
  if (code_point < 0x80) {
    return (code_point >= '!' && code_point <= '/') || (code_point >= ':' && code_point <= '@') ||
           (code_point >= '[' && code_point <= '`') || (code_point >= '{' && code_point <= '~');
  }
  const utf8proc_category_t category = utf8proc_category(code_point);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool is_mark(int32_t code_point) {
  if (code_point < 0x80) return false;
  const utf8proc_category_t category = utf8proc_category(code_point);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool is_word(int32_t code_point) {
  if (code_point < 0) return false;
  const utf8proc_category_t category = utf8proc_category(code_point);
  const bool is_letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
  if (is_letter || is_mark(code_point) || category == UTF8PROC_CATEGORY_ND ||
      category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_PC) {
    return true;
  }
  if (code_point == 0x200C || code_point == 0x200D) return true;  // Join_Control
  for (const CodePointRange& range : kAlphabeticSymbols) {
    if (code_point >= range.first && code_point <= range.last) return true;
  }
  return false;
}

void append_lowercase(std::string& text, int32_t code_point) {
  if (code_point == 0x130) {  // The one code point whose lower case is two: i, dot above.
    text += "i\xCC\x87";
    return;
  }
  append_utf8(text, utf8proc_tolower(code_point));
}

std::string normalize_unicode(std::string_view text, NormalForm form) {
  if (is_ascii(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t valid = valid_utf8_prefix(text);
    if (valid > 0) append_normal_form(out, text.substr(0, valid), form);
    text.remove_prefix(valid);
    if (text.empty()) break;
    out += text.front();
    text.remove_prefix(1);
  }
  return out;
}

}  // namespace anybit::model::internal

#include "anybit/model/chat_template/internal/text.h"

#include <utf8proc.h>

#include <algorithm>

namespace anybit::model::jinja {
namespace {

constexpr int32_t kSharpS = 0xDF;

utf8proc_category_t category(int32_t code) { return utf8proc_category(code); }

bool is_letter(int32_t code) {
  const utf8proc_category_t found = category(code);
  return found >= UTF8PROC_CATEGORY_LU && found <= UTF8PROC_CATEGORY_LO;
}

bool is_cased(int32_t code) {
  const utf8proc_category_t found = category(code);
  return found >= UTF8PROC_CATEGORY_LU && found <= UTF8PROC_CATEGORY_LT;
}

/// Calls change(character, text of it, output) for every character.
template <class Change>
std::string map_characters(std::string_view text, Change change) {
  std::string out;
  out.reserve(text.size());
  for (size_t position = 0; position < text.size();) {
    const Character character = character_at(text, position);
    if (character.is_valid) {
      change(character.code, out);
    } else {
      out += text[position];
    }
    position += static_cast<size_t>(character.length);
  }
  return out;
}

void append_upper(int32_t code, std::string& out) {
  if (code == kSharpS) {
    out += "SS";
  } else {
    append_utf8(utf8proc_toupper(code), out);
  }
}

void append_title(int32_t code, std::string& out) {
  if (code == kSharpS) {
    out += "Ss";
  } else {
    append_utf8(utf8proc_totitle(code), out);
  }
}

template <class Predicate>
bool all_characters(std::string_view text, Predicate predicate) {
  for (size_t position = 0; position < text.size();) {
    const Character character = character_at(text, position);
    if (!character.is_valid || !predicate(character.code)) return false;
    position += static_cast<size_t>(character.length);
  }
  return !text.empty();
}

bool is_digit_character(int32_t code) { return category(code) == UTF8PROC_CATEGORY_ND; }

/// Whether cased characters exist and none of them has the category `unwanted` or is title case.
bool is_all_cased(std::string_view text, utf8proc_category_t unwanted) {
  bool has_cased = false;
  for (size_t position = 0; position < text.size();) {
    const Character character = character_at(text, position);
    if (character.is_valid && is_cased(character.code)) {
      const utf8proc_category_t found = category(character.code);
      if (found == unwanted || found == UTF8PROC_CATEGORY_LT) return false;
      has_cased = true;
    }
    position += static_cast<size_t>(character.length);
  }
  return has_cased;
}

bool is_line_end(int32_t code) {
  return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
         code == 0x2028 || code == 0x2029;
}

/// Byte position of the character that ends at byte `end`.
size_t previous_position(std::string_view text, size_t end) {
  for (size_t length = 1; length <= 4 && length <= end; ++length) {
    const Character character = character_at(text, end - length);
    if (character.is_valid && static_cast<size_t>(character.length) == length) return end - length;
  }
  return end - 1;
}

template <class Predicate>
std::string_view strip_if(std::string_view text, bool at_start, bool at_end, Predicate unwanted) {
  size_t begin = 0;
  size_t end = text.size();
  while (at_start && begin < end) {
    const Character character = character_at(text, begin);
    if (!character.is_valid || !unwanted(character.code)) break;
    begin += static_cast<size_t>(character.length);
  }
  while (at_end && begin < end) {
    const size_t last = previous_position(text, end);
    const Character character = character_at(text, last);
    if (!character.is_valid || !unwanted(character.code)) break;
    end = last;
  }
  return text.substr(begin, end - begin);
}

}  // namespace

Character character_at(std::string_view text, size_t position) {
  const auto byte = static_cast<unsigned char>(text[position]);
  if (byte < 0x80) return {byte, 1, true};
  utf8proc_int32_t code = -1;
  const auto available = static_cast<utf8proc_ssize_t>(std::min<size_t>(4, text.size() - position));
  const utf8proc_ssize_t length = utf8proc_iterate(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + position, available, &code);
  if (length <= 0 || code < 0) return {byte, 1, false};
  return {code, static_cast<int>(length), true};
}

int64_t num_characters(std::string_view text) {
  int64_t count = 0;
  for (size_t position = 0; position < text.size(); ++count) {
    position += static_cast<size_t>(character_at(text, position).length);
  }
  return count;
}

std::vector<size_t> character_offsets(std::string_view text) {
  std::vector<size_t> offsets;
  offsets.reserve(text.size() + 1);
  for (size_t position = 0; position < text.size();) {
    offsets.push_back(position);
    position += static_cast<size_t>(character_at(text, position).length);
  }
  offsets.push_back(text.size());
  return offsets;
}

void append_utf8(int32_t code, std::string& out) {
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t length = utf8proc_encode_char(code, bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
}

bool is_space(int32_t code) {
  return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
         code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool is_printable(int32_t code) {
  if (code == ' ') return true;
  switch (category(code)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO: return false;
    default: return true;
  }
}

std::string_view strip(std::string_view text, bool at_start, bool at_end) {
  return strip_if(text, at_start, at_end, is_space);
}

std::string_view strip(std::string_view text, std::string_view unwanted, bool at_start,
                       bool at_end) {
  std::vector<int32_t> codes;
  for (size_t position = 0; position < unwanted.size();) {
    const Character character = character_at(unwanted, position);
    codes.push_back(character.code);
    position += static_cast<size_t>(character.length);
  }
  std::sort(codes.begin(), codes.end());
  return strip_if(text, at_start, at_end, [&](int32_t code) {
    return std::binary_search(codes.begin(), codes.end(), code);
  });
}

std::string upper(std::string_view text) { return map_characters(text, append_upper); }

std::string lower(std::string_view text) {
  return map_characters(
      text, [](int32_t code, std::string& out) { append_utf8(utf8proc_tolower(code), out); });
}

std::string capitalize(std::string_view text) {
  bool is_first = true;
  return map_characters(text, [&](int32_t code, std::string& out) {
    if (is_first) {
      append_title(code, out);
    } else {
      append_utf8(utf8proc_tolower(code), out);
    }
    is_first = false;
  });
}

std::string title(std::string_view text) {
  bool is_after_letter = false;
  return map_characters(text, [&](int32_t code, std::string& out) {
    if (is_after_letter) {
      append_utf8(utf8proc_tolower(code), out);
    } else {
      append_title(code, out);
    }
    is_after_letter = is_cased(code);
  });
}

std::string title_words(std::string_view text) {
  bool is_at_start = true;
  return map_characters(text, [&](int32_t code, std::string& out) {
    if (is_at_start) {
      append_upper(code, out);
    } else {
      append_utf8(utf8proc_tolower(code), out);
    }
    constexpr std::string_view kOpeners = "-({[<";
    is_at_start =
        is_space(code) || (code < 0x80 && kOpeners.find(static_cast<char>(code)) != kOpeners.npos);
  });
}

std::string swapcase(std::string_view text) {
  return map_characters(text, [](int32_t code, std::string& out) {
    if (category(code) == UTF8PROC_CATEGORY_LU) {
      append_utf8(utf8proc_tolower(code), out);
    } else {
      append_upper(code, out);
    }
  });
}

bool is_upper(std::string_view text) { return is_all_cased(text, UTF8PROC_CATEGORY_LL); }
bool is_lower(std::string_view text) { return is_all_cased(text, UTF8PROC_CATEGORY_LU); }
bool is_alpha(std::string_view text) { return all_characters(text, is_letter); }
bool is_digit(std::string_view text) { return all_characters(text, is_digit_character); }
bool is_space_only(std::string_view text) { return all_characters(text, is_space); }

bool is_alnum(std::string_view text) {
  return all_characters(text,
                        [](int32_t code) { return is_letter(code) || is_digit_character(code); });
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t position = 0; position < text.size();) {
    const Character character = character_at(text, position);
    size_t next = position + static_cast<size_t>(character.length);
    if (character.is_valid && is_line_end(character.code)) {
      if (character.code == '\r' && next < text.size() && text[next] == '\n') ++next;
      lines.push_back(text.substr(begin, position - begin));
      begin = next;
    }
    position = next;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    int64_t max_count) {
  std::string out;
  size_t position = 0;
  int64_t count = 0;
  const auto may_replace = [&] { return max_count < 0 || count < max_count; };
  if (from.empty()) {
    while (position < text.size() && may_replace()) {
      const auto length = static_cast<size_t>(character_at(text, position).length);
      out.append(to).append(text.substr(position, length));
      position += length;
      ++count;
    }
    out.append(text.substr(position));
    if (may_replace()) out.append(to);
    return out;
  }
  while (may_replace()) {
    const size_t found = text.find(from, position);
    if (found == text.npos) break;
    out.append(text.substr(position, found - position)).append(to);
    position = found + from.size();
    ++count;
  }
  return out.append(text.substr(position));
}

int64_t count_occurrences(std::string_view text, std::string_view wanted) {
  if (wanted.empty()) return num_characters(text) + 1;
  int64_t count = 0;
  for (size_t at = text.find(wanted); at != text.npos; at = text.find(wanted, at + wanted.size())) {
    ++count;
  }
  return count;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    switch (letter) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '\'': out += "&#39;"; break;
      case '"': out += "&#34;"; break;
      default: out += letter;
    }
  }
  return out;
}

}  // namespace anybit::model::jinja

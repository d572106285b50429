#include "anybit/model/tokenizer/internal/added_tokens.h"

#include <algorithm>

#include "anybit/model/tokenizer/internal/unicode.h"

namespace anybit::model::internal {
namespace {

// Where the character that ends at `position` begins. Pre: position > 0.
size_t previous_character(std::string_view text, size_t position) {
  size_t begin = position - 1;
  while (begin > 0 && position - begin < 4 &&
         (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) {
    --begin;
  }
  const Character character = decode_utf8(text, begin);
  return begin + static_cast<size_t>(character.size_bytes) == position ? begin : position - 1;
}

bool word_ends_at(std::string_view text, size_t position) {
  return position > 0 && is_word(decode_utf8(text, previous_character(text, position)).code_point);
}

bool word_begins_at(std::string_view text, size_t position) {
  return position < text.size() && is_word(decode_utf8(text, position).code_point);
}

size_t skip_spaces_left(std::string_view text, size_t position, size_t limit) {
  while (position > limit) {
    const size_t begin = previous_character(text, position);
    if (!is_whitespace(decode_utf8(text, begin).code_point)) break;
    position = begin;
  }
  return std::max(position, limit);
}

size_t skip_spaces_right(std::string_view text, size_t position) {
  while (position < text.size()) {
    const Character character = decode_utf8(text, position);
    if (!is_whitespace(character.code_point)) break;
    position += static_cast<size_t>(character.size_bytes);
  }
  return position;
}

}  // namespace

void AddedTokenMatcher::add(std::string_view pattern, const AddedToken& token) {
  patterns_.insert(pattern, static_cast<int32_t>(tokens_.size()));
  tokens_.push_back(
      {token.id, token.single_word, token.strip_left, token.strip_right, token.special});
  starts_token_[static_cast<uint8_t>(pattern.front())] = true;
}

void AddedTokenMatcher::split(std::string_view text, bool parse_special,
                              std::vector<AddedTokenSpan>& parts) const {
  size_t covered = 0;
  size_t position = 0;
  while (!tokens_.empty() && position < text.size()) {
    if (!starts_token_[static_cast<uint8_t>(text[position])]) {
      ++position;
      continue;
    }
    int32_t token = -1;
    size_t match_end = position;
    int32_t node = ByteTrie::kRoot;
    for (size_t end = position; end < text.size();) {
      node = patterns_.child(node, static_cast<uint8_t>(text[end]));
      if (node < 0) break;
      ++end;
      if (patterns_.value(node) >= 0) {
        token = patterns_.value(node);
        match_end = end;
      }
    }
    if (token < 0) {
      ++position;
      continue;
    }
    const Traits& traits = tokens_[token];
    size_t begin = position;
    size_t end = match_end;
    position = match_end;
    if (traits.special && !parse_special) continue;
    if (traits.single_word && (word_ends_at(text, begin) || word_begins_at(text, end))) continue;
    if (traits.strip_left) begin = skip_spaces_left(text, begin, covered);
    if (traits.strip_right) end = skip_spaces_right(text, end);
    begin = std::max(begin, covered);
    if (covered < begin) parts.push_back({covered, begin, -1});
    parts.push_back({begin, end, traits.id});
    covered = std::max(covered, end);
  }
  if (covered < text.size()) parts.push_back({covered, text.size(), -1});
}

}  // namespace anybit::model::internal

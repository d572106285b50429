// Cuts a template into tokens, white space already removed as the tags ask for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"

namespace anybit::model::jinja {

enum class TokenKind : uint8_t {
  kData,  // Text between tags; `text` is what to print.
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,  // `text` is the value, escapes resolved.
  kInteger,
  kFloat,  // `text` is the digits, without underscores.
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  std::string text;
  int line;
};

/// The tokens of `source`, the last being kEnd. White space follows trim_blocks and lstrip_blocks
/// (a block tag takes the blanks before it on its line and one line end after it), "-" and "+".
/// Errors: kCorruptData with the line of a tag or string that does not end, or of a character that
/// starts no token.
/// Source: Jinja 3.1 documentation, "Template Designer Documentation", white space control.
Result<std::vector<Token>> tokenize_template(std::string_view source);

}  // namespace anybit::model::jinja

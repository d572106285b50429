// The parser's view of the tokens, and the limits on nesting that keep its recursion small.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/chat_template/internal/lexer.h"

namespace anybit::model::jinja {

inline constexpr int kMaxNesting = 100;          // Brackets and tags inside one another.
inline constexpr int kMaxExpressionDepth = 200;  // Of the tree, chains of operators included.

class TokenStream {
 public:
  /// Pre: the last token is kEnd.
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& peek() const { return tokens_[position_]; }
  const Token& peek_second() const {
    return tokens_[position_ + 1 < tokens_.size() ? position_ + 1 : position_];
  }
  Token take() {
    Token token = tokens_[position_];
    if (position_ + 1 < tokens_.size()) ++position_;
    return token;
  }
  int line() const { return peek().line; }

  bool at(TokenKind kind) const { return peek().kind == kind; }
  bool at(TokenKind kind, std::string_view text) const { return at(kind) && peek().text == text; }
  bool at_operator(std::string_view text) const { return at(TokenKind::kOperator, text); }
  bool at_name(std::string_view text) const { return at(TokenKind::kName, text); }
  bool skip(TokenKind kind, std::string_view text) {
    if (!at(kind, text)) return false;
    take();
    return true;
  }
  bool skip_operator(std::string_view text) { return skip(TokenKind::kOperator, text); }
  bool skip_name(std::string_view text) { return skip(TokenKind::kName, text); }

  /// Errors: kCorruptData unless the token stands here.
  Status expect_operator(std::string_view text) {
    if (skip_operator(text)) return {};
    return unexpected(fmt::format("\"{}\"", text));
  }
  Result<std::string> expect_name(std::string_view what) {
    if (!at(TokenKind::kName)) return unexpected(what);
    return take().text;
  }
  Status expect_tag_end() {
    if (!at(TokenKind::kBlockEnd)) return unexpected("\"%}\"");
    take();
    return {};
  }

  tl::unexpected<Error> unexpected(std::string_view expected) const {
    return fail(ErrorCode::kCorruptData, "line {}: expected {}, found {}", line(), expected,
                describe(peek()));
  }

  static std::string describe(const Token& token) {
    switch (token.kind) {
      case TokenKind::kData: return "text";
      case TokenKind::kVariableBegin: return "\"{{\"";
      case TokenKind::kVariableEnd: return "\"}}\"";
      case TokenKind::kBlockBegin: return "\"{%\"";
      case TokenKind::kBlockEnd: return "\"%}\"";
      case TokenKind::kString: return "a string";
      case TokenKind::kEnd: return "the end of the template";
      default: return fmt::format("\"{}\"", token.text);
    }
  }

 private:
  std::vector<Token> tokens_;
  size_t position_ = 0;
};

}  // namespace anybit::model::jinja

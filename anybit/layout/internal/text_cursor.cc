#include "anybit/layout/internal/text_cursor.h"

#include <algorithm>
#include <charconv>

#include "anybit/layout/dims.h"

namespace anybit::layout::internal {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

}  // namespace

void TextCursor::skip_spaces() {
  while (position_ < text_.size() && is_space(text_[position_])) ++position_;
}

int TextCursor::column() {
  skip_spaces();
  return static_cast<int>(position_) + 1;
}

bool TextCursor::at_end() {
  skip_spaces();
  return position_ == text_.size();
}

bool TextCursor::accept(std::string_view token) {
  skip_spaces();
  if (!text_.substr(position_).starts_with(token)) return false;
  position_ += token.size();
  return true;
}

Status TextCursor::expect(std::string_view token) {
  if (accept(token)) return {};
  return failure(column(), fmt::format("'{}'", token));
}

std::string_view TextCursor::word() {
  skip_spaces();
  size_t end = position_;
  while (end < text_.size() &&
         (is_letter(text_[end]) || (end > position_ && is_digit(text_[end])))) {
    ++end;
  }
  const std::string_view found = text_.substr(position_, end - position_);
  position_ = end;
  return found;
}

Result<int64_t> TextCursor::number() {
  const int start = column();
  int64_t value = 0;
  const std::string_view rest = text_.substr(position_);
  const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (rest.empty() || !is_digit(rest[0]) || error != std::errc{} || value > kMaxElements) {
    return failure(start, fmt::format("a number from 0 to {}", kMaxElements));
  }
  position_ += static_cast<size_t>(stop - rest.data());
  return value;
}

Result<std::vector<int64_t>> TextCursor::numbers(std::string_view open, std::string_view close,
                                                 size_t max_count) {
  ANYBIT_TRY(expect(open));
  std::vector<int64_t> values;
  if (accept(close)) return values;
  do {
    if (values.size() == max_count) {
      return failure(column(), fmt::format("at most {} numbers", max_count));
    }
    ANYBIT_ASSIGN(values.emplace_back(), number());
  } while (accept(","));
  ANYBIT_TRY(expect(close));
  return values;
}

tl::unexpected<Error> TextCursor::failure(int column, std::string_view expected) const {
  constexpr size_t kShown = 20;
  const std::string_view rest =
      text_.substr(std::min(text_.size(), static_cast<size_t>(column) - 1));
  const std::string found = rest.empty() ? std::string("the end")
                                         : fmt::format("'{}{}'", rest.substr(0, kShown),
                                                       rest.size() > kShown ? "..." : "");
  return fail(ErrorCode::kInvalidArgument, "column {}: expected {}, found {}", column, expected,
              found);
}

}  // namespace anybit::layout::internal

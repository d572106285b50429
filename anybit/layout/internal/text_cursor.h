// A position in a short text, for the parsers of layouts: what is expected is read or reported with
// its column, what was expected and what stands there instead.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"

namespace anybit::layout::internal {

class TextCursor {
 public:
  explicit TextCursor(std::string_view text) : text_(text) {}

  /// The 1-based column of the next token.
  int column();
  bool at_end();
  /// Skips `token` if it is next.
  bool accept(std::string_view token);
  /// Errors: `token` is not next.
  Status expect(std::string_view token);
  /// Letters, digits and underscores, not beginning with a digit; empty if none is next.
  std::string_view word();
  /// A decimal number of at most kMaxElements. Errors: none is next, or it is larger.
  Result<int64_t> number();
  /// Numbers between `open` and `close`, separated by commas; at most `max_count`.
  Result<std::vector<int64_t>> numbers(std::string_view open, std::string_view close,
                                       size_t max_count);
  /// The failure that `expected` does not stand at `column`.
  tl::unexpected<Error> failure(int column, std::string_view expected) const;

 private:
  void skip_spaces();
  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace anybit::layout::internal

// AddedTokens: tokens found in the text before any model sees it ("<|im_start|>").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/model/tokenizer/internal/byte_trie.h"

namespace anybit::model::internal {

/// A token that is matched as a whole.
struct AddedToken {
  int32_t id = -1;
  std::string content;
  bool single_word = false;  // Only where no word character touches it.
  bool strip_left = false;   // Swallows the white space before it.
  bool strip_right = false;  // Swallows the white space after it.
  bool normalized = false;   // Matched against normalized text.
  bool special = false;      // Left out of decoded text; ignored without parse_special.
};

/// A stretch of text, or a token found in it (id >= 0) with the stretch it swallowed.
struct AddedTokenSpan {
  size_t begin;
  size_t end;
  int32_t id;
};

/// Finds added tokens: the leftmost, and of those the longest.
/// Source: the `tokenizers` package, AddedVocabulary.
class AddedTokenMatcher {
 public:
  /// Looks for `pattern` as `token`; the later of two equal patterns wins. Pre: pattern not empty.
  void add(std::string_view pattern, const AddedToken& token);

  /// Appends the parts of `text` in order, covering it. A special token found without
  /// parse_special stays text, all of it.
  void split(std::string_view text, bool parse_special, std::vector<AddedTokenSpan>& parts) const;

  bool empty() const { return tokens_.empty(); }

 private:
  struct Traits {
    int32_t id;
    bool single_word;
    bool strip_left;
    bool strip_right;
    bool special;
  };

  ByteTrie patterns_;  // To indices into tokens_.
  std::vector<Traits> tokens_;
  bool starts_token_[256] = {};
};

}  // namespace anybit::model::internal

// MetaspaceCuts: where a text may be cut into words that no merge can join, so that each word is
// merged, and remembered, by itself.
#pragma once

#include <cstddef>
#include <string_view>

namespace anybit::model::internal {

/// A text may be cut before a U+2581 that follows another character, unless some piece of the
/// vocabulary holds that very seam. Bytes stand for characters: a seam in some piece forbids the
/// cut after every character that ends in the same byte.
class MetaspaceCuts {
 public:
  /// Notes the seams of a piece that merging may produce.
  void add_piece(std::string_view piece);

  /// Allows cuts. Pre: U+2581 is in the vocabulary, and every piece has been added.
  void enable() { is_enabled_ = true; }

  /// The end of the word that begins at `begin`: the first cut after it, or the end of the text.
  size_t next(std::string_view text, size_t begin) const;

 private:
  bool is_enabled_ = false;
  bool joins_after_[256] = {};  // By the last byte of the character before the seam.
};

}  // namespace anybit::model::internal

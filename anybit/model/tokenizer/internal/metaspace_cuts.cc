#include "anybit/model/tokenizer/internal/metaspace_cuts.h"

#include <cstdint>

#include "anybit/model/tokenizer/internal/unicode.h"

namespace anybit::model::internal {
namespace {

// The first U+2581 at or after `from` that follows another character, or npos.
size_t find_seam(std::string_view text, size_t begin, size_t from) {
  for (size_t found = text.find(kMetaspaceText, from); found != std::string_view::npos;
       found = text.find(kMetaspaceText, found + kMetaspaceText.size())) {
    if (found > begin && !text.substr(begin, found - begin).ends_with(kMetaspaceText)) return found;
  }
  return std::string_view::npos;
}

}  // namespace

void MetaspaceCuts::add_piece(std::string_view piece) {
  for (size_t seam = find_seam(piece, 0, 0); seam != std::string_view::npos;
       seam = find_seam(piece, 0, seam + 1)) {
    joins_after_[static_cast<uint8_t>(piece[seam - 1])] = true;
  }
}

size_t MetaspaceCuts::next(std::string_view text, size_t begin) const {
  if (!is_enabled_) return text.size();
  size_t seam = find_seam(text, begin, begin);
  while (seam != std::string_view::npos && joins_after_[static_cast<uint8_t>(text[seam - 1])]) {
    seam = find_seam(text, begin, seam + 1);
  }
  return seam == std::string_view::npos ? text.size() : seam;
}

}  // namespace anybit::model::internal

#include "anybit/engine/text_stream.h"

#include <cstddef>
#include <cstdint>

namespace anybit::engine {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Well-formed UTF-8 by first byte: length, and the range of the second byte; the others are
/// 80..BF. Source: Unicode 15, table 3-7.
struct FirstByte {
  uint8_t first, last;
  uint8_t length;
  uint8_t second_low, second_high;
};

constexpr FirstByte kFirstBytes[] = {
    {0x00, 0x7F, 1, 0x00, 0x00}, {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

/// What the start of some bytes is.
struct Prefix {
  enum class Kind { kCharacter, kInvalid, kUnfinished } kind;
  size_t length;  // Bytes it takes; of kUnfinished, all there are.
};

Prefix first_prefix(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  for (const FirstByte& row : kFirstBytes) {
    if (byte(0) < row.first || byte(0) > row.last) continue;
    for (size_t i = 1; i < row.length; ++i) {
      if (i == bytes.size()) return {Prefix::Kind::kUnfinished, i};
      const uint8_t low = i == 1 ? row.second_low : 0x80, high = i == 1 ? row.second_high : 0xBF;
      if (byte(i) < low || byte(i) > high) return {Prefix::Kind::kInvalid, i};
    }
    return {Prefix::Kind::kCharacter, row.length};
  }
  return {Prefix::Kind::kInvalid, 1};
}

}  // namespace

std::string TextStream::push(std::string_view bytes) {
  pending_ += bytes;
  std::string text;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Prefix prefix = first_prefix(rest);
    if (prefix.kind == Prefix::Kind::kUnfinished) break;
    text += prefix.kind == Prefix::Kind::kCharacter ? rest.substr(0, prefix.length) : kReplacement;
    rest.remove_prefix(prefix.length);
  }
  pending_ = std::string(rest);
  return text;
}

std::string TextStream::finish() {
  const bool is_unfinished = !pending_.empty();
  pending_.clear();
  return std::string(is_unfinished ? kReplacement : "");
}

}  // namespace anybit::engine

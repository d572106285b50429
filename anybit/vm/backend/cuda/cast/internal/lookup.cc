// Formats of at most 4 bits, looked up in registers: prmt with four codes as its selector returns
// four bytes out of eight. 16-bit results take one table for their lower bytes and one for their
// upper ones (a plane that is all zeros, as the lower one of f16's small numbers, costs nothing).
// Bit 3 of a selector means something else to prmt and is cleared; it selects between two lookups,
// or, in tables whose upper half is the lower one negated, is itself the sign. Codes of fewer bits
// are first spread to nibbles, eight at a time.
#include <array>

#include "anybit/base/integer.h"
#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"

namespace anybit::vm::cuda::internal {
namespace {

using numeric::ElementFormat;

/// One byte of each of up to 16 values: words of 4, as names or constants.
struct Plane {
  std::array<std::string, 4> words = {"0u", "0u", "0u", "0u"};
  bool is_zero = false;
};

struct Lookup {
  Plane low, high;
  int bits = 4;
  bool is_odd_function = false;  // value[c + 8] is value[c] with the top bit flipped.
};

/// Eight codes as nibbles.
std::string nibbles(CastText& out, int64_t first) {
  const int bits = out.bits();
  std::string word = out.window(first * bits);
  for (int group = 4; group >= 1 && bits < 4; group /= 2) {
    uint32_t low = 0;
    for (int at = 0; at < 32; at += 8 * group) low |= ((1u << (group * bits)) - 1) << at;
    const std::string kept = out.word(fmt::format("{} & {:#x}u", word, low));
    const std::string moved = out.word(fmt::format("{} << {}", word, group * (4 - bits)));
    word = out.word(fmt::format("ab::lop3<0xea>({}, {:#x}u, {})", moved, low << (4 * group), kept));
  }
  return word;
}

/// The bytes of a plane for four selectors.
std::string look_up(CastText& out, const Lookup& lookup, const Plane& plane,
                    const std::string& selector, const std::string& upper) {
  const auto& w = plane.words;
  const std::string low = fmt::format("ab::prmt({}, {}, {})", w[0], w[1], selector);
  if (lookup.bits < 4 || lookup.is_odd_function) return out.word(low);
  const std::string a = out.word(low);
  const std::string b = out.word(fmt::format("ab::prmt({}, {}, {})", w[2], w[3], selector));
  return out.word(fmt::format("ab::lop3<0xca>({}, {}, {})", upper, b, a));
}

/// out's words from 4 values on, whose bytes are `low` (empty: zeros) and `high`.
void write_values(CastText& out, int64_t first, const std::string& low, const std::string& high) {
  for (int64_t i = 0; i < 4 && first + i < out.count(); i += 2) {
    if (low.empty()) {
      out.line("out[{}] = ab::prmt({}, 0u, {:#x});", (first + i) / 2, high,
               i == 0 ? 0x1404 : 0x3424);
    } else {
      out.line("out[{}] = ab::prmt({}, {}, {:#x});", (first + i) / 2, low, high,
               i == 0 ? 0x5140 : 0x7362);
    }
  }
}

void write_all(CastText& out, const Lookup& lookup) {
  for (int64_t first = 0; first < out.count(); first += 8) {
    const std::string codes = nibbles(out, first);
    const bool has_upper = lookup.bits == 4;
    const std::string all = has_upper ? out.word(fmt::format("{} & 0x77777777u", codes)) : codes;
    std::string tops, signs;
    if (has_upper && lookup.is_odd_function) {
      signs = out.word(fmt::format("{} << 4", codes));
    } else if (has_upper) {
      tops = out.word(fmt::format("{} >> 3", codes));
      tops = out.word(fmt::format("{} & 0x11111111u", tops));
    }
    for (int64_t half = 0; half < 2 && first + 4 * half < out.count(); ++half) {
      const std::string selector = half == 0 ? all : out.word(fmt::format("{} >> 16", all));
      std::string upper;
      if (!tops.empty()) {
        upper =
            out.word(fmt::format("ab::prmt(0xff00u, 0u, {}{})", tops, half == 0 ? "" : " >> 16"));
      }
      std::string low, high = look_up(out, lookup, lookup.high, selector, upper);
      if (!lookup.low.is_zero) low = look_up(out, lookup, lookup.low, selector, upper);
      if (!signs.empty()) {  // Each nibble at its byte's top; its first bit is the sign.
        const int64_t order = half == 0 ? 0x1504 : 0x3726;
        const std::string bytes =
            out.word(fmt::format("ab::prmt({}, {}, {:#x})", codes, signs, order));
        high = out.word(fmt::format("ab::lop3<0x6a>({}, 0x80808080u, {})", bytes, high));
      }
      write_values(out, first + 4 * half, low, high);
    }
  }
}

Plane plane_of(const std::vector<uint32_t>& table, int shift) {
  Plane plane;
  plane.is_zero = true;
  for (size_t w = 0; w < 4; ++w) {
    uint32_t bytes = 0;
    for (size_t i = 0; i < 4 && 4 * w + i < table.size(); ++i) {
      bytes |= (table[4 * w + i] >> shift & 0xff) << (8 * i);
    }
    plane.words[w] = fmt::format("{:#x}u", bytes);
    plane.is_zero = plane.is_zero && bytes == 0;
  }
  return plane;
}

}  // namespace

bool write_lookup(CastText& out, const ElementFormat& to, const CastOptions& options) {
  if (out.bits() > 4 || to.bits != 16) return false;
  for (int64_t i = 0; i < out.count(); ++i) {
    if (place_of(out, options, i) != i) return false;
  }
  const std::vector<uint32_t> table = cast_table(out.from(), to, options);
  Lookup lookup{plane_of(table, 0), plane_of(table, 8), out.bits()};
  lookup.is_odd_function = out.bits() == 4;
  for (size_t c = 0; c < 8 && lookup.is_odd_function; ++c) {
    lookup.is_odd_function = same_code(to, table[c] ^ 0x8000, table[c + 8]);
  }
  write_all(out, lookup);
  return true;
}

void write_codebook_lookup(CastText& out, const std::vector<std::string>& table_words) {
  Lookup lookup;
  lookup.bits = out.bits();
  for (size_t w = 0; 2 * w < table_words.size(); ++w) {
    const std::string& a = table_words[2 * w];
    const std::string b = 2 * w + 1 < table_words.size() ? table_words[2 * w + 1] : "0u";
    lookup.low.words[w] = out.word(fmt::format("ab::prmt({}, {}, 0x6420)", a, b));
    lookup.high.words[w] = out.word(fmt::format("ab::prmt({}, {}, 0x7531)", a, b));
  }
  write_all(out, lookup);
}

}  // namespace anybit::vm::cuda::internal

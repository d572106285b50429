// The text of one cast function while it is written, and the words of its input.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "anybit/vm/backend/cuda/cast/emit_cast.h"

namespace anybit::vm::cuda::internal {

/// The number of u32 words of `count` codes.
int64_t num_words(int bits, int64_t count);

/// One cast: formats, sizes and the lines written so far.
class CastText {
 public:
  CastText(const numeric::ElementFormat& from, int to_bits, int64_t count, std::string_view name);

  /// Appends a line of the body.
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    body_ += "  " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  }

  /// A new word holding `expression`; its name.
  std::string word(const std::string& expression);

  /// A new float holding `expression`; its name.
  std::string number(const std::string& expression);

  /// The word of the bit string that begins at `bit` (negative bits and those behind the end: 0).
  std::string window(int64_t bit);

  /// Whether window(bit) is there already: an input word, or one asked for before.
  bool has_window(int64_t bit) const;

  /// The code at `place`, alone in a word.
  std::string code(int64_t place);

  /// Appends a table of 2^k entries before the function; its name.
  std::string table(std::string_view type, const std::vector<uint32_t>& entries);

  /// Appends a function before this one.
  void before(const std::string& text) { before_ += text; }

  /// The whole: tables, function. `parameters` follow in and out (", const ab::u32* codebook").
  std::string finish(std::string_view parameters = "") const;

  const numeric::ElementFormat& from() const { return from_; }
  int bits() const { return from_.bits; }
  int64_t count() const { return count_; }
  const std::string& name() const { return name_; }
  int64_t in_words() const { return num_words(from_.bits, count_); }

 private:
  numeric::ElementFormat from_;
  int to_bits_;
  int64_t count_;
  std::string name_, before_, body_;
  int next_ = 0, next_table_ = 0;
  std::map<int64_t, std::string> windows_;
};

/// Whether two codes of a format are the same or both NaN.
bool same_code(const numeric::ElementFormat& format, uint32_t a, uint32_t b);

/// encode(to, decode(from, code)) of every code. Pre: from.bits <= 16, both have own values.
std::vector<uint32_t> cast_table(const numeric::ElementFormat& from,
                                 const numeric::ElementFormat& to, const CastOptions& options);

/// decode() and encode(), for 32-bit integers too.
double value_of(const numeric::ElementFormat& format, uint32_t code);
uint32_t code_of(const numeric::ElementFormat& format, double value,
                 numeric::Rounding rounding = {});

// The rules. Each writes the whole body and says true, or writes nothing and says false.

/// kAffine: ints, uints, binary, bipolar, unsigned e0m<y> to f16 or bf16.
bool write_affine(CastText& out, const numeric::ElementFormat& to, const CastOptions& options);
/// kFloat: floats to f16 or bf16.
bool write_float(CastText& out, const numeric::ElementFormat& to, const CastOptions& options);
/// kLookup: any format of at most 4 bits to any 16-bit one.
bool write_lookup(CastText& out, const numeric::ElementFormat& to, const CastOptions& options);
/// kConversion: among f32, f16, bf16; between those and e4m3, e5m2.
bool write_conversion(CastText& out, const numeric::ElementFormat& to, const CastOptions& options);
/// kElement: e8m0 to f32 or bf16, whose exponent field it is, save for its ends.
bool write_e8m0(CastText& out, const numeric::ElementFormat& to, const CastOptions& options);
/// kWidening: integers to integers of 8, 16, 32 bits that hold all their values.
bool write_widening(CastText& out, const numeric::ElementFormat& to, const CastOptions& options);
/// kEncoding: f32, f16, bf16 to integers and most floats of at most 8 bits.
bool write_encoding(CastText& out, const numeric::ElementFormat& to, const CastOptions& options);
/// kTable: any format of at most 8 bits to any.
void write_table(CastText& out, const numeric::ElementFormat& to, const CastOptions& options);
/// kElement: any pair whose source is exact in f32, or a 32-bit integer.
bool write_element(CastText& out, const numeric::ElementFormat& to, const CastOptions& options);

/// The place of element `element`.
int64_t place_of(const CastText& out, const CastOptions& options, int64_t element);

/// The body of a codebook cast of at most 4 bits: `table_words` name words with two entries each.
void write_codebook_lookup(CastText& out, const std::vector<std::string>& table_words);

}  // namespace anybit::vm::cuda::internal

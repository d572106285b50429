// What the parts of the cast generator share: a text under construction, and packed fields.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>

#include "anybit/vm/ir/element.h"

namespace anybit::vm::cuda {

class CastWriter {
 public:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    text_ += "  " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Code `index` of packed words `in`, zero-extended, as an expression.
std::string packed_code(std::string_view in, int64_t index, int bits);

/// Packs `count` codes of `bits` bits into the words `out`; code(i) is a u32 expression below
/// 2^bits.
void write_packed(CastWriter& out, std::string_view words, int64_t count, int bits,
                  const std::function<std::string(int64_t)>& code);

/// A float literal without loss.
std::string float_text(double value);

/// An f32 expression of the value of a code (a u32 expression). `table_prefix` names tables that
/// the function writes before itself into `tables`.
std::string decoded_to_f32(const numeric::ElementFormat& format, const std::string& code,
                           std::string& tables, std::string_view table_prefix);

/// Lines that compute `result`, the u32 code of f32 variable `value` in `format`; both are names.
void write_encoded(CastWriter& out, const numeric::ElementFormat& format, const std::string& value,
                   const std::string& result, std::string& tables, std::string_view table_prefix);

/// Lines of a whole cast for CastPath::kIntegerPairs and kFloatPairs. False: some element lies so
/// that no rule fits, and nothing usable was written.
bool write_integer_pairs(CastWriter& out, const numeric::ElementFormat& from,
                         const numeric::ElementFormat& to, int64_t count);
bool write_float_pairs(CastWriter& out, const numeric::ElementFormat& from,
                       const numeric::ElementFormat& to, int64_t count);
/// Whether the rules apply to the formats.
bool has_integer_pairs(const numeric::ElementFormat& from, const numeric::ElementFormat& to);
bool has_float_pairs(const numeric::ElementFormat& from, const numeric::ElementFormat& to);

}  // namespace anybit::vm::cuda

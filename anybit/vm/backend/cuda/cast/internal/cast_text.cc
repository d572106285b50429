#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"

#include <algorithm>
#include <cmath>

#include "anybit/base/integer.h"
#include "anybit/vm/ir/element.h"

namespace anybit::vm::cuda::internal {

int64_t num_words(int bits, int64_t count) { return ceil_div(bits * count, 32); }

CastText::CastText(const numeric::ElementFormat& from, int to_bits, int64_t count,
                   std::string_view name)
    : from_(from), to_bits_(to_bits), count_(count), name_(name) {
  for (int64_t k = 0; k < in_words(); ++k) windows_[32 * k] = fmt::format("in[{}]", k);
}

std::string CastText::word(const std::string& expression) {
  std::string name = fmt::format("w{}", next_++);
  line("const ab::u32 {} = {};", name, expression);
  return name;
}

std::string CastText::number(const std::string& expression) {
  std::string name = fmt::format("x{}", next_++);
  line("const float {} = {};", name, expression);
  return name;
}

bool CastText::has_window(int64_t bit) const { return windows_.contains(bit); }

std::string CastText::window(int64_t bit) {
  const auto found = windows_.find(bit);
  if (found != windows_.end()) return found->second;
  const int64_t shift = ((bit % 32) + 32) % 32, first = (bit - shift) / 32, last = in_words() - 1;
  std::string name;
  if (first >= 0 && first < last) {
    name = word(fmt::format("ab::funnel_right(in[{}], in[{}], {})", first, first + 1, shift));
  } else if (first == last) {
    name = word(fmt::format("in[{}] >> {}", first, shift));
  } else if (first == -1 && shift != 0) {
    name = word(fmt::format("in[0] << {}", 32 - shift));
  } else {
    name = "0u";
  }
  windows_[bit] = name;
  return name;
}

std::string CastText::code(int64_t place) {
  const int64_t begin = place * bits();
  if (bits() == 32) return fmt::format("in[{}]", place);
  const uint32_t mask = (uint32_t{1} << bits()) - 1;
  const bool is_in_one = begin / 32 == (begin + bits() - 1) / 32;
  if (is_in_one && begin % 32 == 0) return fmt::format("(in[{}] & {:#x}u)", begin / 32, mask);
  if (is_in_one && begin % 32 + bits() == 32) {
    return fmt::format("(in[{}] >> {})", begin / 32, begin % 32);
  }
  if (is_in_one) return fmt::format("(in[{}] >> {} & {:#x}u)", begin / 32, begin % 32, mask);
  return fmt::format("(ab::funnel_right(in[{}], in[{}], {}) & {:#x}u)", begin / 32, begin / 32 + 1,
                     begin % 32, mask);
}

std::string CastText::table(std::string_view type, const std::vector<uint32_t>& entries) {
  std::string name = fmt::format("{}_table{}", name_, next_table_++);
  before_ += fmt::format("AB_CONSTANT {} {}[{}] = {{", type, name, entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    before_ += fmt::format("{}{:#x}", i == 0 ? "" : i % 16 == 0 ? ",\n    " : ", ", entries[i]);
  }
  before_ += "};\n";
  return name;
}

std::string CastText::finish(std::string_view parameters) const {
  return before_ +
         fmt::format("AB_FN void {}(const ab::u32 (&in)[{}], ab::u32 (&out)[{}]{}) {{\n", name_,
                     in_words(), num_words(to_bits_, count_), parameters) +
         body_ + "}\n";
}

double value_of(const numeric::ElementFormat& format, uint32_t code) {
  if (format.bits < 32 || format.kind == numeric::ElementKind::kFloat) {
    return numeric::decode(format, code);
  }
  return format.kind == numeric::ElementKind::kInt ? double{static_cast<double>(int32_t(code))}
                                                   : static_cast<double>(code);
}

uint32_t code_of(const numeric::ElementFormat& format, double value, numeric::Rounding rounding) {
  if (format.bits < 32 || format.kind == numeric::ElementKind::kFloat) {
    return numeric::encode(format, value, rounding);
  }
  if (std::isnan(value)) return 0;
  const bool is_signed = format.kind == numeric::ElementKind::kInt;
  const double low = is_signed ? -0x1p31 : 0, high = is_signed ? 0x1p31 : 0x1p32;
  return static_cast<uint32_t>(
      static_cast<int64_t>(std::clamp(std::nearbyint(value), low, high - 1)));
}

bool same_code(const numeric::ElementFormat& format, uint32_t a, uint32_t b) {
  return a == b || (std::isnan(value_of(format, a)) && std::isnan(value_of(format, b)));
}

std::vector<uint32_t> cast_table(const numeric::ElementFormat& from,
                                 const numeric::ElementFormat& to, const CastOptions& options) {
  std::vector<uint32_t> table(from.num_codes());
  for (uint32_t code = 0; code < table.size(); ++code) {
    table[code] = code_of(to, value_of(from, code), cast_rounding(to, options.saturate));
  }
  return table;
}

int64_t place_of(const CastText& out, const CastOptions& options, int64_t element) {
  const int64_t per_word = 32 / out.bits();
  if (options.order == CodeOrder::kCanonical || 32 % out.bits() != 0 || out.bits() > 8) {
    return element;
  }
  const int64_t base = element / per_word * per_word, within = element % per_word;
  if (base + per_word > out.count()) return element;
  return base + (within % 2) * (per_word / 2) + within / 2;
}

}  // namespace anybit::vm::cuda::internal

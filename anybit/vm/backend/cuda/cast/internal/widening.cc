// Integers into wider ones that hold all their values: the codes are spread, with their signs.
#include <algorithm>

#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"
#include "anybit/vm/ir/element.h"

namespace anybit::vm::cuda::internal {

using numeric::ElementFormat;
using numeric::ElementKind;

bool write_widening(CastText& out, const ElementFormat& to, const CastOptions& options) {
  const ElementFormat& from = out.from();
  const bool from_signed = from.kind == ElementKind::kInt, to_signed = to.kind == ElementKind::kInt;
  const bool is_wider = to.bits > from.bits && (to_signed || !from_signed);
  if (!is_integer_element(from) || !is_integer_element(to) || !is_wider ||
      (to.bits != 8 && to.bits != 16 && to.bits != 32)) {
    return false;
  }
  const int per_word = 32 / to.bits;
  const uint32_t mask = to.bits == 32 ? 0xffffffffU : (uint32_t{1} << to.bits) - 1;
  for (int64_t w = 0; w < num_words(to.bits, out.count()); ++w) {
    std::string word;
    for (int64_t i = w * per_word; i < std::min((w + 1) * per_word, out.count()); ++i) {
      std::string value = out.code(place_of(out, options, i));
      if (from_signed) {
        value = fmt::format("static_cast<ab::u32>(static_cast<ab::i32>({0} << {1}) >> {1})", value,
                            32 - from.bits);
        if (to.bits < 32) value = fmt::format("({} & {:#x}u)", value, mask);
      }
      const int64_t shift = (i - w * per_word) * to.bits;
      word += fmt::format("{}{}", word.empty() ? "" : " | ",
                          shift == 0 ? value : fmt::format("({} << {})", value, shift));
    }
    out.line("out[{}] = {};", w, word);
  }
  return true;
}

}  // namespace anybit::vm::cuda::internal

// Casts of every format of at most 8 bits, on every code at every place in a word.
#include <cmath>

#include "anybit/kernel/cast/cast_program.h"
#include "anybit/numeric/packing.h"
#include "anybit/vm/ir/element.h"
#include "gpu_case.h"

namespace anybit::bench {
namespace {

using numeric::ElementFormat;

bool is_nan(const ElementFormat& format, uint32_t code) {
  return std::isnan(vm::decode_element(format, code));
}

GpuCase cast_case(const ElementFormat& from, const ElementFormat& to, int64_t n) {
  const int64_t in_bytes = numeric::packed_size_bytes(n, from.bits);
  const int64_t out_bytes = numeric::packed_size_bytes(n, to.bits);
  GpuCase c{fmt::format("cast {} to {}", vm::tile_element_name(from), vm::tile_element_name(to)),
            kernel::cast_program(from, to),
            {},
            {},
            in_bytes + out_bytes};
  c.arguments = {input_buffer(random_bytes(in_bytes, 11)), output_buffer(out_bytes), scalar_i32(n)};
  c.check = [=](const std::vector<std::vector<std::byte>>& b) -> std::string {
    std::vector<uint32_t> expected;
    for (uint32_t code = 0; code < from.num_codes(); ++code) {
      expected.push_back(
          vm::encode_element(to, vm::decode_element(from, code), vm::cast_rounding(to, false)));
    }
    std::vector<uint32_t> codes(static_cast<size_t>(n)), found(static_cast<size_t>(n));
    numeric::unpack_codes(b[0], from.bits, codes);
    numeric::unpack_codes(b[1], to.bits, found);
    for (size_t i = 0; i < codes.size(); ++i) {
      const uint32_t wanted = expected[codes[i]];
      if (found[i] != wanted && !(is_nan(to, wanted) && is_nan(to, found[i]))) {
        return fmt::format("element {}: code {:#x} gives {:#x} instead of {:#x}", i, codes[i],
                           found[i], wanted);
      }
    }
    return "";
  };
  return c;
}

}  // namespace

std::vector<std::function<GpuCase()>> cast_cases(bool exhaustive) {
  std::vector<std::function<GpuCase()>> cases;
  for (const std::string& name : numeric::all_format_names()) {
    const auto format = numeric::parse_element_format(name);
    if (!format || format->bits > 8 || format->kind == numeric::ElementKind::kCodebook ||
        format->kind == numeric::ElementKind::kComplex) {
      continue;
    }
    if (!exhaustive) {
      cases.push_back([f = *format] { return cast_case(f, numeric::kF16, int64_t{1} << 25); });
      continue;
    }
    // 8192 elements a CTA, every code at every place of the 32 that a thread holds, and a tail.
    for (const ElementFormat& to : {numeric::kF16, numeric::kBF16, numeric::kF32}) {
      cases.push_back([f = *format, to] { return cast_case(f, to, 8192 * 40 + 32); });
    }
    for (const ElementFormat& from : {numeric::kF16, numeric::kBF16}) {
      cases.push_back([f = *format, from] { return cast_case(from, f, 8192 * 40 + 32); });
    }
  }
  return cases;
}

}  // namespace anybit::bench

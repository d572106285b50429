#include "anybit/vm/backend/cuda/cast/emit_cast.h"

#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"

namespace anybit::vm::cuda {
namespace {

using internal::CastText;
using numeric::ElementFormat;
using numeric::ElementKind;

using WriteRule = bool (*)(CastText&, const ElementFormat&, const CastOptions&);

struct Rule {
  CastMethod method;
  WriteRule write;
};

/// The rules whose shortest text is taken.
constexpr Rule kRules[] = {
    {CastMethod::kAffine, internal::write_affine},
    {CastMethod::kFloat, internal::write_float},
    {CastMethod::kConversion, internal::write_conversion},
    {CastMethod::kWidening, internal::write_widening},
    {CastMethod::kLookup, internal::write_lookup},
    {CastMethod::kElement, internal::write_e8m0},
};

bool has_values(const ElementFormat& f) {
  return f.kind != ElementKind::kCodebook && f.kind != ElementKind::kComplex;
}

/// The statements of a text: about its instructions.
int64_t num_statements(const std::string& text) {
  return std::count(text.begin(), text.end(), ';');
}

/// Whether `half` holds every value of `from` after the cast that `options` ask for: an infinity
/// that saturates there is not the f32 that it should become.
bool is_exact_in(const ElementFormat& from, const ElementFormat& half, const CastOptions& options) {
  const std::vector<uint32_t> table = internal::cast_table(from, half, options);
  for (uint32_t code = 0; code < table.size(); ++code) {
    const double value = numeric::decode(from, code);
    if (numeric::decode(half, table[code]) != value && value == value) return false;
  }
  return true;
}

/// f32 through bf16 or f16, where those are exact: the pair's rules, then one instruction each.
/// The shorter text; empty if neither will do.
CastCode emit_through_half(const ElementFormat& from, int64_t count, std::string_view name,
                           const CastOptions& options) {
  CastCode best;
  for (const ElementFormat& half : {numeric::kBF16, numeric::kF16}) {
    if (!is_exact_in(from, half, options)) continue;
    const std::string inner_name = fmt::format("{}_half", name);
    const auto inner = emit_cast(from, half, count, inner_name, options);
    if (!inner || inner->method == CastMethod::kTable) continue;
    CastText out(from, 32, count, name);
    out.before(inner->text);
    out.line("ab::u32 half[{}];", internal::num_words(16, count));
    out.line("{}(in, half);", inner_name);
    const char* prefix = half == numeric::kF16 ? "f16" : "bf16";
    for (int64_t i = 0; i < count; ++i) {
      out.line("out[{}] = ab::float_bits(ab::{}_{}_to_f32(half[{}]));", i, prefix,
               i % 2 == 0 ? "lo" : "hi", i / 2);
    }
    const CastCode code{out.finish(), inner->method};
    if (best.text.empty() || num_statements(code.text) < num_statements(best.text)) best = code;
  }
  return best;
}

}  // namespace

std::vector<int64_t> interleaved_order(int bits, int64_t count) {
  ANYBIT_CHECK(bits >= 1 && bits <= 32 && count >= 0);
  std::vector<int64_t> order(static_cast<size_t>(count));
  CastText text({ElementKind::kUint, static_cast<uint8_t>(bits)}, 16, count, "");
  const CastOptions options{.order = CodeOrder::kInterleaved};
  for (int64_t element = 0; element < count; ++element) {
    order[static_cast<size_t>(internal::place_of(text, options, element))] = element;
  }
  return order;
}

bool is_cast_supported(const ElementFormat& from, const ElementFormat& to) {
  return emit_cast(from, to, 1, "probe").has_value();
}

Result<CastCode> emit_cast(const ElementFormat& from, const ElementFormat& to, int64_t count,
                           std::string_view function_name, const CastOptions& options) {
  ANYBIT_CHECK(count >= 1);
  if (has_values(from) && has_values(to) && from.bits <= 8) {
    CastCode best;
    int64_t best_statements = 0;
    for (const Rule& rule : kRules) {
      CastText out(from, to.bits, count, function_name);
      if (!rule.write(out, to, options)) continue;
      const std::string text = out.finish();
      const int64_t statements = num_statements(text);
      if (best.text.empty() || statements < best_statements)
        best = {text, rule.method}, best_statements = statements;
    }
    if (!best.text.empty()) return best;
    if (to == numeric::kF32) {
      CastCode through = emit_through_half(from, count, function_name, options);
      if (!through.text.empty()) return through;
    }
    CastText out(from, to.bits, count, function_name);
    internal::write_table(out, to, options);
    return CastCode{out.finish(), CastMethod::kTable};
  }
  if (has_values(from) && has_values(to)) {
    CastText out(from, to.bits, count, function_name);
    if (internal::write_widening(out, to, options)) {
      return CastCode{out.finish(), CastMethod::kWidening};
    }
    if (internal::write_conversion(out, to, options)) {
      return CastCode{out.finish(), CastMethod::kConversion};
    }
    if (internal::write_encoding(out, to, options)) {
      return CastCode{out.finish(), CastMethod::kEncoding};
    }
    if (internal::write_element(out, to, options)) {
      return CastCode{out.finish(), CastMethod::kElement};
    }
  }
  return fail(ErrorCode::kUnsupported, "cast of {} to {}: no rule for this pair",
              numeric::element_name(from), numeric::element_name(to));
}

Result<std::string> emit_cast_function(const ElementFormat& from, const ElementFormat& to,
                                       int64_t count, std::string_view function_name) {
  ANYBIT_ASSIGN(CastCode code, emit_cast(from, to, count, function_name));
  return std::move(code.text);
}

Result<std::string> emit_codebook_cast(int bits, int64_t count, std::string_view function_name) {
  ANYBIT_CHECK(bits >= 1 && count >= 1);
  if (bits > 8) {
    return fail(ErrorCode::kUnsupported, "codebook cast: expected at most 8 bits, found {}", bits);
  }
  CastText out(numeric::codebook_format(bits), 16, count, function_name);
  constexpr std::string_view kParameter = ", const ab::u32* codebook";
  if (bits <= 4) {
    std::vector<std::string> words;
    for (int w = 0; w < std::max(1, 1 << (bits - 1)); ++w) {
      words.push_back(fmt::format("codebook[{}]", w));
    }
    internal::write_codebook_lookup(out, words);
    return out.finish(kParameter);
  }
  for (int64_t i = 0; i < count; i += 2) {
    std::string value[2] = {"0u", "0u"};
    for (int64_t e = i; e < std::min(i + 2, count); ++e) {
      const std::string code = out.word(out.code(e));
      value[e - i] = out.word(fmt::format("codebook[{0} >> 1] >> (({0} & 1u) << 4)", code));
    }
    out.line("out[{}] = ab::prmt({}, {}, 0x5410);", i / 2, value[0], value[1]);
  }
  return out.finish(kParameter);
}

}  // namespace anybit::vm::cuda

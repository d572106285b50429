#include "anybit/kernel/matmul/internal/panel_plan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <mutex>
#include <optional>

namespace anybit::kernel::internal {
namespace {

using numeric::ElementFormat;
using numeric::ElementKind;

// Integers and a unit: value = unit * integer, exactly. Invalid codes have integer 0.
struct IntegerValues {
  std::vector<int32_t> integers;
  int32_t least = 0, greatest = 0;
  double unit = 1;
};

// The exponent of the lowest set bit of a nonzero value.
int lowest_bit(double value) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);
  const auto mantissa = static_cast<uint64_t>(std::ldexp(fraction, 53));
  return exponent - 53 + std::countr_zero(mantissa);
}

// The values as integers of at most `bits` bits beside the sign, if they are such.
std::optional<IntegerValues> as_integers(const std::vector<double>& values, int bits) {
  int least_bit = 0;
  bool is_first = true;
  for (const double value : values) {
    if (!std::isfinite(value) || value == 0) continue;
    const int bit = lowest_bit(value);
    least_bit = is_first ? bit : std::min(least_bit, bit);
    is_first = false;
  }
  IntegerValues result;
  result.unit = std::ldexp(1.0, least_bit);
  result.integers.resize(values.size());
  bool is_range_open = true;
  for (size_t code = 0; code < values.size(); ++code) {
    if (!std::isfinite(values[code])) continue;
    const double integer = values[code] / result.unit;
    if (std::fabs(integer) > std::ldexp(1.0, bits)) return std::nullopt;
    result.integers[code] = static_cast<int32_t>(integer);
    const int32_t i = result.integers[code];
    result.least = is_range_open ? i : std::min(result.least, i);
    result.greatest = is_range_open ? i : std::max(result.greatest, i);
    is_range_open = false;
  }
  return result;
}

PanelPlan identity_plan(const CodeSource& source) {
  PanelPlan plan;
  const std::vector<double>& values = source.values();
  plan.format.bits = source.bits();
  plan.stored_code.resize(values.size());
  plan.is_valid.resize(values.size());
  for (size_t code = 0; code < values.size(); ++code) {
    plan.stored_code[code] = static_cast<uint16_t>(code);
    plan.is_valid[code] = std::isfinite(values[code]) ? 1 : 0;
  }
  return plan;
}

// The zero point of a scheme that stores zero points stands here, so that codes are balanced.
int middle_code(const CodeSource& source) { return 1 << (source.bits() - 1); }

// How far sums may run in 16 bits when tile weights are in [0, greatest] and `center` is taken off.
Widening widening_for(int greatest, int center, int subblock_cols) {
  constexpr int kMostActivation = 127, kMostInt16 = 32767;
  const int magnitude = std::max(center, greatest - center);
  const int products_a_lane = subblock_cols / 2;
  if (magnitude * kMostActivation * products_a_lane <= kMostInt16) return Widening::kSubblock;
  if (greatest * kMostActivation * 4 <= kMostInt16) return Widening::kTwoSteps;
  return Widening::kOneStep;
}

Result<PanelPlan> plan_int8(const CodeSource& source, IsaTraits traits, int subblock_cols) {
  const int weight_limit = traits.weight_limit;
  constexpr int kMostBits = 8, kMostTableBits = 6;
  const auto integers = as_integers(source.values(), kMostBits);
  if (source.bits() > kMostBits || !integers ||
      integers->greatest - integers->least > weight_limit) {
    return fail(ErrorCode::kUnsupported, "the values of {} are not integers within a range of {}",
                numeric::element_name(source.element()), weight_limit);
  }
  PanelPlan plan = identity_plan(source);
  PanelFormat& format = plan.format;
  format.arithmetic = Arithmetic::kInt8;
  const int range = integers->greatest - integers->least;
  const int most_code = (1 << source.bits()) - 1;
  plan.unit = integers->unit;
  format.center = -integers->least;
  const bool is_even = std::all_of(integers->integers.begin(), integers->integers.end(),
                                   [&](int32_t i) { return (i - integers->least) % 2 == 0; });
  format.is_doubled = range > most_code && is_even && range / 2 <= most_code;
  format.decoding =
      range <= most_code || format.is_doubled ? CodeDecoding::kLinear : CodeDecoding::kTable;
  if (format.decoding == CodeDecoding::kTable && source.bits() > kMostTableBits) {
    return fail(ErrorCode::kUnsupported, "tables of {} bits are beyond this kernel", source.bits());
  }
  for (size_t code = 0; code < plan.stored_code.size(); ++code) {
    if (plan.is_valid[code] == 0) continue;
    const int above_least = integers->integers[code] - integers->least;
    if (format.decoding == CodeDecoding::kTable) {
      format.table_low[code] = static_cast<uint8_t>(above_least);
    } else {
      plan.stored_code[code] =
          static_cast<uint16_t>(format.is_doubled ? above_least / 2 : above_least);
    }
  }
  if (source.tensor().scheme.has_zero_point) format.center = middle_code(source);
  format.widening = traits.sums_in_16_bits ? widening_for(range, format.center, subblock_cols)
                                           : Widening::kOneStep;
  return plan;
}

// Tile values of all codes against the true ones, for formats that round.
void measure_errors(const std::vector<double>& values, PanelPlan& plan) {
  plan.value_squares.assign(values.size(), 0);
  plan.error_squares.assign(values.size(), 0);
  bool is_exact = true;
  for (size_t code = 0; code < values.size(); ++code) {
    if (plan.is_valid[code] == 0) continue;
    const double error =
        plan.unit * decode_int16(plan.format, plan.stored_code[code]) - values[code];
    plan.value_squares[code] = values[code] * values[code];
    plan.error_squares[code] = error * error;
    is_exact = is_exact && error == 0;
  }
  if (!is_exact) return;
  plan.value_squares.clear();
  plan.error_squares.clear();
}

// Which codes occur in the tensor.
Result<std::vector<uint8_t>> used_codes(const CodeSource& source, Threads threads) {
  const tensor::QuantizedTensor& tensor = source.tensor();
  std::vector<uint8_t> used(source.values().size());
  Status status;
  std::mutex mutex;
  parallel_for(threads, tensor.rows, 1, [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> mine(used.size());
    std::vector<uint16_t> codes(static_cast<size_t>(tensor.cols));
    CodeSource::GgmlScales scales;
    Status result;
    for (int64_t row = begin; row < end && result; ++row) {
      result = source.read_row(row, codes, scales);
      for (const uint16_t code : codes) mine[code] = 1;
    }
    const std::lock_guard lock(mutex);
    if (!result) status = result;
    for (size_t code = 0; code < used.size(); ++code) used[code] |= mine[code];
  });
  ANYBIT_TRY(status);
  return used;
}

void set_table(PanelFormat& format, size_t index, int32_t value) {
  format.table_low[index] = static_cast<uint8_t>(value);
  format.table_high[index] = static_cast<uint8_t>(value >> 8);
}

// Floats of 6 to 8 bits: powers of two for the 15 exponents up to the greatest used one.
bool plan_split_float(const CodeSource& source, const std::vector<uint8_t>& used, PanelPlan& plan) {
  const ElementFormat& e = source.element();
  const bool fits = e.kind == ElementKind::kFloat && e.is_signed && e.bits >= 6 && e.bits <= 8 &&
                    e.exponent_bits >= 1 && e.exponent_bits <= 5 && e.mantissa_bits <= 6;
  if (!fits) return false;
  int greatest = 1;
  for (size_t code = 0; code < used.size(); ++code) {
    if (used[code] == 0 || plan.is_valid[code] == 0) continue;
    const auto exponent = static_cast<int>(code >> e.mantissa_bits & ((1u << e.exponent_bits) - 1));
    greatest = std::max(greatest, exponent);
  }
  PanelFormat& format = plan.format;
  constexpr int kTopPower = 14, kEntries = 16;
  format.decoding = CodeDecoding::kSplitFloat;
  format.exponent_bits = e.exponent_bits;
  format.mantissa_bits = e.mantissa_bits;
  format.exponent_base = std::max(greatest - kTopPower, 1);
  for (int i = 0; i < kEntries; ++i) {
    const int power = i + kTopPower - (greatest - format.exponent_base);
    set_table(format, static_cast<size_t>(i), power <= kTopPower ? 1 << power : 0);
  }
  // A mantissa stands 14 - y bits up; the product with 2^14, shifted by 15, is one bit down.
  plan.unit = std::ldexp(1.0, greatest - e.exponent_bias - (kTopPower - 1));
  return true;
}

// Where every value has its negative: the sign as the top bit, magnitudes numbered upward.
bool make_signed(const std::vector<int32_t>& integers, PanelPlan& plan) {
  std::vector<int32_t> magnitudes;
  for (size_t code = 0; code < integers.size(); ++code) {
    if (plan.is_valid[code] != 0) magnitudes.push_back(std::abs(integers[code]));
  }
  std::sort(magnitudes.begin(), magnitudes.end());
  magnitudes.erase(std::unique(magnitudes.begin(), magnitudes.end()), magnitudes.end());
  const size_t sign = plan.stored_code.size() / 2;
  if (magnitudes.size() > sign) return false;
  plan.format.decoding = CodeDecoding::kSignedTable;
  for (size_t i = 0; i < magnitudes.size(); ++i) set_table(plan.format, i, magnitudes[i]);
  for (size_t code = 0; code < integers.size(); ++code) {
    const auto found =
        std::lower_bound(magnitudes.begin(), magnitudes.end(), std::abs(integers[code]));
    const auto index = static_cast<size_t>(found - magnitudes.begin());
    plan.stored_code[code] = static_cast<uint16_t>(index | (integers[code] < 0 ? sign : 0));
  }
  return true;
}

Result<PanelPlan> plan_int16_table(const CodeSource& source, std::vector<int32_t> integers,
                                   PanelPlan plan) {
  constexpr int kLeastSignedBits = 7;
  plan.format.decoding = CodeDecoding::kTable;
  if (source.bits() < kLeastSignedBits || !make_signed(integers, plan)) {
    for (size_t code = 0; code < integers.size(); ++code) {
      set_table(plan.format, code, integers[code]);
    }
  }
  measure_errors(source.values(), plan);
  return plan;
}

// The same weights, looked up instead of computed.
Result<PanelPlan> tabulated(const CodeSource& source, PanelPlan plan) {
  std::vector<int32_t> integers(plan.stored_code.size());
  for (size_t code = 0; code < integers.size(); ++code) {
    if (plan.is_valid[code] == 0) continue;
    integers[code] = decode_int16(plan.format, static_cast<uint32_t>(code));
  }
  std::fill_n(plan.format.table_low, std::size(plan.format.table_low), uint8_t{0});
  std::fill_n(plan.format.table_high, std::size(plan.format.table_high), uint8_t{0});
  return plan_int16_table(source, std::move(integers), std::move(plan));
}

Result<PanelPlan> plan_int16(const CodeSource& source, IsaTraits traits, Threads threads) {
  constexpr int kMostMagnitudeBits = 15, kMostTableBits = 8;
  PanelPlan plan = identity_plan(source);
  plan.format.arithmetic = Arithmetic::kInt16;
  const std::vector<double>& values = source.values();
  auto integers = as_integers(values, 16);
  const bool is_linear =
      integers && integers->greatest - integers->least < static_cast<int32_t>(values.size());
  if (is_linear) {
    plan.format.decoding = CodeDecoding::kLinear;
    plan.unit = integers->unit;
    plan.format.center =
        source.tensor().scheme.has_zero_point ? middle_code(source) : -integers->least;
    if (integers->greatest - integers->least - plan.format.center > 32767) {
      return fail(ErrorCode::kUnsupported, "{} does not fit signed 16 bits",
                  numeric::element_name(source.element()));
    }
    for (size_t code = 0; code < values.size(); ++code) {
      plan.stored_code[code] = static_cast<uint16_t>(integers->integers[code] - integers->least);
    }
    return plan;
  }
  if (source.bits() > kMostTableBits) {
    return fail(ErrorCode::kUnsupported, "{} has codes of {} bits, tables have at most {}",
                numeric::element_name(source.element()), source.bits(), kMostTableBits);
  }
  ANYBIT_ASSIGN(const std::vector<uint8_t> used, used_codes(source, threads));
  if (plan_split_float(source, used, plan)) {
    if (traits.has_byte_tables) return tabulated(source, std::move(plan));
    measure_errors(values, plan);
    return plan;
  }
  if (integers && std::max(-integers->least, integers->greatest) >= 1 << kMostMagnitudeBits) {
    integers.reset();
  }
  if (integers) {
    plan.unit = integers->unit;
    return plan_int16_table(source, std::move(integers->integers), std::move(plan));
  }
  double amax = 0;
  for (size_t code = 0; code < values.size(); ++code) {
    if (used[code] != 0 && plan.is_valid[code] != 0) amax = std::max(amax, std::fabs(values[code]));
  }
  constexpr double kLimit = 32767;
  plan.unit = amax > 0 ? amax / kLimit : 1;
  std::vector<int32_t> rounded(values.size());
  for (size_t code = 0; code < values.size(); ++code) {
    if (plan.is_valid[code] == 0) continue;
    rounded[code] =
        static_cast<int32_t>(std::clamp(std::nearbyint(values[code] / plan.unit), -kLimit, kLimit));
  }
  return plan_int16_table(source, std::move(rounded), std::move(plan));
}

// Whether the code's fields, moved to where binary16 has them, give its value times a power of two:
// for codes that are finite in both.
bool has_half_bits(const ElementFormat& e) {
  if (e.kind != ElementKind::kFloat || e.exponent_bits < 1 || e.exponent_bits > 5) return false;
  const bool tops_out = e.exponent_bits == 5 && e.specials != numeric::Specials::kIeee;
  return !tops_out && e.mantissa_bits <= 10 && e.exponent_bias > -100;
}

Result<PanelPlan> plan_float(const CodeSource& source) {
  PanelPlan plan = identity_plan(source);
  PanelFormat& format = plan.format;
  const ElementFormat& e = source.element();
  const std::vector<double>& values = source.values();
  format.arithmetic = Arithmetic::kFloat;
  if (e == numeric::kBF16 || has_half_bits(e)) {
    format.decoding = e == numeric::kBF16 ? CodeDecoding::kBrain : CodeDecoding::kHalf;
    format.exponent_bits = e.exponent_bits;
    format.mantissa_bits = e.mantissa_bits;
    if (e != numeric::kBF16) format.bits_factor = std::ldexp(1.0f, 15 - e.exponent_bias);
    // These two have infinities and NaNs where the kernel does.
    if (e == numeric::kBF16 || e == numeric::kF16) plan.is_valid.assign(values.size(), 1);
    return plan;
  }
  if (e.kind == ElementKind::kInt || (e.kind == ElementKind::kUint && source.ggml() == nullptr)) {
    format.decoding = CodeDecoding::kLinear;
    format.center = e.kind == ElementKind::kInt || source.tensor().scheme.has_zero_point
                        ? middle_code(source)
                        : 0;
    plan.unit = std::ldexp(1.0, -e.mantissa_bits);
    const int flipped = e.kind == ElementKind::kInt ? middle_code(source) : 0;
    for (uint16_t& code : plan.stored_code) code = static_cast<uint16_t>(code ^ flipped);
    return plan;
  }
  format.decoding = CodeDecoding::kTable;
  format.values.resize(values.size());
  for (size_t code = 0; code < values.size(); ++code) {
    format.values[code] = static_cast<float>(values[code]);
    // Beyond f32's range, above or below, the table would not tell the truth.
    const bool is_lost =
        std::isfinite(values[code]) && (!std::isfinite(format.values[code]) ||
                                        (values[code] != 0 && std::fabs(values[code]) < 0x1p-126));
    plan.is_valid[code] = is_lost ? 0 : 1;
  }
  return plan;
}

}  // namespace

bool may_plan(const numeric::Scheme& scheme, Arithmetic arithmetic, IsaTraits traits) {
  if (arithmetic == Arithmetic::kFloat) return true;
  tensor::QuantizedTensor nothing;
  nothing.scheme = scheme;
  nothing.codebook.resize(scheme.element.kind == ElementKind::kCodebook ? scheme.element.num_codes()
                                                                        : 0);
  const auto source = CodeSource::of(nothing);
  if (!source) return false;
  if (arithmetic == Arithmetic::kInt8) {
    if (scheme.ggml == numeric::GgmlType::kNone && scheme.element.kind == ElementKind::kCodebook) {
      return false;
    }
    return plan_int8(*source, traits, static_cast<int>(kBlockCols)).has_value();
  }
  return plan_int16(*source, traits, {1}).has_value();
}

Result<PanelPlan> plan_panels(const CodeSource& source, Arithmetic arithmetic, IsaTraits traits,
                              int subblock_cols, Threads threads) {
  if (source.tensor().scheme.has_zero_point && source.element().mantissa_bits != 0) {
    return fail(ErrorCode::kUnsupported, "zero points of elements with binary places");
  }
  auto plan = arithmetic == Arithmetic::kInt8    ? plan_int8(source, traits, subblock_cols)
              : arithmetic == Arithmetic::kInt16 ? plan_int16(source, traits, threads)
                                                 : plan_float(source);
  if (plan) plan->format.subblock_cols = subblock_cols;
  return plan;
}

}  // namespace anybit::kernel::internal

#include "anybit/vm/backend/reference/internal/arithmetic.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/vm/exact_math.h"

namespace anybit::vm::reference {
namespace {

using numeric::kBF16;
using numeric::kF16;
using numeric::kF32;

constexpr numeric::Rounding kIeee{numeric::RoundingMode::kNearestEven, numeric::Overflow::kSpecial};

Code mask_of(const ElementFormat& format) {
  return static_cast<Code>((uint64_t{1} << format.bits) - 1);
}

Code sign_bit(const ElementFormat& format) { return Code{1} << (format.bits - 1); }

/// Prefers a number to NaN, and takes -0 for less than +0.
double lesser(double a, double b) {
  if (std::isnan(a)) return b;
  if (std::isnan(b)) return a;
  if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

double greater(double a, double b) { return -lesser(-a, -b); }

/// a * b + c rounded to odd in double, whence rounding to at most 51 bits is that of the exact sum.
/// Pre: a * b is exact in double (operands of at most 26 bits, and no underflow).
double multiply_add_to_odd(double a, double b, double c) {
  const double product = a * b, sum = product + c;
  if (!std::isfinite(sum)) return sum;
  // Knuth's two-sum: product + c == sum + error exactly.
  const double c_part = sum - product, product_part = sum - c_part;
  const double error = (product - product_part) + (c - c_part);
  const auto bits = std::bit_cast<uint64_t>(sum);
  if (error == 0 || bits % 2 != 0) return sum;
  return std::nextafter(sum, error > 0 ? std::numeric_limits<double>::infinity()
                                       : -std::numeric_limits<double>::infinity());
}

float unary_float(UnaryOp op, float x) {
  switch (op) {
    case UnaryOp::kExp: return exact::exp(x);
    case UnaryOp::kExp2: return exact::exp2(x);
    case UnaryOp::kLog: return exact::log(x);
    case UnaryOp::kLog2: return exact::log2(x);
    case UnaryOp::kSqrt: return exact::sqrt(x);
    case UnaryOp::kRsqrt: return exact::rsqrt(x);
    case UnaryOp::kReciprocal: return exact::div(1.0F, x);
    case UnaryOp::kSin: return exact::sin(x);
    case UnaryOp::kCos: return exact::cos(x);
    case UnaryOp::kTanh: return exact::tanh(x);
    case UnaryOp::kErf: return exact::erf(x);
    case UnaryOp::kFloor: return std::floor(x);
    case UnaryOp::kCeil: return std::ceil(x);
    case UnaryOp::kTrunc: return std::trunc(x);
    case UnaryOp::kRound: return std::nearbyint(x);
    default: ANYBIT_CHECK(false);
  }
}

/// f16 and bf16: add is exact in double or innocuously rounded twice, as are mul and div, since 53
/// is at least twice 11 plus 2 (Figueroa 1995, "When is double rounding innocuous?").
Code binary_float(BinaryOp op, const ElementFormat& format, Code a_code, Code b_code) {
  const double a = element_value(format, a_code), b = element_value(format, b_code);
  const bool single = format == kF32;
  const auto a32 = static_cast<float>(a), b32 = static_cast<float>(b);
  switch (op) {
    case BinaryOp::kAdd: return float_code(format, single ? a32 + b32 : a + b);
    case BinaryOp::kSub: return float_code(format, single ? a32 - b32 : a - b);
    case BinaryOp::kMul: return float_code(format, single ? a32 * b32 : a * b);
    case BinaryOp::kDiv: return float_code(format, single ? a32 / b32 : a / b);
    case BinaryOp::kMin: return float_code(format, lesser(a, b));
    case BinaryOp::kMax: return float_code(format, greater(a, b));
    default: ANYBIT_CHECK(false);
  }
}

Result<Code> binary_integer(BinaryOp op, const ElementFormat& format, Code a_code, Code b_code) {
  const int64_t a = integer_value(format, a_code), b = integer_value(format, b_code);
  const unsigned shift = b_code & (format.bits - 1U);
  switch (op) {
    case BinaryOp::kAdd: return integer_code(format, a + b);
    case BinaryOp::kSub: return integer_code(format, a - b);
    case BinaryOp::kMul:  // uint32 squared does not fit int64; its low bits do not mind.
      return integer_code(
          format, static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b)));
    case BinaryOp::kDiv:
    case BinaryOp::kMod:
      if (b == 0) return fail(ErrorCode::kInvalidArgument, "{} divided by zero", a);
      return integer_code(format, op == BinaryOp::kDiv ? a / b : a % b);
    case BinaryOp::kMin: return a < b ? a_code : b_code;
    case BinaryOp::kMax: return a < b ? b_code : a_code;
    case BinaryOp::kAnd: return a_code & b_code;
    case BinaryOp::kOr: return a_code | b_code;
    case BinaryOp::kXor: return a_code ^ b_code;
    case BinaryOp::kShiftLeft: return integer_code(format, static_cast<int64_t>(a_code) << shift);
    case BinaryOp::kShiftRight: return integer_code(format, a >> shift);
  }
  ANYBIT_CHECK(false);
}

BinaryOp binary_of(ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum: return BinaryOp::kAdd;
    case ReduceOp::kProduct: return BinaryOp::kMul;
    case ReduceOp::kMin: return BinaryOp::kMin;
    case ReduceOp::kMax: return BinaryOp::kMax;
    case ReduceOp::kAnd: return BinaryOp::kAnd;
    case ReduceOp::kOr: return BinaryOp::kOr;
    case ReduceOp::kXor: return BinaryOp::kXor;
  }
  ANYBIT_CHECK(false);
}

}  // namespace

double element_value(const ElementFormat& format, Code code) {
  if (format == kF32) return std::bit_cast<float>(code);
  if (format == kBF16) return std::bit_cast<float>(code << 16);
  if (format == kF16) {
    static const std::vector<float> kTable = numeric::decode_table(kF16);
    return kTable[code];
  }
  return decode_element(format, code);
}

Code float_code(const ElementFormat& format, double value) {
  if (std::isnan(value)) return mask_of(format) >> 1;
  if (format == kF32) return std::bit_cast<Code>(static_cast<float>(value));
  return encode_element(format, value, kIeee);
}

int64_t integer_value(const ElementFormat& format, Code code) {
  if (format.kind == numeric::ElementKind::kInt && (code & sign_bit(format)) != 0) {
    return static_cast<int64_t>(code) - (int64_t{1} << format.bits);
  }
  return code;
}

Code integer_code(const ElementFormat& format, int64_t value) {
  return static_cast<Code>(value) & mask_of(format);
}

Code apply_unary(UnaryOp op, const ElementFormat& format, Code x) {
  const bool is_float = is_compute_float(format);
  switch (op) {
    case UnaryOp::kNegate:
      return is_float ? x ^ sign_bit(format) : integer_code(format, -integer_value(format, x));
    case UnaryOp::kAbs:
      if (is_float) return x & ~sign_bit(format);
      return integer_value(format, x) < 0 ? integer_code(format, -integer_value(format, x)) : x;
    case UnaryOp::kNot: return ~x & mask_of(format);
    case UnaryOp::kPopcount: return static_cast<Code>(std::popcount(x));
    default: break;
  }
  return float_code(format, unary_float(op, static_cast<float>(element_value(format, x))));
}

Result<Code> apply_binary(BinaryOp op, const ElementFormat& format, Code a, Code b) {
  if (is_compute_float(format)) return binary_float(op, format, a, b);
  return binary_integer(op, format, a, b);
}

bool apply_compare(CompareOp op, const ElementFormat& format, Code a_code, Code b_code) {
  // Integers of at most 32 bits are exact in double too.
  const double a = element_value(format, a_code), b = element_value(format, b_code);
  switch (op) {
    case CompareOp::kEqual: return a == b;
    case CompareOp::kNotEqual: return a != b;
    case CompareOp::kLess: return a < b;
    case CompareOp::kLessEqual: return a <= b;
    case CompareOp::kGreater: return a > b;
    case CompareOp::kGreaterEqual: return a >= b;
  }
  ANYBIT_CHECK(false);
}

Code apply_fma(const ElementFormat& format, Code a_code, Code b_code, Code c_code) {
  const double a = element_value(format, a_code), b = element_value(format, b_code),
               c = element_value(format, c_code);
  if (format == kF32) {
    return float_code(
        format, std::fma(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c)));
  }
  return float_code(format, multiply_add_to_odd(a, b, c));
}

Code apply_reduce(ReduceOp op, const ElementFormat& format, Code a, Code b) {
  return *apply_binary(binary_of(op), format, a, b);
}

Code reduce_neutral(ReduceOp op, const ElementFormat& format) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool is_float = is_compute_float(format);
  const bool is_signed = format.kind == numeric::ElementKind::kInt;
  const Code greatest = is_float    ? float_code(format, kInfinity)
                        : is_signed ? mask_of(format) >> 1
                                    : mask_of(format);
  const Code least = is_float ? float_code(format, -kInfinity) : is_signed ? sign_bit(format) : 0;
  switch (op) {
    case ReduceOp::kSum:
    case ReduceOp::kOr:
    case ReduceOp::kXor: return 0;
    case ReduceOp::kProduct: return is_float ? float_code(format, 1) : 1;
    case ReduceOp::kMin: return greatest;
    case ReduceOp::kMax: return least;
    case ReduceOp::kAnd: return mask_of(format);
  }
  ANYBIT_CHECK(false);
}

Code apply_atomic(AtomicOp op, const ElementFormat& format, Code target, Code value) {
  switch (op) {
    case AtomicOp::kAdd: return *apply_binary(BinaryOp::kAdd, format, target, value);
    case AtomicOp::kMin: return *apply_binary(BinaryOp::kMin, format, target, value);
    case AtomicOp::kMax: return *apply_binary(BinaryOp::kMax, format, target, value);
    case AtomicOp::kAnd: return target & value;
    case AtomicOp::kOr: return target | value;
    case AtomicOp::kXor: return target ^ value;
    case AtomicOp::kExchange: return value;
  }
  ANYBIT_CHECK(false);
}

}  // namespace anybit::vm::reference

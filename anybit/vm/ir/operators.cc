#include "anybit/vm/ir/operators.h"

#include <array>

namespace anybit::vm {
namespace {

constexpr uint8_t kNumbers = kFloats | kIntegers;
constexpr uint8_t kBits = kIntegers | kBools;

constexpr std::array<OperatorInfo, 19> kUnary = {{
    {"neg", kNumbers, "-x"},
    {"abs", kNumbers, "|x|"},
    {"not", kBits, "every bit flipped"},
    {"exp", kFloats, "e^x"},
    {"exp2", kFloats, "2^x"},
    {"log", kFloats, "natural logarithm"},
    {"log2", kFloats, "logarithm to base 2"},
    {"sqrt", kFloats, "square root, correctly rounded"},
    {"rsqrt", kFloats, "1 / sqrt(x), each step correctly rounded in f32"},
    {"reciprocal", kFloats, "1 / x, correctly rounded in f32"},
    {"sin", kFloats, "sine"},
    {"cos", kFloats, "cosine"},
    {"tanh", kFloats, "hyperbolic tangent"},
    {"erf", kFloats, "error function"},
    {"floor", kFloats, "greatest integer at most x"},
    {"ceil", kFloats, "least integer at least x"},
    {"trunc", kFloats, "x rounded toward zero"},
    {"round", kFloats, "nearest integer, ties to even"},
    {"popcount", kIntegers, "number of one bits"},
}};

constexpr std::array<OperatorInfo, 12> kBinary = {{
    {"add", kNumbers, "a + b"},
    {"sub", kNumbers, "a - b"},
    {"mul", kNumbers, "a * b"},
    {"div", kNumbers, "a / b"},
    {"mod", kIntegers, "remainder, with the sign of a"},
    {"min", kNumbers, "the lesser"},
    {"max", kNumbers, "the greater"},
    {"and", kBits, "bitwise and"},
    {"or", kBits, "bitwise or"},
    {"xor", kBits, "bitwise exclusive or"},
    {"shl", kIntegers, "a * 2^b"},
    {"shr", kIntegers, "a / 2^b, rounded down; zeros enter where a has no sign"},
}};

constexpr uint8_t kAny = kNumbers | kBools;

constexpr std::array<OperatorInfo, 6> kCompare = {{
    {"equal", kAny, "a = b"},
    {"not_equal", kAny, "a != b"},
    {"less", kNumbers, "a < b"},
    {"less_equal", kNumbers, "a <= b"},
    {"greater", kNumbers, "a > b"},
    {"greater_equal", kNumbers, "a >= b"},
}};

constexpr std::array<OperatorInfo, 7> kReduce = {{
    {"sum", kNumbers, "sum"},
    {"product", kNumbers, "product"},
    {"min", kNumbers, "least"},
    {"max", kNumbers, "greatest"},
    {"and", kBits, "bitwise and; of uint1: all"},
    {"or", kBits, "bitwise or; of uint1: any"},
    {"xor", kBits, "bitwise exclusive or; of uint1: parity"},
}};

constexpr std::array<OperatorInfo, 7> kAtomic = {{
    {"add", kNumbers, "target + value"},
    {"min", kIntegers, "the lesser"},
    {"max", kIntegers, "the greater"},
    {"and", kIntegers, "bitwise and"},
    {"or", kIntegers, "bitwise or"},
    {"xor", kIntegers, "bitwise exclusive or"},
    {"exchange", kNumbers, "value"},
}};

}  // namespace

std::span<const OperatorInfo> unary_operators() { return kUnary; }
std::span<const OperatorInfo> binary_operators() { return kBinary; }
std::span<const OperatorInfo> compare_operators() { return kCompare; }
std::span<const OperatorInfo> reduce_operators() { return kReduce; }
std::span<const OperatorInfo> atomic_operators() { return kAtomic; }

uint8_t operand_class(const numeric::ElementFormat& element) {
  if (is_compute_float(element)) return kFloats;
  if (element == kBool) return kBools;
  const bool whole = element.bits == 8 || element.bits == 16 || element.bits == 32;
  return is_integer_element(element) && whole ? kIntegers : 0;
}

Status check_operand_class(const OperatorInfo& op, const numeric::ElementFormat& element) {
  if ((operand_class(element) & op.classes) != 0) return {};
  std::string expected;
  for (const auto& [bit, names] :
       {std::pair{kFloats, "f32, f16, bf16"},
        std::pair{kIntegers, "int8, uint8, int16, uint16, int32, uint32"},
        std::pair{kBools, "uint1"}}) {
    if ((op.classes & bit) == 0) continue;
    expected += (expected.empty() ? "" : ", ") + std::string(names);
  }
  return fail(ErrorCode::kInvalidArgument, "{} does not take {}, expected one of {}; cast it first",
              op.name, tile_element_name(element), expected);
}

}  // namespace anybit::vm

// The elementwise operators: one row each. `unary`, `binary` and `compare` name them by their
// index.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "anybit/base/result.h"
#include "anybit/vm/ir/element.h"

namespace anybit::vm {

/// Which elements an operator takes.
enum OperandClass : uint8_t {
  kFloats = 1,    // f32, f16, bf16
  kIntegers = 2,  // int8, uint8, int16, uint16, int32, uint32
  kBools = 4,     // uint1
};

enum class UnaryOp : uint8_t {
  kNegate,
  kAbs,
  kNot,
  kExp,
  kExp2,
  kLog,
  kLog2,
  kSqrt,
  kRsqrt,
  kReciprocal,
  kSin,
  kCos,
  kTanh,
  kErf,
  kFloor,
  kCeil,
  kTrunc,
  kRound,
  kPopcount,
};

enum class BinaryOp : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kMin,
  kMax,
  kAnd,
  kOr,
  kXor,
  kShiftLeft,
  kShiftRight,
};

enum class CompareOp : uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

enum class ReduceOp : uint8_t { kSum, kProduct, kMin, kMax, kAnd, kOr, kXor };

enum class AtomicOp : uint8_t { kAdd, kMin, kMax, kAnd, kOr, kXor, kExchange };

struct OperatorInfo {
  std::string_view name;
  uint8_t classes;  // OperandClass, or'ed.
  std::string_view meaning;
};

std::span<const OperatorInfo> unary_operators();    // Indexed by UnaryOp.
std::span<const OperatorInfo> binary_operators();   // Indexed by BinaryOp.
std::span<const OperatorInfo> compare_operators();  // Indexed by CompareOp.
std::span<const OperatorInfo> reduce_operators();   // Indexed by ReduceOp; also of scan.
std::span<const OperatorInfo> atomic_operators();   // Indexed by AtomicOp.

/// The class of an element; 0 for elements that must be cast before they are computed with.
uint8_t operand_class(const numeric::ElementFormat& element);

/// Errors: kInvalidArgument if the operator does not take `element`.
Status check_operand_class(const OperatorInfo& op, const numeric::ElementFormat& element);

}  // namespace anybit::vm

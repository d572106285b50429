// Scalar expressions of the tile VM: what a kernel computes once per CTA (sizes, offsets, loop
// bounds, conditions), as immutable trees. Tiles are values of instructions: program.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"

namespace anybit::vm {

enum class ScalarType : uint8_t { kBool, kI32, kI64, kF32, kPointer };

/// "bool", "i32", "i64", "f32", "ptr".
std::string_view scalar_type_name(ScalarType type);

/// Index of a Variable in its Program.
using VariableId = int32_t;

enum class ExprKind : uint8_t {
  kInteger,   // A literal of type bool, i32 or i64.
  kFloat,     // A literal of type f32.
  kVariable,  // A parameter, let, var, loop variable or builtin.
  kNegate,
  kNot,      // bool
  kConvert,  // i32(x), i64(x), f32(x): f32 to integer truncates and saturates, NaN gives 0.
  kAdd,      // Integers: leaving the range is an error of the program (evaluate() wraps).
  kSub,
  kMul,
  kDiv,  // Integers: toward zero. Dividing an integer by zero is an error of the program.
  kMod,  // Integers only; the sign of the dividend.
  kMin,
  kMax,
  kBitAnd,
  kBitOr,
  kBitXor,
  kShiftLeft,   // Pre: 0 <= count < bits of the type.
  kShiftRight,  // Arithmetic. Pre: as kShiftLeft.
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kAnd,     // bool, both sides evaluated.
  kOr,      // bool, both sides evaluated.
  kSelect,  // select(condition, a, b)
};

/// One row for each ExprKind: how it is written.
struct ExprKindInfo {
  ExprKind kind;
  std::string_view name;  // "+" or "min"; empty for literals and variables.
  int precedence;         // Of infix operators, higher binds tighter; 0: written as a call.
  int num_operands;
};
const ExprKindInfo& expr_kind_info(ExprKind kind);

/// The deepest tree that a program may hold; the verifier checks it, so that whoever walks trees
/// may recurse.
inline constexpr int kMaxExprDepth = 200;

/// A scalar value that a kernel computes. Cheap to copy; equality is structural.
class Expr {
 public:
  /// The literal 0 of type i32.
  Expr();
  /// A literal of type i32, so that k * 2 + 1 reads as mathematics. Pre: fits i32.
  Expr(int value);  // NOLINT(google-explicit-constructor)
  /// A literal of type i32 if it fits, else i64.
  Expr(int64_t value);  // NOLINT(google-explicit-constructor)

  static Expr integer(int64_t value, ScalarType type);
  static Expr boolean(bool value);
  /// Every NaN becomes the one positive quiet NaN.
  static Expr real(float value);
  static Expr variable(VariableId id, ScalarType type);

  /// Applies `kind` to operands, folding constants and the identities x+0, x*1, x*0, x/1
  /// (integers). An i32 beside an i64 is widened; integer literals take the type of the other side.
  /// Errors: kInvalidArgument if the types do not fit the operator, or a literal divisor is zero.
  static Result<Expr> make(ExprKind kind, std::vector<Expr> operands);
  /// Converts to `type`. Errors: to or from a pointer.
  static Result<Expr> convert(Expr value, ScalarType type);

  ExprKind kind() const;
  ScalarType type() const;
  /// Pre: kind() is kInteger.
  int64_t integer_value() const;
  /// Pre: kind() is kFloat.
  float float_value() const;
  /// Pre: kind() is kVariable.
  VariableId variable_id() const;
  const std::vector<Expr>& operands() const;
  /// Levels of the tree; 1 for a literal or variable.
  int depth() const;

  /// The value of an integer literal, else nothing.
  std::optional<int64_t> as_integer() const;
  bool is_integer(int64_t value) const { return as_integer() == value; }

  friend bool operator==(const Expr& a, const Expr& b);

 private:
  struct Node;
  explicit Expr(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  std::shared_ptr<const Node> node_;
};

// Operators for builders. Pre: the types fit (a misuse is a bug of the kernel's author: it stops at
// ANYBIT_CHECK). Comparison is written less(a, b), since == compares trees.
Expr operator+(const Expr& a, const Expr& b);
Expr operator-(const Expr& a, const Expr& b);
Expr operator*(const Expr& a, const Expr& b);
Expr operator/(const Expr& a, const Expr& b);
Expr operator%(const Expr& a, const Expr& b);
Expr min(const Expr& a, const Expr& b);
Expr max(const Expr& a, const Expr& b);
Expr equal(const Expr& a, const Expr& b);
Expr not_equal(const Expr& a, const Expr& b);
Expr less(const Expr& a, const Expr& b);
Expr less_equal(const Expr& a, const Expr& b);
Expr logical_and(const Expr& a, const Expr& b);
Expr logical_or(const Expr& a, const Expr& b);
Expr select(const Expr& condition, const Expr& a, const Expr& b);
/// (a + b - 1) / b for non-negative a and positive b.
Expr ceil_div(const Expr& a, const Expr& b);

/// A scalar at run time. Integers and bool in `integer`, f32 in `real`, pointers in `address`.
struct ScalarValue {
  ScalarType type = ScalarType::kI32;
  int64_t integer = 0;
  float real = 0;
  std::byte* address = nullptr;
};

/// Evaluates `expr`; `lookup` gives the value of each variable.
/// Errors: kInvalidArgument for a division by zero or a shift out of range.
Result<ScalarValue> evaluate(const Expr& expr,
                             const std::function<ScalarValue(VariableId)>& lookup);

/// The expression with every variable replaced by what `replace` returns (nothing: kept).
Expr substitute(const Expr& expr, const std::function<std::optional<Expr>(VariableId)>& replace);

/// Calls `visit` for every variable that occurs.
void for_each_variable(const Expr& expr, const std::function<void(VariableId)>& visit);

}  // namespace anybit::vm

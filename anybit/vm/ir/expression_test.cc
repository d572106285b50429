#include "anybit/vm/ir/expression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace anybit::vm {
namespace {

constexpr int64_t kMin32 = std::numeric_limits<int32_t>::min();
constexpr int64_t kMax32 = std::numeric_limits<int32_t>::max();
constexpr int64_t kMin64 = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax64 = std::numeric_limits<int64_t>::max();

Expr var(VariableId id, ScalarType type = ScalarType::kI32) { return Expr::variable(id, type); }

Expr i32(int64_t value) { return Expr::integer(value, ScalarType::kI32); }
Expr i64(int64_t value) { return Expr::integer(value, ScalarType::kI64); }

/// The value of kind(a, b) computed at run time, through variables, not folded.
Result<ScalarValue> apply(ExprKind kind, const Expr& a, const Expr& b) {
  const Expr expr = Expr::make(kind, {var(0, a.type()), var(1, b.type())}).value();
  const auto value = [](const Expr& literal) {
    ScalarValue result{literal.type()};
    if (literal.kind() == ExprKind::kFloat) result.real = literal.float_value();
    if (literal.kind() == ExprKind::kInteger) result.integer = literal.integer_value();
    return result;
  };
  return evaluate(expr, [&](VariableId id) { return value(id == 0 ? a : b); });
}

/// Folding and evaluation give `expected`.
void expect_integer(ExprKind kind, const Expr& a, const Expr& b, int64_t expected) {
  SCOPED_TRACE(std::string(expr_kind_info(kind).name));
  const Result<ScalarValue> value = apply(kind, a, b);
  ASSERT_TRUE(value.has_value()) << value.error().message;
  EXPECT_EQ(value->integer, expected);
  const Result<Expr> folded = Expr::make(kind, {a, b});
  ASSERT_TRUE(folded.has_value()) << folded.error().message;
  EXPECT_EQ(folded->as_integer(), expected);
}

TEST(Expr, LiteralsTakeTheNarrowestType) {
  EXPECT_EQ(Expr(kMax32).type(), ScalarType::kI32);
  EXPECT_EQ(Expr(kMin32).type(), ScalarType::kI32);
  EXPECT_EQ(Expr(kMax32 + 1).type(), ScalarType::kI64);
  EXPECT_EQ(Expr(), Expr(0));
  EXPECT_FALSE(i32(1) == i64(1));
}

TEST(Expr, IntegersWrap) {
  expect_integer(ExprKind::kAdd, i32(kMax32), i32(1), kMin32);
  expect_integer(ExprKind::kSub, i32(kMin32), i32(1), kMax32);
  expect_integer(ExprKind::kMul, i32(1 << 16), i32(1 << 16), 0);
  expect_integer(ExprKind::kAdd, i64(kMax64), i64(1), kMin64);
  expect_integer(ExprKind::kMul, i64(kMin64), i64(-1), kMin64);
  EXPECT_EQ(Expr::make(ExprKind::kNegate, {i32(kMin32)})->integer_value(), kMin32);
}

TEST(Expr, DivisionGoesTowardZero) {
  expect_integer(ExprKind::kDiv, i32(-7), i32(2), -3);
  expect_integer(ExprKind::kMod, i32(-7), i32(2), -1);
  expect_integer(ExprKind::kMod, i32(7), i32(-2), 1);
  expect_integer(ExprKind::kDiv, i32(kMin32), i32(-1), kMin32);
  expect_integer(ExprKind::kDiv, i64(kMin64), i64(-1), kMin64);
  expect_integer(ExprKind::kMod, i64(kMin64), i64(-1), 0);
  EXPECT_FALSE(Expr::make(ExprKind::kDiv, {var(0), i32(0)}).has_value());
  EXPECT_FALSE(apply(ExprKind::kMod, i32(3), i32(0)).has_value());
}

TEST(Expr, ShiftsCheckTheirCount) {
  expect_integer(ExprKind::kShiftLeft, i32(3), i32(31), kMin32);
  expect_integer(ExprKind::kShiftRight, i32(-5), i32(1), -3);
  expect_integer(ExprKind::kShiftLeft, i64(1), i64(63), kMin64);
  for (const int64_t count : {-1, 32, 64}) {
    EXPECT_FALSE(apply(ExprKind::kShiftLeft, i32(1), i32(count)).has_value()) << count;
    EXPECT_FALSE(Expr::make(ExprKind::kShiftRight, {i32(1), i32(count)}).has_value()) << count;
  }
}

TEST(Expr, BitsComparisonsAndBools) {
  expect_integer(ExprKind::kBitAnd, i32(-1), i32(0xf0), 0xf0);
  expect_integer(ExprKind::kBitXor, i64(5), i64(3), 6);
  expect_integer(ExprKind::kMin, i32(-1), i32(1), -1);
  expect_integer(ExprKind::kMax, i32(-1), i32(1), 1);
  for (const bool a : {false, true}) {
    for (const bool b : {false, true}) {
      expect_integer(ExprKind::kAnd, Expr::boolean(a), Expr::boolean(b), a && b);
      expect_integer(ExprKind::kOr, Expr::boolean(a), Expr::boolean(b), a || b);
      expect_integer(ExprKind::kBitXor, Expr::boolean(a), Expr::boolean(b), a != b);
    }
  }
  for (const int a : {-1, 0, 1}) {
    expect_integer(ExprKind::kLess, i32(a), i32(0), a < 0);
    expect_integer(ExprKind::kLessEqual, i32(a), i32(0), a <= 0);
    expect_integer(ExprKind::kEqual, i32(a), i32(0), a == 0);
    expect_integer(ExprKind::kNotEqual, i32(a), i32(0), a != 0);
  }
}

TEST(Expr, FloatsAreIeee) {
  const Expr nan = Expr::real(std::nanf("7")), one = Expr::real(1), zero = Expr::real(-0.0f);
  EXPECT_EQ(nan, Expr::real(-std::nanf("")));  // The one NaN.
  EXPECT_TRUE(std::isinf(Expr::make(ExprKind::kDiv, {one, zero})->float_value()));
  EXPECT_EQ(Expr::make(ExprKind::kMin, {nan, one})->float_value(), 1);
  EXPECT_EQ(Expr::make(ExprKind::kLess, {nan, one})->as_integer(), 0);
  EXPECT_EQ(Expr::make(ExprKind::kNotEqual, {nan, nan})->as_integer(), 1);
  EXPECT_FALSE(Expr::real(0.0f) == zero);
  // Nothing is simplified that would lose a NaN or a sign.
  const Expr x = var(0, ScalarType::kF32);
  EXPECT_EQ(Expr::make(ExprKind::kMul, {x, Expr::real(0)})->kind(), ExprKind::kMul);
  EXPECT_EQ(Expr::make(ExprKind::kAdd, {x, Expr::real(0)})->kind(), ExprKind::kAdd);
}

TEST(Expr, ConversionsTruncateAndSaturate) {
  const auto to = [](Expr value, ScalarType type) { return Expr::convert(value, type).value(); };
  EXPECT_EQ(to(Expr::real(-1.9f), ScalarType::kI32), i32(-1));
  EXPECT_EQ(to(Expr::real(1e20f), ScalarType::kI32), i32(kMax32));
  EXPECT_EQ(to(Expr::real(-1e20f), ScalarType::kI64), i64(kMin64));
  EXPECT_EQ(to(Expr::real(1e20f), ScalarType::kI64), i64(kMax64));
  EXPECT_EQ(to(Expr::real(-0x1p31f), ScalarType::kI32), i32(kMin32));
  EXPECT_EQ(to(Expr::real(std::nanf("")), ScalarType::kI64), i64(0));
  EXPECT_EQ(to(i64(int64_t{1} << 32 | 5), ScalarType::kI32), i32(5));
  EXPECT_EQ(to(i32(-3), ScalarType::kBool), Expr::boolean(true));
  EXPECT_EQ(to(i32(16777217), ScalarType::kF32), Expr::real(16777216.0f));
  EXPECT_FALSE(Expr::convert(var(0, ScalarType::kPointer), ScalarType::kI64).has_value());
  EXPECT_FALSE(Expr::convert(i64(0), ScalarType::kPointer).has_value());
}

TEST(Expr, SimplifiesIdentities) {
  const Expr x = var(0), t = Expr::boolean(true), p = var(1, ScalarType::kBool);
  EXPECT_EQ(x + 0, x);
  EXPECT_EQ(Expr(0) + x, x);
  EXPECT_EQ(x - 0, x);
  EXPECT_EQ(x * 1, x);
  EXPECT_EQ(Expr(1) * x, x);
  EXPECT_EQ(x * 0, Expr(0));
  EXPECT_EQ(Expr(0) * x, Expr(0));
  EXPECT_EQ(x / 1, x);
  EXPECT_EQ(x % 1, Expr(0));
  EXPECT_EQ(logical_and(t, p), p);
  EXPECT_EQ(logical_or(p, t), t);
  EXPECT_EQ(select(t, x, Expr(3)), x);
  EXPECT_EQ((x + 1).kind(), ExprKind::kAdd);
}

TEST(Expr, WidensBesideI64) {
  const Expr n = var(0), big = var(1, ScalarType::kI64);
  const Expr sum = n + big;
  EXPECT_EQ(sum.type(), ScalarType::kI64);
  EXPECT_EQ(sum.operands()[0].kind(), ExprKind::kConvert);
  EXPECT_EQ((big + 5).operands()[1], i64(5));
  EXPECT_EQ(less(big, Expr(5)).type(), ScalarType::kBool);
  EXPECT_FALSE(Expr::make(ExprKind::kAdd, {n, Expr::real(1)}).has_value());
  EXPECT_FALSE(Expr::make(ExprKind::kAdd, {n, Expr::boolean(true)}).has_value());
}

TEST(Expr, CountsItsLevels) {
  const Expr x = var(0);
  EXPECT_EQ(x.depth(), 1);
  EXPECT_EQ((x + 1).depth(), 2);
  EXPECT_EQ(((x + 1) * (x + 2) + x).depth(), 4);
  EXPECT_EQ((x + var(1, ScalarType::kI64)).depth(), 3);
}

TEST(Expr, Substitutes) {
  const Expr x = var(0), y = var(1);
  const Expr e = (x + y) * x;
  const auto put = [](Expr value) {
    return [value](VariableId id) { return id == 0 ? std::optional(value) : std::nullopt; };
  };
  EXPECT_EQ(substitute(e, put(Expr(2))), (Expr(2) + y) * 2);
  EXPECT_EQ(substitute(e, put(x)), e);
  // What could only fail when it is evaluated still does.
  const Expr quotient = y / x;
  EXPECT_EQ(substitute(quotient, put(Expr(0))), quotient);
  std::map<VariableId, int> seen;
  for_each_variable(e, [&](VariableId id) { ++seen[id]; });
  EXPECT_EQ(seen, (std::map<VariableId, int>{{0, 2}, {1, 1}}));
}

TEST(Expr, CeilDiv) {
  EXPECT_EQ(ceil_div(Expr(7), Expr(4)), Expr(2));
  EXPECT_EQ(ceil_div(Expr(8), Expr(4)), Expr(2));
  EXPECT_EQ(ceil_div(Expr(0), Expr(4)), Expr(0));
}

}  // namespace
}  // namespace anybit::vm

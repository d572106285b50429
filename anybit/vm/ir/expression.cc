#include "anybit/vm/ir/expression.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "anybit/base/check.h"

namespace anybit::vm {
namespace {

constexpr std::array<std::string_view, 5> kScalarTypeNames = {"bool", "i32", "i64", "f32", "ptr"};

constexpr std::array<ExprKindInfo, 25> kKinds = {{
    {ExprKind::kInteger, "", 0, 0},      {ExprKind::kFloat, "", 0, 0},
    {ExprKind::kVariable, "", 0, 0},     {ExprKind::kNegate, "-", 9, 1},
    {ExprKind::kNot, "!", 9, 1},         {ExprKind::kConvert, "convert", 0, 1},
    {ExprKind::kAdd, "+", 7, 2},         {ExprKind::kSub, "-", 7, 2},
    {ExprKind::kMul, "*", 8, 2},         {ExprKind::kDiv, "/", 8, 2},
    {ExprKind::kMod, "%", 8, 2},         {ExprKind::kMin, "min", 0, 2},
    {ExprKind::kMax, "max", 0, 2},       {ExprKind::kBitAnd, "and", 0, 2},
    {ExprKind::kBitOr, "or", 0, 2},      {ExprKind::kBitXor, "xor", 0, 2},
    {ExprKind::kShiftLeft, "<<", 6, 2},  {ExprKind::kShiftRight, ">>", 6, 2},
    {ExprKind::kEqual, "==", 4, 2},      {ExprKind::kNotEqual, "!=", 4, 2},
    {ExprKind::kLess, "<", 5, 2},        {ExprKind::kLessEqual, "<=", 5, 2},
    {ExprKind::kAnd, "&&", 2, 2},        {ExprKind::kOr, "||", 1, 2},
    {ExprKind::kSelect, "select", 0, 3},
}};

bool is_integral(ScalarType type) { return type == ScalarType::kI32 || type == ScalarType::kI64; }

bool is_comparison(ExprKind kind) {
  return kind >= ExprKind::kEqual && kind <= ExprKind::kLessEqual;
}

int64_t wrap(int64_t value, ScalarType type) {
  if (type == ScalarType::kI32) return static_cast<int32_t>(static_cast<uint64_t>(value));
  if (type == ScalarType::kBool) return value != 0 ? 1 : 0;
  return value;
}

int64_t truncate_to(float value, ScalarType type) {
  if (std::isnan(value)) return 0;
  const double low = type == ScalarType::kI32 ? -0x1p31 : -0x1p63;
  if (value <= low) {
    return type == ScalarType::kI32 ? std::numeric_limits<int32_t>::min()
                                    : std::numeric_limits<int64_t>::min();
  }
  if (value >= -low) {
    return type == ScalarType::kI32 ? std::numeric_limits<int32_t>::max()
                                    : std::numeric_limits<int64_t>::max();
  }
  return static_cast<int64_t>(value);
}

Result<int64_t> apply_integer(ExprKind kind, ScalarType type, int64_t a, int64_t b) {
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  const int bits = type == ScalarType::kI64 ? 64 : 32;
  switch (kind) {
    case ExprKind::kAdd: return wrap(static_cast<int64_t>(ua + ub), type);
    case ExprKind::kSub: return wrap(static_cast<int64_t>(ua - ub), type);
    case ExprKind::kMul: return wrap(static_cast<int64_t>(ua * ub), type);
    case ExprKind::kDiv:
    case ExprKind::kMod:
      if (b == 0) return fail(ErrorCode::kInvalidArgument, "division of {} by zero", a);
      if (b == -1) {
        return kind == ExprKind::kMod ? 0 : wrap(static_cast<int64_t>(uint64_t{0} - ua), type);
      }
      return kind == ExprKind::kDiv ? a / b : a % b;
    case ExprKind::kMin: return std::min(a, b);
    case ExprKind::kMax: return std::max(a, b);
    case ExprKind::kBitAnd: return a & b;
    case ExprKind::kBitOr: return a | b;
    case ExprKind::kBitXor: return a ^ b;
    case ExprKind::kShiftLeft:
    case ExprKind::kShiftRight:
      if (b < 0 || b >= bits) {
        return fail(ErrorCode::kInvalidArgument, "shift by {}, expected 0 to {}", b, bits - 1);
      }
      return kind == ExprKind::kShiftLeft ? wrap(static_cast<int64_t>(ua << b), type) : a >> b;
    case ExprKind::kEqual: return a == b;
    case ExprKind::kNotEqual: return a != b;
    case ExprKind::kLess: return a < b;
    case ExprKind::kLessEqual: return a <= b;
    case ExprKind::kAnd: return a != 0 && b != 0;
    case ExprKind::kOr: return a != 0 || b != 0;
    default: ANYBIT_CHECK(false);
  }
}

ScalarValue apply_float(ExprKind kind, float a, float b) {
  ScalarValue result{ScalarType::kF32, 0, 0, nullptr};
  if (is_comparison(kind)) result.type = ScalarType::kBool;
  switch (kind) {
    case ExprKind::kAdd: result.real = a + b; break;
    case ExprKind::kSub: result.real = a - b; break;
    case ExprKind::kMul: result.real = a * b; break;
    case ExprKind::kDiv: result.real = a / b; break;
    case ExprKind::kMin: result.real = std::fmin(a, b); break;
    case ExprKind::kMax: result.real = std::fmax(a, b); break;
    case ExprKind::kEqual: result.integer = a == b; break;
    case ExprKind::kNotEqual: result.integer = a != b; break;
    case ExprKind::kLess: result.integer = a < b; break;
    case ExprKind::kLessEqual: result.integer = a <= b; break;
    default: ANYBIT_CHECK(false);
  }
  return result;
}

ScalarValue convert_value(ScalarValue value, ScalarType type) {
  if (value.type == type) return value;
  ScalarValue result{type, 0, 0, nullptr};
  if (type == ScalarType::kF32) {
    result.real = static_cast<float>(value.integer);
  } else if (value.type == ScalarType::kF32) {
    result.integer = type == ScalarType::kBool ? (value.real != 0) : truncate_to(value.real, type);
  } else {
    result.integer = wrap(value.integer, type);
  }
  return result;
}

}  // namespace

struct Expr::Node {
  ExprKind kind = ExprKind::kInteger;
  ScalarType type = ScalarType::kI32;
  int64_t integer = 0;
  float real = 0;
  VariableId variable = -1;
  std::vector<Expr> operands = {};
  int depth = 1;
};

std::string_view scalar_type_name(ScalarType type) {
  return kScalarTypeNames[static_cast<size_t>(type)];
}

const ExprKindInfo& expr_kind_info(ExprKind kind) {
  const ExprKindInfo& info = kKinds[static_cast<size_t>(kind)];
  ANYBIT_CHECK(info.kind == kind);
  return info;
}

Expr::Expr() : Expr(0) {}
Expr::Expr(int value) : Expr(integer(value, ScalarType::kI32)) {}
Expr::Expr(int64_t value)
    : Expr(integer(value,
                   value == static_cast<int32_t>(value) ? ScalarType::kI32 : ScalarType::kI64)) {}

Expr Expr::integer(int64_t value, ScalarType type) {
  ANYBIT_CHECK(type != ScalarType::kF32 && type != ScalarType::kPointer);
  ANYBIT_CHECK(wrap(value, type) == value);
  return Expr(std::make_shared<const Node>(Node{ExprKind::kInteger, type, value}));
}
Expr Expr::boolean(bool value) { return integer(value ? 1 : 0, ScalarType::kBool); }
Expr Expr::real(float value) {
  if (std::isnan(value)) value = std::numeric_limits<float>::quiet_NaN();
  return Expr(std::make_shared<const Node>(Node{ExprKind::kFloat, ScalarType::kF32, 0, value}));
}
Expr Expr::variable(VariableId id, ScalarType type) {
  return Expr(std::make_shared<const Node>(Node{ExprKind::kVariable, type, 0, 0, id}));
}

ExprKind Expr::kind() const { return node_->kind; }
ScalarType Expr::type() const { return node_->type; }
int64_t Expr::integer_value() const {
  ANYBIT_CHECK(kind() == ExprKind::kInteger);
  return node_->integer;
}
float Expr::float_value() const {
  ANYBIT_CHECK(kind() == ExprKind::kFloat);
  return node_->real;
}
VariableId Expr::variable_id() const {
  ANYBIT_CHECK(kind() == ExprKind::kVariable);
  return node_->variable;
}
const std::vector<Expr>& Expr::operands() const { return node_->operands; }
int Expr::depth() const { return node_->depth; }
std::optional<int64_t> Expr::as_integer() const {
  if (kind() != ExprKind::kInteger) return std::nullopt;
  return node_->integer;
}

bool operator==(const Expr& a, const Expr& b) {
  if (a.node_ == b.node_) return true;
  const Expr::Node &x = *a.node_, &y = *b.node_;
  return x.kind == y.kind && x.type == y.type && x.integer == y.integer &&
         std::memcmp(&x.real, &y.real, sizeof x.real) == 0 && x.variable == y.variable &&
         x.operands == y.operands;
}

namespace {

/// The common type of two operands, and both converted to it.
Status unify(std::vector<Expr>& operands, size_t first) {
  Expr &a = operands[first], &b = operands[first + 1];
  if (a.type() == b.type()) return {};
  if (is_integral(a.type()) && is_integral(b.type())) {
    for (Expr* side : {&a, &b}) {
      ANYBIT_ASSIGN(*side, Expr::convert(*side, ScalarType::kI64));
    }
    return {};
  }
  return fail(ErrorCode::kInvalidArgument, "operands of types {} and {}",
              scalar_type_name(a.type()), scalar_type_name(b.type()));
}

Status check_operand_type(ExprKind kind, ScalarType type) {
  const bool boolean = type == ScalarType::kBool, integral = is_integral(type);
  bool allowed = false;
  switch (kind) {
    case ExprKind::kNot:
    case ExprKind::kAnd:
    case ExprKind::kOr: allowed = boolean; break;
    case ExprKind::kMod:
    case ExprKind::kShiftLeft:
    case ExprKind::kShiftRight: allowed = integral; break;
    case ExprKind::kBitAnd:
    case ExprKind::kBitOr:
    case ExprKind::kBitXor: allowed = integral || boolean; break;
    case ExprKind::kEqual:
    case ExprKind::kNotEqual: allowed = type != ScalarType::kPointer; break;
    case ExprKind::kSelect: allowed = true; break;
    default: allowed = integral || type == ScalarType::kF32;
  }
  if (allowed) return {};
  return fail(ErrorCode::kInvalidArgument, "operator {} does not take {}",
              expr_kind_info(kind).name, scalar_type_name(type));
}

Expr literal(const ScalarValue& value) {
  if (value.type == ScalarType::kF32) return Expr::real(value.real);
  return Expr::integer(value.integer, value.type);
}

bool is_literal(const Expr& e) {
  return e.kind() == ExprKind::kInteger || e.kind() == ExprKind::kFloat;
}

/// x+0, 0+x, x-0, x*1, 1*x, x*0, x/1, x%1, select of a literal condition; nothing: no identity.
std::optional<Expr> simplify(ExprKind kind, const std::vector<Expr>& o) {
  if (kind == ExprKind::kSelect) {
    if (const auto c = o[0].as_integer()) return *c != 0 ? o[1] : o[2];
    return std::nullopt;
  }
  if (o.size() != 2) return std::nullopt;
  const bool boolean = o[0].type() == ScalarType::kBool;
  if (kind == ExprKind::kAnd || kind == ExprKind::kOr) {
    const bool absorbing = kind == ExprKind::kOr;
    for (int side : {0, 1}) {
      if (const auto c = o[side].as_integer()) {
        return (*c != 0) == absorbing ? Expr::boolean(absorbing) : o[1 - side];
      }
    }
    return std::nullopt;
  }
  if (boolean || !is_integral(o[0].type())) return std::nullopt;
  switch (kind) {
    case ExprKind::kAdd:
      if (o[0].is_integer(0)) return o[1];
      if (o[1].is_integer(0)) return o[0];
      break;
    case ExprKind::kSub:
      if (o[1].is_integer(0)) return o[0];
      break;
    case ExprKind::kMul:
      if (o[0].is_integer(1) || o[1].is_integer(0)) return o[1];
      if (o[1].is_integer(1) || o[0].is_integer(0)) return o[0];
      break;
    case ExprKind::kDiv:
      if (o[1].is_integer(1)) return o[0];
      break;
    case ExprKind::kMod:
      if (o[1].is_integer(1)) return Expr::integer(0, o[0].type());
      break;
    default: break;
  }
  return std::nullopt;
}

}  // namespace

Result<Expr> Expr::make(ExprKind kind, std::vector<Expr> operands) {
  const ExprKindInfo& info = expr_kind_info(kind);
  ANYBIT_CHECK(info.num_operands > 0 && kind != ExprKind::kConvert);
  if (static_cast<int>(operands.size()) != info.num_operands) {
    return fail(ErrorCode::kInvalidArgument, "{} takes {} operands, found {}", info.name,
                info.num_operands, operands.size());
  }
  if (kind == ExprKind::kSelect && operands[0].type() != ScalarType::kBool) {
    return fail(ErrorCode::kInvalidArgument, "select needs a bool condition, found {}",
                scalar_type_name(operands[0].type()));
  }
  const size_t first = kind == ExprKind::kSelect ? 1 : 0;
  if (info.num_operands > 1) ANYBIT_TRY(unify(operands, first));
  const ScalarType operand_type = operands[first].type();
  ANYBIT_TRY(check_operand_type(kind, operand_type));
  if ((kind == ExprKind::kDiv || kind == ExprKind::kMod) && operands[1].is_integer(0)) {
    return fail(ErrorCode::kInvalidArgument, "division by the literal zero");
  }
  if (auto simple = simplify(kind, operands)) return *simple;
  Node node{kind, is_comparison(kind) ? ScalarType::kBool : operand_type};
  const bool constant = std::all_of(operands.begin(), operands.end(), is_literal);
  for (const Expr& operand : operands) node.depth = std::max(node.depth, operand.depth() + 1);
  node.operands = std::move(operands);
  const Expr result(std::make_shared<const Node>(std::move(node)));
  if (!constant) return result;
  ANYBIT_ASSIGN(const ScalarValue value,
                evaluate(result, [](VariableId) { return ScalarValue{}; }));
  return literal(value);
}

Result<Expr> Expr::convert(Expr value, ScalarType type) {
  if (value.type() == type) return value;
  if (type == ScalarType::kPointer || value.type() == ScalarType::kPointer) {
    return fail(ErrorCode::kInvalidArgument, "cannot convert {} to {}",
                scalar_type_name(value.type()), scalar_type_name(type));
  }
  const bool constant = is_literal(value);
  Node node{ExprKind::kConvert, type};
  node.depth = value.depth() + 1;
  node.operands = {std::move(value)};
  const Expr result(std::make_shared<const Node>(std::move(node)));
  if (!constant) return result;
  ANYBIT_ASSIGN(const ScalarValue folded,
                evaluate(result, [](VariableId) { return ScalarValue{}; }));
  return literal(folded);
}

namespace {

Expr checked(Result<Expr> result) {
  ANYBIT_CHECK(result.has_value());
  return std::move(*result);
}

}  // namespace

Expr operator+(const Expr& a, const Expr& b) { return checked(Expr::make(ExprKind::kAdd, {a, b})); }
Expr operator-(const Expr& a, const Expr& b) { return checked(Expr::make(ExprKind::kSub, {a, b})); }
Expr operator*(const Expr& a, const Expr& b) { return checked(Expr::make(ExprKind::kMul, {a, b})); }
Expr operator/(const Expr& a, const Expr& b) { return checked(Expr::make(ExprKind::kDiv, {a, b})); }
Expr operator%(const Expr& a, const Expr& b) { return checked(Expr::make(ExprKind::kMod, {a, b})); }
Expr min(const Expr& a, const Expr& b) { return checked(Expr::make(ExprKind::kMin, {a, b})); }
Expr max(const Expr& a, const Expr& b) { return checked(Expr::make(ExprKind::kMax, {a, b})); }
Expr equal(const Expr& a, const Expr& b) { return checked(Expr::make(ExprKind::kEqual, {a, b})); }
Expr not_equal(const Expr& a, const Expr& b) {
  return checked(Expr::make(ExprKind::kNotEqual, {a, b}));
}
Expr less(const Expr& a, const Expr& b) { return checked(Expr::make(ExprKind::kLess, {a, b})); }
Expr less_equal(const Expr& a, const Expr& b) {
  return checked(Expr::make(ExprKind::kLessEqual, {a, b}));
}
Expr logical_and(const Expr& a, const Expr& b) {
  return checked(Expr::make(ExprKind::kAnd, {a, b}));
}
Expr logical_or(const Expr& a, const Expr& b) { return checked(Expr::make(ExprKind::kOr, {a, b})); }
Expr select(const Expr& condition, const Expr& a, const Expr& b) {
  return checked(Expr::make(ExprKind::kSelect, {condition, a, b}));
}
Expr ceil_div(const Expr& a, const Expr& b) { return (a + b - 1) / b; }

Result<ScalarValue> evaluate(const Expr& expr,
                             const std::function<ScalarValue(VariableId)>& lookup) {
  switch (expr.kind()) {
    case ExprKind::kInteger: return ScalarValue{expr.type(), expr.integer_value(), 0, nullptr};
    case ExprKind::kFloat: return ScalarValue{ScalarType::kF32, 0, expr.float_value(), nullptr};
    case ExprKind::kVariable: return lookup(expr.variable_id());
    default: break;
  }
  std::vector<ScalarValue> operands;
  for (const Expr& operand : expr.operands()) {
    ANYBIT_ASSIGN(operands.emplace_back(), evaluate(operand, lookup));
  }
  ScalarValue result{expr.type(), 0, 0, nullptr};
  const ScalarValue& a = operands[0];
  switch (expr.kind()) {
    case ExprKind::kNegate:
      result.real = -a.real;
      result.integer =
          wrap(static_cast<int64_t>(uint64_t{0} - static_cast<uint64_t>(a.integer)), expr.type());
      return result;
    case ExprKind::kNot: result.integer = a.integer == 0; return result;
    case ExprKind::kConvert: return convert_value(a, expr.type());
    case ExprKind::kSelect: return a.integer != 0 ? operands[1] : operands[2];
    default: break;
  }
  if (a.type == ScalarType::kF32) return apply_float(expr.kind(), a.real, operands[1].real);
  ANYBIT_ASSIGN(result.integer, apply_integer(expr.kind(), a.type, a.integer, operands[1].integer));
  return result;
}

Expr substitute(const Expr& expr, const std::function<std::optional<Expr>(VariableId)>& replace) {
  if (expr.kind() == ExprKind::kVariable) return replace(expr.variable_id()).value_or(expr);
  if (expr.operands().empty()) return expr;
  std::vector<Expr> operands;
  bool changed = false;
  for (const Expr& operand : expr.operands()) {
    operands.push_back(substitute(operand, replace));
    changed = changed || !(operands.back() == operand);
  }
  if (!changed) return expr;
  if (expr.kind() == ExprKind::kConvert) {
    return checked(Expr::convert(std::move(operands[0]), expr.type()));
  }
  // A substitution may make a literal divisor zero or a literal shift too large: keep the original,
  // which fails where it is evaluated.
  const Result<Expr> result = Expr::make(expr.kind(), std::move(operands));
  return result ? *result : expr;
}

void for_each_variable(const Expr& expr, const std::function<void(VariableId)>& visit) {
  if (expr.kind() == ExprKind::kVariable) visit(expr.variable_id());
  for (const Expr& operand : expr.operands()) for_each_variable(operand, visit);
}

}  // namespace anybit::vm

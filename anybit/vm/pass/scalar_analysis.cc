#include "anybit/vm/pass/scalar_analysis.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace anybit::vm {
namespace {

/// Strips i64(x) and i32(x) of integers, which change no value that fits.
const Expr& strip(const Expr& expr) {
  if (expr.kind() == ExprKind::kConvert && expr.operands()[0].type() != ScalarType::kF32 &&
      expr.operands()[0].type() != ScalarType::kBool && expr.type() == ScalarType::kI64) {
    return strip(expr.operands()[0]);
  }
  return expr;
}

int64_t clamp_wide(__int128 value) {
  return static_cast<int64_t>(std::clamp<__int128>(value, INT64_MIN, INT64_MAX));
}

ScalarRange intersect(ScalarRange a, ScalarRange b) {
  return {std::max(a.low, b.low), std::min(a.high, b.high)};
}

/// Unbounded ends stay unbounded.
int64_t add_ends(int64_t a, int64_t b) {
  if (a == INT64_MIN || b == INT64_MIN) return INT64_MIN;
  if (a == INT64_MAX || b == INT64_MAX) return INT64_MAX;
  return clamp_wide(static_cast<__int128>(a) + b);
}

int64_t negate_end(int64_t a) {
  if (a == INT64_MIN) return INT64_MAX;
  return a == INT64_MAX ? INT64_MIN : -a;
}

ScalarRange multiply(ScalarRange a, ScalarRange b) {
  const std::array<__int128, 4> products = {
      static_cast<__int128>(a.low) * b.low, static_cast<__int128>(a.low) * b.high,
      static_cast<__int128>(a.high) * b.low, static_cast<__int128>(a.high) * b.high};
  return {clamp_wide(*std::min_element(products.begin(), products.end())),
          clamp_wide(*std::max_element(products.begin(), products.end()))};
}

ScalarRange type_range(ScalarType type) {
  if (type == ScalarType::kI32) return {INT32_MIN, INT32_MAX};
  if (type == ScalarType::kBool) return {0, 1};
  return {};
}

bool names_mutable(const Program& program, const Expr& expr) {
  bool found = false;
  for_each_variable(expr, [&](VariableId id) {
    const VariableRole role = program.variables[id].role;
    found = found || role == VariableRole::kMutable || role == VariableRole::kLoop;
  });
  return found;
}

}  // namespace

ScalarAnalysis::ScalarAnalysis(const Program& program) {
  for (const Variable& variable : program.variables) variables_.push_back(&variable);
  for_each_statement(program.body, [&](const Statement& s) {
    if (s.kind == StatementKind::kLet) {
      definitions_.push_back({s.variable, {false, s.expressions[0]}});
    } else if (s.kind == StatementKind::kFor) {
      definitions_.push_back(
          {s.variable, {true, s.expressions[0], s.expressions[1], *s.expressions[2].as_integer()}});
    }
  });
  for (const Statement& s : program.body) {
    if (s.kind == StatementKind::kAssume && !names_mutable(program, s.expressions[0])) {
      add_assumption(s.expressions[0]);
    }
  }
  find_mutable_facts(program);
}

ScalarAnalysis::MutableFacts* ScalarAnalysis::facts_of(VariableId id) {
  const auto found = std::ranges::find(mutable_facts_, id, &MutableFacts::variable);
  return found == mutable_facts_.end() ? nullptr : &*found;
}

const ScalarAnalysis::MutableFacts* ScalarAnalysis::facts_of(VariableId id) const {
  const auto found = std::ranges::find(mutable_facts_, id, &MutableFacts::variable);
  return found == mutable_facts_.end() ? nullptr : &*found;
}

/// Begins with the first values and joins what each `set` gives under the facts so far, until all
/// of it is covered: then the facts hold by induction over the execution.
void ScalarAnalysis::find_mutable_facts(const Program& program) {
  std::vector<std::pair<VariableId, Expr>> updates;
  for_each_statement(program.body, [&](const Statement& s) {
    if (s.kind != StatementKind::kVar && s.kind != StatementKind::kSet) return;
    const ScalarType type = variables_[s.variable]->type;
    if (type != ScalarType::kI32 && type != ScalarType::kI64) return;
    updates.emplace_back(s.variable, s.expressions[0]);
    if (s.kind != StatementKind::kVar) return;
    mutable_facts_.push_back({s.variable, divisor(s.expressions[0]), range(s.expressions[0])});
  });
  constexpr int kRoundsBeforeWidening = 3;
  bool changes = true;
  for (int round = 0; changes; ++round) {
    changes = false;
    for (const auto& [id, value] : updates) {
      MutableFacts& facts = *facts_of(id);
      const int64_t joined = std::gcd(facts.divisor, divisor(value));
      const ScalarRange found = range(value), all = type_range(variables_[id]->type);
      ScalarRange hull = {std::min(facts.range.low, found.low),
                          std::max(facts.range.high, found.high)};
      if (round >= kRoundsBeforeWidening) {
        if (hull.low < facts.range.low) hull.low = all.low;
        if (hull.high > facts.range.high) hull.high = all.high;
      }
      changes = changes || joined != facts.divisor || hull.low != facts.range.low ||
                hull.high != facts.range.high;
      facts.divisor = joined;
      facts.range = hull;
    }
  }
}

void ScalarAnalysis::add_assumption(const Expr& condition) {
  const auto& o = condition.operands();
  switch (condition.kind()) {
    case ExprKind::kAnd:
      add_assumption(o[0]);
      add_assumption(o[1]);
      return;
    case ExprKind::kEqual:
      if (o[0].kind() == ExprKind::kMod && o[1].is_integer(0)) {
        if (const auto c = o[0].operands()[1].as_integer(); c && *c != 0 && *c != INT64_MIN) {
          known_divisors_.push_back({strip(o[0].operands()[0]), std::abs(*c)});
        }
      } else if (const auto c = o[1].as_integer()) {
        bound(o[0], {*c, *c});
        if (*c != 0) known_divisors_.push_back({strip(o[0]), std::abs(*c)});
      }
      return;
    case ExprKind::kLess:
    case ExprKind::kLessEqual: {
      const int64_t strict = condition.kind() == ExprKind::kLess ? 1 : 0;
      if (const auto c = o[1].as_integer()) bound(o[0], {INT64_MIN, *c - strict});
      if (const auto c = o[0].as_integer()) bound(o[1], {*c + strict, INT64_MAX});
      return;
    }
    default: return;
  }
}

void ScalarAnalysis::bound(const Expr& expr, ScalarRange range) {
  known_ranges_.push_back({strip(expr), range});
}

int64_t ScalarAnalysis::variable_divisor(VariableId id) const {
  if (const MutableFacts* facts = facts_of(id)) return facts->divisor;
  for (const auto& [variable, definition] : definitions_) {
    if (variable != id) continue;
    const int64_t begin = divisor(definition.begin);
    return definition.is_loop ? std::gcd(begin, definition.step) : begin;
  }
  return 1;
}

int64_t ScalarAnalysis::divisor(const Expr& wide) const {
  const Expr& expr = strip(wide);
  int64_t known = 1;
  for (const auto& [assumed, value] : known_divisors_) {
    if (assumed == expr) known = std::lcm(known, std::min<int64_t>(value, int64_t{1} << 30));
    known = std::min<int64_t>(known, int64_t{1} << 40);
  }
  const auto& o = expr.operands();
  int64_t structural = 1;
  switch (expr.kind()) {
    case ExprKind::kInteger: {
      const int64_t value = expr.integer_value();
      return value == INT64_MIN ? int64_t{1} << 62 : std::abs(value);
    }
    case ExprKind::kVariable: structural = variable_divisor(expr.variable_id()); break;
    case ExprKind::kNegate: structural = divisor(o[0]); break;
    case ExprKind::kAdd:
    case ExprKind::kSub:
    case ExprKind::kMin:
    case ExprKind::kMax: structural = std::gcd(divisor(o[0]), divisor(o[1])); break;
    case ExprKind::kSelect: structural = std::gcd(divisor(o[1]), divisor(o[2])); break;
    case ExprKind::kMul: {
      const __int128 product = static_cast<__int128>(divisor(o[0])) * divisor(o[1]);
      structural = product > (int64_t{1} << 40) ? std::max(divisor(o[0]), divisor(o[1]))
                                                : static_cast<int64_t>(product);
      break;
    }
    case ExprKind::kMod: structural = std::gcd(divisor(o[0]), divisor(o[1])); break;
    case ExprKind::kDiv:
      // (c * x) / d is (c / d) * x where d divides c.
      if (const auto d = o[1].as_integer(); d && *d > 0 && divisor(o[0]) % *d == 0) {
        structural = divisor(o[0]) / *d;
      }
      break;
    case ExprKind::kShiftLeft:
      if (const auto count = o[1].as_integer(); count && *count < 31) {
        structural = divisor(o[0]) << *count;
      }
      break;
    default: break;
  }
  if (structural == 0) return 0;
  constexpr int64_t kLargest = int64_t{1} << 40;  // Beyond it, keep the power of two: no overflow.
  if (structural > kLargest) structural = std::min(structural & -structural, kLargest);
  // An assumption may name the definition of a let.
  return std::lcm(known, std::max<int64_t>(structural, 1));
}

ScalarRange ScalarAnalysis::variable_range(VariableId id) const {
  const Variable& variable = *variables_[id];
  if (id == kClusterRank) return {0, kMaxClusterSize - 1};
  if (variable.role == VariableRole::kBuiltin) {
    return {id < kGridX ? 0 : 1, id < kGridX ? INT32_MAX - 1 : INT32_MAX};
  }
  if (const MutableFacts* facts = facts_of(id)) return facts->range;
  for (const auto& [defined, definition] : definitions_) {
    if (defined != id) continue;
    if (!definition.is_loop) return range(definition.begin);
    const int64_t last = range(definition.end).high;
    return {range(definition.begin).low, last == INT64_MAX ? last : last - 1};
  }
  return type_range(variable.type);
}

ScalarRange ScalarAnalysis::range(const Expr& wide) const {
  const Expr& expr = strip(wide);
  ScalarRange known = type_range(expr.type());
  for (const auto& [assumed, value] : known_ranges_) {
    if (assumed == expr) known = intersect(known, value);
  }
  const auto& o = expr.operands();
  ScalarRange structural;
  switch (expr.kind()) {
    case ExprKind::kInteger: return {expr.integer_value(), expr.integer_value()};
    case ExprKind::kVariable: structural = variable_range(expr.variable_id()); break;
    case ExprKind::kNegate: {
      const ScalarRange a = range(o[0]);
      structural = {negate_end(a.high), negate_end(a.low)};
      break;
    }
    case ExprKind::kAdd: {
      const ScalarRange a = range(o[0]), b = range(o[1]);
      structural = {add_ends(a.low, b.low), add_ends(a.high, b.high)};
      break;
    }
    case ExprKind::kSub: {
      const ScalarRange a = range(o[0]), b = range(o[1]);
      structural = {add_ends(a.low, negate_end(b.high)), add_ends(a.high, negate_end(b.low))};
      break;
    }
    case ExprKind::kMul: structural = multiply(range(o[0]), range(o[1])); break;
    case ExprKind::kDiv:
      if (const auto d = o[1].as_integer(); d && *d > 0) {
        const ScalarRange a = range(o[0]);
        structural = {a.low / *d, a.high / *d};
      }
      break;
    case ExprKind::kMod:
      if (const auto d = o[1].as_integer(); d && *d > 0) {
        const ScalarRange a = range(o[0]);
        structural = {a.low >= 0 ? 0 : 1 - *d, *d - 1};
        if (a.low >= 0) structural.high = std::min(structural.high, a.high);
      }
      break;
    case ExprKind::kMin: {
      const ScalarRange a = range(o[0]), b = range(o[1]);
      structural = {std::min(a.low, b.low), std::min(a.high, b.high)};
      break;
    }
    case ExprKind::kMax: {
      const ScalarRange a = range(o[0]), b = range(o[1]);
      structural = {std::max(a.low, b.low), std::max(a.high, b.high)};
      break;
    }
    case ExprKind::kSelect: {
      const ScalarRange a = range(o[1]), b = range(o[2]);
      structural = {std::min(a.low, b.low), std::max(a.high, b.high)};
      break;
    }
    default: break;
  }
  return intersect(known, structural);
}

}  // namespace anybit::vm

// Formulas that say what the buffers of a test program hold: expressions in double precision over
// the index i of an element and the values of other buffers.
//
//   3 * i + x[i % 16]        numbers, + - * / %, parentheses, values of a buffer; % is floored
//   x.code[i]                the code of an element instead of its value
//   i < n ? 1 : -1           < <= > >= == !=, and && ||, give 1 or 0
//   sum(k, 0, 8, a[8*i+k])   also prod, least, most: over k from 0 below 8, ascending
//   floor(x), min(a, b), ... the functions in the table of formula.cc; rnd(i, seed): 32 random bits
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "anybit/base/result.h"

namespace anybit::vm::testing {

/// What a formula may read: a scalar by name (index -1) or an element of a buffer.
struct FormulaScope {
  /// Errors: no such name, or the index lies outside.
  std::function<Result<double>(std::string_view name, bool wants_code, int64_t index)> lookup;
};

class Formula {
 public:
  /// Errors: kInvalidArgument naming the column.
  static Result<Formula> parse(std::string_view text);

  /// The value for element i. Errors: those of lookup.
  Result<double> evaluate(int64_t i, const FormulaScope& scope) const;

  struct Node;

 private:
  std::shared_ptr<const Node> root_;
};

}  // namespace anybit::vm::testing

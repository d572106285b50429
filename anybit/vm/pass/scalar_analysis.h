// What is known of scalars before a kernel runs: by what they are divisible, and their range. Loads
// get their width, and bounds tests their removal, from here.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "anybit/vm/ir/program.h"

namespace anybit::vm {

/// A closed range of integers; the whole int64 range if nothing is known.
struct ScalarRange {
  int64_t low = INT64_MIN;
  int64_t high = INT64_MAX;
};

/// Facts about the scalars of one program. Sound: every execution without an error satisfies them.
class ScalarAnalysis {
 public:
  /// Takes `assume` statements at the top level of the body, whose scalars never change, as given:
  /// x % c == 0 (x any expression), and comparisons of x with literals. What a `var` can be is
  /// found by going over its `set`s until nothing changes.
  explicit ScalarAnalysis(const Program& program);

  /// A positive number that divides `expr` whenever it is evaluated; 0 for an expression that is
  /// always 0. Pre: an integer expression.
  int64_t divisor(const Expr& expr) const;

  /// Pre: an integer expression.
  ScalarRange range(const Expr& expr) const;

 private:
  void add_assumption(const Expr& condition);
  void bound(const Expr& expr, ScalarRange range);
  int64_t variable_divisor(VariableId id) const;
  ScalarRange variable_range(VariableId id) const;

  struct Definition {
    bool is_loop = false;
    Expr begin;  // kLet: the value.
    Expr end;
    int64_t step = 1;
  };
  /// What holds of a var whenever it is read.
  struct MutableFacts {
    VariableId variable = -1;
    int64_t divisor = 1;
    ScalarRange range;
  };
  void find_mutable_facts(const Program& program);
  MutableFacts* facts_of(VariableId id);
  const MutableFacts* facts_of(VariableId id) const;

  std::vector<MutableFacts> mutable_facts_;
  std::vector<const Variable*> variables_;
  std::vector<std::pair<VariableId, Definition>> definitions_;
  std::vector<std::pair<Expr, int64_t>> known_divisors_;
  std::vector<std::pair<Expr, ScalarRange>> known_ranges_;
};

}  // namespace anybit::vm

#include "anybit/vm/pass/fold.h"

#include <map>

namespace anybit::vm {
namespace {

class Folding {
 public:
  explicit Folding(const Program& program) : program_(program) {}

  void run(Block& block) {
    Block folded;
    for (Statement& statement : block) {
      rewrite(statement);
      run(statement.body);
      run(statement.else_body);
      if (statement.kind == StatementKind::kLet && is_replaceable(statement.expressions[0])) {
        values_.emplace(statement.variable, statement.expressions[0]);
        continue;
      }
      if (const Block* taken = resolved(statement)) {
        folded.insert(folded.end(), taken->begin(), taken->end());
        continue;
      }
      folded.push_back(std::move(statement));
    }
    block = std::move(folded);
  }

 private:
  bool is_replaceable(const Expr& value) const {
    if (value.kind() == ExprKind::kInteger || value.kind() == ExprKind::kFloat) return true;
    if (value.kind() != ExprKind::kVariable) return false;
    return program_.variables[value.variable_id()].role != VariableRole::kMutable;
  }

  /// The branch of an `if` that is always taken. A branch with definitions keeps its block.
  static const Block* resolved(const Statement& statement) {
    if (statement.kind != StatementKind::kIf) return nullptr;
    const auto condition = statement.expressions[0].as_integer();
    if (!condition) return nullptr;
    return *condition != 0 ? &statement.body : &statement.else_body;
  }

  Expr rewritten(const Expr& expr) const {
    return substitute(expr, [&](VariableId id) -> std::optional<Expr> {
      const auto found = values_.find(id);
      return found == values_.end() ? std::nullopt : std::optional(found->second);
    });
  }

  void rewrite(Statement& statement) const {
    for (Expr& expr : statement.expressions) expr = rewritten(expr);
    for (Attribute& attribute : statement.instruction.attributes) {
      if (Expr* expr = std::get_if<Expr>(&attribute)) *expr = rewritten(*expr);
      if (auto* exprs = std::get_if<std::vector<Expr>>(&attribute)) {
        for (Expr& expr : *exprs) expr = rewritten(expr);
      }
    }
  }

 public:
  /// Extents and strides of global tensors repeat the expressions of their views.
  void rewrite_types(Program& program) const {
    for (Value& value : program.values) {
      for (Expr& expr : value.type.extents) expr = rewritten(expr);
      for (Expr& expr : value.type.strides) expr = rewritten(expr);
    }
  }

 private:
  const Program& program_;
  std::map<VariableId, Expr> values_;
};

}  // namespace

Result<Program> fold(Program program) {
  Block body = std::move(program.body);
  Folding folding(program);
  folding.run(body);
  folding.rewrite_types(program);
  program.body = std::move(body);
  return program;
}

}  // namespace anybit::vm

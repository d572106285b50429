// What passes decided, in words: the comments of `anybit vm opt --print-after`.
#include <algorithm>

#include "anybit/vm/ir/dot.h"
#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/pass/code_plan.h"
#include "anybit/vm/text/print.h"

namespace anybit::vm {
namespace {

struct Site {
  const Statement* statement = nullptr;
  int64_t num_threads = 0;
};

Site site_of(const Program& program, size_t wanted) {
  Site site;
  size_t number = 0;
  for_each_site(program.body, program.num_threads(), number,
                [&](size_t n, const Statement& s, int64_t num_threads) {
                  if (n == wanted) site = {&s, num_threads};
                });
  return site;
}

std::string runs_text(const AccessPlan& runs) {
  if (runs.unit_bytes == 0) return "bit by bit";
  const std::string units = runs.units == 1 ? "" : fmt::format("{} accesses of ", runs.units);
  return fmt::format("runs of {} element{}: {}{} byte{}", runs.count, runs.count == 1 ? "" : "s",
                     units, runs.unit_bytes, runs.unit_bytes == 1 ? "" : "s");
}

std::string tests_text(const GlobalAccessPlan& plan) {
  std::string dims;
  for (size_t d = 0; d < plan.is_tested.size(); ++d) {
    if (plan.is_tested[d]) dims += fmt::format("{}{}", dims.empty() ? "" : ", ", d);
  }
  return dims.empty() ? "no bounds to test" : "bounds tested in dimension " + dims;
}

std::string fact_text(const Expr& expr, const ScalarAnalysis& scalars) {
  const int64_t divisor = scalars.divisor(expr);
  const ScalarRange range = scalars.range(expr);
  std::string text = divisor == 0 ? "0" : fmt::format("a multiple of {}", divisor);
  if (range.low > INT32_MIN) text += fmt::format(", at least {}", range.low);
  if (range.high < INT32_MAX) text += fmt::format(", at most {}", range.high);
  return text;
}

bool is_integer(const Expr& expr) {
  return expr.type() == ScalarType::kI32 || expr.type() == ScalarType::kI64;
}

std::string dot_text(const Program& program, const Site& site) {
  const InstructionView view{program, site.statement->instruction, site.num_threads};
  const Result<DotPlan> plan = plan_dot(view, *view.result().register_layout);
  if (!plan || plan->atom == nullptr) return "fma in the threads";
  return fmt::format("mma {}, {} tiles of a warp in {} steps of k", plan->atom->name,
                     plan->layouts.tiles.local_size(), view.operand(0).shape[1] / plan->atom->k);
}

}  // namespace

std::string analysis_comment(const Program& program, const ScalarAnalysis& scalars, size_t number) {
  const Statement& s = *site_of(program, number).statement;
  std::string text;
  const auto add = [&](const std::string& name, const Expr& expr) {
    if (!is_integer(expr) || expr.as_integer()) return;
    text += fmt::format("{}{} is {}", text.empty() ? "" : "\n", name, fact_text(expr, scalars));
  };
  if (s.kind == StatementKind::kLet || s.kind == StatementKind::kFor ||
      s.kind == StatementKind::kVar) {
    const Variable& variable = program.variables[s.variable];
    add(variable.name, Expr::variable(s.variable, variable.type));
  }
  if (s.kind != StatementKind::kInstruction) return text;
  const InstructionInfo& info = instruction_info(s.instruction.opcode);
  for (size_t i = 0; i < info.attributes.size(); ++i) {
    if (info.attributes[i].name != "offset") continue;
    const auto* offsets = std::get_if<std::vector<Expr>>(&s.instruction.attributes[i]);
    for (size_t d = 0; offsets != nullptr && d < offsets->size(); ++d) {
      add(print_expression((*offsets)[d], program), (*offsets)[d]);
    }
  }
  return text;
}

std::string shared_plan_comment(const Program& program, const CodePlan& plan, size_t number) {
  const Statement& s = *site_of(program, number).statement;
  if (s.kind != StatementKind::kInstruction || s.instruction.opcode != Opcode::kAllocShared) {
    return "";
  }
  const SharedView& view = plan.shared.view(s.instruction.result);
  const std::string swizzle = view.swizzle.bits == 0
                                  ? ""
                                  : fmt::format(", swizzle({},{},{})", view.swizzle.base,
                                                view.swizzle.bits, view.swizzle.shift);
  return fmt::format("at byte {} of {}, strides {}{}", view.byte_offset, plan.shared.total_bytes,
                     shape_text(view.strides), swizzle);
}

std::string access_comment(const Program&, const CodePlan& plan, size_t number) {
  const StatementPlan& statement = plan.statements[number];
  if (const auto* global = std::get_if<GlobalAccessPlan>(&statement)) {
    return fmt::format("{}; {}", runs_text(global->runs), tests_text(*global));
  }
  if (const auto* shared = std::get_if<AccessPlan>(&statement)) return runs_text(*shared);
  return "";
}

std::string selection_comment(const Program& program, const CodePlan& plan, size_t number) {
  const StatementPlan& statement = plan.statements[number];
  if (const auto* matrices = std::get_if<MatrixLoadPlan>(&statement)) {
    return fmt::format("{} ldmatrix_x{}{}", matrices->matrices.local_size() / matrices->group,
                       matrices->group, matrices->is_transposed ? "_trans" : "");
  }
  if (const auto* copy = std::get_if<CopyPlan>(&statement)) {
    return fmt::format("{} cp.async of {} bytes a thread; {}",
                       copy->layout.local_size() / copy->target.count, copy->bytes,
                       tests_text(copy->source));
  }
  const Site site = site_of(program, number);
  if (site.statement->kind == StatementKind::kInstruction &&
      site.statement->instruction.opcode == Opcode::kDot) {
    return dot_text(program, site);
  }
  return access_comment(program, plan, number);
}

}  // namespace anybit::vm

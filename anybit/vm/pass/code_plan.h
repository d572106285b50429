// What passes decide for backends beside the program: where shared tiles lie, how each statement
// meets memory, and by which instructions. Backends that generate code read it; the reference
// backend does not.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/pass/access_plan.h"
#include "anybit/vm/pass/matrix_load.h"
#include "anybit/vm/pass/shared_plan.h"

namespace anybit::vm {

/// load_global, store_global: GlobalAccessPlan. load_shared: MatrixLoadPlan or AccessPlan.
/// store_shared: AccessPlan. copy_async: CopyPlan. Nothing for others.
using StatementPlan =
    std::variant<std::monostate, GlobalAccessPlan, AccessPlan, MatrixLoadPlan, CopyPlan>;

struct CodePlan {
  SharedPlan shared;
  std::vector<StatementPlan> statements;  // In program order (for_each_statement).
};

/// Offset and mask lowering, vectorization: the runs of every load and store of global and shared
/// memory, and which bounds are tested. Pre: plan.shared is that of `program`.
void plan_accesses(const Program& program, CodePlan& plan);

/// Instruction selection: ldmatrix for fragments, the width of asynchronous copies.
/// Pre: plan_accesses() has run.
/// Errors: kUnsupported, with the line, for a copy of which no runs of 4, 8 or 16 bytes are proved
/// contiguous and aligned.
Status select_instructions(const Program& program, CodePlan& plan);

/// Says in words what was decided for statement `number` of the program; empty: nothing.
/// `stage`: up to which pass.
std::string shared_plan_comment(const Program& program, const CodePlan& plan, size_t number);
std::string access_comment(const Program& program, const CodePlan& plan, size_t number);
std::string selection_comment(const Program& program, const CodePlan& plan, size_t number);

/// What is known of the scalars that statement `number` defines or uses as offsets.
std::string analysis_comment(const Program& program, const ScalarAnalysis& scalars, size_t number);

/// Calls visit(number, statement, threads that execute it), outer before inner, in program order.
template <class Visit>
void for_each_site(const Block& block, int64_t num_threads, size_t& number, Visit&& visit) {
  for (const Statement& statement : block) {
    visit(number++, statement, num_threads);
    const int64_t inner =
        statement.kind == StatementKind::kThreads ? statement.num_threads : num_threads;
    for_each_site(statement.body, inner, number, visit);
    for_each_site(statement.else_body, inner, number, visit);
  }
}

}  // namespace anybit::vm

#include "anybit/vm/pass/pipeline_loops.h"

#include <algorithm>
#include <map>
#include <set>

#include "anybit/vm/pass/dead_code.h"
#include "anybit/vm/pass/fold.h"
#include "anybit/vm/pass/internal/loop_plan.h"
#include "anybit/vm/pass/internal/loop_rewrite.h"

namespace anybit::vm {
namespace {

using pipelining::LoopPlan;
using pipelining::LoopSite;

class Pipelining {
 public:
  Pipelining(Program& program, std::vector<Remark>* remarks)
      : program_(program), remarks_(remarks) {}

  /// True if a loop was pipelined.
  bool run() {
    visit(program_.body, program_.num_threads(), false);
    return changed_;
  }

 private:
  /// Inner loops first: what they become is seen by those around them.
  void visit(Block& block, int64_t num_threads, bool in_loop) {
    for (size_t i = 0; i < block.size(); ++i) {
      Statement& s = block[i];
      const int64_t inner = s.kind == StatementKind::kThreads ? s.num_threads : num_threads;
      const bool is_loop = s.kind == StatementKind::kFor || s.kind == StatementKind::kWhile;
      visit(s.body, inner, in_loop || is_loop);
      visit(s.else_body, inner, in_loop);
      if (s.kind != StatementKind::kFor || s.num_stages == 0) continue;
      Block replacement = pipelined(s, num_threads, in_loop);
      if (replacement.empty()) continue;
      const size_t count = replacement.size();
      block.erase(block.begin() + static_cast<int64_t>(i));
      block.insert(block.begin() + static_cast<int64_t>(i),
                   std::make_move_iterator(replacement.begin()),
                   std::make_move_iterator(replacement.end()));
      i += count - 1;
    }
  }

  /// Empty: the loop stays, unmarked.
  Block pipelined(Statement& loop, int64_t num_threads, bool in_loop) {
    // Loads that are stored into a shared tile at once are copies; if these cannot be staged, the
    // loads are planned as they stand.
    const Block original = loop.body;
    if (pipelining::make_copies(program_, loop, num_threads)) {
      if (auto plan = pipelining::plan_loop({program_, loop, num_threads, in_loop})) {
        return carry_out(loop, *plan);
      }
    }
    loop.body = original;
    Result<LoopPlan> plan = pipelining::plan_loop({program_, loop, num_threads, in_loop});
    if (plan) return carry_out(loop, *plan);
    remark(loop, "not pipelined: " + plan.error().message);
    loop.num_stages = 0;
    return {};
  }

  Block carry_out(const Statement& loop, const LoopPlan& plan) {
    changed_ = true;
    describe(loop, plan);
    return pipelining::rewrite_loop(program_, loop, plan);
  }

  void describe(const Statement& loop, const LoopPlan& plan) {
    if (!plan.staged.empty()) {
      std::string names;
      int64_t bytes = 0;
      for (const pipelining::StagedTile& t : plan.staged) {
        int64_t elements = plan.num_stages;
        for (const int64_t extent : t.shape) elements *= extent;
        bytes += (elements * t.element.bits + 7) / 8;
        names += fmt::format("{}%{}", names.empty() ? "" : ", ", t.name);
      }
      remark(loop, fmt::format("{} stages of {} in {} bytes of shared memory; copies run {} "
                               "iteration{} ahead{}{}",
                               plan.num_stages, names, bytes, plan.num_stages - 1,
                               plan.num_stages == 2 ? "" : "s",
                               plan.syncs_before ? "; a sync of the body moved before it" : "",
                               plan.syncs_after ? "; a sync follows it" : ""));
    }
    for (const pipelining::HeldLoad& held : plan.held) {
      const ValueId id = loop.body[held.position].instruction.result;
      remark(loop,
             fmt::format("%{} is loaded {} iteration{} ahead, into registers",
                         program_.values[id].name, held.distance, held.distance == 1 ? "" : "s"));
    }
    for (const std::string& note : plan.notes) remark(loop, note);
  }

  void remark(const Statement& loop, const std::string& text) {
    if (remarks_ == nullptr) return;
    remarks_->push_back({loop.location.line,
                         fmt::format("for {}: {}", program_.variables[loop.variable].name, text)});
  }

  Program& program_;
  std::vector<Remark>* remarks_;
  bool changed_ = false;
};

}  // namespace

Result<Program> pipeline_loops(Program program, std::vector<Remark>* remarks) {
  const bool changed = Pipelining(program, remarks).run();
  if (!changed) return program;
  // Conditions of the prologue may be known; the tiles and views that stages replaced are unused.
  ANYBIT_ASSIGN(program, fold(std::move(program)));
  return remove_dead_code(std::move(program));
}

}  // namespace anybit::vm

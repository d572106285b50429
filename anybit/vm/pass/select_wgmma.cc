#include "anybit/vm/pass/select_wgmma.h"

#include <algorithm>
#include <map>

#include "anybit/vm/ir/dot.h"
#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/ir/wgmma.h"
#include "anybit/vm/pass/layout_inference.h"
#include "anybit/vm/pass/swizzle_choice.h"

namespace anybit::vm {
namespace {

enum : size_t { kA, kB, kC };  // Operands of dot.

bool is_instruction(const Statement& s, Opcode opcode) {
  return s.kind == StatementKind::kInstruction && s.instruction.opcode == opcode;
}

bool is_marked(const Statement& s) {
  if (!is_instruction(s, Opcode::kDot)) return false;
  const auto* unit = std::get_if<int64_t>(&s.instruction.attributes[kDotUnit]);
  return unit != nullptr && *unit == kUnitWgmma;
}

Statement statement_of(const Statement& at, Opcode opcode, std::vector<ValueId> operands,
                       std::vector<Attribute> attributes) {
  Statement s;
  s.location = at.location;
  s.instruction = {opcode, std::move(operands), std::move(attributes), kNoValue};
  return s;
}

/// How often each tile is an operand.
std::map<ValueId, int> count_uses(const Program& program) {
  std::map<ValueId, int> uses;
  for_each_statement(program.body, [&](const Statement& s) {
    for (const ValueId id : s.instruction.operands) ++uses[id];
  });
  return uses;
}

/// Whether shared memory stays as it is while the statement is carried out.
bool keeps_shared(const Statement& s) {
  if (s.kind == StatementKind::kLet || s.kind == StatementKind::kSet) return true;
  if (s.kind != StatementKind::kInstruction) return false;
  const uint32_t effects = instruction_info(s.instruction.opcode).effects;
  return (effects & (kWritesShared | kBarrier)) == 0 && s.instruction.opcode != Opcode::kFreeShared;
}

class Selection {
 public:
  Selection(Program& program, int architecture, std::vector<Remark>* remarks)
      : program_(program), architecture_(architecture), remarks_(remarks) {}

  void run() {
    const bool has_marked = run(program_.body, program_.num_threads(), 0);
    if (has_marked) add_fences(program_.body);
  }

 private:
  /// True if a product was replaced.
  bool run(Block& block, int64_t num_threads, int64_t first_thread) {
    bool replaced = false;
    for (size_t i = 0; i < block.size(); ++i) {
      Statement& s = block[i];
      const bool is_group = s.kind == StatementKind::kThreads;
      const int64_t threads = is_group ? s.num_threads : num_threads;
      const int64_t first = is_group ? s.first_thread : first_thread;
      replaced = run(s.body, threads, first) || replaced;
      replaced = run(s.else_body, threads, first) || replaced;
      if (!is_marked(s)) continue;
      s.instruction.attributes[kDotUnit] = {};
      const int line = s.location.line;
      const Status status = replace(block, i, num_threads, first_thread);
      if (status) {
        replaced = true;
      } else if (remarks_ != nullptr) {
        remarks_->push_back({line, "dot does not run on wgmma: " + status.error().message});
      }
    }
    return replaced;
  }

  /// The dot at block[i]. Errors: why it cannot be; then the block is as it was.
  Status replace(Block& block, size_t i, int64_t num_threads, int64_t first_thread) {
    if (architecture_ != 90) {
      return fail(ErrorCode::kUnsupported, "it needs sm_90a, the target is sm_{}", architecture_);
    }
    const Instruction dot = block[i].instruction;
    const std::map<ValueId, int> uses = count_uses(program_);
    if (i + 1 == block.size() || !is_instruction(block[i + 1], Opcode::kAssign) ||
        block[i + 1].instruction.operands != std::vector{dot.operands[kC], dot.result} ||
        uses.at(dot.result) != 1) {
      return fail(ErrorCode::kUnsupported,
                  "the next statement does not assign the result, unused elsewhere, to the "
                  "accumulator");
    }
    ANYBIT_ASSIGN(const size_t load_b, load_of(block, i, dot.operands[kB], uses));
    const Result<size_t> load_a = load_of(block, i, dot.operands[kA], uses);
    Instruction wgmma{Opcode::kWgmma, {dot.operands[kC], dot.operands[kA], kNoValue}, {}, kNoValue};
    wgmma.operands[kWgmmaB] = block[load_b].instruction.operands[0];
    if (load_a) wgmma.operands[kWgmmaA] = block[*load_a].instruction.operands[0];
    ANYBIT_TRY(
        instruction_info(Opcode::kWgmma).infer_type({program_, wgmma, num_threads, first_thread}));
    const Block before = block;
    block[i] = statement_of(before[i], Opcode::kWgmma, wgmma.operands, {});
    block[i + 1] = statement_of(before[i], Opcode::kWgmmaWait, {}, {int64_t{0}});
    block.insert(block.begin() + static_cast<int64_t>(i) + 1,
                 statement_of(before[i], Opcode::kWgmmaCommit, {}, {}));
    std::vector<size_t> loads = {load_b};
    if (load_a) loads.push_back(*load_a);
    std::ranges::sort(loads, std::greater<>());
    for (const size_t load : loads) block.erase(block.begin() + static_cast<int64_t>(load));
    const Status status = try_layouts();
    if (!status) block = before;
    return status;
  }

  /// Where the block loads operand `id` of the dot at `i` from shared memory, for it alone.
  Result<size_t> load_of(const Block& block, size_t i, ValueId id,
                         const std::map<ValueId, int>& uses) const {
    for (size_t load = i; load-- > 0;) {
      if (is_instruction(block[load], Opcode::kLoadShared) &&
          block[load].instruction.result == id && uses.at(id) == 1) {
        return load;
      }
      if (!keeps_shared(block[load]) && !is_instruction(block[load], Opcode::kLoadShared)) break;
    }
    return fail(ErrorCode::kUnsupported,
                "%{} is not loaded from shared memory for it alone, in the same block, with no "
                "write or sync since",
                program_.values[id].name);
  }

  /// Whether the program as it stands now gets layouts and a plan of shared memory.
  Status try_layouts() const {
    ANYBIT_ASSIGN(LayoutInference inferred, infer_layouts(program_));
    ANYBIT_ASSIGN(Program converted, insert_conversions(std::move(inferred.program)));
    ANYBIT_TRY(choose_swizzles(std::move(converted), nullptr));
    return {};
  }

  static void add_fences(Block& block) {
    Block rebuilt;
    for (Statement& s : block) {
      add_fences(s.body);
      add_fences(s.else_body);
      if (is_instruction(s, Opcode::kSync) || is_instruction(s, Opcode::kBarrierArrive)) {
        rebuilt.push_back(statement_of(s, Opcode::kFenceAsync, {}, {}));
      }
      rebuilt.push_back(std::move(s));
    }
    block = std::move(rebuilt);
  }

  Program& program_;
  const int architecture_;
  std::vector<Remark>* remarks_;
};

}  // namespace

Result<Program> select_wgmma(Program program, int architecture, std::vector<Remark>* remarks) {
  Selection(program, architecture, remarks).run();
  return program;
}

}  // namespace anybit::vm

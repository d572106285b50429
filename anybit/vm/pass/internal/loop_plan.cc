#include "anybit/vm/pass/internal/loop_plan.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/pass/access_plan.h"
#include "anybit/vm/pass/scalar_analysis.h"

namespace anybit::vm::pipelining {
namespace {

constexpr int64_t kMaxSharedBytes = 227 * 1024;  // Of a CTA, where it has most.
constexpr int64_t kMaxHeldWords = 64;            // Registers of a thread for one load.
constexpr int64_t kLargestAdvance = int64_t{1} << 30;

std::string at_line(const Statement& s) {
  return s.location.line > 0 ? fmt::format(" (line {})", s.location.line) : "";
}

Opcode opcode_of(const Statement& s) { return s.instruction.opcode; }

bool is_instruction(const Statement& s, Opcode opcode) {
  return s.kind == StatementKind::kInstruction && opcode_of(s) == opcode;
}

bool is_async(const Statement& s) {
  return is_instruction(s, Opcode::kCopyAsync) || is_instruction(s, Opcode::kCopyAsyncCommit) ||
         is_instruction(s, Opcode::kCopyAsyncWait);
}

class LoopPlanner {
 public:
  explicit LoopPlanner(const LoopSite& site)
      : program_(site.program),
        loop_(site.loop),
        body_(site.loop.body),
        num_threads_(site.num_threads),
        is_nested_(site.is_nested),
        scalars_(site.program) {
    plan_.num_stages = loop_.num_stages;
  }

  Result<LoopPlan> run() {
    if (plan_.num_stages < 2) return refuse("one stage leaves nothing to overlap");
    number();
    ANYBIT_TRY(check_body(body_, false));
    ANYBIT_TRY(check_bounds());
    ANYBIT_TRY(plan_copies());
    for (size_t i = 0; i < body_.size(); ++i) {
      if (is_instruction(body_[i], Opcode::kLoadGlobal)) plan_load(i);
    }
    if (plan_.copies.empty() && plan_.held.empty()) {
      std::string why = "nothing at the top level of its body is loaded from an address that moves";
      for (const std::string& note : plan_.notes) why += "; " + note;
      return refuse("{}", why);
    }
    return std::move(plan_);
  }

 private:
  template <class... Args>
  static tl::unexpected<Error> refuse(fmt::format_string<Args...> format, Args&&... args) {
    return fail(ErrorCode::kUnsupported, format, std::forward<Args>(args)...);
  }

  std::string name(ValueId id) const { return "%" + program_.values[id].name; }

  /// Statements of the loop by their position in its body; definitions; tiles behind views.
  void number() {
    for (size_t i = 0; i < body_.size(); ++i) {
      position_of_[&body_[i]] = i;
      const auto nested = [&](const Statement& s) { position_of_[&s] = i; };
      for_each_statement(body_[i].body, nested);
      for_each_statement(body_[i].else_body, nested);
    }
    for_each_statement(program_.body, [&](const Statement& s) {
      if (s.kind != StatementKind::kInstruction || s.instruction.result == kNoValue) return;
      definition_of_[s.instruction.result] = &s;
    });
  }

  /// The alloc_shared behind a shared tile.
  ValueId root_of(ValueId id) const {
    while (is_shared_view(opcode_of(*definition_of_.at(id)))) {
      id = definition_of_.at(id)->instruction.operands[0];
    }
    return id;
  }

  Status check_body(const Block& block, bool in_inner_loop) {
    for (const Statement& s : block) {
      if (s.kind == StatementKind::kBreak && !in_inner_loop) {
        return refuse("break{} would leave it with copies under way", at_line(s));
      }
      if (s.kind == StatementKind::kSet || s.kind == StatementKind::kVar) {
        changed_.insert(s.variable);
      }
      if (s.kind == StatementKind::kInstruction) ANYBIT_TRY(check_instruction(s));
      has_inner_async_ = has_inner_async_ || (&block != &body_ && is_async(s));
      const bool is_loop = s.kind == StatementKind::kFor || s.kind == StatementKind::kWhile;
      ANYBIT_TRY(check_body(s.body, in_inner_loop || is_loop));
      ANYBIT_TRY(check_body(s.else_body, in_inner_loop || is_loop));
    }
    return {};
  }

  Status check_instruction(const Statement& s) {
    const uint32_t effects = instruction_info(opcode_of(s)).effects;
    const std::string what = std::string(instruction_name(s.instruction)) + at_line(s);
    if ((effects & kWritesGlobal) != 0) {
      return refuse("{} writes global memory, which what is loaded ahead may be", what);
    }
    switch (opcode_of(s)) {
      case Opcode::kSync:
      case Opcode::kPrint:
      case Opcode::kAssert:
      case Opcode::kAllocShared:
      case Opcode::kFreeShared:
      case Opcode::kCopyAsyncCommit:
      case Opcode::kCopyAsyncWait: return {};
      default: break;
    }
    if ((effects & (kBarrier | kOther)) != 0) {
      return refuse("{} keeps an order with what would be loaded ahead", what);
    }
    return {};
  }

  /// Whether `i + distance * step < end` can be computed without leaving the range of integers.
  Status check_bounds() {
    const int64_t step = *loop_.expressions[2].as_integer();
    if (step > kLargestAdvance / plan_.num_stages) return refuse("its step {} is too large", step);
    const ScalarRange begin = scalars_.range(loop_.expressions[0]);
    if (loop_.expressions[0].type() == ScalarType::kI32) {
      plan_.is_wide = begin.low < 0;
    } else if (begin.low < 0 || begin.high > INT64_MAX / 2) {
      return refuse("its 64-bit bounds are not proved to be from 0 to 2^62");
    }
    return {};
  }

  /// Why an address cannot be computed iterations ahead.
  Status check_address(const Instruction& instruction, size_t position, size_t global) const {
    const auto defined = definition_of_.find(instruction.operands[global]);
    if (defined == definition_of_.end() || position_of_.contains(defined->second)) {
      return refuse("{} is defined in the loop", name(instruction.operands[global]));
    }
    std::optional<VariableId> changing;
    int depth = 0;
    for_each_attribute_expr(instruction, [&](const Expr& offset) {
      const Expr full = expanded(offset, body_, position);
      depth = std::max(depth, full.depth());
      for_each_variable(full, [&](VariableId id) {
        if (changed_.contains(id)) changing = id;
      });
    });
    if (changing) {
      return refuse("its address depends on {}, which the loop changes",
                    program_.variables[*changing].name);
    }
    if (depth > kMaxExprDepth / 2) return refuse("its address is too deep an expression");
    return {};
  }

  bool address_moves(const Instruction& instruction, size_t position) const {
    bool moves = false;
    for_each_attribute_expr(instruction, [&](const Expr& offset) {
      for_each_variable(expanded(offset, body_, position),
                        [&](VariableId id) { moves = moves || id == loop_.variable; });
    });
    return moves;
  }

  // Copies that the loop makes itself.

  Status plan_copies() {
    std::vector<size_t> copies, commits, waits;
    for (size_t i = 0; i < body_.size(); ++i) {
      if (is_instruction(body_[i], Opcode::kCopyAsync)) copies.push_back(i);
      if (is_instruction(body_[i], Opcode::kCopyAsyncCommit)) commits.push_back(i);
      if (is_instruction(body_[i], Opcode::kCopyAsyncWait)) waits.push_back(i);
    }
    if (copies.empty()) {
      counts_copies_ = has_inner_async_ || !commits.empty() || !waits.empty();
      return {};
    }
    if (has_inner_async_) return refuse("it copies in inner blocks too");
    if (waits.size() != 1) return refuse("it waits {} times for its copies", waits.size());
    const auto groups = std::get<int64_t>(body_[waits[0]].instruction.attributes[0]);
    if (groups != 0) {
      return refuse("copy_async_wait(groups={}){}: it is pipelined by hand", groups,
                    at_line(body_[waits[0]]));
    }
    if (copies.back() > waits[0] || commits.empty() || commits.back() > waits[0] ||
        commits.back() < copies.back()) {
      return refuse("its copies are not all committed before the one wait{}",
                    at_line(body_[waits[0]]));
    }
    size_t sync = waits[0];
    while (sync < body_.size() && !is_instruction(body_[sync], Opcode::kSync)) ++sync;
    if (sync == body_.size()) return refuse("no sync follows the wait{}", at_line(body_[waits[0]]));
    for (const size_t i : copies) ANYBIT_TRY(plan_copy(i));
    for (size_t t = 0; t < plan_.staged.size(); ++t) ANYBIT_TRY(check_tile(t, sync));
    plan_.dropped.insert(plan_.dropped.end(), commits.begin(), commits.end());
    plan_.dropped.push_back(waits[0]);
    plan_syncs(copies.front(), sync);
    return {};
  }

  Status plan_copy(size_t position) {
    const Statement& s = body_[position];
    if (Status status = check_address(s.instruction, position, 1); !status) {
      return with_context(status.error(), "copy_async" + at_line(s));
    }
    if (s.instruction.attributes[2].index() != 0) {
      return refuse("copy_async{} has a condition of its own", at_line(s));
    }
    StagedCopy copy;
    copy.position = position;
    ValueId id = s.instruction.operands[0];
    for (; is_shared_view(opcode_of(*definition_of_.at(id)));
         id = definition_of_.at(id)->instruction.operands[0]) {
      copy.views.insert(copy.views.begin(), definition_of_.at(id)->instruction);
    }
    const auto same = [&](const StagedTile& t) { return t.tile == id; };
    const auto found = std::ranges::find_if(plan_.staged, same);
    copy.tile = static_cast<size_t>(found - plan_.staged.begin());
    if (found == plan_.staged.end()) {
      const TensorType& type = program_.type_of(id);
      plan_.staged.push_back({id, type.element, type.shape, program_.values[id].name});
    }
    plan_.copies.push_back(std::move(copy));
    return {};
  }

  /// A staged tile is filled whole by its copies, and read in this loop only, after they arrived.
  Status check_tile(size_t index, size_t sync) {
    const StagedTile& staged = plan_.staged[index];
    ANYBIT_TRY(check_room(staged));
    std::vector<bool> filled(static_cast<size_t>(program_.type_of(staged.tile).num_elements()));
    for (const StagedCopy& copy : plan_.copies) {
      if (copy.tile == index) ANYBIT_TRY(mark_filled(copy, staged, filled));
    }
    if (std::ranges::find(filled, false) != filled.end()) {
      return refuse("the copies fill only a part of %{}, the rest would differ between stages",
                    staged.name);
    }
    Status status;
    for_each_statement(program_.body, [&](const Statement& s) {
      if (status && s.kind == StatementKind::kInstruction) status = check_use(s, staged, sync);
    });
    return status;
  }

  Status check_room(const StagedTile& staged) {
    int64_t elements = plan_.num_stages;
    for (const int64_t extent : staged.shape) elements *= extent;
    stage_bytes_ += (elements * staged.element.bits + 7) / 8;
    if (staged.shape.size() >= kMaxTileRank || elements > kMaxTileElements ||
        stage_bytes_ > kMaxSharedBytes) {
      return refuse("{} stages of %{} {} are too large", plan_.num_stages, staged.name,
                    shape_text(staged.shape));
    }
    return {};
  }

  /// Elements of the tile that a copy fills, through the views between.
  static Status mark_filled(const StagedCopy& copy, const StagedTile& staged,
                            std::vector<bool>& filled) {
    std::vector<int64_t> shape = staged.shape, places(filled.size());
    for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int64_t>(i);
    for (const Instruction& view : copy.views) {
      if (view.opcode == Opcode::kReshapeShared) {
        shape = std::get<std::vector<int64_t>>(view.attributes[0]);
        continue;
      }
      std::vector<int64_t> to, from_dim(shape.size()), first(shape.size(), 0);
      for (size_t d = 0; d < shape.size(); ++d) from_dim[d] = static_cast<int64_t>(d);
      if (view.opcode == Opcode::kPermuteShared) {
        from_dim = std::get<std::vector<int64_t>>(view.attributes[0]);
        for (const int64_t d : from_dim) to.push_back(shape[static_cast<size_t>(d)]);
      } else {
        to = std::get<std::vector<int64_t>>(view.attributes[1]);
        for (size_t d = 0; d < shape.size(); ++d) {
          const auto offset = std::get<std::vector<Expr>>(view.attributes[0])[d].as_integer();
          if (!offset) return refuse("which part of %{} a copy fills varies", staged.name);
          first[d] = *offset;
        }
      }
      places = part(places, shape, to, from_dim, first);
      shape = to;
    }
    for (const int64_t place : places) filled[static_cast<size_t>(place)] = true;
    return {};
  }

  /// places[first + x] for x below `to`, whose dimension d runs along from_dim[d].
  static std::vector<int64_t> part(const std::vector<int64_t>& places,
                                   const std::vector<int64_t>& shape,
                                   const std::vector<int64_t>& to,
                                   const std::vector<int64_t>& from_dim,
                                   const std::vector<int64_t>& first) {
    std::vector<int64_t> strides(shape.size(), 1), x(to.size(), 0), result;
    for (size_t d = shape.size() - 1; d > 0; --d) strides[d - 1] = strides[d] * shape[d];
    int64_t begin = 0, count = 1;
    for (size_t d = 0; d < shape.size(); ++d) begin += first[d] * strides[d];
    for (const int64_t extent : to) count *= extent;
    for (int64_t i = 0; i < count; ++i) {
      int64_t place = begin, rest = i;
      for (size_t d = to.size(); d-- > 0;) {
        place += rest % to[d] * strides[static_cast<size_t>(from_dim[d])];
        rest /= to[d];
      }
      result.push_back(places[static_cast<size_t>(place)]);
    }
    return result;
  }

  Status check_use(const Statement& s, const StagedTile& staged, size_t sync) {
    const Instruction& instruction = s.instruction;
    const bool names = std::ranges::any_of(instruction.operands, [&](ValueId id) {
      return id != kNoValue && program_.type_of(id).space == MemorySpace::kShared &&
             root_of(id) == staged.tile;
    });
    if (!names) return {};
    const auto position = position_of_.find(&s);
    const bool is_inside = position != position_of_.end();
    if (instruction.opcode == Opcode::kFreeShared) {
      plan_.frees_stages = true;
      if (is_inside) plan_.dropped.push_back(position->second);
      return {};
    }
    if (is_shared_view(instruction.opcode)) {
      if (is_inside) return {};
      bool varies = false;
      for_each_attribute_expr(instruction, [&](const Expr& expr) {
        for_each_variable(expr, [&](VariableId id) {
          varies = varies || program_.variables[id].role == VariableRole::kMutable;
        });
      });
      if (varies) return refuse("a part of %{}{} depends on a var", staged.name, at_line(s));
      plan_.outside_views.push_back(instruction);
      return {};
    }
    if (!is_inside) return refuse("%{} is used outside the loop{}", staged.name, at_line(s));
    if (is_instruction(s, Opcode::kCopyAsync)) return {};
    if (position->second <= sync) {
      return refuse("%{} is used{} before the copies of its iteration have arrived", staged.name,
                    at_line(s));
    }
    last_use_ = std::max(last_use_, position->second);
    return {};
  }

  /// The sync after the wait moves to the top of the body, where it also keeps the stage that is
  /// filled next from being read. Those around it may go if all they order are the staged tiles.
  void plan_syncs(size_t first_copy, size_t sync) {
    bool orders_others = false, orders_others_before = false;
    for (size_t i = 0; i < body_.size(); ++i) {
      const auto look = [&](const Statement& s) {
        if (s.kind != StatementKind::kInstruction || is_instruction(s, Opcode::kCopyAsync)) return;
        const uint32_t effects = instruction_info(opcode_of(s)).effects;
        const bool reads = (effects & kReadsShared) != 0, writes = (effects & kWritesShared) != 0;
        if (!writes && (!reads || reads_staged_only(s.instruction))) return;
        orders_others = true;
        orders_others_before = orders_others_before || i < sync;
      };
      look(body_[i]);
      for_each_statement(body_[i].body, look);
      for_each_statement(body_[i].else_body, look);
    }
    if (!orders_others_before) plan_.dropped.push_back(sync);
    for (size_t i = 0; i < body_.size(); ++i) {
      if (!is_instruction(body_[i], Opcode::kSync)) continue;
      if (i < first_copy) plan_.syncs_before = true;
      if (orders_others || (i > first_copy && i <= std::max(last_use_, sync))) continue;
      plan_.dropped.push_back(i);
      if (i > first_copy) plan_.syncs_after = true;
    }
  }

  bool reads_staged_only(const Instruction& instruction) const {
    return std::ranges::all_of(instruction.operands, [&](ValueId id) {
      if (id == kNoValue || program_.type_of(id).space != MemorySpace::kShared) return true;
      const ValueId root = root_of(id);
      return std::ranges::any_of(plan_.staged, [&](const StagedTile& t) { return t.tile == root; });
    });
  }

  // Loads into registers.

  void plan_load(size_t position) {
    const Statement& s = body_[position];
    if (!address_moves(s.instruction, position)) return;
    if (const Status status = check_address(s.instruction, position, 0); !status) {
      plan_.notes.push_back(fmt::format("load_global{}: {}", at_line(s), status.error().message));
      return;
    }
    const ValueId result = s.instruction.result;
    const TensorType& type = program_.type_of(result);
    if (reaches_dot(result)) {
      const Status staged = stage_load(position);
      if (staged) return;
      plan_.notes.push_back(
          fmt::format("{} stays in registers: {}", name(result), staged.error().message));
    }
    const int64_t words =
        type.register_layout
            ? std::max<int64_t>((type.register_layout->local_size() * type.element.bits + 31) / 32,
                                1)
            : kMaxHeldWords;
    plan_.held.push_back(
        {position, std::clamp<int64_t>(kMaxHeldWords / words, 1, plan_.num_stages - 1)});
  }

  /// Whether the tile becomes an operand of a matrix product, perhaps cast or rearranged: those are
  /// held by several threads, and better read from shared memory.
  bool reaches_dot(ValueId id) const {
    std::set<ValueId> seen = {id};
    bool reaches = false;
    for_each_statement(body_, [&](const Statement& s) {
      if (s.kind != StatementKind::kInstruction) return;
      const auto& operands = s.instruction.operands;
      const bool uses =
          std::ranges::any_of(operands, [&](ValueId operand) { return seen.contains(operand); });
      if (!uses) return;
      if (opcode_of(s) == Opcode::kDot) {
        reaches = reaches || seen.contains(operands[0]) || seen.contains(operands[1]);
      } else if (s.instruction.result != kNoValue) {
        seen.insert(s.instruction.result);
      }
    });
    return reaches;
  }

  Status stage_load(size_t position) {
    const Instruction& load = body_[position].instruction;
    const TensorType& type = program_.type_of(load.result);
    if (counts_copies_) return refuse("the loop counts groups of copies of its own");
    if (!type.register_layout) return refuse("it has no layout yet");
    StagedTile staged{kNoValue, type.element, type.shape, program_.values[load.result].name};
    SharedView stage;
    stage.strides.assign(type.shape.size(), 1);
    for (size_t d = type.shape.size() - 1; d > 0; --d) {
      stage.strides[d - 1] = stage.strides[d] * type.shape[d];
    }
    stage.offsets.emplace_back(Expr::variable(loop_.variable, loop_.expressions[0].type()),
                               type.num_elements());
    const bool in_bounds = load.attributes[3].index() != 0 && std::get<int64_t>(load.attributes[3]);
    if (!plan_copy_async(program_.type_of(load.operands[0]),
                         std::get<std::vector<Expr>>(load.attributes[0]), in_bounds, stage,
                         type.shape, num_threads_, scalars_)) {
      return refuse("no runs of 4, 8 or 16 bytes are proved contiguous and aligned");
    }
    if (stage_bytes_ == 0) stage_bytes_ = other_shared_bytes();
    const int64_t bytes_before = stage_bytes_;
    if (Status status = check_room(staged); !status) {
      stage_bytes_ = bytes_before;
      return status;
    }
    plan_.copies.push_back({position, plan_.staged.size(), {}, read_at_once(load.result)});
    plan_.staged.push_back(std::move(staged));
    const bool shares_memory = other_shared_bytes() > 0;
    plan_.frees_stages = plan_.frees_stages || shares_memory;
    plan_.syncs_after = plan_.syncs_after || shares_memory || is_nested_;
    return {};
  }

  /// A convert_layout of nothing but the load is carried out by reading it so.
  ValueId read_at_once(ValueId loaded) {
    const Statement* only = nullptr;
    int uses = 0;
    for_each_statement(body_, [&](const Statement& s) {
      if (s.kind != StatementKind::kInstruction) return;
      for (const ValueId id : s.instruction.operands) {
        if (id != loaded) continue;
        ++uses;
        only = &s;
      }
    });
    if (uses != 1 || !is_instruction(*only, Opcode::kConvertLayout)) return loaded;
    const size_t position = position_of_.at(only);
    if (&body_[position] != only) return loaded;
    plan_.dropped.push_back(position);
    return only->instruction.result;
  }

  int64_t other_shared_bytes() const {
    int64_t bytes = 0;
    for_each_statement(program_.body, [&](const Statement& s) {
      if (!is_instruction(s, Opcode::kAllocShared)) return;
      const ValueId id = s.instruction.result;
      if (std::ranges::any_of(plan_.staged, [&](const StagedTile& t) { return t.tile == id; })) {
        return;
      }
      const TensorType& type = program_.type_of(id);
      bytes += (type.num_elements() * type.element.bits + 7) / 8;
    });
    return bytes;
  }

  const Program& program_;
  const Statement& loop_;
  const Block& body_;
  const int64_t num_threads_;
  const bool is_nested_;
  const ScalarAnalysis scalars_;
  LoopPlan plan_;
  std::unordered_map<const Statement*, size_t> position_of_;
  std::map<ValueId, const Statement*> definition_of_;
  std::set<VariableId> changed_;
  bool has_inner_async_ = false;
  bool counts_copies_ = false;
  size_t last_use_ = 0;
  int64_t stage_bytes_ = 0;
};

}  // namespace

bool is_shared_view(Opcode opcode) {
  return opcode == Opcode::kSliceShared || opcode == Opcode::kReshapeShared ||
         opcode == Opcode::kPermuteShared;
}

Expr expanded(const Expr& expr, const Block& body, size_t position) {
  return substitute(expr, [&](VariableId id) -> std::optional<Expr> {
    for (size_t i = 0; i < position; ++i) {
      if (body[i].kind == StatementKind::kLet && body[i].variable == id) {
        return expanded(body[i].expressions[0], body, i);
      }
    }
    return std::nullopt;
  });
}

Result<LoopPlan> plan_loop(const LoopSite& site) { return LoopPlanner(site).run(); }

}  // namespace anybit::vm::pipelining

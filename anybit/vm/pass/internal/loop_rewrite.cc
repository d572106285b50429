#include "anybit/vm/pass/internal/loop_rewrite.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "anybit/base/check.h"
#include "anybit/vm/pass/access_plan.h"
#include "anybit/vm/pass/scalar_analysis.h"

namespace anybit::vm::pipelining {
namespace {

using Values = std::map<ValueId, ValueId>;

/// Operands renamed as `values` says, here and in inner blocks.
void rename(Statement& s, const Values& values) {
  for (ValueId& id : s.instruction.operands) {
    if (const auto found = values.find(id); found != values.end()) id = found->second;
  }
  for (Statement& inner : s.body) rename(inner, values);
  for (Statement& inner : s.else_body) rename(inner, values);
}

bool is_instruction(const Statement& s, Opcode opcode) {
  return s.kind == StatementKind::kInstruction && s.instruction.opcode == opcode;
}

Expr in_type(const Expr& expr, ScalarType type) {
  Result<Expr> converted = Expr::convert(expr, type);
  ANYBIT_CHECK(converted.has_value());
  return *converted;
}

class LoopRewriter {
 public:
  LoopRewriter(Program& program, const Statement& loop, const LoopPlan& plan)
      : program_(program),
        loop_(loop),
        plan_(plan),
        type_(loop.expressions[0].type()),
        step_(*loop.expressions[2].as_integer()),
        variable_(Expr::variable(loop.variable, type_)) {
    for (const Value& value : program.values) names_.insert(value.name);
    for (const Variable& variable : program.variables) names_.insert(variable.name);
  }

  Block run() {
    Block outer;
    begin_ = once(loop_.expressions[0], "begin", outer);
    end_ = once(loop_.expressions[1], "end", outer);
    if (plan_.syncs_before) outer.push_back(instruction(Opcode::kSync));
    Block inner;
    if (is_staged()) start_copies(inner);
    for (const HeldLoad& held : plan_.held) start_load(held, inner);
    inner.push_back(new_loop());
    if (plan_.syncs_after) inner.push_back(instruction(Opcode::kSync));
    if (plan_.frees_stages) {
      for (const ValueId ring : own_rings_) {
        inner.push_back(instruction(Opcode::kFreeShared, {ring}));
      }
    }
    if (plan_.held.empty()) {
      outer.insert(outer.end(), std::make_move_iterator(inner.begin()),
                   std::make_move_iterator(inner.end()));
      return outer;
    }
    // What is loaded before a loop without iterations might not exist.
    Statement runs = statement(StatementKind::kIf);
    runs.expressions = {less(begin_, end_)};
    runs.body = std::move(inner);
    outer.push_back(std::move(runs));
    return outer;
  }

 private:
  bool is_staged() const { return !plan_.staged.empty(); }

  std::string fresh(const std::string& stem) {
    std::string name = stem;
    for (int i = 2; !names_.insert(name).second; ++i) name = fmt::format("{}_{}", stem, i);
    return name;
  }

  Statement statement(StatementKind kind) const {
    Statement s;
    s.kind = kind;
    s.location = loop_.location;
    return s;
  }

  Statement instruction(Opcode opcode, std::vector<ValueId> operands = {},
                        std::vector<Attribute> attributes = {}, ValueId result = kNoValue) const {
    Statement s = statement(StatementKind::kInstruction);
    s.instruction = {opcode, std::move(operands), std::move(attributes), result};
    return s;
  }

  Expr define(StatementKind kind, const std::string& stem, const Expr& value, Block& block) {
    const VariableRole role =
        kind == StatementKind::kLet ? VariableRole::kLet : VariableRole::kMutable;
    const VariableId id = program_.add_variable(fresh(stem), value.type(), role);
    Statement s = statement(kind);
    s.variable = id;
    s.expressions = {value};
    block.push_back(std::move(s));
    return Expr::variable(id, value.type());
  }

  std::string loop_name() const { return program_.variables[loop_.variable].name; }

  /// A bound that is more than a scalar or literal is computed once.
  Expr once(const Expr& bound, const std::string& what, Block& block) {
    const bool is_variable = bound.kind() == ExprKind::kVariable &&
                             program_.variables[bound.variable_id()].role != VariableRole::kMutable;
    if (is_variable || bound.as_integer()) return bound;
    return define(StatementKind::kLet, loop_name() + "_" + what, bound, block);
  }

  Expr advance(int64_t iterations) const { return Expr::integer(iterations * step_, type_); }

  /// begin + distance * step < end, before the loop.
  Expr begins_before_end(int64_t distance) const {
    const int64_t advance = distance * step_;
    const auto literal = begin_.as_integer();
    const bool fits = literal && (type_ == ScalarType::kI64 || *literal + advance <= INT32_MAX);
    if (fits) return less(Expr::integer(*literal + advance, type_), end_);
    const Expr wide = in_type(begin_, ScalarType::kI64) + Expr::integer(advance, ScalarType::kI64);
    return less(wide, in_type(end_, ScalarType::kI64));
  }

  /// variable + distance * step < end, in the loop: neither side leaves the range of integers.
  Expr continues(int64_t distance) const {
    if (!plan_.is_wide) return less(advance(distance), end_ - variable_);
    const Expr wide =
        in_type(variable_, ScalarType::kI64) + Expr::integer(distance * step_, ScalarType::kI64);
    return less(wide, in_type(end_, ScalarType::kI64));
  }

  /// The attributes of the load or copy at `position`, for the iteration in which the loop variable
  /// is `at`.
  std::vector<Attribute> attributes_at(size_t position, const Expr& at) const {
    Instruction moved = loop_.body[position].instruction;
    for_each_attribute_expr(moved, [&](Expr& expr) {
      expr = substitute(expanded(expr, loop_.body, position),
                        [&](VariableId id) -> std::optional<Expr> {
                          if (id != loop_.variable) return std::nullopt;
                          return at;
                        });
    });
    return moved.attributes;
  }

  // Stages in shared memory.

  void start_copies(Block& block) {
    for (const StagedTile& staged : plan_.staged) allocate(staged, block);
    for (int64_t stage = 0; stage + 1 < plan_.num_stages; ++stage) {
      Statement guard = statement(StatementKind::kIf);
      guard.expressions = {begins_before_end(stage)};
      const Expr at = begin_.as_integer()
                          ? Expr::integer(*begin_.as_integer() + stage * step_, type_)
                          : begin_ + advance(stage);
      copy(at, Expr(stage), {}, guard.body);
      block.push_back(std::move(guard));
      block.push_back(instruction(Opcode::kCopyAsyncCommit));
    }
    stage_ = define(StatementKind::kVar, loop_name() + "_stage", Expr(0), block);
  }

  void allocate(const StagedTile& staged, Block& block) {
    std::vector<int64_t> shape = staged.shape;
    shape.insert(shape.begin(), plan_.num_stages);
    TensorType type = shared_type(staged.element, shape);
    if (staged.tile != kNoValue) {
      if (const auto& one = program_.type_of(staged.tile).shared_layout) {
        type.shared_layout = with_stages(*one, shape, staged.element.bits);
      }
    }
    const ValueId ring = program_.add_value(fresh(staged.name + "_stages"), std::move(type));
    rings_.push_back(ring);
    const std::vector<Attribute> attributes = {staged.element, shape};
    if (staged.tile != kNoValue && !is_in_loop(staged.tile)) {
      // The stages stand where the tile stood, and end where it ended.
      for_each_statement(program_.body, [&](Statement& s) {
        if (is_instruction(s, Opcode::kAllocShared) && s.instruction.result == staged.tile) {
          s.instruction = {Opcode::kAllocShared, {}, attributes, ring};
        }
        if (is_instruction(s, Opcode::kFreeShared) && s.instruction.operands[0] == staged.tile) {
          s.instruction.operands[0] = ring;
        }
      });
      return;
    }
    own_rings_.push_back(ring);
    block.push_back(instruction(Opcode::kAllocShared, {}, attributes, ring));
  }

  bool is_in_loop(ValueId tile) const {
    return std::ranges::any_of(loop_.body,
                               [&](const Statement& s) { return s.instruction.result == tile; });
  }

  /// Stages follow each other at multiples of 128 bytes and of what the swizzle permutes.
  layout::SharedLayout with_stages(const layout::SharedLayout& one,
                                   const std::vector<int64_t>& shape, int bits) const {
    const int64_t unit =
        std::lcm(int64_t{128} * 8 / std::gcd(bits, 128 * 8), one.swizzle().block());
    const int64_t stride = (one.size_elements() + unit - 1) / unit * unit;
    std::vector<layout::SharedMode> modes = {{plan_.num_stages, 0, stride}};
    for (layout::SharedMode mode : one.modes()) {
      ++mode.dim;
      modes.push_back(mode);
    }
    auto layout = layout::SharedLayout::make(shape, modes, one.swizzle(), one.base_offset());
    ANYBIT_CHECK(layout.has_value());
    return *layout;
  }

  /// One stage of a tile, as a shared tile of its own.
  ValueId stage_of(size_t tile, const Expr& stage, const std::string& name, Block& block) {
    const StagedTile& staged = plan_.staged[tile];
    std::vector<int64_t> shape = staged.shape;
    shape.insert(shape.begin(), 1);
    std::vector<Expr> offset(shape.size(), Expr(0));
    offset[0] = stage;
    const ValueId slice =
        program_.add_value(fresh(name + "_slice"), shared_type(staged.element, shape));
    block.push_back(
        instruction(Opcode::kSliceShared, {rings_[tile]}, {std::move(offset), shape}, slice));
    const ValueId result =
        program_.add_value(fresh(name), shared_type(staged.element, staged.shape));
    block.push_back(instruction(Opcode::kReshapeShared, {slice}, {staged.shape}, result));
    return result;
  }

  /// A copy of a view of a staged tile under a new name.
  void copy_view(const Instruction& view, Values& values, Block& block) {
    Value value = program_.values[view.result];
    const ValueId result = program_.add_value(fresh(value.name), std::move(value.type));
    block.push_back(
        instruction(view.opcode, {values.at(view.operands[0])}, view.attributes, result));
    values[view.result] = result;
  }

  /// All copies of the iteration `at`, into `stage`, if `condition`.
  void copy(const Expr& at, const Expr& stage, const Attribute& condition, Block& block) {
    std::vector<ValueId> tiles;
    for (size_t t = 0; t < plan_.staged.size(); ++t) {
      tiles.push_back(stage_of(t, stage, plan_.staged[t].name + "_ahead", block));
    }
    for (const StagedCopy& copy : plan_.copies) {
      const Statement& source = loop_.body[copy.position];
      ValueId target = tiles[copy.tile];
      if (!copy.views.empty()) {
        Values values = {{copy.views[0].operands[0], target}};
        for (const Instruction& view : copy.views) copy_view(view, values, block);
        target = values.at(copy.views.back().result);
      }
      std::vector<Attribute> attributes = attributes_at(copy.position, at);
      const bool is_load = source.instruction.opcode == Opcode::kLoadGlobal;
      if (is_load) attributes = {attributes[0], attributes[3], {}};
      attributes[2] = condition;
      const ValueId global = source.instruction.operands[is_load ? 0 : 1];
      Statement s = instruction(Opcode::kCopyAsync, {target, global}, std::move(attributes));
      s.location = source.location;
      block.push_back(std::move(s));
    }
  }

  /// At the top of the body: the oldest stage has arrived, the one read last is filled again.
  void turn_stages(Block& block) {
    block.push_back(instruction(Opcode::kCopyAsyncWait, {}, {plan_.num_stages - 2}));
    block.push_back(instruction(Opcode::kSync));
    // A condition instead of a branch: addresses stay where the compiler can step them. Past the
    // end they are those of this iteration, which are known to be right.
    const Expr more =
        define(StatementKind::kLet, loop_name() + "_more", continues(plan_.num_stages - 1), block);
    const Expr at = define(
        StatementKind::kLet, loop_name() + "_ahead",
        variable_ + select(more, advance(plan_.num_stages - 1), Expr::integer(0, type_)), block);
    copy(at, select(equal(stage_, 0), plan_.num_stages - 1, stage_ - 1), more, block);
    block.push_back(instruction(Opcode::kCopyAsyncCommit));
    for (size_t t = 0; t < plan_.staged.size(); ++t) {
      tiles_.push_back(stage_of(t, stage_, plan_.staged[t].name + "_now", block));
      if (plan_.staged[t].tile != kNoValue) renamed_[plan_.staged[t].tile] = tiles_.back();
    }
    for (const Instruction& view : plan_.outside_views) copy_view(view, renamed_, block);
  }

  // Loads held in registers: place j holds the tile of j iterations later.

  void start_load(const HeldLoad& held, Block& block) {
    const Instruction& load = loop_.body[held.position].instruction;
    std::vector<ValueId> places = {load.result};
    for (int64_t j = 1; j < held.distance; ++j) {
      Value value = program_.values[load.result];
      places.push_back(program_.add_value(fresh(value.name + "_held"), std::move(value.type)));
    }
    for (size_t j = 0; j < places.size(); ++j) {
      const auto distance = static_cast<int64_t>(j);
      // Past the end the first tile is loaded again: an address that is known to be right.
      const Expr at = j == 0 ? begin_
                             : begin_ + select(begins_before_end(distance), advance(distance),
                                               Expr::integer(0, type_));
      Statement s =
          instruction(load.opcode, load.operands, attributes_at(held.position, at), places[j]);
      s.location = loop_.body[held.position].location;
      block.push_back(std::move(s));
    }
    held_[held.position] = std::move(places);
  }

  void load_ahead(const HeldLoad& held, Block& body, Block& at_end) {
    const Instruction& load = loop_.body[held.position].instruction;
    auto known = next_.find(held.distance);
    if (known == next_.end()) {
      const Expr next = variable_ + select(continues(held.distance), advance(held.distance),
                                           Expr::integer(0, type_));
      const Expr at = define(StatementKind::kLet, loop_name() + "_next", next, body);
      known = next_.emplace(held.distance, at).first;
    }
    const Expr at = known->second;
    std::vector<ValueId> places = held_.at(held.position);
    Value value = program_.values[load.result];
    places.push_back(program_.add_value(fresh(value.name + "_next"), std::move(value.type)));
    Statement s =
        instruction(load.opcode, load.operands, attributes_at(held.position, at), places.back());
    s.location = loop_.body[held.position].location;
    body.push_back(std::move(s));
    for (size_t j = 0; j + 1 < places.size(); ++j) {
      at_end.push_back(instruction(Opcode::kAssign, {places[j], places[j + 1]}));
    }
  }

  Statement new_loop() {
    Statement loop = statement(StatementKind::kFor);
    loop.variable = loop_.variable;
    loop.unroll = loop_.unroll;
    loop.expressions = {begin_, end_, loop_.expressions[2]};
    Block at_end;
    if (is_staged()) turn_stages(loop.body);
    for (size_t i = 0; i < loop_.body.size(); ++i) keep_statement(i, loop.body, at_end);
    loop.body.insert(loop.body.end(), std::make_move_iterator(at_end.begin()),
                     std::make_move_iterator(at_end.end()));
    if (is_staged()) {
      Statement next = statement(StatementKind::kSet);
      next.variable = stage_.variable_id();
      next.expressions = {select(equal(stage_, plan_.num_stages - 1), 0, stage_ + 1)};
      loop.body.push_back(std::move(next));
    }
    return loop;
  }

  void keep_statement(size_t position, Block& body, Block& at_end) {
    if (std::ranges::find(plan_.dropped, position) != plan_.dropped.end()) return;
    const auto held = std::ranges::find(plan_.held, position, &HeldLoad::position);
    if (held != plan_.held.end()) return load_ahead(*held, body, at_end);
    const auto copy = std::ranges::find(plan_.copies, position, &StagedCopy::position);
    if (copy != plan_.copies.end()) {
      if (copy->result == kNoValue) return;
      Statement s = instruction(Opcode::kLoadShared, {tiles_[copy->tile]}, {}, copy->result);
      s.location = loop_.body[position].location;
      body.push_back(std::move(s));
      return;
    }
    const Statement& kept = loop_.body[position];
    if (kept.kind == StatementKind::kInstruction && kept.instruction.result != kNoValue &&
        renamed_.contains(kept.instruction.result)) {
      return;  // The allocation of a tile that has stages.
    }
    body.push_back(kept);
    rename(body.back(), renamed_);
  }

  Program& program_;
  const Statement loop_;
  const LoopPlan& plan_;
  const ScalarType type_;
  const int64_t step_;
  const Expr variable_;
  std::set<std::string> names_;
  Expr begin_, end_, stage_;
  std::vector<ValueId> rings_, tiles_;  // By staged tile; tiles: of the current stage.
  std::vector<ValueId> own_rings_;      // Those that are allocated before the loop.
  Values renamed_;
  std::map<size_t, std::vector<ValueId>> held_;
  std::map<int64_t, Expr> next_;  // The loop variable so many iterations later.
};

/// The store that is the one use of a loaded tile, at the top level of `body`; nothing: no such.
std::optional<size_t> only_store(const Block& body, ValueId loaded) {
  std::optional<size_t> store;
  int uses = 0;
  for_each_statement(body, [&](const Statement& s) {
    uses += static_cast<int>(std::ranges::count(s.instruction.operands, loaded));
  });
  for (size_t i = 0; i < body.size(); ++i) {
    if (!is_instruction(body[i], Opcode::kStoreShared)) continue;
    if (body[i].instruction.operands[1] == loaded) store = i;
  }
  return uses == 1 ? store : std::nullopt;
}

bool can_be_copied(const Program& program, const ScalarAnalysis& scalars, const Instruction& load,
                   ValueId target, int64_t num_threads) {
  const TensorType& shared = program.type_of(target);
  SharedView view;
  view.strides.assign(shared.shape.size(), 1);
  for (size_t d = shared.shape.size() - 1; d > 0; --d) {
    view.strides[d - 1] = view.strides[d] * shared.shape[d];
  }
  const bool in_bounds = load.attributes[3].index() != 0 && std::get<int64_t>(load.attributes[3]);
  return plan_copy_async(program.type_of(load.operands[0]),
                         std::get<std::vector<Expr>>(load.attributes[0]), in_bounds, view,
                         shared.shape, num_threads, scalars)
      .has_value();
}

}  // namespace

bool make_copies(const Program& program, Statement& loop, int64_t num_threads) {
  const ScalarAnalysis scalars(program);
  std::map<size_t, size_t> load_of_store;
  for (size_t i = 0; i < loop.body.size(); ++i) {
    const Statement& s = loop.body[i];
    if (is_instruction(s, Opcode::kCopyAsync) || is_instruction(s, Opcode::kCopyAsyncCommit)) {
      return false;  // It has copies, whose groups it counts.
    }
    if (!is_instruction(s, Opcode::kLoadGlobal)) continue;
    const auto store = only_store(loop.body, s.instruction.result);
    if (!store) continue;
    const ValueId target = loop.body[*store].instruction.operands[0];
    if (program.type_of(target).shared_layout ||
        !can_be_copied(program, scalars, s.instruction, target, num_threads)) {
      continue;
    }
    load_of_store[*store] = i;
  }
  if (load_of_store.empty()) return false;
  Block body;
  bool is_under_way = false;
  for (size_t i = 0; i < loop.body.size(); ++i) {
    const Statement& s = loop.body[i];
    const auto store = load_of_store.find(i);
    const bool is_moved =
        std::ranges::any_of(load_of_store, [&](const auto& pair) { return pair.second == i; });
    if (is_moved) continue;
    if (store != load_of_store.end()) {
      Statement copy = loop.body[store->second];
      const Instruction load = copy.instruction;
      copy.instruction = {Opcode::kCopyAsync,
                          {s.instruction.operands[0], load.operands[0]},
                          {load.attributes[0], load.attributes[3], {}},
                          kNoValue};
      body.push_back(std::move(copy));
      is_under_way = true;
      continue;
    }
    if (is_under_way && is_instruction(s, Opcode::kSync)) {
      Statement commit = s, wait = s;
      commit.instruction = {Opcode::kCopyAsyncCommit, {}, {}, kNoValue};
      wait.instruction = {Opcode::kCopyAsyncWait, {}, {int64_t{0}}, kNoValue};
      body.push_back(std::move(commit));
      body.push_back(std::move(wait));
      is_under_way = false;
    }
    body.push_back(s);
  }
  loop.body = std::move(body);
  return !is_under_way;
}

Block rewrite_loop(Program& program, const Statement& loop, const LoopPlan& plan) {
  return LoopRewriter(program, loop, plan).run();
}

}  // namespace anybit::vm::pipelining

// The state of one CTA while the reference backend runs it, and what its instructions share.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "anybit/vm/backend/reference/internal/global_memory.h"
#include "anybit/vm/backend/reference/internal/phase_barrier.h"
#include "anybit/vm/backend/reference/internal/register_tile.h"
#include "anybit/vm/backend/reference/internal/shared_arena.h"
#include "anybit/vm/backend/reference/internal/thread_groups.h"
#include "anybit/vm/backend/reference/internal/wgmma_groups.h"
#include "anybit/vm/backend/reference/reference.h"
#include "anybit/vm/ir/instruction_info.h"

namespace anybit::vm::reference {

/// A shared tile or a part of one: row-major element i lies at element offsets[i] of the bytes.
struct SharedTile {
  std::shared_ptr<SharedAllocation> storage;
  ElementFormat element;
  std::vector<int64_t> shape;
  std::vector<int64_t> offsets;
};

using TileValue = std::variant<std::monostate, RegisterTile, SharedTile, GlobalTensor, BarrierTile>;

/// What stays the same for all CTAs of a launch.
struct Launch {
  const Program& program;
  const ReferenceOptions& options;
  std::vector<GlobalRegion> regions = {};
  std::vector<ScalarValue> arguments = {};  // In the order of parameters.
  std::vector<int64_t> grid = {1, 1, 1};
  std::vector<std::shared_ptr<const LayoutTables>> tables = {};  // Of each register tile.
  std::unordered_map<const Statement*, int> places = {};         // See Accessor::place.
  int64_t num_statements_left = 0;
};

class Execution {
 public:
  Execution(Launch& launch, std::span<const int64_t> block);

  Launch& launch() { return launch_; }
  const Program& program() const { return launch_.program; }
  SharedArena& arena() { return arena_; }
  /// Of warpgroup `index` of the CTA.
  WgmmaGroups& wgmma_groups(int64_t index) { return wgmma_groups_[static_cast<size_t>(index)]; }
  const WgmmaGroups& wgmma_groups(int64_t index) const {
    return wgmma_groups_[static_cast<size_t>(index)];
  }
  std::span<const int64_t> block() const { return block_; }

  // The threads that execute the current instruction: [first_thread, first_thread + num_threads).
  int64_t first_thread = 0;
  int64_t num_threads;
  int place = 0;  // Of the current statement.
  int64_t first_warp() const { return first_thread / kWarpSize; }
  int64_t num_warps() const { return num_threads / kWarpSize; }
  ThreadGroups* groups = nullptr;  // Those that run now; null: the CTA as a whole.
  Accessor accessor(int64_t thread) const { return {first_thread + thread, place}; }

  // Scalars. Errors: division by zero, a shift out of range, an integer out of its type's range.
  Result<ScalarValue> scalar(const Expr& expr) const;
  Result<int64_t> integer(const Expr& expr) const;
  Result<std::vector<int64_t>> integers(const std::vector<Expr>& exprs) const;
  void set_variable(VariableId id, ScalarValue value) { variables_[id] = value; }

  // Tiles. Pre: defined, in that memory.
  RegisterTile& registers(ValueId id) { return std::get<RegisterTile>(values_[id]); }
  SharedTile& shared(ValueId id) { return std::get<SharedTile>(values_[id]); }
  BarrierTile& barriers(ValueId id) { return std::get<BarrierTile>(values_[id]); }
  GlobalTensor& global(ValueId id) { return std::get<GlobalTensor>(values_[id]); }
  void define(ValueId id, TileValue value) { values_[id] = std::move(value); }
  /// Defines `id` as an unwritten register tile of its type.
  RegisterTile& define_registers(ValueId id);
  std::shared_ptr<const LayoutTables> tables(ValueId id) const { return launch_.tables[id]; }
  const std::string& name(ValueId id) const { return program().values[id].name; }

  /// The element at (thread, local). Errors: nothing was ever written there.
  Result<Code> read(ValueId id, int64_t thread, int64_t local);
  /// Element `linear` as `thread` holds it. Errors: it holds no such element; unwritten.
  Result<Code> read_held(ValueId id, int64_t thread, int64_t linear);
  /// Element `linear` as its least holder has it. Errors: unwritten.
  Result<Code> read_any(ValueId id, int64_t linear);

  /// Lets other groups run until ready(). Errors: nobody can make it so: "deadlock: " and
  /// describe() of everyone who waits.
  Status wait_until(const std::function<bool()>& ready,
                    const std::function<std::string()>& describe);
  /// A tile of barriers that stay to the end of the kernel.
  void add_barriers(BarrierTile tile) { barrier_tiles_.push_back(std::move(tile)); }
  /// What must hold when the CTA is done. Errors: a bulk copy may still be under way.
  Status check_end();

  /// "thread 37, element [2, 5]: message". `thread` counts from first_thread.
  tl::unexpected<Error> fault(int64_t thread, std::span<const int64_t> shape, int64_t linear,
                              const Error& error) const;
  tl::unexpected<Error> fault(int64_t thread, ValueId tile, int64_t linear,
                              const Error& error) const {
    return fault(thread, program().type_of(tile).shape, linear, error);
  }

 private:
  Status check_range(const Expr& expr) const;

  Launch& launch_;
  std::vector<int64_t> block_;
  std::vector<ScalarValue> variables_;
  std::vector<TileValue> values_;
  SharedArena arena_;
  std::vector<WgmmaGroups> wgmma_groups_;  // [warpgroups]
  std::vector<BarrierTile> barrier_tiles_;
};

/// Calls visit(thread, local, linear) for every place of a register tile, thread by thread, until
/// one gives an error.
template <class Visit>
Status for_each_place(const LayoutTables& tables, Visit&& visit) {
  for (int64_t t = 0; t < tables.num_threads(); ++t) {
    for (int64_t e = 0; e < tables.local_size(); ++e) {
      ANYBIT_TRY(visit(t, e, tables.linear(t, e)));
    }
  }
  return {};
}

/// The same for every element once: the place in its least holder, in row-major order.
template <class Visit>
Status for_each_element(const LayoutTables& tables, Visit&& visit) {
  for (int64_t x = 0; x < tables.size(); ++x) {
    ANYBIT_TRY(visit(tables.thread_of[x], tables.local_of[x], x));
  }
  return {};
}

/// The coordinates of row-major element `linear`.
std::vector<int64_t> coordinates_of(std::span<const int64_t> shape, int64_t linear);

/// The row-major number of the element of `shape` that element `linear` of `result` reads when
/// `shape` is broadcast to it. [elements of result]
std::vector<int64_t> broadcast_map(const std::vector<int64_t>& shape,
                                   const std::vector<int64_t>& result);

/// Errors: the instruction reads or writes a register tile that a wgmma under way uses.
Status check_wgmma_registers(const Execution& execution, const InstructionView& view);

/// One function for each row of the instruction table.
#define ANYBIT_VM_INSTRUCTION(enumerator, name) \
  Status execute_##name(Execution& execution, const InstructionView& view);
#include "anybit/vm/ir/instructions.def"
#undef ANYBIT_VM_INSTRUCTION

}  // namespace anybit::vm::reference

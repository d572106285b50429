// The state of one emission: the text so far, names of scalars and tiles, what threads know of
// their place. One function a row of the instruction table writes with it (emit_table.h).
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "anybit/vm/backend/cuda/emit/emit.h"
#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/pass/pipeline.h"
#include "anybit/vm/pass/scalar_analysis.h"
#include "anybit/vm/pass/shared_plan.h"
#include "anybit/vm/pass/swizzle_choice.h"
#include "anybit/vm/pass/tile_range.h"

namespace anybit::vm::cuda {

/// Two conditions joined by &&; an empty one always holds.
inline std::string all_of(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return a + b;
  return a + " && " + b;
}

class Emitter {
 public:
  /// `reserved`: what scratch_bytes() was after a run of the same program; empty: nothing.
  Emitter(const LoweredProgram& lowered, const EmitOptions& options,
          std::vector<int64_t> reserved = {});

  Result<EmittedKernel> run();

  const Program& program() const { return program_; }
  const ScalarAnalysis& scalars() const { return scalars_; }
  const TileRanges& tile_ranges() const { return tile_ranges_; }
  const SharedPlan& shared_plan() const { return plan_.shared; }
  /// What the passes decided for the statement that is being written. Pre: it is a `Plan`.
  template <class Plan>
  const Plan& statement_plan() const {
    return std::get<Plan>(plan_.statements[number_]);
  }
  template <class Plan>
  const Plan* find_statement_plan() const {
    return std::get_if<Plan>(&plan_.statements[number_]);
  }
  int architecture() const { return options_.architecture; }

  /// Appends one indented line.
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    append(fmt::format(format, std::forward<Args>(args)...));
  }
  /// A line that opens a brace, and the brace's end.
  template <class... Args>
  void open(fmt::format_string<Args...> format, Args&&... args) {
    append(fmt::format(format, std::forward<Args>(args)...) + " {");
    ++depth_;
  }
  void close();

  /// A name nothing else has: "run3".
  std::string fresh(std::string_view stem);
  void note(std::string text);
  /// A device function before the kernel, once for each key.
  void add_function(const std::string& key, const std::string& text);
  bool has_function(const std::string& key) const { return functions_.contains(key); }

  /// The C++ text of a scalar expression; operands are in parentheses where needed.
  std::string scalar(const Expr& expr) const;

  /// The instruction that defines a tile which nothing changes afterwards; null: none such.
  const Instruction* constant_definition(ValueId id) const { return definitions_[id]; }

  /// The array of words of a register tile, and how many it has.
  std::string tile(ValueId id) const;
  int64_t num_words(const TensorType& type) const;
  /// Declares the words of a tile.
  void declare(ValueId id);

  /// Code `local` of a tile as a u32 expression, zero-extended.
  std::string code(ValueId id, int64_t local) const;
  /// Element `local` as a value to compute with: float of floats, int or u32 of integers.
  std::string number(ValueId id, int64_t local) const;
  /// Two elements of a 16-bit tile in one word, `low` in the lower half.
  std::string pair(ValueId id, int64_t low, int64_t high) const;
  /// Writes all codes of a tile from u32 expressions, which must be below 2^bits unless `masked`.
  void write_codes(ValueId id, const std::function<std::string(int64_t)>& code, bool masked);

  /// The thread's index among those that execute here: "tid", or relative to the group.
  std::string thread() const;
  int64_t num_threads() const { return num_threads_; }
  /// Whether all threads of the CTA execute here.
  bool is_whole_cta() const { return group_.empty(); }
  /// Every thread that executes here waits for all of them.
  void barrier();

  /// sum over `digits` of (their value in the thread index) * weight(i), as an int expression;
  /// "0" where nothing varies. Kept in a variable at the top of the kernel.
  std::string thread_sum(const std::vector<layout::Digit>& digits,
                         const std::vector<int64_t>& weights);
  /// The part of coordinate `dim` that the thread contributes.
  std::string thread_coordinate(const layout::RegisterLayout& layout, int dim);
  /// A condition that holds in exactly one of the threads that hold an element; empty: all do.
  std::string first_holder(const layout::RegisterLayout& layout);

  /// Tiles that are defined in the blocks around this place, in order.
  const std::vector<ValueId>& tiles_in_scope() const { return tiles_in_scope_; }
  /// Whether some wgmma has this tile as its sum, or as its operand in registers.
  bool is_wgmma_register(ValueId id) const { return wgmma_registers_.contains(id); }

  /// The byte offset of a scratch area of shared memory, of at least `bytes`: each group of threads
  /// has its own, for groups run at the same time. scratch(): its address.
  int64_t scratch_offset(int64_t bytes);
  std::string scratch(int64_t bytes);
  /// The sizes of the scratch areas: of the CTA, then of each group.
  const std::vector<int64_t>& scratch_bytes() const { return scratch_bytes_; }

  /// Between elect() and end_elect(), what is written runs in the first thread of those here.
  void elect();
  void end_elect();
  bool is_elected() const { return is_elected_; }

  /// `count` barriers from `first` bytes on in shared memory are made when the kernel begins.
  void add_barriers(int64_t first, int64_t count, int64_t arrivals);
  /// The kernel's parameter with the map of `global` for boxes of this shape and swizzle.
  /// Errors: kUnsupported if the tensor is not known at launch, or its rows have gaps.
  Result<std::string> tensor_map(ValueId global, std::vector<int64_t> box, int span_bytes);

  Status emit_block(const Block& block);

 private:
  Status emit_elected(const Block& block, size_t& next);
  Result<Expr> known_at_launch(const Expr& expr, std::string_view what) const;

  void append(const std::string& text);
  Status emit_statement(const Statement& statement);
  Status emit_for(const Statement& statement);
  Status emit_threads(const Statement& statement);
  void emit_registers(int64_t num_registers);
  Result<std::string> launch_attributes(EmittedKernel& kernel) const;
  Status emit_instruction(const Statement& statement);
  std::string scalar_call(const Expr& expr) const;
  std::string preamble(size_t num_maps) const;

  const Program& program_;
  const CodePlan& plan_;
  const EmitOptions options_;
  ScalarAnalysis scalars_;
  TileRanges tile_ranges_;
  // Of scratch areas, as a run before found them.
  const std::vector<int64_t> reserved_bytes_;
  std::string body_, prologue_;
  std::map<std::string, std::string> functions_;
  std::vector<std::string> function_order_;
  std::map<std::string, std::string> thread_sums_;
  std::vector<std::string> variable_names_, tile_names_;
  std::vector<const Instruction*> definitions_;  // By tile; null where `assign` changes it.
  std::vector<std::string> notes_;
  std::vector<ValueId> tiles_in_scope_;
  std::set<ValueId> wgmma_registers_;
  std::vector<TensorMapParameter> tensor_maps_;
  std::vector<ValueId> tensor_map_values_;  // Whose they are.
  std::string barriers_;                    // Text that makes them, for one thread.
  bool is_elected_ = false;
  bool has_register_hints_ = false;
  std::string group_;  // The variable with the thread's index in the group; empty: the CTA.
  int64_t num_threads_;
  int64_t num_groups_ = 0;
  std::vector<int64_t> scratch_bytes_ = {0};
  int depth_ = 1;
  int next_name_ = 0;
  int line_number_ = 0;
  size_t number_ = 0, next_number_ = 0;  // Of statements, in program order.
};

}  // namespace anybit::vm::cuda

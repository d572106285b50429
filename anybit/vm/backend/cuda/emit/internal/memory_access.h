// Text of accesses to memory: where each run of a register tile begins, and how it is moved. How
// long runs are and which bounds are tested has been decided (pass/access_plan.h).
#pragma once

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"
#include "anybit/vm/pass/access_plan.h"

namespace anybit::vm::cuda {

/// A global access of tile `tile` with layout `layout` at `offset` of tensor `global`: pointers,
/// indices and the runs, declared in the text.
class GlobalAccess {
 public:
  /// Writes the declarations that all runs share.
  GlobalAccess(Emitter& out, const TensorType& global, const std::string& pointer,
               const std::vector<Expr>& offset, const layout::RegisterLayout& layout,
               const GlobalAccessPlan& plan);

  const AccessPlan& plan() const { return plan_; }
  int64_t num_runs() const { return layout_.local_size() / plan_.count; }
  /// Pointer to the first byte of run r, as an expression. Pre: unit_bytes > 0.
  std::string address(int64_t r) const;
  /// Bit offset of run r from the tensor's pointer. Of accesses of less than a byte.
  std::string bit_offset(int64_t r) const;
  /// When run r lies inside the tensor; empty: always.
  std::string condition(int64_t r) const;

 private:
  /// sum of c_d(first local of r) * stride_d as a constant, and what is not constant as text.
  std::string element_delta(int64_t r, int64_t& constant) const;

  Emitter& out_;
  const TensorType& global_;
  const std::vector<Expr>& offset_;
  const layout::RegisterLayout layout_;
  const int lead_;  // Dimensions of the tensor before those of the tile.
  const AccessPlan plan_;
  std::string first_;                 // Element index of the thread's first element, i64.
  std::string pointer_;               // Of the tensor.
  std::vector<std::string> indices_;  // Of the thread's first element, by dimension; empty: inside.
};

/// A shared access: addresses of runs of a shared tile under a register layout.
class SharedAccess {
 public:
  /// `shared` must outlive this. `bits` of an element.
  SharedAccess(Emitter& out, const SharedView& shared, int bits,
               const layout::RegisterLayout& layout, const AccessPlan& plan);
  /// In the widest runs: of a tile that the emitter places itself.
  SharedAccess(Emitter& out, const SharedView& shared, int bits,
               const layout::RegisterLayout& layout);

  const AccessPlan& plan() const { return plan_; }
  int64_t num_runs() const { return layout_.local_size() / plan_.count; }
  /// Shared byte address of run r, as a u32 expression.
  std::string address(int64_t r) const;

 private:
  /// Where element first + constant stands, from `swizzled_`; empty: that does not give it.
  std::string swizzled(int64_t constant) const;

  const SharedView& shared_;
  const layout::RegisterLayout layout_;
  const int bits_;
  const AccessPlan plan_;
  std::string first_;  // Linear element index of the thread's first element, before the swizzle.
  // The bits that it may have set, if these are known; then `swizzled_` is it after the swizzle.
  int64_t first_bits_ = 0;
  std::string swizzled_;
};

/// The shared byte address of element `first` + `constant`, before the swizzle, of the allocation
/// of `shared`: a u32 expression. Pre: constant >= 0.
std::string shared_address(const SharedView& shared, int bits, const std::string& first,
                           int64_t constant);

/// Text that reads run r into an array of words, or writes it from them; `address` is a pointer or
/// shared address. `space` is "global" or "shared"; `suffix` goes into the template arguments.
void emit_run_load(Emitter& out, const std::string& array, const AccessPlan& plan, int64_t r,
                   int bits, std::string_view space, const std::string& address,
                   std::string_view suffix);
void emit_run_store(Emitter& out, const std::string& array, const AccessPlan& plan, int64_t r,
                    int bits, std::string_view space, const std::string& address);

/// The same of the words of a tile.
inline void emit_run_load(Emitter& out, ValueId tile, const AccessPlan& plan, int64_t r, int bits,
                          std::string_view space, const std::string& address,
                          std::string_view suffix) {
  emit_run_load(out, out.tile(tile), plan, r, bits, space, address, suffix);
}
inline void emit_run_store(Emitter& out, ValueId tile, const AccessPlan& plan, int64_t r, int bits,
                           std::string_view space, const std::string& address) {
  emit_run_store(out, out.tile(tile), plan, r, bits, space, address);
}

}  // namespace anybit::vm::cuda

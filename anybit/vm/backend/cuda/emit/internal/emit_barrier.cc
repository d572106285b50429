// Barriers, bulk copies, the fence between, clusters: what Hopper and later have.
#include "anybit/vm/backend/cuda/emit/internal/bulk.h"
#include "anybit/vm/backend/cuda/emit/internal/emit_table.h"

namespace anybit::vm::cuda {
namespace {

constexpr int64_t kBarrierBytes = 8;

/// The shared address of the barrier that `index` names.
std::string barrier_address(const Emitter& out, const InstructionView& view, size_t operand,
                            const std::vector<Expr>& index) {
  const std::vector<int64_t>& shape = view.operand(operand).shape;
  int64_t bytes = out.shared_plan().view(view.instruction.operands[operand]).byte_offset;
  std::string text;
  int64_t stride = kBarrierBytes;
  for (size_t d = shape.size(); d-- > 0;) {
    if (const auto literal = index[d].as_integer()) {
      bytes += *literal * stride;
    } else {
      text += fmt::format(" + (ab::u32)({}) * {}", out.scalar(index[d]), stride);
    }
    stride *= shape[d];
  }
  return fmt::format("smem + {}{}", bytes, text);
}

}  // namespace

Status require_hopper(const Emitter& out) {
  constexpr int kHopper = 90;
  if (out.architecture() >= kHopper) return {};
  return fail(ErrorCode::kUnsupported, "needs compute capability 9.0, found {}.{}",
              out.architecture() / 10, out.architecture() % 10);
}

Status emit_alloc_barrier(Emitter& out, const InstructionView& view) {
  ANYBIT_TRY(require_hopper(out));
  const int64_t first = out.shared_plan().view(view.instruction.result).byte_offset;
  out.add_barriers(first, view.result().num_elements(), view.integer(1));
  return {};
}

/// One arrival a warp: the lanes agree that they are done, and one says so.
Status emit_barrier_arrive(Emitter& out, const InstructionView& view) {
  out.line("ab::sync_warp();");
  out.line("if (ab::lane() == 0) ab::mbarrier_arrive({});",
           barrier_address(out, view, 0, view.attribute<std::vector<Expr>>(0)));
  return {};
}

Status emit_barrier_expect(Emitter& out, const InstructionView& view) {
  const ElectedThread elected(out);
  out.line("ab::mbarrier_arrive_expect_tx({}, {});",
           barrier_address(out, view, 0, view.attribute<std::vector<Expr>>(0)), view.integer(1));
  return {};
}

Status emit_barrier_wait(Emitter& out, const InstructionView& view) {
  out.line("ab::mbarrier_wait({}, (ab::u32)({}));",
           barrier_address(out, view, 0, view.attribute<std::vector<Expr>>(0)),
           out.scalar(view.attribute<Expr>(1)));
  return {};
}

Status emit_copy_bulk(Emitter& out, const InstructionView& view) {
  ANYBIT_ASSIGN(const BulkBox box, bulk_box(out, view, 0, 1));
  const ElectedThread elected(out);
  out.line("ab::tensor_copy_g2s_{}d({}, &{}, {}, {});", view.operand(1).rank(), box.shared_address,
           box.map, bulk_coordinates(out, view.attribute<std::vector<Expr>>(0)),
           barrier_address(out, view, 2, view.attribute<std::vector<Expr>>(1)));
  return {};
}

Status emit_store_bulk(Emitter& out, const InstructionView& view) {
  ANYBIT_ASSIGN(const BulkBox box, bulk_box(out, view, 1, 0));
  const ElectedThread elected(out);
  out.line("ab::tensor_copy_s2g_{}d(&{}, {}, {});", view.operand(0).rank(), box.map,
           bulk_coordinates(out, view.attribute<std::vector<Expr>>(0)), box.shared_address);
  return {};
}

Status emit_store_bulk_commit(Emitter& out, const InstructionView&) {
  ANYBIT_TRY(require_hopper(out));
  const ElectedThread elected(out);
  out.line("ab::bulk_commit();");
  return {};
}

Status emit_store_bulk_wait(Emitter& out, const InstructionView& view) {
  ANYBIT_TRY(require_hopper(out));
  const ElectedThread elected(out);
  out.line("ab::bulk_wait{}<{}>();", view.integer(1) == 1 ? "" : "_read", view.integer(0));
  return {};
}

Status emit_cluster_sync(Emitter& out, const InstructionView&) {
  ANYBIT_TRY(require_hopper(out));
  out.line("ab::cluster_sync();");
  return {};
}

Status emit_fence_async(Emitter& out, const InstructionView&) {
  ANYBIT_TRY(require_hopper(out));
  out.line("ab::fence_proxy_async();");
  return {};
}

}  // namespace anybit::vm::cuda

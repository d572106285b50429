// Views, allocation, and the instructions that move tiles between registers and memory.
#include "anybit/vm/backend/cuda/emit/internal/emit_table.h"
#include "anybit/vm/backend/cuda/emit/internal/ldmatrix.h"
#include "anybit/vm/backend/cuda/emit/internal/memory_access.h"

namespace anybit::vm::cuda {
namespace {

const Expr& pointer_of(const InstructionView& view) { return view.attribute<Expr>(0); }

/// The name that holds the pointer of a global tensor.
std::string pointer_name(const Emitter& out, ValueId global) { return out.tile(global); }

Status refuse_part_of_byte(const TensorType& type, std::string_view what) {
  return fail(ErrorCode::kUnsupported,
              "{} elements of {} in runs that are not proved to be whole bytes; choose a layout "
              "whose threads hold whole bytes, and assume() what divides offsets and extents",
              what, tile_element_name(type.element));
}

}  // namespace

Status emit_global_view(Emitter& out, const InstructionView& view) {
  out.line("void* const {} = {};", out.tile(view.instruction.result), out.scalar(pointer_of(view)));
  return {};
}

Status emit_alloc_shared(Emitter&, const InstructionView&) { return {}; }
Status emit_free_shared(Emitter&, const InstructionView&) { return {}; }
Status emit_slice_shared(Emitter&, const InstructionView&) { return {}; }
Status emit_reshape_shared(Emitter&, const InstructionView&) { return {}; }
Status emit_permute_shared(Emitter&, const InstructionView&) { return {}; }

Status emit_load_global(Emitter& out, const InstructionView& view) {
  const ValueId tile = view.instruction.result;
  const TensorType& type = view.result();
  const bool streaming = view.integer(2) == 1;
  out.line("ab::u32 {}[{}] = {{}};", out.tile(tile), out.num_words(type));
  const GlobalAccess access(out, view.operand(0), pointer_name(out, view.instruction.operands[0]),
                            view.attribute<std::vector<Expr>>(0), *type.register_layout,
                            out.statement_plan<GlobalAccessPlan>());
  const int bits = type.element.bits;
  for (int64_t r = 0; r < access.num_runs(); ++r) {
    const std::string condition = access.condition(r);
    if (!condition.empty()) out.open("if ({})", condition);
    if (access.plan().unit_bytes == 0) {
      const std::string part = out.fresh("part");
      out.line("const ab::u32 {} = ab::load_bits<{}>({}, {});", part, bits,
               pointer_name(out, view.instruction.operands[0]), access.bit_offset(r));
      const int64_t bit = r * bits;
      out.line("{}[{}] |= {} << {};", out.tile(tile), bit / 32, part, bit % 32);
      if (bit % 32 + bits > 32) {
        out.line("{}[{}] |= {} >> {};", out.tile(tile), bit / 32 + 1, part, 32 - bit % 32);
      }
    } else {
      emit_run_load(out, tile, access.plan(), r, bits, "global", access.address(r),
                    streaming ? ", ab::kCacheStream" : "");
    }
    if (!condition.empty()) out.close();
  }
  return {};
}

Status emit_store_global(Emitter& out, const InstructionView& view) {
  const ValueId tile = view.instruction.operands[1];
  const TensorType& type = view.operand(1);
  const GlobalAccess access(out, view.operand(0), pointer_name(out, view.instruction.operands[0]),
                            view.attribute<std::vector<Expr>>(0), *type.register_layout,
                            out.statement_plan<GlobalAccessPlan>());
  if (access.plan().unit_bytes == 0) return refuse_part_of_byte(type, "stores");
  const std::string holder = out.first_holder(*type.register_layout);
  for (int64_t r = 0; r < access.num_runs(); ++r) {
    const std::string condition = all_of(holder, access.condition(r));
    if (!condition.empty()) out.open("if ({})", condition);
    emit_run_store(out, tile, access.plan(), r, type.element.bits, "global", access.address(r));
    if (!condition.empty()) out.close();
  }
  return {};
}

Status emit_gather_global(Emitter& out, const InstructionView& view) {
  const ValueId tile = view.instruction.result, indices = view.instruction.operands[1];
  const TensorType& global = view.operand(0);
  const int bits = global.element.bits;
  const std::string pointer = pointer_name(out, view.instruction.operands[0]);
  const int64_t count = view.result().register_layout->local_size();
  out.declare(tile);
  std::vector<std::string> codes;
  for (int64_t e = 0; e < count; ++e) {
    const std::string name = out.fresh("gathered"), index = out.number(indices, e);
    out.line(
        "const ab::u32 {} = (ab::u64)(long long)({}) < (ab::u64)({}) ? ab::load_bits<{}>({}, "
        "(long long)({}) * {} * {}) : 0u;",
        name, index, out.scalar(global.extents[0]), bits, pointer, index,
        out.scalar(global.strides[0]), bits);
    codes.push_back(name);
  }
  out.write_codes(
      tile, [&](int64_t e) { return codes[e]; }, true);
  return {};
}

Status emit_scatter_global(Emitter& out, const InstructionView& view) {
  const ValueId indices = view.instruction.operands[1], values = view.instruction.operands[2];
  const TensorType& global = view.operand(0);
  const int bytes = global.element.bits / 8;
  const auto& layout = *view.operand(1).register_layout;
  const std::string holder = out.first_holder(layout);
  for (int64_t e = 0; e < layout.local_size(); ++e) {
    const std::string index = out.number(indices, e), word = out.fresh("word");
    out.open("if ({})", all_of(holder, fmt::format("(ab::u64)(long long)({}) < (ab::u64)({})",
                                                   index, out.scalar(global.extents[0]))));
    out.line("const ab::u32 {}[1] = {{ {} }};", word, out.code(values, e));
    out.line("ab::store_global<{}>((char*){} + (long long)({}) * {} * {}, {});", bytes,
             pointer_name(out, view.instruction.operands[0]), index, out.scalar(global.strides[0]),
             bytes, word);
    out.close();
  }
  return {};
}

Status emit_load_shared(Emitter& out, const InstructionView& view) {
  const ValueId tile = view.instruction.result;
  const TensorType& type = view.result();
  const SharedView& shared = out.shared_plan().view(view.instruction.operands[0]);
  if (const auto* matrices = out.find_statement_plan<MatrixLoadPlan>()) {
    emit_ldmatrix(out, out.tile(tile), type, shared, *matrices);
    return {};
  }
  const SharedAccess access(out, shared, type.element.bits, *type.register_layout,
                            out.statement_plan<AccessPlan>());
  if (access.plan().unit_bytes == 0) return refuse_part_of_byte(type, "reads");
  out.line("ab::u32 {}[{}]{};", out.tile(tile), out.num_words(type),
           access.plan().unit_bytes < 4 ? " = {}" : "");
  for (int64_t r = 0; r < access.num_runs(); ++r) {
    emit_run_load(out, tile, access.plan(), r, type.element.bits, "shared", access.address(r), "");
  }
  return {};
}

Status emit_store_shared(Emitter& out, const InstructionView& view) {
  const ValueId tile = view.instruction.operands[1];
  const TensorType& type = view.operand(1);
  const SharedView& shared = out.shared_plan().view(view.instruction.operands[0]);
  if (const auto matrices = plan_stmatrix(out, type, shared)) {
    emit_stmatrix(out, out.tile(tile), type, shared, *matrices);
    return {};
  }
  const SharedAccess access(out, shared, type.element.bits, *type.register_layout,
                            out.statement_plan<AccessPlan>());
  if (access.plan().unit_bytes == 0) return refuse_part_of_byte(type, "stores");
  const std::string holder = out.first_holder(*type.register_layout);
  if (!holder.empty()) out.open("if ({})", holder);
  for (int64_t r = 0; r < access.num_runs(); ++r) {
    emit_run_store(out, tile, access.plan(), r, type.element.bits, "shared", access.address(r));
  }
  if (!holder.empty()) out.close();
  return {};
}

Status emit_copy_async(Emitter& out, const InstructionView& view) {
  const TensorType &shared = view.operand(0), &global = view.operand(1);
  const std::string wanted =
      view.has_attribute(2) ? out.scalar(view.attribute<Expr>(2)) + ", " : std::string();
  const auto& plan = out.statement_plan<CopyPlan>();
  const GlobalAccess source(out, global, pointer_name(out, view.instruction.operands[1]),
                            view.attribute<std::vector<Expr>>(0), plan.layout, plan.source);
  const SharedAccess target(out, out.shared_plan().view(view.instruction.operands[0]),
                            shared.element.bits, plan.layout, plan.target);
  const std::string holder = out.first_holder(plan.layout);
  if (!holder.empty()) out.open("if ({})", holder);
  for (int64_t r = 0; r < source.num_runs(); ++r) {
    const std::string condition = source.condition(r);
    out.line("ab::cp_async{}<{}>({}{}, {}, {});", wanted.empty() ? "" : "_if", plan.bytes, wanted,
             target.address(r), source.address(r), condition.empty() ? "true" : condition);
  }
  if (!holder.empty()) out.close();
  return {};
}

Status emit_copy_async_commit(Emitter& out, const InstructionView&) {
  out.line("ab::cp_async_commit();");
  return {};
}

Status emit_copy_async_wait(Emitter& out, const InstructionView& view) {
  out.line("ab::cp_async_wait<{}>();", view.integer(0));
  return {};
}

}  // namespace anybit::vm::cuda

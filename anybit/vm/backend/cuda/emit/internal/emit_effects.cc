// Barriers, atomics, semaphores, printing and assertions.
#include "anybit/vm/backend/cuda/emit/internal/elementwise.h"
#include "anybit/vm/backend/cuda/emit/internal/emit_table.h"

namespace anybit::vm::cuda {
namespace {

std::string quoted(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '%') result += '%';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

void fail_with(Emitter& out, const std::string& text) {
  out.line("ab::print(\"%s\\n\", \"{}\");", text);
  out.line("ab::assert_fail(0);");
}

/// `where` is "global" or "shared"; address(index text) is of the element.
Status emit_atomic(Emitter& out, const InstructionView& view, std::string_view where,
                   const Expr& extent,
                   const std::function<std::string(const std::string&)>& address) {
  const auto op = static_cast<AtomicOp>(view.integer(0));
  const std::string_view name = atomic_operators()[static_cast<size_t>(op)].name;
  const numeric::ElementFormat& element = view.operand(0).element;
  const char* type = element == numeric::kF32 ? "float" : element == kInt32 ? "int" : "ab::u32";
  const ValueId indices = view.instruction.operands[1], values = view.instruction.operands[2];
  const auto& layout = *view.operand(1).register_layout;
  const bool wants_result = view.instruction.result != kNoValue;
  const std::string holder = out.first_holder(layout);
  if (wants_result && !holder.empty()) {
    return fail(ErrorCode::kUnsupported,
                "the result of an atomic whose indices are held by several threads");
  }
  const TileRange range = out.tile_ranges().range(indices);
  const bool is_inside = range.low >= 0 && range.high < out.scalars().range(extent).low;
  if (wants_result)
    out.line("ab::u32 {}[{}] = {{}};", out.tile(view.instruction.result),
             out.num_words(view.result()));
  for (int64_t e = 0; e < layout.local_size(); ++e) {
    const std::string index = out.number(indices, e);
    std::string condition = holder;
    if (!is_inside) {
      condition = all_of(holder, fmt::format("(ab::u64)(long long)({}) < (ab::u64)({})", index,
                                             out.scalar(extent)));
    }
    if (!condition.empty()) out.open("if ({})", condition);
    // Bitwise operators and exchange act on words, whatever these mean.
    std::string target = address(index), value = out.number(values, e);
    const bool by_word = op == AtomicOp::kAnd || op == AtomicOp::kOr || op == AtomicOp::kXor ||
                         op == AtomicOp::kExchange;
    if (by_word) value = out.code(values, e);
    if (where == "global") target = fmt::format("({}*)({})", by_word ? "ab::u32" : type, target);
    const std::string call =
        fmt::format("ab::atomic_{}_{}({}, {})", op == AtomicOp::kExchange ? "exch" : name, where,
                    target, value);
    if (wants_result) {
      out.line("{}[{}] = {};", out.tile(view.instruction.result), e,
               by_word ? call : encode_number(element, call));
    } else {
      out.line("{};", call);
    }
    if (!condition.empty()) out.close();
  }
  return {};
}

}  // namespace

Status emit_atomic_global(Emitter& out, const InstructionView& view) {
  const TensorType& target = view.operand(0);
  const std::string pointer = out.tile(view.instruction.operands[0]);
  return emit_atomic(out, view, "global", target.extents[0], [&](const std::string& index) {
    return fmt::format("(char*){} + (long long)({}) * {} * 4", pointer, index,
                       out.scalar(target.strides[0]));
  });
}

Status emit_atomic_shared(Emitter& out, const InstructionView& view) {
  const SharedView& target = out.shared_plan().view(view.instruction.operands[0]);
  if (target.swizzle.bits != 0 || !target.offsets.empty()) {
    return fail(ErrorCode::kUnsupported, "a target that is a slice or swizzled");
  }
  return emit_atomic(out, view, "shared", Expr(view.operand(0).shape[0]),
                     [&](const std::string& index) {
                       return fmt::format("smem + {} + (ab::u32)({}) * {}", target.byte_offset,
                                          index, target.strides[0] * 4);
                     });
}

Status emit_semaphore_acquire(Emitter& out, const InstructionView& view) {
  out.line(
      "ab::semaphore_acquire((const ab::u32*)((char*){} + (long long)({}) * {} * 4), "
      "(ab::u32)({}));",
      out.tile(view.instruction.operands[0]), out.scalar(view.attribute<Expr>(0)),
      out.scalar(view.operand(0).strides[0]), out.scalar(view.attribute<Expr>(1)));
  return {};
}

Status emit_semaphore_release(Emitter& out, const InstructionView& view) {
  out.line(
      "ab::semaphore_release((ab::u32*)((char*){} + (long long)({}) * {} * 4), "
      "(ab::u32)({}));",
      out.tile(view.instruction.operands[0]), out.scalar(view.attribute<Expr>(0)),
      out.scalar(view.operand(0).strides[0]), out.scalar(view.attribute<Expr>(1)));
  return {};
}

Status emit_sync(Emitter& out, const InstructionView&) {
  out.barrier();
  return {};
}

Status emit_print(Emitter& out, const InstructionView& view) {
  const std::string text =
      view.has_attribute(0) ? quoted(view.attribute<std::string>(0)) : std::string();
  if (view.has_attribute(0) || view.has_attribute(1)) {
    out.open("if ({} == 0)", out.thread());
    if (view.has_attribute(1)) {
      const Expr& scalar = view.attribute<Expr>(1);
      const bool is_float = scalar.type() == ScalarType::kF32;
      out.line("ab::print(\"{} {}\\n\", ({})({}));", text, is_float ? "%g" : "%lld",
               is_float ? "double" : "long long", out.scalar(scalar));
    } else {
      out.line("ab::print(\"{}\\n\");", text);
    }
    out.close();
  }
  if (!view.has_operand(0)) return {};
  const auto& layout = *view.operand(0).register_layout;
  const numeric::ElementFormat& element = view.operand(0).element;
  const bool computes = operand_class(element) != 0;
  const bool is_float = operand_class(element) == kFloats;
  const std::string holder = out.first_holder(layout);
  if (!holder.empty()) out.open("if ({})", holder);
  for (int64_t e = 0; e < layout.local_size(); ++e) {
    const layout::Dims x = layout.coordinates(0, e);
    std::string format, values;
    for (int d = 0; d < x.size(); ++d) {
      format += d == 0 ? "%d" : ", %d";
      values += fmt::format("{} + {}, ", out.thread_coordinate(layout, d), x[d]);
    }
    const ValueId tile = view.instruction.operands[0];
    out.line("ab::print(\"%%{}[{}] = {}\\n\", {}({})({}));", out.program().values[tile].name,
             format,
             is_float   ? "%g"
             : computes ? "%lld"
                        : "code %lld",
             values, is_float ? "double" : "long long",
             computes ? out.number(tile, e) : out.code(tile, e));
  }
  if (!holder.empty()) out.close();
  return {};
}

Status emit_assert(Emitter& out, const InstructionView& view) {
  const std::string text = quoted(view.attribute<std::string>(1));
  if (view.has_attribute(0)) {
    out.open("if (!({}))", out.scalar(view.attribute<Expr>(0)));
    fail_with(out, text);
    out.close();
    return {};
  }
  const auto& layout = *view.operand(0).register_layout;
  for (int64_t e = 0; e < layout.local_size(); ++e) {
    out.open("if ({} == 0u)", out.code(view.instruction.operands[0], e));
    fail_with(out, text);
    out.close();
  }
  return {};
}

}  // namespace anybit::vm::cuda

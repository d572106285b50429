// Instructions that make, move and re-index register tiles.
#include <numeric>

#include "anybit/layout/conversion.h"
#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/backend/cuda/cast/emit_cast.h"
#include "anybit/vm/backend/cuda/emit/internal/elementwise.h"
#include "anybit/vm/backend/cuda/emit/internal/emit_table.h"
#include "anybit/vm/backend/cuda/emit/internal/rearrange.h"

namespace anybit::vm::cuda {
Status emit_full(Emitter& out, const InstructionView& view) {
  const numeric::ElementFormat& element = view.result().element;
  const std::string value = out.fresh("value");
  const uint64_t mask = element.bits == 32 ? 0xffffffffu : (uint64_t{1} << element.bits) - 1;
  out.line("const ab::u32 {} = {} & {:#x}u;", value,
           encode_number(element, out.scalar(view.attribute<Expr>(2))), mask);
  out.declare(view.instruction.result);
  out.write_codes(
      view.instruction.result, [&](int64_t) { return value; }, true);
  return {};
}

Status emit_iota(Emitter& out, const InstructionView& view) {
  const auto& layout = *view.result().register_layout;
  const int dim = static_cast<int>(view.integer(1));
  const std::string thread = out.thread_coordinate(layout, dim);
  out.declare(view.instruction.result);
  out.write_codes(
      view.instruction.result,
      [&](int64_t e) {
        return fmt::format("(ab::u32)({} + {})", thread, layout.coordinates(0, e)[dim]);
      },
      true);
  return {};
}

Status emit_random(Emitter& out, const InstructionView& view) {
  const auto& layout = *view.result().register_layout;
  std::vector<layout::Digit> digits(layout.thread_digits().begin(), layout.thread_digits().end());
  const layout::Dims strides = layout::row_major_strides(layout.shape());
  std::vector<int64_t> weights;
  for (const layout::Digit& digit : digits) {
    weights.push_back(digit.is_replicated() ? 0 : digit.stride * strides[digit.dim]);
  }
  const std::string first = out.fresh("item"), seed = out.fresh("seed");
  out.line("const ab::u64 {} = (ab::u64)(long long)({}) + {};", first,
           out.scalar(view.attribute<Expr>(2)), out.thread_sum(digits, weights));
  out.line("const ab::u64 {} = (ab::u64)(long long)({});", seed,
           out.scalar(view.attribute<Expr>(1)));
  out.declare(view.instruction.result);
  out.write_codes(
      view.instruction.result,
      [&](int64_t e) {
        return fmt::format("ab::philox_word({}, {} + {}u)", seed, first, layout.local_offset(e));
      },
      true);
  return {};
}

Status emit_view(Emitter& out, const InstructionView& view) {
  const ValueId result = view.instruction.result, source = view.instruction.operands[0];
  out.declare(result);
  out.line("#pragma unroll");
  out.line("for (int i = 0; i < {}; ++i) {}[i] = {}[i];", out.num_words(view.result()),
           out.tile(result), out.tile(source));
  return {};
}

namespace {

/// The tile of which `codes` is the same thread's codes put in order, if each word's places take
/// turns in it as CodeOrder::kInterleaved says; kNoValue otherwise.
ValueId interleaved_source(const Emitter& out, ValueId codes) {
  const Instruction* conversion = out.constant_definition(codes);
  if (conversion == nullptr || conversion->opcode != Opcode::kConvertLayout) return kNoValue;
  const ValueId source = conversion->operands[0];
  if (out.constant_definition(source) == nullptr) return kNoValue;
  const TensorType &from = out.program().type_of(source), &to = out.program().type_of(codes);
  const auto moves = layout::plan_conversion(*from.register_layout, *to.register_layout);
  if (!moves || moves->kind != layout::ConversionKind::kNone) return kNoValue;
  const auto count = static_cast<int64_t>(moves->local_map.size());
  const std::vector<int64_t> order = interleaved_order(from.element.bits, count);
  for (int64_t place = 0; place < count; ++place) {
    if (moves->local_map[order[place]] != place) return kNoValue;
  }
  return source;
}

}  // namespace

Status emit_cast(Emitter& out, const InstructionView& view) {
  const TensorType &from = view.operand(0), &to = view.result();
  const int64_t count = to.register_layout->local_size();
  const bool saturate = view.integer(1) == 1;
  const ValueId interleaved =
      from.element.bits < 8 ? interleaved_source(out, view.instruction.operands[0]) : kNoValue;
  const bool is_interleaved = interleaved != kNoValue;
  const ValueId source = is_interleaved ? interleaved : view.instruction.operands[0];
  std::string name = fmt::format(
      "cast_{}_to_{}_{}{}{}", tile_element_name(from.element), tile_element_name(to.element), count,
      is_interleaved ? "_interleaved" : "", saturate ? "_saturated" : "");
  if (!out.has_function(name)) {
    const CodeOrder order = is_interleaved ? CodeOrder::kInterleaved : CodeOrder::kCanonical;
    ANYBIT_ASSIGN(const CastCode code, emit_cast(from.element, to.element, count, name,
                                                 {.order = order, .saturate = saturate}));
    out.add_function(name, code.text);
  }
  out.declare(view.instruction.result);
  out.line("{}({}, {});", name, out.tile(source), out.tile(view.instruction.result));
  return {};
}

Status emit_reshape(Emitter& out, const InstructionView& view) {
  const auto &to = *view.result().register_layout, &from = *view.operand(0).register_layout;
  std::vector<int64_t> places;
  for (int64_t e = 0; e < to.local_size(); ++e) {
    places.push_back(from.locate(to.local_offset(e)).local);
  }
  emit_gathered_places(out, view.instruction.result, view.instruction.operands[0], places);
  return {};
}

Status emit_permute(Emitter& out, const InstructionView& view) {
  std::vector<int64_t> places(static_cast<size_t>(view.result().register_layout->local_size()));
  std::iota(places.begin(), places.end(), 0);
  emit_gathered_places(out, view.instruction.result, view.instruction.operands[0], places);
  return {};
}

Status emit_slice(Emitter& out, const InstructionView& view) {
  const auto &to = *view.result().register_layout, &from = *view.operand(0).register_layout;
  const auto& offset = view.attribute<std::vector<int64_t>>(0);
  std::vector<int64_t> places;
  for (int64_t e = 0; e < to.local_size(); ++e) {
    layout::Dims coords = to.coordinates(0, e);
    for (int d = 0; d < coords.size(); ++d) coords[d] += offset[static_cast<size_t>(d)];
    places.push_back(from.local_index(coords));
  }
  emit_gathered_places(out, view.instruction.result, view.instruction.operands[0], places);
  return {};
}

Status emit_assign(Emitter& out, const InstructionView& view) {
  out.line("#pragma unroll");
  out.line("for (int i = 0; i < {}; ++i) {}[i] = {}[i];", out.num_words(view.operand(0)),
           out.tile(view.instruction.operands[0]), out.tile(view.instruction.operands[1]));
  return {};
}

}  // namespace anybit::vm::cuda

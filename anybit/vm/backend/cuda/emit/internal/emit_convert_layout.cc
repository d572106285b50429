// convert_layout: nothing, selects, shuffles within warps, or a passage through shared memory.
#include <numeric>
#include <optional>

#include "anybit/layout/bank_conflicts.h"
#include "anybit/layout/conversion.h"
#include "anybit/layout/register_layout_ops.h"
#include "anybit/layout/warp_exchange.h"
#include "anybit/vm/backend/cuda/emit/internal/bit_gather.h"
#include "anybit/vm/backend/cuda/emit/internal/emit_table.h"
#include "anybit/vm/backend/cuda/emit/internal/ldmatrix.h"
#include "anybit/vm/backend/cuda/emit/internal/memory_access.h"
#include "anybit/vm/backend/cuda/emit/internal/rearrange.h"

namespace anybit::vm::cuda {
namespace {

using layout::RegisterLayout;
using layout::UnitLayouts;
using layout::WarpExchange;

// What one warp pays, in half cycles of its multiprocessor, which in a cycle shuffles 32 words,
// passes 128 bytes of shared memory, or does 64 lanes of logic. Two barriers stop it for about 40
// cycles, of which other CTAs use half.
constexpr int64_t kShuffleCost = 2, kWavefrontCost = 2, kLogicCost = 1, kBarriersCost = 40;

/// A conversion in terms of slots: units of elements, or words of large units.
struct Slots {
  int bits = 32;        // Of a slot: 8, 16 or 32.
  int64_t unit = 1;     // Elements that stay together.
  bool spread = false;  // A slot is wider than its unit: codes are copied into it and back.
  RegisterLayout from, to;
};

/// The layouts of words, where units of whole words stay together.
std::optional<Slots> word_slots(const RegisterLayout& from, const RegisterLayout& to, int bits) {
  const int64_t unit = 32 / std::gcd(bits, 32), words = unit * bits / 32;
  const UnitLayouts units = layout::common_units(from, to, unit);
  if (units.unit < unit) return std::nullopt;
  if (words == 1) return Slots{32, unit, false, units.from, units.to};
  auto wide_from = layout::concat(units.from, layout::local({words}));
  auto wide_to = layout::concat(units.to, layout::local({words}));
  if (!wide_from || !wide_to) return std::nullopt;
  return Slots{32, unit, false, *wide_from, *wide_to};
}

/// Slots for shared memory: words, else bytes or pairs of bytes, as they are or codes spread.
Slots memory_slots(const RegisterLayout& from, const RegisterLayout& to, int bits) {
  if (auto words = word_slots(from, to, bits)) return *words;
  const UnitLayouts most = layout::common_units(from, to, 32 / bits);
  for (int64_t unit = most.unit; unit >= 1; unit /= 2) {
    const int64_t unit_bits = unit * bits;
    if (unit_bits != 8 && unit_bits != 16) continue;
    const UnitLayouts units = layout::common_units(from, to, unit);
    return {static_cast<int>(unit_bits), unit, false, units.from, units.to};
  }
  const int64_t unit_bits = most.unit * bits;
  const int slot = unit_bits <= 8 ? 8 : unit_bits <= 16 ? 16 : 32;
  return {slot, most.unit, true, most.from, most.to};
}

int64_t num_words(int64_t count, int bits) { return (count * bits + 31) / 32; }

std::function<std::string(int64_t)> words_of(const std::string& array) {
  return [array](int64_t word) { return fmt::format("{}[{}]", array, word); };
}

/// Moves between packed units and slots, for `count` units of `unit_bits`.
std::vector<BitMove> spread_moves(int64_t count, int64_t unit_bits, int slot_bits, bool back) {
  std::vector<BitMove> moves;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t packed = i * unit_bits, slot = i * slot_bits;
    moves.push_back(back ? BitMove{packed, slot, unit_bits} : BitMove{slot, packed, unit_bits});
  }
  return moves;
}

void write_words(Emitter& out, const std::string& array, const GatheredWords& gathered) {
  for (size_t w = 0; w < gathered.words.size(); ++w) {
    out.line("{}[{}] = {};", array, w, gathered.words[w]);
  }
}

/// An exchange within warps, with the slots that its words carry.
struct Exchange {
  WarpExchange plan;
  int64_t slot_elements = 1;
  int bits = 32;  // Of a slot.
  GatheredWords inputs, outputs;

  int64_t cost() const {
    return kShuffleCost * plan.num_shuffles() +
           kLogicCost * (plan.num_selects() + inputs.num_instructions + outputs.num_instructions);
  }
};

/// The name of word `number` of an exchange.
std::string word_name(const std::string& stem, int64_t number) {
  return fmt::format("{}_{}", stem, number);
}

std::optional<Exchange> plan_exchange(const TensorType& from, const TensorType& to,
                                      const std::string& source, const std::string& stem) {
  const int bits = from.element.bits;
  Slots slots{bits, 1, false, *from.register_layout, *to.register_layout};
  if (auto words = word_slots(slots.from, slots.to, bits)) slots = *words;
  auto plan = layout::plan_warp_exchange(slots.from, slots.to, 32 / slots.bits);
  if (!plan) return std::nullopt;
  Exchange exchange{*std::move(plan), slots.unit, slots.bits, {}, {}};
  const WarpExchange& steps = exchange.plan;
  std::vector<BitMove> in, out;
  for (size_t i = 0; i < steps.inputs.size(); ++i) {
    const auto slot = static_cast<int64_t>(i);
    const int64_t at = slot / steps.slots * 32 + slot % steps.slots * slots.bits;
    in.push_back({at, steps.inputs[i] * slots.bits, slots.bits});
  }
  for (size_t i = 0; i < steps.outputs.size(); ++i) {
    const auto slot = static_cast<int64_t>(i);
    const int64_t at = slot / steps.slots * 32 + slot % steps.slots * slots.bits;
    out.push_back({steps.outputs[i] * slots.bits, at, slots.bits});
  }
  exchange.inputs = gather_bits(in, steps.num_inputs(), words_of(source));
  exchange.outputs = gather_bits(
      out, num_words(to.register_layout->local_size(), bits),
      [&](int64_t word) { return word_name(stem, steps.results[static_cast<size_t>(word)]); });
  return exchange;
}

/// The lane whose word a lane takes, as an expression of the thread index.
std::string source_lane(const Emitter& out, const WarpExchange& plan) {
  std::string text;
  for (size_t i = 0; i < plan.lane_bits.size();) {
    size_t end = i + 1;
    while (end < plan.lane_bits.size() && plan.lane_bits[end] == plan.lane_bits[end - 1] + 1) ++end;
    const int shift = plan.lane_bits[i] - static_cast<int>(i);
    const uint32_t mask = ((1u << (end - i)) - 1) << i;
    std::string part = shift > 0   ? fmt::format("({} >> {})", out.thread(), shift)
                       : shift < 0 ? fmt::format("({} << {})", out.thread(), -shift)
                                   : out.thread();
    text += fmt::format("{}({} & {:#x}u)", text.empty() ? "" : " | ", part, mask);
    i = end;
  }
  return text;
}

void emit_exchange(Emitter& out, const InstructionView& view, const Exchange& exchange,
                   const std::string& stem) {
  const WarpExchange& plan = exchange.plan;
  for (size_t w = 0; w < exchange.inputs.words.size(); ++w) {
    out.line("const ab::u32 {} = {};", word_name(stem, static_cast<int64_t>(w)),
             exchange.inputs.words[w]);
  }
  const std::string lane = stem + "_lane";
  if (!plan.keeps_lanes()) out.line("const ab::u32 {} = {};", lane, source_lane(out, plan));
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const layout::ExchangeStep& step = plan.steps[i];
    const std::string name = word_name(stem, plan.num_inputs() + static_cast<int64_t>(i));
    const std::string a = word_name(stem, step.a);
    if (step.kind == layout::ExchangeStep::Kind::kSelect) {
      out.line("const ab::u32 {} = ({} & {}u) != 0 ? {} : {};", name, out.thread(), step.amount,
               word_name(stem, step.b), a);
    } else if (plan.keeps_lanes()) {
      out.line("const ab::u32 {} = ab::shuffle_xor({}, {});", name, a, step.amount);
    } else if (step.amount == 0) {
      out.line("const ab::u32 {} = ab::shuffle({}, {});", name, a, lane);
    } else {
      out.line("const ab::u32 {} = ab::shuffle({}, {} ^ {}u);", name, a, lane, step.amount);
    }
  }
  out.declare(view.instruction.result);
  write_words(out, out.tile(view.instruction.result), exchange.outputs);
}

/// A passage through shared memory: the order of dimensions in it, and the swizzle.
struct Passage {
  Slots slots;
  layout::SwizzleChoice choice;

  int64_t cost() const {
    const int64_t spread = slots.spread ? 2 * (slots.from.local_size() + slots.to.local_size()) : 0;
    return kWavefrontCost * choice.wavefronts + kLogicCost * spread + kBarriersCost;
  }
};

std::vector<int64_t> strides_of(const layout::Dims& shape) {
  const layout::Dims strides = layout::row_major_strides(shape);
  return {strides.begin(), strides.end()};
}

/// The cheapest passage over which dimension runs through memory contiguously.
Passage plan_passage(const RegisterLayout& from, const RegisterLayout& to, int bits) {
  Slots slots = memory_slots(from, to, bits);
  const int rank = slots.from.rank();
  std::optional<Passage> best;
  for (int last = rank - 1; last >= 0; --last) {
    if (slots.from.shape()[last] == 1 && (best || last > 0)) continue;
    std::vector<int> order;
    for (int d = 0; d < rank; ++d) {
      if (d != last) order.push_back(d);
    }
    order.push_back(last);
    Slots turned = slots;
    turned.from = layout::permute(slots.from, order).value();
    turned.to = layout::permute(slots.to, order).value();
    const std::vector<int64_t> strides = strides_of(turned.from.shape());
    const layout::TileTraffic traffic[] = {{&turned.from, strides}, {&turned.to, strides}};
    const layout::SwizzleChoice choice =
        layout::choose_swizzle(traffic, turned.bits, turned.from.size());
    if (!best || std::pair(choice.wavefronts, choice.accesses) <
                     std::pair(best->choice.wavefronts, best->choice.accesses)) {
      best = Passage{turned, choice};
    }
  }
  return *best;
}

/// A register tile of slots, to choose accesses by.
TensorType slot_type(const Slots& slots, const RegisterLayout& layout) {
  TensorType type = register_type(slots.bits == 32 ? kUint32 : numeric::uint_format(slots.bits),
                                  {layout.shape().begin(), layout.shape().end()});
  type.register_layout = layout;
  return type;
}

void emit_store_slots(Emitter& out, const std::string& array, const TensorType& type,
                      const SharedView& area) {
  if (const auto matrices = plan_stmatrix(out, type, area)) {
    emit_stmatrix(out, array, type, area, *matrices);
    return;
  }
  const RegisterLayout& layout = *type.register_layout;
  const SharedAccess write(out, area, type.element.bits, layout,
                           plan_shared_access(area, type.element.bits, layout, out.scalars()));
  const std::string holder = out.first_holder(*type.register_layout);
  if (!holder.empty()) out.open("if ({})", holder);
  for (int64_t r = 0; r < write.num_runs(); ++r) {
    emit_run_store(out, array, write.plan(), r, type.element.bits, "shared", write.address(r));
  }
  if (!holder.empty()) out.close();
}

/// Declares `array` and fills it.
void emit_load_slots(Emitter& out, const std::string& array, const TensorType& type,
                     const SharedView& area) {
  if (const auto matrices = plan_matrix_load(type, area, out.num_threads(), out.scalars())) {
    emit_ldmatrix(out, array, type, area, *matrices);
    return;
  }
  const RegisterLayout& layout = *type.register_layout;
  const SharedAccess read(out, area, type.element.bits, layout,
                          plan_shared_access(area, type.element.bits, layout, out.scalars()));
  out.line("ab::u32 {}[{}]{};", array, out.num_words(type),
           read.plan().unit_bytes < 4 ? " = {}" : "");
  for (int64_t r = 0; r < read.num_runs(); ++r) {
    emit_run_load(out, array, read.plan(), r, type.element.bits, "shared", read.address(r), "");
  }
}

void emit_passage(Emitter& out, const InstructionView& view, const Passage& passage) {
  const Slots& slots = passage.slots;
  const std::string source = out.tile(view.instruction.operands[0]);
  const std::string result = out.tile(view.instruction.result);
  const int64_t unit_bits = slots.unit * view.operand(0).element.bits;
  const int64_t from_words = num_words(slots.from.local_size(), slots.bits);
  SharedView area;
  area.byte_offset = out.scratch_offset(slots.from.size() * slots.bits / 8);
  area.strides = strides_of(slots.from.shape());
  area.swizzle = passage.choice.swizzle;
  std::string array = source;
  if (slots.spread) {
    array = out.fresh("spread");
    out.line("ab::u32 {}[{}];", array, from_words);
    write_words(out, array,
                gather_bits(spread_moves(slots.from.local_size(), unit_bits, slots.bits, false),
                            from_words, words_of(source)));
  }
  out.barrier();
  emit_store_slots(out, array, slot_type(slots, slots.from), area);
  out.barrier();
  array = slots.spread ? out.fresh("spread") : result;
  emit_load_slots(out, array, slot_type(slots, slots.to), area);
  if (!slots.spread) return;
  out.declare(view.instruction.result);
  write_words(out, result,
              gather_bits(spread_moves(slots.to.local_size(), unit_bits, slots.bits, true),
                          out.num_words(view.result()), words_of(array)));
}

void note_choice(Emitter& out, const InstructionView& view, const std::string& how) {
  const TensorType& type = view.operand(0);
  out.note(fmt::format("convert_layout of {} {} {}", tile_element_name(type.element),
                       shape_text(type.shape), how));
}

std::string counted(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace

void emit_gathered_places(Emitter& out, ValueId result, ValueId source,
                          const std::vector<int64_t>& places) {
  const TensorType& type = out.program().type_of(result);
  out.declare(result);
  write_words(out, out.tile(result),
              gather_bits(code_moves(places, type.element.bits), out.num_words(type),
                          words_of(out.tile(source))));
}

Status emit_convert_layout(Emitter& out, const InstructionView& view) {
  const TensorType &from = view.operand(0), &to = view.result();
  const ValueId source = view.instruction.operands[0];
  ANYBIT_ASSIGN(const layout::Conversion conversion,
                layout::plan_conversion(*from.register_layout, *to.register_layout));
  if (conversion.kind == layout::ConversionKind::kNone) {
    emit_gathered_places(out, view.instruction.result, source, conversion.local_map);
    note_choice(out, view, "moves nothing between threads");
    return {};
  }
  const Passage passage =
      plan_passage(*from.register_layout, *to.register_layout, from.element.bits);
  if (conversion.kind != layout::ConversionKind::kShared) {
    const std::string stem = out.fresh("word");
    const auto exchange = plan_exchange(from, to, out.tile(source), stem);
    if (exchange && exchange->cost() <= passage.cost()) {
      emit_exchange(out, view, *exchange, stem);
      const WarpExchange& plan = exchange->plan;
      note_choice(
          out, view,
          plan.num_shuffles() == 0
              ? fmt::format("is {} a thread", counted(plan.num_selects(), "select"))
              : fmt::format("is {} and {} a thread", counted(plan.num_shuffles(), "shuffle"),
                            counted(plan.num_selects(), "select")));
      return {};
    }
  }
  emit_passage(out, view, passage);
  note_choice(out, view,
              fmt::format("goes through {} bytes of shared memory, {} a warp",
                          passage.slots.from.size() * passage.slots.bits / 8,
                          counted(passage.choice.wavefronts, "wavefront")));
  return {};
}

}  // namespace anybit::vm::cuda

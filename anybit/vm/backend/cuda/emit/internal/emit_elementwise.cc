// Elementwise instructions. Tiles of f32 are computed element by element, f16 and bf16 by pairs,
// integers one by one.
#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/vm/backend/cuda/cast/emit_cast.h"
#include "anybit/vm/backend/cuda/emit/internal/elementwise.h"
#include "anybit/vm/backend/cuda/emit/internal/emit_table.h"

namespace anybit::vm::cuda {

using numeric::ElementFormat;

std::vector<int64_t> operand_places(const layout::RegisterLayout& result,
                                    const layout::RegisterLayout& operand) {
  const int lead = result.rank() - operand.rank();
  std::vector<int64_t> places;
  for (int64_t e = 0; e < result.local_size(); ++e) {
    const layout::Dims x = result.coordinates(0, e);
    layout::Dims y = layout::Dims::filled(operand.rank(), 0);
    for (int d = 0; d < operand.rank(); ++d) {
      y[d] = operand.shape()[d] == 1 ? 0 : x[d + lead];
    }
    places.push_back(operand.local_index(y));
  }
  return places;
}

bool is_identity(const std::vector<int64_t>& places) {
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

std::string half_name(const ElementFormat& element) {
  return element == numeric::kF16 ? "f16" : "bf16";
}

std::string encode_number(const ElementFormat& element, const std::string& value) {
  if (element == numeric::kF32) return fmt::format("ab::float_bits({})", value);
  if (element == numeric::kF16 || element == numeric::kBF16) {
    return fmt::format("ab::f32_to_{}({})", half_name(element), value);
  }
  return fmt::format("(ab::u32)({})", value);
}

namespace {

bool is_half(const ElementFormat& element) {
  return element == numeric::kF16 || element == numeric::kBF16;
}

bool is_signed_integer(const ElementFormat& element) {
  return element.kind == numeric::ElementKind::kInt;
}

/// Places of all operands under the result of an elementwise instruction.
std::vector<std::vector<int64_t>> all_places(const InstructionView& view) {
  std::vector<std::vector<int64_t>> places;
  for (size_t i = 0; i < view.instruction.operands.size(); ++i) {
    places.push_back(
        operand_places(*view.result().register_layout, *view.operand(i).register_layout));
  }
  return places;
}

/// Writes the result word by word, each from a word (or pair) of every operand: operation(texts).
void emit_by_words(Emitter& out, const InstructionView& view,
                   const std::function<std::string(const std::vector<std::string>&)>& operation) {
  const ValueId result = view.instruction.result;
  const bool halves = view.result().element.bits == 16;
  const auto places = all_places(view);
  out.declare(result);
  const int64_t words = out.num_words(view.result());
  if (std::all_of(places.begin(), places.end(), is_identity) && words > 1) {
    std::vector<std::string> texts;
    for (const ValueId operand : view.instruction.operands) {
      texts.push_back(out.tile(operand) + "[i]");
    }
    out.line("#pragma unroll");
    out.line("for (int i = 0; i < {}; ++i) {}[i] = {};", words, out.tile(result), operation(texts));
    return;
  }
  const int64_t count = view.result().register_layout->local_size();
  for (int64_t w = 0; w < words; ++w) {
    std::vector<std::string> texts;
    for (size_t i = 0; i < places.size(); ++i) {
      const ValueId operand = view.instruction.operands[i];
      if (halves) {
        const int64_t low = places[i][2 * w];
        const int64_t high = 2 * w + 1 < count ? places[i][2 * w + 1] : low;
        texts.push_back(out.pair(operand, low, high));
      } else {
        texts.push_back(fmt::format("{}[{}]", out.tile(operand), places[i][w]));
      }
    }
    out.line("{}[{}] = {};", out.tile(result), w, operation(texts));
  }
}

/// Writes the result code by code from the numbers of every operand.
void emit_by_numbers(Emitter& out, const InstructionView& view,
                     const std::function<std::string(const std::vector<std::string>&)>& operation) {
  const ValueId result = view.instruction.result;
  const auto places = all_places(view);
  out.declare(result);
  const ElementFormat& element = view.result().element;
  const bool masked = element.bits == 32 || is_half(element) || element == kBool;
  out.write_codes(
      result,
      [&](int64_t e) {
        std::vector<std::string> numbers;
        for (size_t i = 0; i < places.size(); ++i) {
          numbers.push_back(out.number(view.instruction.operands[i], places[i][e]));
        }
        return encode_number(element, operation(numbers));
      },
      masked);
}

std::string as_floats(const std::string& word) { return fmt::format("ab::bits_float({})", word); }

std::string float_unary(UnaryOp op, const std::string& x) {
  switch (op) {
    case UnaryOp::kReciprocal: return fmt::format("ab::div(1.0f, {})", x);
    case UnaryOp::kRound: return fmt::format("ab::rint({})", x);
    default: return fmt::format("ab::{}({})", unary_operators()[static_cast<size_t>(op)].name, x);
  }
}

std::string integer_unary(UnaryOp op, const ElementFormat& element, const std::string& x) {
  switch (op) {
    case UnaryOp::kNegate: return fmt::format("(0u - (ab::u32)({}))", x);
    case UnaryOp::kAbs: return is_signed_integer(element) ? fmt::format("ab::abs_i32({})", x) : x;
    case UnaryOp::kNot: return fmt::format("(~(ab::u32)({}))", x);
    default: {
      const uint64_t mask = (uint64_t{1} << element.bits) - 1;
      return fmt::format("ab::popc((ab::u32)({}) & {:#x}u)", x, mask);
    }
  }
}

std::string integer_binary(BinaryOp op, const ElementFormat& element, const std::string& a,
                           const std::string& b) {
  const bool is_signed = is_signed_integer(element);
  const char* type = is_signed ? "i32" : "u32";
  const std::string count = fmt::format("((ab::u32)({}) & {}u)", b, element.bits - 1);
  switch (op) {
    case BinaryOp::kAdd: return fmt::format("((ab::u32)({}) + (ab::u32)({}))", a, b);
    case BinaryOp::kSub: return fmt::format("((ab::u32)({}) - (ab::u32)({}))", a, b);
    case BinaryOp::kMul: return fmt::format("((ab::u32)({}) * (ab::u32)({}))", a, b);
    case BinaryOp::kDiv: return fmt::format("ab::div_{}({}, {})", type, a, b);
    case BinaryOp::kMod: return fmt::format("ab::rem_{}({}, {})", type, a, b);
    case BinaryOp::kMin: return fmt::format("ab::min_{}({}, {})", type, a, b);
    case BinaryOp::kMax: return fmt::format("ab::max_{}({}, {})", type, a, b);
    case BinaryOp::kAnd: return fmt::format("((ab::u32)({}) & (ab::u32)({}))", a, b);
    case BinaryOp::kOr: return fmt::format("((ab::u32)({}) | (ab::u32)({}))", a, b);
    case BinaryOp::kXor: return fmt::format("((ab::u32)({}) ^ (ab::u32)({}))", a, b);
    case BinaryOp::kShiftLeft: return fmt::format("((ab::u32)({}) << {})", a, count);
    case BinaryOp::kShiftRight: return fmt::format("(({}) >> {})", a, count);
  }
  ANYBIT_CHECK(false);
}

/// Bitwise operators act on whole words at every width.
bool is_bitwise(BinaryOp op) {
  return op == BinaryOp::kAnd || op == BinaryOp::kOr || op == BinaryOp::kXor;
}

}  // namespace

std::string combine_numbers(ReduceOp op, const ElementFormat& element, const std::string& a,
                            const std::string& b) {
  if (operand_class(element) == kFloats) {
    switch (op) {
      case ReduceOp::kSum: return fmt::format("ab::add({}, {})", a, b);
      case ReduceOp::kProduct: return fmt::format("ab::mul({}, {})", a, b);
      case ReduceOp::kMin: return fmt::format("ab::min({}, {})", a, b);
      default: return fmt::format("ab::max({}, {})", a, b);
    }
  }
  constexpr BinaryOp kOps[] = {BinaryOp::kAdd, BinaryOp::kMul, BinaryOp::kMin, BinaryOp::kMax,
                               BinaryOp::kAnd, BinaryOp::kOr,  BinaryOp::kXor};
  const std::string value = integer_binary(kOps[static_cast<size_t>(op)], element, a, b);
  return is_signed_integer(element) ? fmt::format("(int)({})", value) : value;
}

Status emit_unary(Emitter& out, const InstructionView& view) {
  const auto op = static_cast<UnaryOp>(view.integer(0));
  const ElementFormat& element = view.result().element;
  if (op == UnaryOp::kNot) {
    emit_by_words(out, view, [](const auto& x) { return "~" + x[0]; });
  } else if (operand_class(element) == kFloats && (op == UnaryOp::kNegate || op == UnaryOp::kAbs)) {
    const char* sign = is_half(element) ? "0x80008000u" : "0x80000000u";
    emit_by_words(out, view, [&](const auto& x) {
      return op == UnaryOp::kNegate ? fmt::format("{} ^ {}", x[0], sign)
                                    : fmt::format("{} & ~{}", x[0], sign);
    });
  } else if (element == numeric::kF32) {
    emit_by_words(out, view, [&](const auto& x) {
      return fmt::format("ab::float_bits({})", float_unary(op, as_floats(x[0])));
    });
  } else if (is_half(element)) {
    emit_by_numbers(out, view, [&](const auto& x) { return float_unary(op, x[0]); });
  } else {
    emit_by_numbers(out, view, [&](const auto& x) { return integer_unary(op, element, x[0]); });
  }
  return {};
}

Status emit_binary(Emitter& out, const InstructionView& view) {
  const auto op = static_cast<BinaryOp>(view.integer(0));
  const std::string_view name = binary_operators()[static_cast<size_t>(op)].name;
  const ElementFormat& element = view.result().element;
  const bool aligned = view.operand(0).shape == view.operand(1).shape;
  if (element == numeric::kF32) {
    emit_by_words(out, view, [&](const auto& x) {
      return fmt::format("ab::float_bits(ab::{}({}, {}))", name, as_floats(x[0]), as_floats(x[1]));
    });
  } else if (is_half(element) && op != BinaryOp::kDiv) {
    emit_by_words(out, view, [&](const auto& x) {
      return fmt::format("ab::{}x2_{}({}, {})", half_name(element), name, x[0], x[1]);
    });
  } else if (is_half(element)) {
    emit_by_numbers(out, view,
                    [&](const auto& x) { return fmt::format("ab::div({}, {})", x[0], x[1]); });
  } else if (is_bitwise(op) && aligned) {
    const char* symbol = op == BinaryOp::kAnd ? "&" : op == BinaryOp::kOr ? "|" : "^";
    emit_by_words(out, view,
                  [&](const auto& x) { return fmt::format("{} {} {}", x[0], symbol, x[1]); });
  } else {
    emit_by_numbers(out, view,
                    [&](const auto& x) { return integer_binary(op, element, x[0], x[1]); });
  }
  return {};
}

Status emit_fma(Emitter& out, const InstructionView& view) {
  const ElementFormat& element = view.result().element;
  emit_by_words(out, view, [&](const auto& x) {
    if (element == numeric::kF32) {
      return fmt::format("ab::float_bits(ab::fma({}, {}, {}))", as_floats(x[0]), as_floats(x[1]),
                         as_floats(x[2]));
    }
    return fmt::format("ab::{}x2_fma({}, {}, {})", half_name(element), x[0], x[1], x[2]);
  });
  return {};
}

Status emit_compare(Emitter& out, const InstructionView& view) {
  constexpr const char* kSymbols[] = {"==", "!=", "<", "<=", ">", ">="};
  const char* symbol = kSymbols[view.integer(0)];
  emit_by_numbers(out, view, [&](const auto& x) {
    return fmt::format("({} {} {} ? 1u : 0u)", x[0], symbol, x[1]);
  });
  return {};
}

Status emit_select(Emitter& out, const InstructionView& view) {
  const ValueId result = view.instruction.result;
  const auto places = all_places(view);
  const auto& operands = view.instruction.operands;
  out.declare(result);
  out.write_codes(
      result,
      [&](int64_t e) {
        return fmt::format("({} ? {} : {})", out.code(operands[0], places[0][e]),
                           out.code(operands[1], places[1][e]),
                           out.code(operands[2], places[2][e]));
      },
      true);
  return {};
}

namespace {

/// Tables of at most 16 values of 16 bits are read into registers and looked up there.
Status lookup_in_registers(Emitter& out, const InstructionView& view, const SharedView& table) {
  const ElementFormat& codes = view.operand(0).element;
  const int64_t count = view.result().register_layout->local_size();
  const int64_t entries = int64_t{1} << codes.bits, words = (entries + 1) / 2;
  const std::string name = fmt::format("lookup_{}_{}", codes.bits, count);
  if (!out.has_function(name)) {
    ANYBIT_ASSIGN(const std::string text, emit_codebook_cast(codes.bits, count, name));
    out.add_function(name, text);
  }
  const std::string held = out.fresh("table");
  out.line("ab::u32 {}[{}];", held, words);
  const int64_t step = std::min<int64_t>(4, words);
  for (int64_t word = 0; word < words; word += step) {
    out.line("ab::load_shared<{}>({} + {}, smem + {});", 4 * step, held, word,
             table.byte_offset + 4 * word);
  }
  out.declare(view.instruction.result);
  out.line("{}({}, {}, {});", name, out.tile(view.instruction.operands[0]),
           out.tile(view.instruction.result), held);
  return {};
}

}  // namespace

Status emit_lookup(Emitter& out, const InstructionView& view) {
  const ValueId result = view.instruction.result, codes = view.instruction.operands[0];
  const SharedView& table = out.shared_plan().view(view.instruction.operands[1]);
  const int bytes = view.result().element.bits / 8;
  if (table.swizzle.bits != 0 || !table.offsets.empty()) {
    return fail(ErrorCode::kUnsupported, "a table that is a slice or swizzled");
  }
  if (bytes == 2 && view.operand(0).element.bits <= 4 && table.strides[0] == 1 &&
      table.byte_offset % 16 == 0) {
    return lookup_in_registers(out, view, table);
  }
  out.declare(result);
  std::vector<std::string> entries;
  for (int64_t e = 0; e < view.result().register_layout->local_size(); ++e) {
    const std::string entry = out.fresh("entry");
    out.line("ab::u32 {}[1];", entry);
    out.line("ab::load_shared<{}>({}, smem + {} + {} * {});", bytes, entry, table.byte_offset,
             out.code(codes, e), table.strides[0] * bytes);
    entries.push_back(entry + "[0]");
  }
  out.write_codes(
      result, [&](int64_t e) { return entries[e]; }, true);
  return {};
}

}  // namespace anybit::vm::cuda

// Instructions in which threads work together: reductions, scans, matrix products. Layout
// conversions: emit_convert_layout.cc.
#include <bit>

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/backend/cuda/cast/emit_cast.h"
#include "anybit/vm/backend/cuda/emit/internal/elementwise.h"
#include "anybit/vm/backend/cuda/emit/internal/emit_table.h"
#include "anybit/vm/ir/dot.h"
#include "anybit/vm/mma_order.h"

namespace anybit::vm::cuda {
namespace {

using layout::RegisterLayout;
using numeric::ElementFormat;

/// C++ type in which elements are combined, and back from a 32-bit word.
std::string compute_type(const ElementFormat& element) {
  if (operand_class(element) == kFloats) return "float";
  return element.kind == numeric::ElementKind::kInt ? "int" : "ab::u32";
}

std::string to_word(const ElementFormat& element, const std::string& value) {
  if (operand_class(element) == kFloats) return fmt::format("ab::float_bits({})", value);
  return fmt::format("(ab::u32)({})", value);
}

std::string from_word(const ElementFormat& element, const std::string& word) {
  if (operand_class(element) == kFloats) return fmt::format("ab::bits_float({})", word);
  return fmt::format("({})({})", compute_type(element), word);
}

/// The thread-index bits along which dimension `dim` is spread, the least significant first.
Result<std::vector<int64_t>> thread_bits(const RegisterLayout& layout, int dim) {
  std::vector<int64_t> bits;
  int64_t divisor = 1;
  const auto digits = layout.thread_digits();
  for (size_t i = digits.size(); i-- > 0;) {
    if (digits[i].dim == dim) {
      if (!std::has_single_bit(static_cast<uint64_t>(divisor)) ||
          !std::has_single_bit(static_cast<uint64_t>(digits[i].extent))) {
        return fail(ErrorCode::kUnsupported,
                    "dimension {} is spread over threads by factors that are no powers of two; "
                    "convert_layout the operand first",
                    dim);
      }
      for (int64_t bit = 1; bit < digits[i].extent; bit *= 2) bits.push_back(divisor * bit);
    }
    divisor *= digits[i].extent;
  }
  return bits;
}

/// Combines `values` (one a result place) with the other warps' through shared memory.
void combine_warps(Emitter& out, const std::vector<std::string>& values, ReduceOp op,
                   const ElementFormat& element, const std::vector<int64_t>& bits) {
  const auto count = static_cast<int64_t>(values.size());
  const std::string scratch = out.scratch(count * out.num_threads() * 4);
  const auto address = [&](int64_t place, int64_t flipped) {
    return fmt::format("{} + ({} + ({} ^ {}u)) * 4", scratch, place * out.num_threads(),
                       out.thread(), flipped);
  };
  out.barrier();
  for (int64_t r = 0; r < count; ++r) {
    const std::string word = out.fresh("word");
    out.line("const ab::u32 {}[1] = {{ {} }};", word, to_word(element, values[r]));
    out.line("ab::store_shared<4>({}, {});", address(r, 0), word);
  }
  out.barrier();
  for (int64_t r = 0; r < count; ++r) {
    std::vector<std::string> level;
    for (uint64_t subset = 0; subset < (uint64_t{1} << bits.size()); ++subset) {
      int64_t flipped = 0;
      for (size_t b = 0; b < bits.size(); ++b) flipped |= (subset >> b & 1) != 0 ? bits[b] : 0;
      const std::string word = out.fresh("word");
      out.line("ab::u32 {}[1];", word);
      out.line("ab::load_shared<4>({}, {});", word, address(r, flipped));
      level.push_back(from_word(element, word + "[0]"));
    }
    while (level.size() > 1) {
      std::vector<std::string> next;
      for (size_t i = 0; i < level.size(); i += 2) {
        const std::string sum = out.fresh("sum");
        out.line("const {} {} = {};", compute_type(element), sum,
                 combine_numbers(op, element, level[i], level[i + 1]));
        next.push_back(sum);
      }
      level = std::move(next);
    }
    out.line("{} = {};", values[r], level[0]);
  }
}

/// Bytes in which the scratch area keeps an element.
int64_t scratch_element_bytes(const ElementFormat& element) {
  return element.bits > 16 ? 4 : element.bits > 8 ? 2 : 1;
}

/// Row-major element number of the thread's first element.
std::string thread_linear(Emitter& out, const RegisterLayout& layout) {
  const std::vector<layout::Digit> digits(layout.thread_digits().begin(),
                                          layout.thread_digits().end());
  const layout::Dims strides = layout::row_major_strides(layout.shape());
  std::vector<int64_t> weights;
  for (const layout::Digit& digit : digits) {
    weights.push_back(digit.is_replicated() ? 0 : digit.stride * strides[digit.dim]);
  }
  return out.thread_sum(digits, weights);
}

/// Writes every element of a tile to the scratch area, at its row-major number.
void spill(Emitter& out, ValueId tile, const RegisterLayout& layout, const std::string& scratch,
           int64_t bytes) {
  const std::string first = thread_linear(out, layout), holder = out.first_holder(layout);
  if (!holder.empty()) out.open("if ({})", holder);
  for (int64_t e = 0; e < layout.local_size(); ++e) {
    const std::string word = out.fresh("word");
    out.line("const ab::u32 {}[1] = {{ {} }};", word, out.code(tile, e));
    out.line("ab::store_shared<{}>({} + ({} + {}) * {}, {});", bytes, scratch, first,
             layout.local_offset(e), bytes, word);
  }
  if (!holder.empty()) out.close();
}

/// Reads every element of a tile from the scratch area.
void refill(Emitter& out, ValueId tile, const RegisterLayout& layout, const std::string& scratch,
            int64_t bytes) {
  const std::string first = thread_linear(out, layout);
  std::vector<std::string> words;
  for (int64_t e = 0; e < layout.local_size(); ++e) {
    words.push_back(out.fresh("word"));
    out.line("ab::u32 {}[1];", words.back());
    out.line("ab::load_shared<{}>({}, {} + ({} + {}) * {});", bytes, words.back(), scratch, first,
             layout.local_offset(e), bytes);
  }
  out.write_codes(
      tile, [&](int64_t e) { return words[e] + "[0]"; }, true);
}

/// What stands before the first element of an exclusive scan.
std::string neutral(ReduceOp op, const ElementFormat& element) {
  const bool is_float = operand_class(element) == kFloats;
  const bool is_signed = element.kind == numeric::ElementKind::kInt;
  const int64_t high =
      is_signed ? (int64_t{1} << (element.bits - 1)) - 1 : (int64_t{1} << element.bits) - 1;
  const int64_t low = is_signed ? -high - 1 : 0;
  switch (op) {
    case ReduceOp::kProduct: return is_float ? "1.0f" : "1";
    case ReduceOp::kMin:
      return is_float ? "ab::bits_float(0x7f800000u)"
                      : fmt::format("({})({}ll)", compute_type(element), high);
    case ReduceOp::kMax:
      return is_float ? "ab::bits_float(0xff800000u)"
                      : fmt::format("({})({}ll)", compute_type(element), low);
    case ReduceOp::kAnd:
      return fmt::format("({})({:#x}u)", compute_type(element), (uint64_t{1} << element.bits) - 1);
    default: return is_float ? "0.0f" : "0";
  }
}

/// The number that a code in a word stands for, for scans: codes are zero-extended there.
std::string number_of_code(const ElementFormat& element, const std::string& word) {
  if (element == numeric::kF32) return fmt::format("ab::bits_float({})", word);
  if (operand_class(element) == kFloats) {
    return fmt::format("ab::{}_lo_to_f32({})", half_name(element), word);
  }
  if (element.kind == numeric::ElementKind::kInt && element.bits < 32) {
    return fmt::format("ab::bit_extract_signed({}, 0, {})", word, element.bits);
  }
  return fmt::format("({})({})", compute_type(element), word);
}

}  // namespace

Status emit_reduce(Emitter& out, const InstructionView& view) {
  const auto op = static_cast<ReduceOp>(view.integer(0));
  const int dim = static_cast<int>(view.integer(1));
  const ElementFormat& element = view.result().element;
  const RegisterLayout &from = *view.operand(0).register_layout,
                       &to = *view.result().register_layout;
  ANYBIT_ASSIGN(const std::vector<int64_t> bits, thread_bits(from, dim));
  const std::string type = compute_type(element);
  std::vector<std::string> values(static_cast<size_t>(to.local_size()));
  for (int64_t e = 0; e < from.local_size(); ++e) {
    layout::Dims x = from.coordinates(0, e);
    x[dim] = 0;
    std::string& value = values[static_cast<size_t>(to.local_index(x))];
    const std::string number = out.number(view.instruction.operands[0], e);
    if (value.empty()) {
      value = out.fresh("sum");
      out.line("{} {} = {};", type, value, number);
    } else {
      out.line("{} = {};", value, combine_numbers(op, element, value, number));
    }
  }
  std::vector<int64_t> warp_bits;
  for (const int64_t bit : bits) {
    if (bit >= kWarpSize) {
      warp_bits.push_back(bit);
      continue;
    }
    for (const std::string& value : values) {
      const std::string other =
          from_word(element, fmt::format("ab::shuffle_xor({}, {})", to_word(element, value), bit));
      out.line("{} = {};", value, combine_numbers(op, element, value, other));
    }
  }
  if (!warp_bits.empty()) combine_warps(out, values, op, element, warp_bits);
  out.declare(view.instruction.result);
  const bool masked = element.bits == 32 || operand_class(element) != kIntegers;
  out.write_codes(
      view.instruction.result,
      [&](int64_t e) { return encode_number(element, values[static_cast<size_t>(e)]); }, masked);
  return {};
}

Status emit_scan(Emitter& out, const InstructionView& view) {
  const auto op = static_cast<ReduceOp>(view.integer(0));
  const auto dim = static_cast<size_t>(view.integer(1));
  const bool exclusive = view.integer(2) == 1;
  const TensorType& type = view.result();
  const ElementFormat& element = type.element;
  const int64_t bytes = scratch_element_bytes(element), extent = type.shape[dim];
  const std::string scratch = out.scratch(type.num_elements() * bytes);
  int64_t inner = 1;
  for (size_t d = dim + 1; d < type.shape.size(); ++d) inner *= type.shape[d];
  out.barrier();
  spill(out, view.instruction.operands[0], *type.register_layout, scratch, bytes);
  out.barrier();
  const std::string lane = out.fresh("lane"), total = out.fresh("total"), i = out.fresh("i");
  out.open("for (ab::u32 {0} = {1}; {0} < {2}u; {0} += {3}u)", lane, out.thread(),
           type.num_elements() / extent, out.num_threads());
  out.line("ab::u32 at = {} + ({} / {}u * {}u + {} % {}u) * {}u;", scratch, lane, inner,
           extent * inner, lane, inner, bytes);
  out.line("{} {} = {};", compute_type(element), total, neutral(op, element));
  out.line("#pragma unroll 1");
  out.open("for (int {0} = 0; {0} < {1}; ++{0}, at += {2}u)", i, extent, inner * bytes);
  out.line("ab::u32 word[1];");
  out.line("ab::load_shared<{}>(word, at);", bytes);
  const std::string number = number_of_code(element, "word[0]");
  const std::string next = out.fresh("next");
  // The first element is taken as it is: combining it with the neutral element could change -0.
  out.line("const {} {} = {} == 0 ? {} : {};", compute_type(element), next, i, number,
           combine_numbers(op, element, total, number));
  const std::string code = encode_number(element, next);
  out.line("const ab::u32 rounded[1] = {{ {} }};", code);
  if (exclusive) out.line("const ab::u32 before[1] = {{ {} }};", encode_number(element, total));
  out.line("ab::store_shared<{}>(at, {});", bytes, exclusive ? "before" : "rounded");
  out.line("{} = {};", total, number_of_code(element, "rounded[0]"));
  out.close();
  out.close();
  out.barrier();
  out.declare(view.instruction.result);
  refill(out, view.instruction.result, *type.register_layout, scratch, bytes);
  return {};
}

namespace {

/// The operand's elements as 32-bit words: f32, or int32 of integers.
Result<std::string> widened(Emitter& out, const InstructionView& view, size_t i) {
  const TensorType& type = view.operand(i);
  const bool is_float = view.result().element != kInt32;
  const ElementFormat wide = is_float ? numeric::kF32 : kInt32;
  const std::string source = out.tile(view.instruction.operands[i]);
  if (type.element == wide) return source;
  const int64_t count = type.register_layout->local_size();
  const std::string function = fmt::format("cast_{}_to_{}_{}", tile_element_name(type.element),
                                           tile_element_name(wide), count);
  if (!out.has_function(function)) {
    ANYBIT_ASSIGN(const std::string text, emit_cast_function(type.element, wide, count, function));
    out.add_function(function, text);
  }
  const std::string name = out.fresh("wide");
  out.line("ab::u32 {}[{}];", name, count);
  out.line("{}({}, {});", function, source, name);
  return name;
}

Status emit_scalar_dot(Emitter& out, const InstructionView& view) {
  const TensorType &a = view.operand(0), &b = view.operand(1), &c = view.operand(2);
  const RegisterLayout& layout = *view.result().register_layout;
  const int64_t k = a.shape[1];
  out.note(
      fmt::format("dot of {} {} by {} runs by multiply-adds in the threads, without tensor "
                  "cores",
                  tile_element_name(a.element), shape_text(a.shape), shape_text(b.shape)));
  ANYBIT_ASSIGN(const std::string wide_a, widened(out, view, 0));
  ANYBIT_ASSIGN(const std::string wide_b, widened(out, view, 1));
  const bool is_float = c.element != kInt32, is_half = c.element == numeric::kF16;
  std::vector<std::string> halves;  // Accumulators of f16, as floats.
  const std::string result = out.tile(view.instruction.result);
  out.declare(view.instruction.result);
  for (int64_t e = 0; e < layout.local_size(); ++e) {
    const layout::Dims x = layout.coordinates(0, e);
    const int64_t a0 = a.register_layout->local_index({x[0], 0});
    const int64_t b0 = b.register_layout->local_index({0, x[1]});
    const int64_t a_step = k > 1 ? a.register_layout->local_index({x[0], 1}) - a0 : 0;
    const int64_t b_step = k > 1 ? b.register_layout->local_index({1, x[1]}) - b0 : 0;
    if (is_half) {
      halves.push_back(out.fresh("sum"));
      out.line("float {} = {};", halves.back(), out.number(view.instruction.operands[2], e));
    } else {
      out.line("{}[{}] = {}[{}];", result, e, out.tile(view.instruction.operands[2]), e);
    }
    out.line("#pragma unroll");
    out.open("for (int p = 0; p < {}; ++p)", k);
    const std::string left = fmt::format("{}[{} + {} * p]", wide_a, a0, a_step);
    const std::string right = fmt::format("{}[{} + {} * p]", wide_b, b0, b_step);
    if (is_half) {
      out.line("{0} = ab::fma(ab::bits_float({1}), ab::bits_float({2}), {0});", halves.back(), left,
               right);
      out.line("if (p % {0} == {0} - 1 || p == {1}) {2} = ab::f16_lo_to_f32(ab::f32_to_f16({2}));",
               exact::kHalfSumTerms, k - 1, halves.back());
    } else if (is_float) {
      out.line(
          "{0}[{1}] = ab::float_bits(ab::fma(ab::bits_float({2}), ab::bits_float({3}), "
          "ab::bits_float({0}[{1}])));",
          result, e, left, right);
    } else {
      out.line("{0}[{1}] += {2} * {3};", result, e, left, right);
    }
    out.close();
  }
  if (is_half) {
    out.write_codes(
        view.instruction.result,
        [&](int64_t e) { return fmt::format("ab::f32_to_f16({})", halves[e]); }, true);
  }
  return {};
}

/// An f32 operand rounded to tf32.
std::string rounded_to_tf32(Emitter& out, const InstructionView& view, size_t i) {
  const std::string name = out.fresh("tf32"), source = out.tile(view.instruction.operands[i]);
  const int64_t words = out.num_words(view.operand(i));
  out.line("ab::u32 {}[{}];", name, words);
  out.line("#pragma unroll");
  out.line(
      "for (int i = 0; i < {}; ++i) {}[i] = "
      "ab::float_bits(ab::f32_to_tf32(ab::bits_float({}[i])));",
      words, name, source);
  return name;
}

}  // namespace

Status emit_dot(Emitter& out, const InstructionView& view) {
  const RegisterLayout& layout = *view.result().register_layout;
  ANYBIT_ASSIGN(const DotPlan plan, plan_dot(view, layout));
  if (plan.atom == nullptr) return emit_scalar_dot(out, view);
  const MmaAtom& atom = *plan.atom;
  if (out.architecture() < atom.min_architecture) {
    return fail(ErrorCode::kUnsupported, "{} operands need sm_{}, found sm_{}; cast them to f16",
                tile_element_name(atom.a), atom.min_architecture, out.architecture());
  }
  const bool tf32 = atom.a == numeric::kTf32;
  const std::string a =
      tf32 ? rounded_to_tf32(out, view, 0) : out.tile(view.instruction.operands[0]);
  const std::string b =
      tf32 ? rounded_to_tf32(out, view, 1) : out.tile(view.instruction.operands[1]);
  const std::string d = out.tile(view.instruction.result);
  const int bits = view.operand(0).element.bits;
  out.declare(view.instruction.result);
  out.line("#pragma unroll");
  out.line("for (int i = 0; i < {}; ++i) {}[i] = {}[i];", out.num_words(view.result()), d,
           out.tile(view.instruction.operands[2]));
  const int64_t k_steps = view.operand(0).shape[1] / atom.k;
  for (int64_t step = 0; step < k_steps; ++step) {
    for (int64_t p = 0; p < plan.layouts.tiles.local_size(); ++p) {
      const layout::Dims tile = plan.layouts.tiles.coordinates(0, p);
      const int64_t row = tile[0] * atom.m, column = tile[1] * atom.n, inner = step * atom.k;
      const int64_t c_word = layout.local_index({row, column}) * view.result().element.bits / 32;
      const int64_t a_word = view.operand(0).register_layout->local_index({row, inner}) * bits / 32;
      const int64_t b_word =
          view.operand(1).register_layout->local_index({inner, column}) * bits / 32;
      out.line("ab::{0}({1} + {2}, {3} + {4}, {5} + {6});", atom.function, d, c_word, a, a_word, b,
               b_word);
    }
  }
  return {};
}

}  // namespace anybit::vm::cuda

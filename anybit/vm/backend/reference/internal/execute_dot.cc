// dot: a matrix product by multiply-adds in the order of k, rounding each time.
#include <cmath>

#include "anybit/vm/backend/reference/internal/execution.h"
#include "anybit/vm/mma_order.h"

namespace anybit::vm::reference {
namespace {

/// An operand as the threads of one warp hold it together: what they multiply is only their own.
struct WarpOperand {
  std::vector<Code> codes;       // [elements]
  std::vector<int64_t> holders;  // A thread of the warp that holds the element; -1: none.
};

/// Errors: copies of an element that differ within the warp, as only `view` can make them: then
/// which of them is multiplied would depend on how the product is carried out.
Result<WarpOperand> gather_operand(Execution& execution, ValueId id, int64_t first_thread) {
  const LayoutTables& tables = execution.registers(id).tables();
  WarpOperand operand{std::vector<Code>(static_cast<size_t>(tables.size())),
                      std::vector<int64_t>(static_cast<size_t>(tables.size()), -1)};
  for (int64_t t = first_thread; t < first_thread + kWarpSize; ++t) {
    for (int64_t e = 0; e < tables.local_size(); ++e) {
      const int64_t x = tables.linear(t, e);
      ANYBIT_ASSIGN(const Code code, execution.read(id, t, e));
      if (operand.holders[x] >= 0 && operand.codes[x] != code) {
        return execution.fault(
            t, id, x,
            {ErrorCode::kInvalidArgument,
             fmt::format("its copy in %{} differs from that of thread {}", execution.name(id),
                         execution.first_thread + operand.holders[x])});
      }
      operand.codes[x] = code;
      if (operand.holders[x] < 0) operand.holders[x] = t;
    }
  }
  return operand;
}

/// The values of an operand in f32: exact for every element that dot takes. tf32: rounded to it, to
/// nearest, ties away from zero, as cvt.rna does.
std::vector<float> float_values(const WarpOperand& operand, const ElementFormat& element,
                                bool is_tf32) {
  std::vector<float> values;
  values.reserve(operand.codes.size());
  for (const Code code : operand.codes) {
    double value = element_value(element, code);
    if (is_tf32 && std::isfinite(value)) {
      constexpr numeric::Rounding kAway{numeric::RoundingMode::kNearestAway,
                                        numeric::Overflow::kSpecial};
      value = numeric::decode(numeric::kTf32, numeric::encode(numeric::kTf32, value, kAway));
    }
    values.push_back(static_cast<float>(value));
  }
  return values;
}

struct ProductShape {
  int64_t m, n, k;
};

/// `element` of the accumulator: f32, or f16, which is rounded after each step of the tensor cores.
Code dot_float(const std::vector<float>& a, const std::vector<float>& b, const ProductShape& shape,
               int64_t i, int64_t j, const ElementFormat& element, Code c) {
  auto sum = static_cast<float>(element_value(element, c));
  for (int64_t p = 0; p < shape.k; ++p) {
    sum = std::fma(a[i * shape.k + p], b[p * shape.n + j], sum);
    const bool is_step = p % exact::kHalfSumTerms == exact::kHalfSumTerms - 1;
    if (element == numeric::kF16 && is_step) {
      sum = static_cast<float>(element_value(element, float_code(element, sum)));
    }
  }
  return float_code(element, sum);
}

Code dot_integer(const std::vector<Code>& a, const std::vector<Code>& b,
                 const ElementFormat& element, const ProductShape& shape, int64_t i, int64_t j,
                 Code c) {
  auto sum = static_cast<uint64_t>(c);
  for (int64_t p = 0; p < shape.k; ++p) {
    sum += static_cast<uint64_t>(integer_value(element, a[i * shape.k + p]) *
                                 integer_value(element, b[p * shape.n + j]));
  }
  return static_cast<Code>(sum);
}

}  // namespace

Status execute_dot(Execution& execution, const InstructionView& view) {
  const auto& operands = view.instruction.operands;
  const TensorType &a_type = view.operand(0), &b_type = view.operand(1);
  const ProductShape shape{a_type.shape[0], b_type.shape[1], a_type.shape[1]};
  const bool is_float = view.result().element != kInt32, is_tf32 = view.integer(0) == 1;
  RegisterTile result(view.result().element, execution.tables(view.instruction.result));
  const LayoutTables& tables = result.tables();
  for (int64_t warp = 0; warp < execution.num_warps(); ++warp) {
    const int64_t first = warp * kWarpSize;
    ANYBIT_ASSIGN(const WarpOperand a, gather_operand(execution, operands[0], first));
    ANYBIT_ASSIGN(const WarpOperand b, gather_operand(execution, operands[1], first));
    std::vector<float> a_values, b_values;
    if (is_float) {
      a_values = float_values(a, a_type.element, is_tf32);
      b_values = float_values(b, b_type.element, is_tf32);
    }
    for (int64_t t = first; t < first + kWarpSize; ++t) {
      for (int64_t e = 0; e < tables.local_size(); ++e) {
        const int64_t linear = tables.linear(t, e), i = linear / shape.n, j = linear % shape.n;
        if (a.holders[i * shape.k] < 0 || b.holders[j] < 0) {
          return execution.fault(t, view.instruction.result, linear,
                                 {ErrorCode::kInvalidArgument,
                                  "no thread of the warp holds the operands of this element"});
        }
        ANYBIT_ASSIGN(const Code c, execution.read_held(operands[2], t, linear));
        result.set(t, e,
                   is_float ? dot_float(a_values, b_values, shape, i, j, view.result().element, c)
                            : dot_integer(a.codes, b.codes, a_type.element, shape, i, j, c));
      }
    }
  }
  execution.define(view.instruction.result, std::move(result));
  return {};
}

}  // namespace anybit::vm::reference

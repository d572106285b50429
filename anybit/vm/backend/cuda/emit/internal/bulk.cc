#include "anybit/vm/backend/cuda/emit/internal/bulk.h"

#include <algorithm>
#include <numeric>

namespace anybit::vm::cuda {

SharedStart shared_start(const Emitter& out, const SharedView& view, int bits) {
  constexpr int64_t kMaxDivisor = 1024;
  SharedStart start{fmt::format("smem + {}", view.byte_offset), 0};
  int64_t divisor = std::gcd(view.byte_offset, kMaxDivisor);
  for (const auto& [expr, weight] : view.offsets) {
    const int64_t bytes = weight * bits / 8;
    start.address += fmt::format(" + (ab::u32)({}) * {}", out.scalar(expr), bytes);
    divisor = std::gcd(divisor, std::max<int64_t>(out.scalars().divisor(expr), 1) * bytes);
  }
  start.divisor = divisor;
  return start;
}

Result<BulkBox> bulk_box(Emitter& out, const InstructionView& view, size_t shared, size_t global) {
  ANYBIT_TRY(require_hopper(out));
  const TensorType &tile = view.operand(shared), &tensor = view.operand(global);
  const int bits = tile.element.bits;
  const SharedView& place = out.shared_plan().view(view.instruction.operands[shared]);
  ANYBIT_ASSIGN(const int span, bulk_box_span(place, tile.shape, bits));
  const SharedStart start = shared_start(out, place, bits);
  constexpr int64_t kBoxAlignment = 128;
  if (start.divisor % kBoxAlignment != 0) {
    return fail(ErrorCode::kUnsupported,
                "a slice of a shared tile that is not proved to begin at a multiple of {} bytes",
                kBoxAlignment);
  }
  std::vector<int64_t> box(tensor.rank() - tile.rank(), 1);
  box.insert(box.end(), tile.shape.begin(), tile.shape.end());
  ANYBIT_ASSIGN(std::string map,
                out.tensor_map(view.instruction.operands[global], std::move(box), span));
  return BulkBox{std::move(map), start.address};
}

std::string bulk_coordinates(const Emitter& out, const std::vector<Expr>& offset) {
  std::string text;
  for (size_t d = offset.size(); d-- > 0;) {
    text += fmt::format("{}(int)({})", text.empty() ? "" : ", ", out.scalar(offset[d]));
  }
  return text;
}

}  // namespace anybit::vm::cuda

#include "anybit/layout/mma_layouts.h"

#include "anybit/layout/register_layout_ops.h"

namespace anybit::layout {
namespace {

/// A of m16: two rows of 8 by two halves of k, in each `pack` neighbours of k.
RegisterLayout operand_a(int64_t pack) {
  return column_local({2, 2}) * spatial({8, 4}) * local({1, pack});
}

/// B of n8: two halves of k, lanes down k first, `pack` neighbours of k.
RegisterLayout operand_b(int64_t pack) {
  return local({2, 1}) * column_spatial({4, 8}) * local({pack, 1});
}

RegisterLayout accumulator() { return local({2, 1}) * spatial({8, 4}) * local({1, 2}); }

/// Elements of `bits` in one 32-bit register.
constexpr int64_t pack_of(int bits) { return 32 / bits; }

}  // namespace

std::vector<MmaFragments> mma_fragments() {
  const auto row = [](std::string_view name, int64_t k, int bits) {
    const int64_t pack = pack_of(bits);
    return MmaFragments{name, 16, 8, k, bits, operand_a(pack), operand_b(pack), accumulator()};
  };
  return {row("m16n8k16", 16, 16), row("m16n8k32", 32, 8), row("m16n8k8", 8, 32)};
}

Result<RegisterLayout> wgmma_accumulator(int64_t n) {
  if (n < 8 || n > 256 || n % 8 != 0) {
    return fail(ErrorCode::kInvalidArgument, "wgmma has n a multiple of 8 from 8 to 256, found {}",
                n);
  }
  return spatial({4, 1}) * local({1, n / 8}) * accumulator();
}

Result<RegisterLayout> wgmma_operand_a(int operand_bits) {
  if (operand_bits != 8 && operand_bits != 16 && operand_bits != 32) {
    return fail(ErrorCode::kInvalidArgument,
                "wgmma takes A from registers with elements of 8, 16 or 32 bits, found {}",
                operand_bits);
  }
  return spatial({4, 1}) * operand_a(pack_of(operand_bits));
}

}  // namespace anybit::layout

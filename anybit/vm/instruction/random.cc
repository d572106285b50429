#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kShape, kSeed, kOffset };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const auto& shape = view.attribute<std::vector<int64_t>>(kShape);
  ANYBIT_TRY(check_tile_shape(shape));
  ANYBIT_TRY(rules::check_offsets({view.attribute<Expr>(kSeed)}, 1, "seed"));
  ANYBIT_TRY(rules::check_offsets({view.attribute<Expr>(kOffset)}, 1, "offset"));
  return register_type(kUint32, shape);
}

}  // namespace

const InstructionInfo& random_instruction() {
  static const InstructionInfo kInfo = {
      .name = "random",
      .summary = "A tile of uniform 32-bit words from Philox4x32-10.",
      .details =
          "Element i (row-major) is word (offset + i) % 4 of the counter (offset + i) / 4 under "
          "the "
          "key `seed`: the same for every layout and backend. "
          "Source: Salmon et al. 2011; anybit/base/philox.h with stream 0.",
      .example = "%bits = random(shape=[1024], seed=seed, offset=block.x * 1024)",
      .attributes = {{"shape", AttributeKind::kIntegers},
                     {"seed", AttributeKind::kExpr},
                     {"offset", AttributeKind::kExpr}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_default_result};
  return kInfo;
}

}  // namespace anybit::vm

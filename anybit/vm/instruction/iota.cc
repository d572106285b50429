#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kShape, kDim };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const auto& shape = view.attribute<std::vector<int64_t>>(kShape);
  ANYBIT_TRY(check_tile_shape(shape));
  ANYBIT_TRY(rules::check_dimension(view.integer(kDim), shape.size()));
  return register_type(kInt32, shape);
}

}  // namespace

const InstructionInfo& iota_instruction() {
  static const InstructionInfo kInfo = {
      .name = "iota",
      .summary = "An int32 tile whose elements are their own index along one dimension.",
      .details = "Element (i, j, ...) is the coordinate in dimension `dim`, from 0.",
      .example = "%column = iota(shape=[16, 64], dim=1)",
      .attributes = {{"shape", AttributeKind::kIntegers}, {"dim", AttributeKind::kInteger}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_default_result};
  return kInfo;
}

}  // namespace anybit::vm

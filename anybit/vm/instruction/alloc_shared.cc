#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kElement, kShape };

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const auto& shape = view.attribute<std::vector<int64_t>>(kShape);
  ANYBIT_TRY(check_tile_shape(shape));
  return shared_type(view.attribute<numeric::ElementFormat>(kElement), shape);
}

}  // namespace

const InstructionInfo& alloc_shared_instruction() {
  static const InstructionInfo kInfo = {
      .name = "alloc_shared",
      .summary = "A tile in shared memory, not yet written.",
      .details =
          "Lives until `free_shared`, or to the end of the kernel. Its layout is the annotation of "
          "the result, or chosen by the pass that plans shared memory. Reading an element before "
          "it is written is an error of the program, which the reference backend reports.",
      .example = "%s = alloc_shared(element=f16, shape=[64, 64])",
      .attributes = {{"element", AttributeKind::kElement}, {"shape", AttributeKind::kIntegers}},
      .result = ResultKind::kAlways,
      .effects = kOther,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm

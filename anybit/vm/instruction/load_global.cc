#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kOffset, kShape, kCache };

constexpr std::string_view kCacheNames[] = {"all", "streaming"};

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  const TensorType& source = view.operand(0);
  ANYBIT_TRY(
      rules::check_offsets(view.attribute<std::vector<Expr>>(kOffset), source.rank(), "offset"));
  const auto& shape = view.attribute<std::vector<int64_t>>(kShape);
  ANYBIT_TRY(check_tile_shape(shape));
  if (shape.size() > source.rank()) {
    return fail(ErrorCode::kInvalidArgument, "a tile {} of a tensor of rank {}", shape_text(shape),
                source.rank());
  }
  return register_type(source.element, shape);
}

}  // namespace

const InstructionInfo& load_global_instruction() {
  static const InstructionInfo kInfo = {
      .name = "load_global",
      .summary = "Reads a tile of a global tensor.",
      .details =
          "Element x of the result is element x + offset of the operand; a tile of lower rank "
          "spans "
          "the last dimensions. Elements outside the operand read as code 0 and touch no memory. "
          "`cache=streaming` says that the data is read once. `in_bounds=true` promises that the "
          "tile "
          "lies inside, which spares the tests; breaking it is an error of the program.",
      .example = "%a = load_global(%x, offset=[block.x * 64, k], shape=[64, 32])",
      .operands = {{"global", MemorySpace::kGlobal}},
      .attributes = {{"offset", AttributeKind::kExprs},
                     {"shape", AttributeKind::kIntegers},
                     {"cache", AttributeKind::kName, true, kCacheNames},
                     {"in_bounds", AttributeKind::kFlag, true}},
      .result = ResultKind::kAlways,
      .effects = kReadsGlobal,
      .infer_type = infer_type,
      .propose_layouts = rules::propose_default_result};
  return kInfo;
}

}  // namespace anybit::vm

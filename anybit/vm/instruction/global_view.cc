#include "anybit/vm/instruction/internal/rules.h"

namespace anybit::vm {
namespace {

enum : size_t { kPointer, kElement, kShape, kStrides };

/// What describes a tensor must stay as it is while the tensor is used: no `var`.
Status check_constant(const InstructionView& view, size_t attribute) {
  std::vector<Expr> exprs;
  if (const auto* expr = std::get_if<Expr>(&view.instruction.attributes[attribute])) {
    exprs = {*expr};
  } else if (view.has_attribute(attribute)) {
    exprs = view.attribute<std::vector<Expr>>(attribute);
  }
  const Variable* changing = nullptr;
  for (const Expr& expr : exprs) {
    for_each_variable(expr, [&](VariableId id) {
      const Variable& variable = view.program.variables[id];
      if (variable.role == VariableRole::kMutable) changing = &variable;
    });
  }
  if (changing == nullptr) return {};
  return fail(ErrorCode::kInvalidArgument,
              "{} is a var, which may change while the tensor is used; take a let of it",
              changing->name);
}

Result<std::optional<TensorType>> infer_type(const InstructionView& view) {
  if (view.attribute<Expr>(kPointer).type() != ScalarType::kPointer) {
    return fail(ErrorCode::kInvalidArgument, "pointer: expected ptr, found {}",
                scalar_type_name(view.attribute<Expr>(kPointer).type()));
  }
  for (size_t i : {kPointer, kShape, kStrides}) ANYBIT_TRY(check_constant(view, i));
  TensorType type;
  type.space = MemorySpace::kGlobal;
  type.element = view.attribute<numeric::ElementFormat>(kElement);
  type.extents = view.attribute<std::vector<Expr>>(kShape);
  if (type.extents.empty() || type.extents.size() > kMaxTileRank) {
    return fail(ErrorCode::kInvalidArgument, "shape of rank {}, expected 1 to {}",
                type.extents.size(), kMaxTileRank);
  }
  ANYBIT_TRY(rules::check_offsets(type.extents, type.extents.size(), "shape"));
  if (view.has_attribute(kStrides)) {
    type.strides = view.attribute<std::vector<Expr>>(kStrides);
    ANYBIT_TRY(rules::check_offsets(type.strides, type.extents.size(), "strides"));
    return type;
  }
  type.strides.assign(type.extents.size(), Expr(1));
  for (size_t d = type.extents.size() - 1; d > 0; --d) {
    type.strides[d - 1] = type.strides[d] * type.extents[d];
  }
  return type;
}

}  // namespace

const InstructionInfo& global_view_instruction() {
  static const InstructionInfo kInfo = {
      .name = "global_view",
      .summary = "A strided tensor at a pointer.",
      .details =
          "Element (i, j, ...) has the index i * strides[0] + j * strides[1] + ..., row-major "
          "unless "
          "`strides` is given. Elements of b bits are packed: index n is bits [n * b, (n + 1) * b) "
          "of "
          "the little-endian bit stream at `pointer`. Backends may take the pointer to be aligned "
          "to 16 bytes; launching with another is refused.",
      .example = "%x = global_view(pointer=x, element=f16, shape=[m, n])",
      .attributes = {{"pointer", AttributeKind::kExpr},
                     {"element", AttributeKind::kElement},
                     {"shape", AttributeKind::kExprs},
                     {"strides", AttributeKind::kExprs, true}},
      .result = ResultKind::kAlways,
      .infer_type = infer_type};
  return kInfo;
}

}  // namespace anybit::vm

#include "anybit/vm/instruction/internal/rules.h"

#include <algorithm>
#include <numeric>

#include "anybit/base/check.h"

namespace anybit::vm::rules {

using layout::Dims;
using layout::RegisterLayout;

Result<std::vector<int64_t>> broadcast_shape(const std::vector<int64_t>& a,
                                             const std::vector<int64_t>& b) {
  std::vector<int64_t> shape(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < shape.size(); ++i) {  // From the last dimension.
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) {
      return fail(ErrorCode::kInvalidArgument, "shapes {} and {} do not broadcast", shape_text(a),
                  shape_text(b));
    }
    shape[shape.size() - 1 - i] = std::max(x, y);
  }
  return shape;
}

Result<std::vector<int64_t>> permuted_shape(const std::vector<int64_t>& shape,
                                            const std::vector<int64_t>& dims) {
  std::vector<int64_t> sorted = dims, identity(shape.size());
  std::sort(sorted.begin(), sorted.end());
  std::iota(identity.begin(), identity.end(), 0);
  if (sorted != identity) {
    return fail(ErrorCode::kInvalidArgument, "dims {} are no permutation of {} dimensions",
                shape_text(dims), shape.size());
  }
  std::vector<int64_t> result;
  for (const int64_t d : dims) result.push_back(shape[d]);
  return result;
}

std::vector<std::string_view> operator_names(std::span<const OperatorInfo> operators) {
  std::vector<std::string_view> names;
  for (const OperatorInfo& op : operators) names.push_back(op.name);
  return names;
}

Status check_offsets(const std::vector<Expr>& offsets, size_t rank, std::string_view what) {
  if (offsets.size() != rank) {
    return fail(ErrorCode::kInvalidArgument, "{} of {} values, expected {}", what, offsets.size(),
                rank);
  }
  for (const Expr& offset : offsets) {
    if (offset.type() != ScalarType::kI32 && offset.type() != ScalarType::kI64) {
      return fail(ErrorCode::kInvalidArgument, "{}: expected i32 or i64, found {}", what,
                  scalar_type_name(offset.type()));
    }
  }
  return {};
}

Status check_same_element(const TensorType& a, const TensorType& b, std::string_view what) {
  if (a.element == b.element) return {};
  return fail(ErrorCode::kInvalidArgument, "{}: elements {} and {} differ; cast one", what,
              tile_element_name(a.element), tile_element_name(b.element));
}

Status check_same_shape(const std::vector<int64_t>& a, const std::vector<int64_t>& b,
                        std::string_view what) {
  if (a == b) return {};
  return fail(ErrorCode::kInvalidArgument, "{}: shapes {} and {} differ", what, shape_text(a),
              shape_text(b));
}

Status check_dimension(int64_t dim, size_t rank) {
  if (dim >= 0 && dim < static_cast<int64_t>(rank)) return {};
  return fail(ErrorCode::kInvalidArgument, "dim={}, expected 0 to {}", dim,
              static_cast<int64_t>(rank) - 1);
}

std::optional<RegisterLayout> operand_layout(const RegisterLayout& result,
                                             const std::vector<int64_t>& shape) {
  const auto operand = layout::broadcast_operand(result, Dims(shape));
  return operand ? std::optional(*operand) : std::nullopt;
}

RegisterLayout reduced_layout(const RegisterLayout& from, int64_t dim) {
  const int dims[] = {static_cast<int>(dim)};
  const auto reduced = layout::reduce(from, dims, true);
  ANYBIT_CHECK(reduced.has_value());
  return *reduced;
}

RegisterLayout default_layout(const TensorType& type, int64_t num_threads) {
  // Up to 16 bytes a thread, but whole bytes of it, and no thread idle while others take two runs.
  const int64_t last = type.shape.back(), total = type.num_elements();
  int64_t run = std::max<int64_t>(1, 128 / type.element.bits);
  run = int64_t{1} << (63 - __builtin_clzll(static_cast<uint64_t>(run)));
  while (run > 1 && (last % run != 0 || total / run < num_threads) &&
         (run / 2) * type.element.bits % 8 == 0) {
    run /= 2;
  }
  run = std::gcd(run, last);
  const auto coalesced = layout::coalesced(Dims(type.shape), num_threads, run);
  if (coalesced) return *coalesced;
  // No even spread over the threads: every thread of a warp holds everything.
  return layout::replicated(num_threads, static_cast<int>(type.rank())) *
         layout::local(Dims(type.shape));
}

namespace {

bool is_register(const InstructionView& view, size_t i) {
  return view.has_operand(i) && view.operand(i).space == MemorySpace::kRegister;
}

}  // namespace

std::vector<LayoutProposal> propose_elementwise(const InstructionView& view,
                                                RulePriority priority) {
  const Instruction& instruction = view.instruction;
  const auto& result = view.result().register_layout;
  if (priority == RulePriority::kForward && !result) {
    for (size_t i = 0; i < instruction.operands.size(); ++i) {
      if (!is_register(view, i) || !view.operand(i).register_layout) continue;
      if (view.operand(i).shape != view.result().shape) continue;
      return {{instruction.result, *view.operand(i).register_layout,
               "an elementwise result is laid out as its first full operand"}};
    }
  }
  if (priority == RulePriority::kBackward && result) {
    std::vector<LayoutProposal> proposals;
    for (size_t i = 0; i < instruction.operands.size(); ++i) {
      if (!is_register(view, i) || view.operand(i).register_layout) continue;
      if (auto l = operand_layout(*result, view.operand(i).shape)) {
        proposals.push_back({instruction.operands[i], *l,
                             "an elementwise operand is laid out as its result needs it"});
      }
    }
    return proposals;
  }
  return propose_default_result(view, priority);
}

std::optional<RegisterLayout> require_elementwise(const InstructionView& view, size_t operand) {
  if (!is_register(view, operand)) return std::nullopt;
  return operand_layout(*view.result().register_layout, view.operand(operand).shape);
}

std::vector<LayoutProposal> propose_default_result(const InstructionView& view,
                                                   RulePriority priority) {
  if (priority != RulePriority::kDefault || view.instruction.result == kNoValue ||
      view.result().register_layout) {
    return {};
  }
  return {{view.instruction.result, default_layout(view.result(), view.num_threads),
           "row-major, up to 16 bytes a thread"}};
}

std::vector<LayoutProposal> propose_default_operand(const InstructionView& view,
                                                    RulePriority priority) {
  if (priority != RulePriority::kDefault) return {};
  std::vector<LayoutProposal> proposals;
  for (size_t i = 0; i < view.instruction.operands.size(); ++i) {
    if (!is_register(view, i) || view.operand(i).register_layout) continue;
    proposals.push_back({view.instruction.operands[i],
                         default_layout(view.operand(i), view.num_threads),
                         "row-major, up to 16 bytes a thread"});
  }
  return proposals;
}

Result<std::optional<TensorType>> infer_atomic(const InstructionView& view) {
  const TensorType &target = view.operand(0), &indices = view.operand(1);
  if (target.rank() != 1) {
    return fail(ErrorCode::kInvalidArgument, "the target of an atomic has rank 1, found {}",
                target.rank());
  }
  if (indices.element != kInt32) {
    return fail(ErrorCode::kInvalidArgument, "indices of {}, expected int32",
                tile_element_name(indices.element));
  }
  ANYBIT_TRY(check_same_element(target, view.operand(2), "atomic"));
  ANYBIT_TRY(check_same_shape(indices.shape, view.operand(2).shape, "indices and values"));
  const OperatorInfo& op = atomic_operators()[view.integer(0)];
  const bool is_float = target.element == numeric::kF32;
  if (!is_float && target.element != kInt32 && target.element != kUint32) {
    return fail(ErrorCode::kInvalidArgument, "atomics take int32, uint32, f32, found {}",
                tile_element_name(target.element));
  }
  ANYBIT_TRY(check_operand_class(op, target.element));
  if (view.instruction.result == kNoValue) return no_result();
  return register_type(target.element, indices.shape);
}

std::vector<LayoutProposal> propose_atomic(const InstructionView& view, RulePriority priority) {
  const Instruction& instruction = view.instruction;
  const ValueId ids[] = {instruction.operands[1], instruction.operands[2], instruction.result};
  if (priority == RulePriority::kForward || priority == RulePriority::kBackward) {
    for (const ValueId known : ids) {
      if (known == kNoValue || !view.program.type_of(known).register_layout) continue;
      for (const ValueId id : ids) {
        if (id == kNoValue || view.program.type_of(id).register_layout) continue;
        return {{id, *view.program.type_of(known).register_layout,
                 "indices, values and results of an atomic are laid out alike"}};
      }
    }
    return {};
  }
  return propose_default_operand(view, priority);
}

std::optional<RegisterLayout> require_atomic(const InstructionView& view, size_t operand) {
  if (operand == 0) return std::nullopt;
  if (view.instruction.result != kNoValue) return view.result().register_layout;
  return operand == 2 ? view.operand(1).register_layout : std::nullopt;
}

Result<std::optional<TensorType>> infer_semaphore(const InstructionView& view) {
  const TensorType& words = view.operand(0);
  if (words.rank() != 1 || words.element != kInt32) {
    return fail(ErrorCode::kInvalidArgument, "a semaphore is an element of int32[n], found {}",
                tile_element_name(words.element));
  }
  ANYBIT_TRY(check_offsets({view.attribute<Expr>(0)}, 1, "index"));
  ANYBIT_TRY(check_offsets({view.attribute<Expr>(1)}, 1, "value"));
  return no_result();
}

Status check_bulk_tile(const TensorType& shared, const TensorType& global) {
  constexpr size_t kMaxRank = 5;
  constexpr int64_t kMaxExtent = 256, kRowMultiple = 16;
  ANYBIT_TRY(check_same_element(shared, global, "bulk copy"));
  const int bits = shared.element.bits;
  if (bits != 8 && bits != 16 && bits != 32) {
    return fail(ErrorCode::kInvalidArgument,
                "bulk copy of {}: expected elements of 8, 16 or 32 bits",
                tile_element_name(shared.element));
  }
  if (global.rank() > kMaxRank || shared.rank() > global.rank()) {
    return fail(ErrorCode::kInvalidArgument,
                "bulk copy of a tile {} of a tensor of rank {}, expected one of the tile's rank to "
                "{}",
                shape_text(shared.shape), global.rank(), kMaxRank);
  }
  for (const int64_t extent : shared.shape) {
    if (extent <= kMaxExtent) continue;
    return fail(ErrorCode::kInvalidArgument,
                "bulk copy of a tile {}: expected extents of at most {}", shape_text(shared.shape),
                kMaxExtent);
  }
  if (shared.shape.back() * bits / 8 % kRowMultiple != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "bulk copy of a tile {} of {}: expected rows of multiples of {} bytes",
                shape_text(shared.shape), tile_element_name(shared.element), kRowMultiple);
  }
  return {};
}

}  // namespace anybit::vm::rules

// What the rows of the instruction table share: shapes that broadcast, checks, layout rules.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "anybit/layout/register_layout_ops.h"
#include "anybit/layout/register_layout_text.h"
#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/ir/operators.h"

namespace anybit::vm::rules {

/// The shape of an elementwise operation: ranks aligned on the right, extents equal or 1.
/// Errors: kInvalidArgument naming both shapes.
Result<std::vector<int64_t>> broadcast_shape(const std::vector<int64_t>& a,
                                             const std::vector<int64_t>& b);

/// The extents of `shape` in the order `dims`. Errors: kInvalidArgument unless dims is a
/// permutation.
Result<std::vector<int64_t>> permuted_shape(const std::vector<int64_t>& shape,
                                            const std::vector<int64_t>& dims);

/// The names of a table of operators, for AttributeInfo::names.
std::vector<std::string_view> operator_names(std::span<const OperatorInfo> operators);

/// Errors: kInvalidArgument unless there is one offset for each dimension of the operand, each an
/// integer.
Status check_offsets(const std::vector<Expr>& offsets, size_t rank, std::string_view what);

/// Errors: kInvalidArgument unless both elements are the same.
Status check_same_element(const TensorType& a, const TensorType& b, std::string_view what);

/// Errors: kInvalidArgument unless both shapes are the same.
Status check_same_shape(const std::vector<int64_t>& a, const std::vector<int64_t>& b,
                        std::string_view what);

/// Errors: kInvalidArgument unless 0 <= dim < rank.
Status check_dimension(int64_t dim, size_t rank);

/// The layout of an elementwise operand of shape `shape` under a result of layout `result`: each
/// thread holds what its elements need, broadcast dimensions once.
std::optional<layout::RegisterLayout> operand_layout(const layout::RegisterLayout& result,
                                                     const std::vector<int64_t>& shape);

/// What is left of a layout when dimension `dim` is reduced to 1: threads that held parts of it
/// hold copies of the rest.
layout::RegisterLayout reduced_layout(const layout::RegisterLayout& from, int64_t dim);

/// The row-major layout that loads and stores take by default: up to 16 contiguous bytes a thread.
layout::RegisterLayout default_layout(const TensorType& type, int64_t num_threads);

// Layout rules of elementwise instructions, whose operands are all registers.
std::vector<LayoutProposal> propose_elementwise(const InstructionView& view, RulePriority priority);
std::optional<layout::RegisterLayout> require_elementwise(const InstructionView& view,
                                                          size_t operand);

/// kDefault: default_layout for the result. Of instructions that make a tile.
std::vector<LayoutProposal> propose_default_result(const InstructionView& view,
                                                   RulePriority priority);

/// kDefault: default_layout for the last register operand. Of instructions that use a tile up.
std::vector<LayoutProposal> propose_default_operand(const InstructionView& view,
                                                    RulePriority priority);

// The rules that atomic_global and atomic_shared share, and those of both semaphore instructions.
Result<std::optional<TensorType>> infer_atomic(const InstructionView& view);
std::vector<LayoutProposal> propose_atomic(const InstructionView& view, RulePriority priority);
std::optional<layout::RegisterLayout> require_atomic(const InstructionView& view, size_t operand);
Result<std::optional<TensorType>> infer_semaphore(const InstructionView& view);

/// What copy_bulk and store_bulk ask of a shared tile and a global tensor: the same element of 8,
/// 16 or 32 bits, a tensor of rank 1 to 5 and at least the tile's, extents of the tile up to 256,
/// rows of whole multiples of 16 bytes. Errors: kInvalidArgument.
Status check_bulk_tile(const TensorType& shared, const TensorType& global);

/// A type without a result.
inline Result<std::optional<TensorType>> no_result() { return std::optional<TensorType>(); }

}  // namespace anybit::vm::rules

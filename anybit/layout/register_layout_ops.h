// Operations on register layouts. Every result is stated through f, the function from (thread,
// local) to elements; S, T, E are the shape, threads and local places of a layout.
// Dimensions and sizes may come from somebody's program, so what does not fit is an Error.
#pragma once

#include <cstdint>
#include <span>

#include "anybit/base/result.h"
#include "anybit/layout/register_layout.h"

namespace anybit::layout {

/// The product outer . inner: each element of `outer` becomes a tile laid out by `inner`.
/// Ranks are aligned on the right (the lower one gets leading dimensions of 1).
/// Post: f(t, e) = f_outer(t / T_inner, e / E_inner) * S_inner + f_inner(t % T_inner, e % E_inner),
/// with shape S_outer * S_inner, dimension by dimension. Associative; RegisterLayout() is the unit.
/// Errors: kInvalidArgument if the product exceeds kMaxElements.
Result<RegisterLayout> compose(const RegisterLayout& outer, const RegisterLayout& inner);

/// compose() of layouts written down in code. Pre: the product is within kMaxElements.
RegisterLayout operator*(const RegisterLayout& outer, const RegisterLayout& inner);

/// The outer factor P of layout == P . inner; of the rank of `layout`, and unique.
/// Example: divide(spatial({2,4}), spatial({1,2})) is spatial({2,2}).
/// Errors: kInvalidArgument if there is none, saying in which of shape, threads, locals.
Result<RegisterLayout> divide(const RegisterLayout& layout, const RegisterLayout& inner);

/// The inner factor Q of layout == outer . Q; of the rank of `layout`, and unique.
/// Errors: kInvalidArgument if there is none, saying in which of shape, threads, locals.
Result<RegisterLayout> left_divide(const RegisterLayout& layout, const RegisterLayout& outer);

/// The product over separate dimensions.
/// Post: shape is S_a followed by S_b; f(t, e) is f_a(t / T_b, e / E_b) followed by
/// f_b(t % T_b, e % E_b).
/// Errors: kInvalidArgument beyond kMaxRank or kMaxElements.
Result<RegisterLayout> concat(const RegisterLayout& a, const RegisterLayout& b);

/// The layout of a reduction over `dims`: whoever held a part of a sum holds the sum.
/// Post: with `keep_dims` the reduced extents are 1, else they are gone. A thread holds element x
/// iff it held an element that reduces into x; local places keep their order.
/// Errors: kInvalidArgument for a dimension that is out of range or named twice.
Result<RegisterLayout> reduce(const RegisterLayout& layout, std::span<const int> dims,
                              bool keep_dims);

/// reduce() with keep_dims over the dimensions where `shape` has 1 and the layout has not.
/// Errors: kInvalidArgument unless `shape` is of the layout's rank, equal or 1 everywhere.
Result<RegisterLayout> reduce_to(const RegisterLayout& layout, const Dims& shape);

/// The layout that an elementwise operand of `operand_shape` needs under a result of layout
/// `result`: every thread holds, once, the operand's elements for its elements of the result. Ranks
/// are aligned on the right, extents of 1 are stretched.
/// Post: shape() == operand_shape; any layout that covers() this one serves as well.
/// Errors: kInvalidArgument if `operand_shape` does not broadcast to the shape of `result`.
Result<RegisterLayout> broadcast_operand(const RegisterLayout& result, const Dims& operand_shape);

/// The same elements, numbered row-major, as a tile of another shape.
/// Post: linear_index(t, e) is unchanged.
/// Errors: kInvalidArgument if the sizes differ, or if a digit straddles a border between new
/// dimensions and cannot be split there: then no layout expresses the map.
Result<RegisterLayout> reshape(const RegisterLayout& layout, const Dims& shape);

/// Dimensions `first` to `last` (inclusive) made one; row-major element numbers are unchanged.
/// Errors: kInvalidArgument unless 0 <= first <= last < rank().
Result<RegisterLayout> flatten(const RegisterLayout& layout, int first, int last);

/// Post: dimension i of the result is dimension order[i] of `layout`; coordinates move alike.
/// Errors: kInvalidArgument unless `order` is a permutation of all dimensions.
Result<RegisterLayout> permute(const RegisterLayout& layout, std::span<const int> order);

/// Swaps dimensions `a` and `b`. Errors: kInvalidArgument if one does not exist.
Result<RegisterLayout> transpose(const RegisterLayout& layout, int a, int b);

/// Leaves out `dims`. Errors: kInvalidArgument unless each exists, once, with extent 1.
Result<RegisterLayout> squeeze(const RegisterLayout& layout, std::span<const int> dims);

/// Adds dimensions of extent 1, which are dimensions `dims` of the result.
/// Errors: kInvalidArgument unless each is within the result, once, and the rank is allowed.
Result<RegisterLayout> unsqueeze(const RegisterLayout& layout, std::span<const int> dims);

/// Whether a value laid out by `have` can be used where `need` is asked for without moving it:
/// equal shapes and thread counts, and each thread that needs an element has it. Reflexive and
/// transitive. Post: true iff the holders of x in `need` are among those in `have`, for all x.
bool covers(const RegisterLayout& have, const RegisterLayout& need);

/// A row-major layout for reading and writing memory: each thread takes `vector_elements`
/// neighbours of the last dimension, threads follow each other along it and then along the
/// dimension before, and the whole repeats over the tile. A tile smaller than num_threads vectors
/// is replicated. Post: contiguous_local_run() is at least the power of two in `vector_elements`.
/// Errors: kInvalidArgument if the vectors do not divide the last dimension, or the threads do not
/// divide the tile.
Result<RegisterLayout> coalesced(const Dims& shape, int64_t num_threads, int64_t vector_elements);

/// The largest power of two v that divides local_size() such that in every thread the local places
/// [i*v, (i+1)*v) are neighbours, in order, along the last dimension: the width of its vectors.
int64_t contiguous_local_run(const RegisterLayout& layout);

}  // namespace anybit::layout

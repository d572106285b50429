#include "anybit/layout/register_layout_ops.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

#include "anybit/layout/internal/digits.h"

namespace anybit::layout {
namespace {

using internal::append_digit;
using internal::cut;
using internal::Digits;

constexpr int kVanishes = -1;

/// `layout` with ones before its shape; its digits are unchanged but for the dimension's number.
Digits shifted(std::span<const Digit> digits, int by) {
  Digits result(digits.begin(), digits.end());
  for (Digit& digit : result) {
    if (!digit.is_replicated()) digit.dim += by;
  }
  return result;
}

Digits shifted_to(const RegisterLayout& layout, std::span<const Digit> digits, int rank) {
  return shifted(digits, rank - layout.rank());
}

/// The digits of `outer` with strides in units of tiles of shape `tile`, before those of `inner`.
Digits composed(Digits outer, std::span<const Digit> inner, const Dims& tile) {
  for (Digit& digit : outer) {
    if (!digit.is_replicated()) digit.stride *= tile[digit.dim];
  }
  outer.insert(outer.end(), inner.begin(), inner.end());
  return outer;
}

/// Divides every stride by the extent of `tile`; false if one is not a multiple.
bool divide_strides(Digits& digits, const Dims& tile) {
  for (Digit& digit : digits) {
    if (digit.is_replicated()) continue;
    if (digit.stride % tile[digit.dim] != 0) return false;
    digit.stride /= tile[digit.dim];
  }
  return true;
}

/// shape / divisor, dimension by dimension, ranks aligned on the right.
Result<Dims> divide_shape(const Dims& shape, const Dims& divisor) {
  if (divisor.size() > shape.size()) {
    return fail(ErrorCode::kInvalidArgument, "cannot divide a shape of rank {} by one of rank {}",
                shape.size(), divisor.size());
  }
  const Dims padded = pad_left(divisor, shape.size());
  Dims quotient = shape;
  for (int d = 0; d < shape.size(); ++d) {
    if (shape[d] % padded[d] != 0) {
      return fail(ErrorCode::kInvalidArgument, "cannot divide shape {} by {}: dimension {}",
                  to_string(shape), to_string(divisor), d);
    }
    quotient[d] = shape[d] / padded[d];
  }
  return quotient;
}

/// The upper part of `digits` where the lower part is `inner`, in units of tiles.
Result<Digits> outer_part(std::span<const Digit> digits, const Digits& inner, int64_t inner_count,
                          const Dims& tile, std::string_view list) {
  auto halves = cut(digits, inner_count);
  if (!halves || halves->lower != inner || !divide_strides(halves->upper, tile)) {
    return fail(ErrorCode::kInvalidArgument, "the {} of the layout do not end in those divided by",
                list);
  }
  return std::move(halves->upper);
}

/// The lower part of `digits` where the upper part, in units of tiles, is `outer`.
Result<Digits> inner_part(std::span<const Digit> digits, const Digits& outer, int64_t inner_count,
                          const Dims& tile, std::string_view list) {
  auto halves = cut(digits, inner_count);
  if (!halves || !divide_strides(halves->upper, tile) || halves->upper != outer) {
    return fail(ErrorCode::kInvalidArgument,
                "the {} of the layout do not begin with those divided by", list);
  }
  return std::move(halves->lower);
}

/// Fails unless `count`, of threads or local places, is a multiple of `divisor`.
Status check_count(int64_t count, int64_t divisor, std::string_view what) {
  if (count % divisor == 0) return {};
  return fail(ErrorCode::kInvalidArgument, "cannot divide {} {} by {}", count, what, divisor);
}

/// Marks `dims` in a mask. Errors: one is out of range or named twice.
Result<std::array<bool, kMaxRank>> dims_mask(std::span<const int> dims, int rank) {
  std::array<bool, kMaxRank> mask{};
  for (const int d : dims) {
    if (d < 0 || d >= rank) {
      return fail(ErrorCode::kInvalidArgument, "there is no dimension {}: the rank is {}", d, rank);
    }
    if (std::exchange(mask[static_cast<size_t>(d)], true)) {
      return fail(ErrorCode::kInvalidArgument, "dimension {} is named twice", d);
    }
  }
  return mask;
}

using DimMap = std::array<int, kMaxRank>;

/// The layout of `shape` in which old dimension d is map[d]. Where map[d] is kVanishes, threads
/// along d become replicas and local places merge.
RegisterLayout relabelled(const RegisterLayout& layout, const Dims& shape, const DimMap& map) {
  Digits threads;
  Digits locals;
  const auto target = [&map](const Digit& digit) { return map[static_cast<size_t>(digit.dim)]; };
  for (Digit digit : layout.thread_digits()) {
    if (!digit.is_replicated()) digit.dim = target(digit);
    threads.push_back(digit.dim == kVanishes ? Digit{.extent = digit.extent} : digit);
  }
  for (Digit digit : layout.local_digits()) {
    digit.dim = target(digit);
    if (digit.dim != kVanishes) locals.push_back(digit);
  }
  return RegisterLayout::from_digits(shape, threads, locals).value();
}

/// The row-major linear map of a layout: digits of a single dimension, in normal form.
Digits linear_digits(std::span<const Digit> digits, const Dims& strides) {
  Digits linear;
  for (const Digit& digit : digits) {
    if (digit.is_replicated()) {
      append_digit(linear, digit);
    } else {
      append_digit(linear, {digit.extent, 0, digit.stride * strides[digit.dim]});
    }
  }
  return linear;
}

/// Splits digits of a linear map at the borders between the dimensions of `shape`.
Result<Digits> split_at_borders(const Digits& linear, const Dims& shape) {
  const Dims strides = row_major_strides(shape);
  Digits result;
  for (const Digit& digit : linear) {
    if (digit.is_replicated()) {
      result.push_back(digit);
      continue;
    }
    const int64_t end = digit.stride * digit.extent;
    Digits pieces;  // Least significant first.
    int d = shape.size() - 1;
    for (int64_t begin = digit.stride; begin < end;) {
      while (strides[d] * shape[d] <= begin) --d;
      const int64_t border = std::min(end, strides[d] * shape[d]);
      if (begin % strides[d] != 0 || border % begin != 0 || end % border != 0) {
        return fail(ErrorCode::kInvalidArgument,
                    "cannot reshape to {}: a digit of extent {} and stride {} straddles dimension "
                    "{} and does not split there",
                    to_string(shape), digit.extent, digit.stride, d);
      }
      pieces.push_back({border / begin, d, begin / strides[d]});
      begin = border;
    }
    result.insert(result.end(), pieces.rbegin(), pieces.rend());
  }
  return result;
}

/// Whether one thread digit of `need` gives thread digit `have`, of weight `have_weight`, of a
/// layout that covers: all elements that a thread needs then agree with the thread in that digit.
bool is_implied(const Digit& have, int64_t have_weight, const RegisterLayout& need) {
  int64_t weight = need.num_threads();
  for (const Digit& digit : need.thread_digits()) {
    weight /= digit.extent;
    if (digit.dim != have.dim || have.stride % digit.stride != 0) continue;
    const int64_t ratio = have.stride / digit.stride;
    if (digit.extent % (ratio * have.extent) == 0 && weight * ratio == have_weight) return true;
  }
  return false;
}

bool has_powers_of_two(std::span<const Digit> digits) {
  return std::ranges::all_of(
      digits, [](const Digit& digit) { return (digit.extent & (digit.extent - 1)) == 0; });
}

/// is_implied() by its meaning: digits whose extents do not nest can agree by arithmetic accident.
/// Example: digit {2, 0, 1} of weight 1 under 18 threads {2,0,9}, {3,0,1}, {3,0,3}: both t and x
/// are a + b + c modulo 2.
bool agrees_everywhere(const Digit& have, int64_t have_weight, const RegisterLayout& need) {
  for (int64_t t = 0; t < need.num_threads(); ++t) {
    for (int64_t e = 0; e < need.local_size(); ++e) {
      const int64_t x = need.coordinates(t, e)[have.dim];
      if (x / have.stride % have.extent != t / have_weight % have.extent) return false;
    }
  }
  return true;
}

}  // namespace

Result<RegisterLayout> compose(const RegisterLayout& outer, const RegisterLayout& inner) {
  const int rank = std::max(outer.rank(), inner.rank());
  const Dims tile = pad_left(inner.shape(), rank);
  Dims shape = pad_left(outer.shape(), rank);
  for (int d = 0; d < rank; ++d) shape[d] *= tile[d];
  ANYBIT_TRY(checked_shape(shape));
  const auto join = [&](std::span<const Digit> a, std::span<const Digit> b) {
    return composed(shifted_to(outer, a, rank), shifted_to(inner, b, rank), tile);
  };
  return RegisterLayout::from_digits(shape, join(outer.thread_digits(), inner.thread_digits()),
                                     join(outer.local_digits(), inner.local_digits()));
}

RegisterLayout operator*(const RegisterLayout& outer, const RegisterLayout& inner) {
  return compose(outer, inner).value();
}

Result<RegisterLayout> divide(const RegisterLayout& layout, const RegisterLayout& inner) {
  ANYBIT_ASSIGN(const Dims shape, divide_shape(layout.shape(), inner.shape()));
  ANYBIT_TRY(check_count(layout.num_threads(), inner.num_threads(), "threads"));
  ANYBIT_TRY(check_count(layout.local_size(), inner.local_size(), "local places"));
  const int rank = layout.rank();
  const Dims tile = pad_left(inner.shape(), rank);
  ANYBIT_ASSIGN(const Digits threads,
                outer_part(layout.thread_digits(), shifted_to(inner, inner.thread_digits(), rank),
                           inner.num_threads(), tile, "threads"));
  ANYBIT_ASSIGN(const Digits locals,
                outer_part(layout.local_digits(), shifted_to(inner, inner.local_digits(), rank),
                           inner.local_size(), tile, "local places"));
  return RegisterLayout::from_digits(shape, threads, locals);
}

Result<RegisterLayout> left_divide(const RegisterLayout& layout, const RegisterLayout& outer) {
  ANYBIT_ASSIGN(const Dims tile, divide_shape(layout.shape(), outer.shape()));
  ANYBIT_TRY(check_count(layout.num_threads(), outer.num_threads(), "threads"));
  ANYBIT_TRY(check_count(layout.local_size(), outer.local_size(), "local places"));
  const int rank = layout.rank();
  ANYBIT_ASSIGN(const Digits threads,
                inner_part(layout.thread_digits(), shifted_to(outer, outer.thread_digits(), rank),
                           layout.num_threads() / outer.num_threads(), tile, "threads"));
  ANYBIT_ASSIGN(const Digits locals,
                inner_part(layout.local_digits(), shifted_to(outer, outer.local_digits(), rank),
                           layout.local_size() / outer.local_size(), tile, "local places"));
  return RegisterLayout::from_digits(tile, threads, locals);
}

Result<RegisterLayout> concat(const RegisterLayout& a, const RegisterLayout& b) {
  std::vector<int64_t> shape(a.shape().begin(), a.shape().end());
  shape.insert(shape.end(), b.shape().begin(), b.shape().end());
  const auto join = [&](std::span<const Digit> first, std::span<const Digit> second) {
    Digits digits(first.begin(), first.end());
    const Digits moved = shifted(second, a.rank());
    digits.insert(digits.end(), moved.begin(), moved.end());
    return digits;
  };
  return RegisterLayout::from_digits(shape, join(a.thread_digits(), b.thread_digits()),
                                     join(a.local_digits(), b.local_digits()));
}

Result<RegisterLayout> reduce(const RegisterLayout& layout, std::span<const int> dims,
                              bool keep_dims) {
  ANYBIT_ASSIGN(const auto is_reduced, dims_mask(dims, layout.rank()));
  DimMap map{};
  Dims shape;
  for (int d = 0; d < layout.rank(); ++d) {
    const bool reduced = is_reduced[static_cast<size_t>(d)];
    map[static_cast<size_t>(d)] = reduced ? kVanishes : shape.size();
    if (!reduced || keep_dims) shape.push_back(reduced ? 1 : layout.shape()[d]);
  }
  return relabelled(layout, shape, map);
}

Result<RegisterLayout> reduce_to(const RegisterLayout& layout, const Dims& shape) {
  if (shape.size() != layout.rank()) {
    return fail(ErrorCode::kInvalidArgument, "cannot reduce {} to {}: the ranks differ",
                to_string(layout.shape()), to_string(shape));
  }
  std::vector<int> dims;
  for (int d = 0; d < shape.size(); ++d) {
    if (shape[d] == layout.shape()[d]) continue;
    if (shape[d] != 1) {
      return fail(ErrorCode::kInvalidArgument, "cannot reduce {} to {}: dimension {}",
                  to_string(layout.shape()), to_string(shape), d);
    }
    dims.push_back(d);
  }
  return reduce(layout, dims, true);
}

Result<RegisterLayout> broadcast_operand(const RegisterLayout& result, const Dims& operand_shape) {
  if (operand_shape.size() > result.rank()) {
    return fail(ErrorCode::kInvalidArgument, "{} does not broadcast to {}: it has more dimensions",
                to_string(operand_shape), to_string(result.shape()));
  }
  ANYBIT_ASSIGN(const RegisterLayout padded,
                reduce_to(result, pad_left(operand_shape, result.rank())));
  std::vector<int> leading(static_cast<size_t>(result.rank() - operand_shape.size()));
  std::iota(leading.begin(), leading.end(), 0);
  return squeeze(padded, leading);
}

Result<RegisterLayout> reshape(const RegisterLayout& layout, const Dims& shape) {
  ANYBIT_TRY(checked_shape(shape));
  if (num_elements(shape) != layout.size()) {
    return fail(ErrorCode::kInvalidArgument, "cannot reshape {} to {}: {} and {} elements",
                to_string(layout.shape()), to_string(shape), layout.size(), num_elements(shape));
  }
  const Dims strides = row_major_strides(layout.shape());
  ANYBIT_ASSIGN(const Digits threads,
                split_at_borders(linear_digits(layout.thread_digits(), strides), shape));
  ANYBIT_ASSIGN(const Digits locals,
                split_at_borders(linear_digits(layout.local_digits(), strides), shape));
  return RegisterLayout::from_digits(shape, threads, locals);
}

Result<RegisterLayout> flatten(const RegisterLayout& layout, int first, int last) {
  if (first < 0 || last < first || last >= layout.rank()) {
    return fail(ErrorCode::kInvalidArgument, "cannot flatten dimensions {} to {}: the rank is {}",
                first, last, layout.rank());
  }
  Dims shape;
  for (int d = 0; d < layout.rank(); ++d) {
    if (d > first && d <= last) {
      shape[first] *= layout.shape()[d];
    } else {
      shape.push_back(layout.shape()[d]);
    }
  }
  return reshape(layout, shape);
}

Result<RegisterLayout> permute(const RegisterLayout& layout, std::span<const int> order) {
  ANYBIT_TRY(dims_mask(order, layout.rank()));
  if (order.size() != static_cast<size_t>(layout.rank())) {
    return fail(ErrorCode::kInvalidArgument, "the order names {} of {} dimensions", order.size(),
                layout.rank());
  }
  DimMap map{};
  Dims shape;
  for (const int d : order) {
    map[static_cast<size_t>(d)] = shape.size();
    shape.push_back(layout.shape()[d]);
  }
  return relabelled(layout, shape, map);
}

Result<RegisterLayout> transpose(const RegisterLayout& layout, int a, int b) {
  for (const int d : {a, b}) ANYBIT_TRY(dims_mask(std::span(&d, 1), layout.rank()));
  std::vector<int> order(static_cast<size_t>(layout.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<size_t>(a)], order[static_cast<size_t>(b)]);
  return permute(layout, order);
}

Result<RegisterLayout> squeeze(const RegisterLayout& layout, std::span<const int> dims) {
  ANYBIT_ASSIGN(const auto is_gone, dims_mask(dims, layout.rank()));
  for (const int d : dims) {
    if (layout.shape()[d] != 1) {
      return fail(ErrorCode::kInvalidArgument, "cannot squeeze dimension {} of {}", d,
                  to_string(layout.shape()));
    }
  }
  DimMap map{};
  Dims shape;
  for (int d = 0; d < layout.rank(); ++d) {
    map[static_cast<size_t>(d)] = shape.size();
    if (!is_gone[static_cast<size_t>(d)]) shape.push_back(layout.shape()[d]);
  }
  return relabelled(layout, shape, map);
}

Result<RegisterLayout> unsqueeze(const RegisterLayout& layout, std::span<const int> dims) {
  const size_t rank = static_cast<size_t>(layout.rank()) + dims.size();
  if (rank > static_cast<size_t>(kMaxRank)) {
    return fail(ErrorCode::kInvalidArgument, "a tile has at most {} dimensions, found {}", kMaxRank,
                rank);
  }
  ANYBIT_ASSIGN(const auto is_new, dims_mask(dims, static_cast<int>(rank)));
  DimMap map{};
  Dims shape = Dims::filled(static_cast<int>(rank), 1);
  int old_dim = 0;
  for (int d = 0; d < shape.size(); ++d) {
    if (is_new[static_cast<size_t>(d)]) continue;
    map[static_cast<size_t>(old_dim)] = d;
    shape[d] = layout.shape()[old_dim++];
  }
  return relabelled(layout, shape, map);
}

bool covers(const RegisterLayout& have, const RegisterLayout& need) {
  if (have.shape() != need.shape() || have.num_threads() != need.num_threads()) return false;
  // Where all extents are powers of two a digit is some bits, which agree iff they are the same.
  const bool is_binary = has_powers_of_two(have.thread_digits()) &&
                         has_powers_of_two(need.thread_digits()) &&
                         has_powers_of_two(need.local_digits());
  int64_t weight = have.num_threads();
  for (const Digit& digit : have.thread_digits()) {
    weight /= digit.extent;
    if (digit.is_replicated() || is_implied(digit, weight, need)) continue;
    if (is_binary || !agrees_everywhere(digit, weight, need)) return false;
  }
  return true;
}

Result<RegisterLayout> coalesced(const Dims& shape, int64_t num_threads, int64_t vector_elements) {
  ANYBIT_TRY(checked_shape(shape));
  if (num_threads < 1 || num_threads > kMaxElements || vector_elements < 1) {
    return fail(ErrorCode::kInvalidArgument, "cannot spread {} over {} threads in vectors of {}",
                to_string(shape), num_threads, vector_elements);
  }
  const int rank = shape.size();
  const int64_t last = rank == 0 ? 1 : shape.back();
  if (last % vector_elements != 0) {
    return fail(ErrorCode::kInvalidArgument, "vectors of {} do not divide the last dimension of {}",
                vector_elements, to_string(shape));
  }
  Dims repeats = shape;  // What is left to each thread, in vectors.
  Dims vector = Dims::filled(rank, 1);
  if (rank > 0) {
    repeats[rank - 1] /= vector_elements;
    vector[rank - 1] = vector_elements;
  }
  Dims spread = Dims::filled(rank, 1);
  int64_t threads_left = num_threads;
  for (int d = rank - 1; d >= 0; --d) {
    spread[d] = std::gcd(threads_left, repeats[d]);
    repeats[d] /= spread[d];
    threads_left /= spread[d];
  }
  if (threads_left > 1 && num_elements(repeats) > 1) {
    return fail(ErrorCode::kInvalidArgument, "{} threads with vectors of {} do not divide {}",
                num_threads, vector_elements, to_string(shape));
  }
  return replicated(threads_left) * local(repeats) * spatial(spread) * local(vector);
}

int64_t contiguous_local_run(const RegisterLayout& layout) {
  if (layout.local_digits().empty()) return 1;
  const Digit& digit = layout.local_digits().back();
  if (digit.dim != layout.rank() - 1 || digit.stride != 1) return 1;
  return digit.extent & -digit.extent;
}

}  // namespace anybit::layout

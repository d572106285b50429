// SharedLayout: where in shared memory each element of a tile lies, as strides and an xor swizzle.
// All offsets are in elements. Bank conflicts and the choice of a swizzle: bank_conflicts.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/dims.h"

namespace anybit::layout {

/// A permutation of offsets: bits [base + shift, base + shift + bits) are xored into bits
/// [base, base + bits). Its own inverse, since bits <= shift. bits == 0: nothing.
struct Swizzle {
  int base = 0;
  int bits = 0;
  int shift = 0;

  /// offset ^ ((offset >> shift) & (((1 << bits) - 1) << base)). Pre: offset >= 0.
  constexpr int64_t apply(int64_t offset) const {
    return offset ^ ((offset >> shift) & (((int64_t{1} << bits) - 1) << base));
  }
  /// It permutes each aligned block of 2^(base + bits) offsets within itself.
  constexpr int64_t block() const { return int64_t{1} << (base + bits); }
  friend constexpr bool operator==(const Swizzle&, const Swizzle&) = default;
};

/// A factor of dimension `dim` whose digit moves `stride` elements in memory.
struct SharedMode {
  int64_t extent = 1;
  int dim = 0;
  int64_t stride = 0;
  friend constexpr bool operator==(const SharedMode&, const SharedMode&) = default;
};

/// offset(x) = swizzle(base_offset + linear_offset(x)), linear_offset(x) = sum of digit * stride,
/// where coordinate d is the mixed-radix number of the digits of the modes of d.
/// Always in normal form (no mode of extent 1, none that its neighbour could express), so equality
/// is that of shape, base offset, linear offsets and swizzle.
class SharedLayout {
 public:
  /// The scalar at offset 0.
  SharedLayout() = default;

  /// Modes of one dimension come most significant first. Strides may be 0 or overlap.
  /// Errors: kInvalidArgument if the modes of a dimension do not multiply to its extent, on
  /// negative strides or offsets, offsets of kMaxElements or more, and a swizzle other than 0 <=
  /// base, 0 <= bits <= shift, base + bits + shift <= 31.
  static Result<SharedLayout> make(std::span<const int64_t> shape,
                                   std::span<const SharedMode> modes, Swizzle swizzle = {},
                                   int64_t base_offset = 0);

  const Dims& shape() const { return shape_; }
  int rank() const { return shape_.size(); }
  /// Sorted by dimension, most significant first.
  std::span<const SharedMode> modes() const { return modes_; }
  Swizzle swizzle() const { return swizzle_; }
  int64_t base_offset() const { return base_offset_; }

  /// The sum of digit * stride, without base offset and swizzle. Pre: coords lie inside the shape.
  int64_t linear_offset(const Dims& coords) const;
  /// Where the element at `coords` lies.
  int64_t offset(const Dims& coords) const {
    return swizzle_.apply(base_offset_ + linear_offset(coords));
  }
  /// Elements to allocate: every offset is less. A multiple of swizzle().block().
  int64_t size_elements() const;
  /// Whether no two elements share an offset. Enumerates the tile.
  bool is_injective() const;

  /// The same with another swizzle. Errors: as make().
  Result<SharedLayout> with_swizzle(Swizzle swizzle) const;

  /// The part from `offsets` of extents `shape`, whose dimension i runs along dimension dims[i];
  /// the other dimensions are fixed at their offset.
  /// Post: offset(y) of the slice is offset(x) of this for x[dims[i]] = offsets[dims[i]] + y[i]:
  /// the base offset is carried, and swizzled once, together with the rest. Errors:
  /// kInvalidArgument if it does not fit, or cuts across the modes of a dimension.
  Result<SharedLayout> slice(const Dims& offsets, std::span<const int> dims,
                             const Dims& shape) const;

  /// Post: dimension i of the result is dimension order[i]; offsets are unchanged.
  /// Errors: kInvalidArgument unless `order` is a permutation of all dimensions.
  Result<SharedLayout> permute(std::span<const int> order) const;

  /// The same elements, numbered row-major, as a tile of another shape; offsets are unchanged.
  /// Errors: kInvalidArgument if the sizes differ or a mode does not split where the new shape
  /// does.
  Result<SharedLayout> reshape(const Dims& shape) const;

  friend bool operator==(const SharedLayout&, const SharedLayout&) = default;

 private:
  Dims shape_;
  std::vector<SharedMode> modes_;
  Swizzle swizzle_;
  int64_t base_offset_ = 0;
};

/// The last dimension fastest, no gaps. Pre: a valid shape (checked_shape()); so for column_major.
SharedLayout row_major(const Dims& shape);
/// The first dimension fastest, no gaps.
SharedLayout column_major(const Dims& shape);
/// One stride a dimension. Errors: as SharedLayout::make(); ranks that differ.
Result<SharedLayout> strided(const Dims& shape, const Dims& strides);

/// Row-major with rows cut into segments of 128, 64, 32 or 16 bytes (the longest that divides a
/// row), segments of one column of the tile after each other, and 16-byte chunks swizzled.
/// Post: the chunks at one column of any 8 consecutive rows lie in 8 different groups of 4 banks:
/// no conflict for ldmatrix, stmatrix and 16-byte accesses by rows. Errors: kInvalidArgument unless
/// the last dimension is a multiple of 16 bytes and element_bits is a power of two from 1 to 64.
Result<SharedLayout> row_major_swizzled(const Dims& shape, int element_bits);

/// Text: row_major(64,32), column_major(64,32), strided([64,32],[33,1]), or any modes
/// EXTENTxDIMENSION:STRIDE as {shape=[64,32] modes=[8x0:256,8x0:4,...]}; then, where not 0,
/// .offset(n) and .swizzle(base,bits,shift).
/// Errors: kInvalidArgument with the column, what was expected and what was found.
Result<SharedLayout> parse_shared_layout(std::string_view text);

/// The canonical text. Post: parse_shared_layout() of it is `layout`.
std::string to_string(const SharedLayout& layout);

}  // namespace anybit::layout

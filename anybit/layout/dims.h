// Dims: up to eight integers without allocation: the shape of a tile or the coordinates of an
// element. Row-major numbering of the elements of a shape.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "anybit/base/check.h"
#include "anybit/base/result.h"

namespace anybit::layout {

inline constexpr int kMaxRank = 8;
/// The most elements a tile may have, and the most threads that may share it.
inline constexpr int64_t kMaxElements = int64_t{1} << 31;

/// A shape or coordinates: at most kMaxRank integers, most significant dimension first. A
/// contiguous range, so it converts to std::span<const int64_t>.
class Dims {
 public:
  constexpr Dims() = default;
  /// Pre: at most kMaxRank values.
  constexpr Dims(std::initializer_list<int64_t> values)
      : Dims(std::span<const int64_t>(values.begin(), values.size())) {}
  /// Pre: at most kMaxRank values.
  constexpr explicit Dims(std::span<const int64_t> values) {
    ANYBIT_CHECK(values.size() <= static_cast<size_t>(kMaxRank));
    size_ = static_cast<int>(values.size());
    std::copy(values.begin(), values.end(), values_.begin());
  }
  /// `rank` copies of `value`. Pre: 0 <= rank <= kMaxRank.
  static constexpr Dims filled(int rank, int64_t value) {
    ANYBIT_CHECK(rank >= 0 && rank <= kMaxRank);
    Dims dims;
    dims.size_ = rank;
    std::fill_n(dims.values_.begin(), rank, value);
    return dims;
  }

  constexpr int size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr int64_t& operator[](int i) { return values_[static_cast<size_t>(i)]; }
  constexpr int64_t operator[](int i) const { return values_[static_cast<size_t>(i)]; }
  constexpr int64_t back() const { return values_[static_cast<size_t>(size_ - 1)]; }
  constexpr const int64_t* begin() const { return values_.data(); }
  constexpr const int64_t* end() const { return values_.data() + size_; }
  /// Pre: size() < kMaxRank.
  constexpr void push_back(int64_t value) {
    ANYBIT_CHECK(size_ < kMaxRank);
    values_[static_cast<size_t>(size_++)] = value;
  }

  friend constexpr bool operator==(const Dims& a, const Dims& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::array<int64_t, kMaxRank> values_{};
  int size_ = 0;
};

/// The number of elements of `shape`; 1 for a scalar. Pre: it does not exceed int64_t.
constexpr int64_t num_elements(const Dims& shape) {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

/// Row-major strides of `shape`: {3, 4} -> {4, 1}.
constexpr Dims row_major_strides(const Dims& shape) {
  Dims strides = Dims::filled(shape.size(), 1);
  for (int d = shape.size() - 2; d >= 0; --d) strides[d] = strides[d + 1] * shape[d + 1];
  return strides;
}

/// The row-major number of the element at `coords`. Pre: coords lie inside `shape`.
constexpr int64_t ravel(const Dims& coords, const Dims& shape) {
  int64_t linear = 0;
  for (int d = 0; d < shape.size(); ++d) linear = linear * shape[d] + coords[d];
  return linear;
}

/// The coordinates of row-major element `linear`. Pre: 0 <= linear < num_elements(shape).
constexpr Dims unravel(int64_t linear, const Dims& shape) {
  Dims coords = Dims::filled(shape.size(), 0);
  for (int d = shape.size() - 1; d >= 0; --d) {
    coords[d] = linear % shape[d];
    linear /= shape[d];
  }
  return coords;
}

/// `dims` with ones put before it until it has `rank` entries. Pre: dims.size() <= rank.
constexpr Dims pad_left(const Dims& dims, int rank) {
  Dims padded = Dims::filled(rank, 1);
  for (int d = 0; d < dims.size(); ++d) padded[rank - dims.size() + d] = dims[d];
  return padded;
}

/// Checks a shape that somebody else wrote: rank, extents >= 1, at most kMaxElements elements.
/// Errors: kInvalidArgument naming the dimension or the limit.
Result<Dims> checked_shape(std::span<const int64_t> shape);

/// The shape of an elementwise result: ranks aligned on the right, extents of 1 stretched.
/// Errors: kInvalidArgument naming the two extents that differ.
Result<Dims> broadcast_shape(const Dims& a, const Dims& b);

/// "[16,8]".
std::string to_string(const Dims& dims);

}  // namespace anybit::layout

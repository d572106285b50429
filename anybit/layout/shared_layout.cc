#include "anybit/layout/shared_layout.h"

#include <algorithm>
#include <array>
#include <bit>

namespace anybit::layout {
namespace {

constexpr int kMaxOffsetBits = 31;

/// Appends `mode` after the modes it is less significant than, merged if one mode expresses both.
void append_mode(std::vector<SharedMode>& modes, const SharedMode& mode) {
  if (mode.extent == 1) return;
  if (!modes.empty() && modes.back().dim == mode.dim &&
      modes.back().stride == mode.stride * mode.extent) {
    modes.back().extent *= mode.extent;
    modes.back().stride = mode.stride;
  } else {
    modes.push_back(mode);
  }
}

Status check_swizzle(Swizzle swizzle) {
  const auto [base, bits, shift] = swizzle;
  const bool in_range = base >= 0 && bits >= 0 && shift >= bits && base <= kMaxOffsetBits &&
                        shift <= kMaxOffsetBits && base + bits + shift <= kMaxOffsetBits;
  if (in_range) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      "a swizzle has base >= 0, 0 <= bits <= shift and a sum of at most {}, found ({},{},{})",
      kMaxOffsetBits, base, bits, shift);
}

/// Fails unless the modes of each dimension of `shape` multiply to its extent, and offsets are
/// small.
Status check_modes(const Dims& shape, std::span<const SharedMode> modes, int64_t base_offset) {
  Dims products = Dims::filled(shape.size(), 1);
  if (base_offset < 0 || base_offset >= kMaxElements) {
    return fail(ErrorCode::kInvalidArgument, "a base offset is from 0 to {}, found {}",
                kMaxElements - 1, base_offset);
  }
  int64_t last_offset = base_offset;
  for (size_t i = 0; i < modes.size(); ++i) {
    const auto& [extent, dim, stride] = modes[i];
    if (dim < 0 || dim >= shape.size()) {
      return fail(ErrorCode::kInvalidArgument, "mode {} is of dimension {}, the shape has {}", i,
                  dim, shape.size());
    }
    if (extent < 1 || extent > shape[dim] / products[dim]) {
      return fail(ErrorCode::kInvalidArgument,
                  "mode {} has extent {}, which dimension {} of extent {} has no room for", i,
                  extent, dim, shape[dim]);
    }
    if (stride < 0 || stride > kMaxElements ||
        (last_offset += (extent - 1) * stride) >= kMaxElements) {
      return fail(ErrorCode::kInvalidArgument, "mode {} has stride {}: offsets are from 0 to {}", i,
                  stride, kMaxElements - 1);
    }
    products[dim] *= extent;
  }
  for (int d = 0; d < shape.size(); ++d) {
    if (products[d] != shape[d]) {
      return fail(ErrorCode::kInvalidArgument,
                  "the modes of dimension {} have product {}, the shape says {}", d, products[d],
                  shape[d]);
    }
  }
  return {};
}

/// The modes of [begin, begin + extent) along one dimension, whose modes are `modes`.
Result<std::vector<SharedMode>> slice_modes(std::span<const SharedMode> modes, int64_t begin,
                                            int64_t extent, int dim) {
  // inner[k]: the product of the extents after mode k. The slice takes whole runs of inner[k] for
  // some k, and then only some digits of mode k.
  int64_t inner = 1;
  for (const SharedMode& mode : modes) inner *= mode.extent;
  std::vector<SharedMode> result;
  for (size_t k = 0; k < modes.size(); ++k) {
    inner /= modes[k].extent;
    if (extent % inner != 0 || begin % inner != 0) continue;
    if (begin / inner % modes[k].extent + extent / inner > modes[k].extent) break;
    result.push_back({extent / inner, dim, modes[k].stride});
    for (size_t i = k + 1; i < modes.size(); ++i) {
      result.push_back({modes[i].extent, dim, modes[i].stride});
    }
    return result;
  }
  if (extent == 1) return result;
  return fail(ErrorCode::kInvalidArgument,
              "a slice of {} elements from {} cuts across the modes of its dimension", extent,
              begin);
}

}  // namespace

Result<SharedLayout> SharedLayout::make(std::span<const int64_t> shape,
                                        std::span<const SharedMode> modes, Swizzle swizzle,
                                        int64_t base_offset) {
  SharedLayout layout;
  ANYBIT_ASSIGN(layout.shape_, checked_shape(shape));
  ANYBIT_TRY(check_modes(layout.shape_, modes, base_offset));
  ANYBIT_TRY(check_swizzle(swizzle));
  std::vector<SharedMode> sorted(modes.begin(), modes.end());
  std::ranges::stable_sort(sorted, {}, &SharedMode::dim);
  for (const SharedMode& mode : sorted) append_mode(layout.modes_, mode);
  layout.swizzle_ = swizzle.bits == 0 ? Swizzle{} : swizzle;
  layout.base_offset_ = base_offset;
  return layout;
}

int64_t SharedLayout::linear_offset(const Dims& coords) const {
  int64_t offset = 0;
  int64_t rest = 0;
  int dim = -1;
  for (size_t i = modes_.size(); i-- > 0;) {
    const SharedMode& mode = modes_[i];
    if (mode.dim != dim) {
      dim = mode.dim;
      rest = coords[dim];
    }
    offset += rest % mode.extent * mode.stride;
    rest /= mode.extent;
  }
  return offset;
}

int64_t SharedLayout::size_elements() const {
  int64_t last = base_offset_;
  for (const SharedMode& mode : modes_) last += (mode.extent - 1) * mode.stride;
  const int64_t block = swizzle_.block();
  return (last / block + 1) * block;
}

bool SharedLayout::is_injective() const {
  std::vector<int64_t> offsets;
  const int64_t size = num_elements(shape_);
  offsets.reserve(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) offsets.push_back(linear_offset(unravel(i, shape_)));
  std::ranges::sort(offsets);
  return std::ranges::adjacent_find(offsets) == offsets.end();
}

Result<SharedLayout> SharedLayout::with_swizzle(Swizzle swizzle) const {
  return make(shape_, modes_, swizzle, base_offset_);
}

Result<SharedLayout> SharedLayout::slice(const Dims& offsets, std::span<const int> dims,
                                         const Dims& shape) const {
  if (offsets.size() != rank() || shape.size() != static_cast<int>(dims.size())) {
    return fail(
        ErrorCode::kInvalidArgument,
        "a slice of {} needs {} offsets and as many extents as dimensions, found {}, {}, {}",
        to_string(shape_), rank(), offsets.size(), shape.size(), dims.size());
  }
  Dims extents = Dims::filled(rank(), 1);
  std::array<int, kMaxRank> target{};
  target.fill(-1);
  for (int i = 0; i < shape.size(); ++i) {
    const int d = dims[static_cast<size_t>(i)];
    if (d < 0 || d >= rank() || target[static_cast<size_t>(d)] >= 0) {
      return fail(ErrorCode::kInvalidArgument, "a slice of {} names dimension {} wrongly",
                  to_string(shape_), d);
    }
    target[static_cast<size_t>(d)] = i;
    extents[d] = shape[i];
  }
  std::vector<SharedMode> modes;
  for (int d = 0; d < rank(); ++d) {
    if (offsets[d] < 0 || extents[d] < 1 || extents[d] > shape_[d] ||
        offsets[d] > shape_[d] - extents[d]) {
      return fail(ErrorCode::kInvalidArgument,
                  "dimension {} of {} has no slice of {} elements from {}", d, to_string(shape_),
                  extents[d], offsets[d]);
    }
    const int new_dim = target[static_cast<size_t>(d)];
    if (new_dim < 0) continue;
    std::vector<SharedMode> own;
    std::ranges::copy_if(modes_, std::back_inserter(own),
                         [d](const SharedMode& mode) { return mode.dim == d; });
    ANYBIT_ASSIGN(const std::vector<SharedMode> part,
                  slice_modes(own, offsets[d], extents[d], new_dim));
    modes.insert(modes.end(), part.begin(), part.end());
  }
  return make(shape, modes, swizzle_, base_offset_ + linear_offset(offsets));
}

Result<SharedLayout> SharedLayout::permute(std::span<const int> order) const {
  std::array<int, kMaxRank> target{};
  target.fill(-1);
  Dims shape;
  for (const int d : order) {
    if (d < 0 || d >= rank() || target[static_cast<size_t>(d)] >= 0) {
      return fail(ErrorCode::kInvalidArgument, "not an order of {} dimensions: {} comes amiss",
                  rank(), d);
    }
    target[static_cast<size_t>(d)] = shape.size();
    shape.push_back(shape_[d]);
  }
  if (shape.size() != rank()) {
    return fail(ErrorCode::kInvalidArgument, "the order names {} of {} dimensions", shape.size(),
                rank());
  }
  std::vector<SharedMode> modes = modes_;
  for (SharedMode& mode : modes) mode.dim = target[static_cast<size_t>(mode.dim)];
  return make(shape, modes, swizzle_, base_offset_);
}

Result<SharedLayout> SharedLayout::reshape(const Dims& shape) const {
  ANYBIT_TRY(checked_shape(shape));
  if (num_elements(shape) != num_elements(shape_)) {
    return fail(ErrorCode::kInvalidArgument, "cannot reshape {} to {}: {} and {} elements",
                to_string(shape_), to_string(shape), num_elements(shape_), num_elements(shape));
  }
  std::vector<SharedMode> linear;  // The whole tile as one dimension.
  for (const SharedMode& mode : modes_) append_mode(linear, {mode.extent, 0, mode.stride});
  // Fill the new dimensions from the last, splitting a mode where a dimension is full.
  std::vector<SharedMode> modes;  // Least significant first.
  int d = shape.size() - 1;
  int64_t room = shape.empty() ? 1 : shape.back();
  for (size_t i = linear.size(); i-- > 0;) {
    auto [extent, unused, stride] = linear[i];
    while (extent > 1) {
      while (room == 1) room = shape[--d];
      const int64_t piece = std::min(extent, room);
      if (extent % piece != 0 || room % piece != 0) {
        return fail(ErrorCode::kInvalidArgument,
                    "cannot reshape {} to {}: a mode of extent {} does not split at dimension {}",
                    to_string(shape_), to_string(shape), linear[i].extent, d);
      }
      modes.push_back({piece, d, stride});
      extent /= piece;
      room /= piece;
      stride *= piece;
    }
  }
  std::ranges::reverse(modes);
  return make(shape, modes, swizzle_, base_offset_);
}

SharedLayout row_major(const Dims& shape) {
  return strided(shape, row_major_strides(shape)).value();
}

SharedLayout column_major(const Dims& shape) {
  Dims strides = Dims::filled(shape.size(), 1);
  for (int d = 1; d < shape.size(); ++d) strides[d] = strides[d - 1] * shape[d - 1];
  return strided(shape, strides).value();
}

Result<SharedLayout> strided(const Dims& shape, const Dims& strides) {
  if (shape.size() != strides.size()) {
    return fail(ErrorCode::kInvalidArgument, "shape {} and strides {} differ in rank",
                to_string(shape), to_string(strides));
  }
  std::vector<SharedMode> modes;
  for (int d = 0; d < shape.size(); ++d) {
    if (shape[d] != 1) modes.push_back({shape[d], d, strides[d]});
  }
  return SharedLayout::make(shape, modes);
}

Result<SharedLayout> row_major_swizzled(const Dims& shape, int element_bits) {
  ANYBIT_TRY(checked_shape(shape));
  if (element_bits < 1 || element_bits > 64 || !std::has_single_bit(unsigned(element_bits))) {
    return fail(ErrorCode::kInvalidArgument,
                "swizzled rows need elements of 1, 2, 4, ... 64 bits, found {}", element_bits);
  }
  const int64_t chunk = 128 / element_bits;  // Elements in 16 bytes.
  if (shape.empty() || shape.back() % chunk != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "swizzled rows are a multiple of 16 bytes ({} elements), found shape {}", chunk,
                to_string(shape));
  }
  const int last = shape.size() - 1;
  int bits = 3;  // log2 of the chunks in a segment.
  while (shape.back() % (chunk << bits) != 0) --bits;
  const int64_t segment = chunk << bits;
  const int64_t rows = last == 0 ? 1 : shape[last - 1];
  std::vector<SharedMode> modes;
  int64_t stride = rows * shape.back();
  for (int d = last - 2; d >= 0; --d) {
    modes.push_back({shape[d], d, stride});
    stride *= shape[d];
  }
  if (last > 0) modes.push_back({rows, last - 1, segment});
  modes.push_back({shape.back() / segment, last, rows * segment});
  modes.push_back({segment, last, 1});
  const int base = std::countr_zero(static_cast<uint64_t>(chunk));
  return SharedLayout::make(shape, modes, {base, bits, 3});
}

}  // namespace anybit::layout

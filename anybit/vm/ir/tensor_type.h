// The type of a tile: where it lives, what its elements are, its shape, and who holds what.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "anybit/layout/register_layout.h"
#include "anybit/layout/shared_layout.h"
#include "anybit/vm/ir/element.h"
#include "anybit/vm/ir/expression.h"

namespace anybit::vm {

enum class MemorySpace : uint8_t {
  kGlobal,    // A strided view of a pointer; extents are expressions.
  kShared,    // Owned by the CTA; constant shape.
  kRegister,  // Spread over the threads by a register layout; constant shape.
};

/// "global", "shared", "register".
std::string_view memory_space_name(MemorySpace space);

/// Shapes: `shape` of shared and register tiles, `extents` and `strides` (in elements) of global
/// ones. Layouts may be absent until layout inference has run (pass/layout_inference.h).
struct TensorType {
  MemorySpace space = MemorySpace::kRegister;
  numeric::ElementFormat element = numeric::kF32;
  std::vector<int64_t> shape = {};
  std::vector<Expr> extents = {};
  std::vector<Expr> strides = {};
  std::optional<layout::RegisterLayout> register_layout = std::nullopt;
  std::optional<layout::SharedLayout> shared_layout = std::nullopt;

  size_t rank() const { return space == MemorySpace::kGlobal ? extents.size() : shape.size(); }
  /// Elements of a shared or register tile.
  int64_t num_elements() const;
};

TensorType register_type(const numeric::ElementFormat& element, std::vector<int64_t> shape);
TensorType shared_type(const numeric::ElementFormat& element, std::vector<int64_t> shape);

/// "[64, 32]".
std::string shape_text(const std::vector<int64_t>& shape);

/// Elements of one tile may not exceed this; the sizes of extents may not be negative or zero.
inline constexpr int64_t kMaxTileElements = int64_t{1} << 20;
inline constexpr size_t kMaxTileRank = 6;

/// Errors: kInvalidArgument unless the rank is 1 to kMaxTileRank, extents are positive and their
/// product is at most kMaxTileElements.
Status check_tile_shape(const std::vector<int64_t>& shape);

}  // namespace anybit::vm

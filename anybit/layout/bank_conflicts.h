// Bank conflicts of shared memory, by counting, and the swizzle that avoids them.
// The model: 32 banks of 4 bytes. A warp's access is served in phases of 128 bytes: all 32 lanes at
// up to 4 bytes a lane, 16 lanes at 8, 8 lanes at 16. A phase takes as many wavefronts as the
// busiest bank has different words; lanes that read the same word share it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/register_layout.h"
#include "anybit/layout/shared_layout.h"

namespace anybit::layout {

/// One instruction of one warp: every lane takes a vector of neighbouring elements.
struct WarpAccess {
  std::vector<Dims> coords;  // Of the first element of each active lane's vector.
  int width_bytes = 4;       // Of a lane's vector: 1, 2, 4, 8 or 16.
};

/// How often the banks are cycled for lanes at these byte addresses.
/// Pre: width_bytes is 1, 2, 4, 8 or 16, and divides every address.
int64_t num_wavefronts(std::span<const int64_t> addresses, int width_bytes);

/// The wavefronts beyond one a phase; 0 is conflict-free. Pre: as num_wavefronts().
int64_t num_bank_conflicts(std::span<const int64_t> addresses, int width_bytes);

/// The conflicts of an access to a tile of elements of `element_bits` that begins at a multiple of
/// 128 bytes.
/// Errors: kInvalidArgument if a vector does not begin at a multiple of its width, if coordinates
/// lie outside the tile, or on another width or element_bits < 1.
Result<int64_t> bank_conflicts(const SharedLayout& layout, int element_bits,
                               const WarpAccess& access);

/// The accesses of a warp that stores or loads a register tile by vectors of `vector_elements`: one
/// a vector of local places and warp. [warps * local_size / vector_elements]
/// Errors: kInvalidArgument unless the vectors divide local_size() and are whole, of an allowed
/// width.
Result<std::vector<WarpAccess>> warp_accesses(const RegisterLayout& layout, int element_bits,
                                              int64_t vector_elements);

/// A register tile that is stored to or loaded from a shared tile whose element x, before the
/// swizzle, lies at the sum of x[d] * strides[d].
struct TileTraffic {
  const RegisterLayout* layout = nullptr;
  std::vector<int64_t> strides = {};  // In elements. [layout->rank()]
};

struct SwizzleChoice {
  Swizzle swizzle;
  int64_t wavefronts = 0;  // Of all traffic of one warp.
  int64_t accesses = 0;    // Instructions of a thread that move it.
};

/// The swizzle under which all of `traffic` takes the fewest wavefronts, each tile by the widest
/// vectors of up to 16 bytes that its layout and the swizzle leave whole; of equals the one with
/// the fewest accesses, then the fewest bits, then the one that keeps the longest runs whole, then
/// the least shift.
/// Elements of `element_bits`, `num_elements` in the shared tile; none where element_bits is no
/// multiple of 8 or there is no traffic. `keeps_vectors`: only swizzles that leave 16 bytes whole.
/// Pre: element_bits <= 128.
SwizzleChoice choose_swizzle(std::span<const TileTraffic> traffic, int element_bits,
                             int64_t num_elements, bool keeps_vectors = false);

/// What the traffic takes under a given swizzle. Pre: element_bits is a multiple of 8 up to 128.
SwizzleChoice with_swizzle(std::span<const TileTraffic> traffic, int element_bits,
                           const Swizzle& swizzle);

}  // namespace anybit::layout

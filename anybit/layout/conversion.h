// Conversion between two register layouts of a tile: what must move, as data. Who emits the moves:
// the virtual machine's code generator and its interpreter.
#pragma once

#include <cstdint>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/register_layout.h"

namespace anybit::layout {

inline constexpr int64_t kWarpSize = 32;
/// The most places (threads * local places of the destination) that a plan lists.
inline constexpr int64_t kMaxConversionPlaces = int64_t{1} << 24;

/// What a conversion costs, cheapest first.
enum class ConversionKind : uint8_t {
  kNone,     // Each thread has its elements, at places that are the same in all: registers renamed.
  kSelect,   // Each thread has its elements, at places that depend on the thread.
  kShuffle,  // Each element is held in the warp that needs it: lane shuffles.
  kShared,   // Some element is in another warp: through shared memory.
};

/// A plan. The destination's place (t, e) takes its value from the place that source() gives.
struct Conversion {
  ConversionKind kind = ConversionKind::kNone;
  /// kNone: destination place e of any thread is its own source place local_map[e].
  std::vector<int64_t> local_map;  // [local_size of `to`]
  /// kSelect, kShuffle: the thread, of the same warp, and its place. Row-major by (thread, local).
  std::vector<Place> sources;  // [num_threads, local_size of `to`]
  int64_t local_size = 0;      // Of `to`; 0 unless `sources` is filled.

  /// Whether nothing is to be done: kNone, each place onto itself.
  bool is_identity() const;
  /// Where destination place (thread, local) takes its value. Pre: kind is not kShared.
  Place source(int64_t thread, int64_t local) const;
};

/// The cheapest plan that makes the tile laid out by `from` laid out by `to`. Of several holders of
/// an element the thread itself is chosen, else the lane of the same warp of 32 consecutive threads
/// whose number differs in the lowest bits (least exclusive or).
/// Errors: kInvalidArgument unless shapes and thread counts are equal; kUnsupported beyond
/// kMaxConversionPlaces.
Result<Conversion> plan_conversion(const RegisterLayout& from, const RegisterLayout& to);

}  // namespace anybit::layout

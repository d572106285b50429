#include "anybit/layout/conversion.h"

#include <algorithm>
#include <optional>

#include "anybit/layout/register_layout_ops.h"

namespace anybit::layout {
namespace {

/// Of the threads first + replicas[i], the one nearest to `thread` in its warp, if any is.
std::optional<int64_t> nearest_holder(int64_t thread, int64_t first,
                                      const std::vector<int64_t>& replicas) {
  const int64_t warp_begin = thread / kWarpSize * kWarpSize;
  std::optional<int64_t> nearest;
  for (auto it = std::ranges::lower_bound(replicas, warp_begin - first);
       it != replicas.end() && first + *it < warp_begin + kWarpSize; ++it) {
    const int64_t holder = first + *it;
    if (!nearest || (holder ^ thread) < (*nearest ^ thread)) nearest = holder;
  }
  return nearest;
}

/// The map from destination to source places, if it is the same in every thread.
/// Pre: every source is in its own thread.
std::optional<std::vector<int64_t>> common_map(const std::vector<Place>& sources,
                                               size_t num_locals) {
  std::vector<int64_t> map(num_locals);
  for (size_t e = 0; e < num_locals; ++e) map[e] = sources[e].local;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].local != map[i % num_locals]) return std::nullopt;
  }
  return map;
}

}  // namespace

bool Conversion::is_identity() const {
  if (kind != ConversionKind::kNone) return false;
  for (size_t e = 0; e < local_map.size(); ++e) {
    if (local_map[e] != static_cast<int64_t>(e)) return false;
  }
  return true;
}

Place Conversion::source(int64_t thread, int64_t local) const {
  ANYBIT_DCHECK(kind != ConversionKind::kShared);
  if (kind == ConversionKind::kNone) return {thread, local_map[static_cast<size_t>(local)]};
  return sources[static_cast<size_t>(thread * local_size + local)];
}

Result<Conversion> plan_conversion(const RegisterLayout& from, const RegisterLayout& to) {
  if (from.shape() != to.shape() || from.num_threads() != to.num_threads()) {
    return fail(ErrorCode::kInvalidArgument, "cannot convert {} in {} threads to {} in {} threads",
                to_string(from.shape()), from.num_threads(), to_string(to.shape()),
                to.num_threads());
  }
  if (to.local_size() > kMaxConversionPlaces / to.num_threads()) {
    return fail(ErrorCode::kUnsupported, "a conversion has at most {} places, found {} times {}",
                kMaxConversionPlaces, to.num_threads(), to.local_size());
  }
  const std::vector<int64_t> replicas = from.replica_offsets();
  const std::vector<int64_t> threads = to.thread_offsets();
  const std::vector<int64_t> locals = to.local_offsets();
  Conversion plan;
  plan.local_size = to.local_size();
  plan.sources.reserve(threads.size() * locals.size());
  bool stays_in_thread = true;
  for (size_t t = 0; t < threads.size(); ++t) {
    const auto thread = static_cast<int64_t>(t);
    for (const int64_t local : locals) {
      const Place place = from.locate(threads[t] + local);
      const auto holder = nearest_holder(thread, place.thread, replicas);
      if (!holder) return Conversion{.kind = ConversionKind::kShared};
      stays_in_thread &= *holder == thread;
      plan.sources.push_back({*holder, place.local});
    }
  }
  plan.kind = stays_in_thread ? ConversionKind::kSelect : ConversionKind::kShuffle;
  if (!stays_in_thread) return plan;
  if (auto map = common_map(plan.sources, locals.size())) {
    return Conversion{.kind = ConversionKind::kNone, .local_map = *std::move(map)};
  }
  return plan;
}

}  // namespace anybit::layout

#include "anybit/vm/backend/reference/internal/shared_arena.h"

#include <algorithm>

#include "anybit/vm/backend/reference/internal/bit_string.h"

namespace anybit::vm::reference {
namespace {

int64_t warp_of(int64_t thread) { return thread / kWarpSize; }

/// The bits of byte `byte` that [bit, bit + count) covers.
uint8_t covered_bits(int64_t byte, int64_t bit, int count) {
  const int64_t low = std::max<int64_t>(bit - byte * 8, 0);
  const int64_t high = std::min<int64_t>(bit + count - byte * 8, 8);
  return static_cast<uint8_t>((1U << high) - (1U << low));
}

}  // namespace

std::string place_text(int place) {
  return place > 0 ? fmt::format("line {}", place) : fmt::format("statement {}", -place);
}

SharedAllocation::SharedAllocation(std::string name, int64_t num_bits, int num_warps)
    : name_(std::move(name)),
      num_warps_(num_warps),
      bytes_(static_cast<size_t>((num_bits + 7) / 8)),
      states_(bytes_.size()),
      reads_(bytes_.size() * static_cast<size_t>(num_warps)) {}

SharedArena::SharedArena(int num_warps, bool check_races)
    : num_warps_(num_warps),
      check_races_(check_races),
      copies_(static_cast<size_t>(num_warps)),
      stores_(static_cast<size_t>(num_warps)),
      fences_(static_cast<size_t>(num_warps)) {}

std::shared_ptr<SharedAllocation> SharedArena::allocate(std::string name, int64_t num_bits) {
  auto allocation = std::make_shared<SharedAllocation>(std::move(name), num_bits, num_warps_);
  allocation->previous_uses_ = freed_uses_;
  return allocation;
}

void SharedArena::note_freed(int64_t agent, int64_t epoch) {
  freed_uses_.set(agent, std::max(freed_uses_[agent], epoch + 1));
}

Status SharedArena::free_bulk_reads(const SharedAllocation& allocation) {
  for (size_t i = 0; i < allocation.bulk_reads_.size(); ++i) {
    const SharedAllocation::BulkRead& read = allocation.bulk_reads_[i];
    const std::vector<int64_t>& epochs =
        stores_[i % static_cast<size_t>(num_warps_)].arrival_epochs;
    if (read.group < 0) continue;
    if (read.group >= static_cast<int64_t>(epochs.size())) {
      return fail(ErrorCode::kInvalidArgument,
                  "%{} is freed while the store_bulk of {} may still read it", allocation.name_,
                  place_text(read.place));
    }
    note_freed(static_cast<int64_t>(i) % num_warps_, epochs[static_cast<size_t>(read.group)]);
  }
  return {};
}

Status SharedArena::free(SharedAllocation& allocation) {
  ANYBIT_TRY(check_bounds(allocation, 0, 0));
  for (const SharedAllocation::AsyncReads& reads : allocation.async_reads_) {
    if (reads.count == 0) continue;
    return fail(ErrorCode::kInvalidArgument, "%{} is freed while the wgmma of {} still reads it",
                allocation.name_, place_text(reads.place));
  }
  for (size_t byte = 0; byte < allocation.bytes_.size(); ++byte) {
    const SharedAllocation::ByteState& state = allocation.states_[byte];
    if (state.kind == SharedAllocation::WriteKind::kBulk) {
      note_freed(state.writer, state.epoch);
    } else if (state.kind == SharedAllocation::WriteKind::kCopyAsync) {
      const CopyGroups& copies = copies_[static_cast<size_t>(warp_of(state.writer))];
      if (state.epoch >= static_cast<int64_t>(copies.arrival_epochs.size())) {
        return fail(ErrorCode::kInvalidArgument,
                    "%{} is freed while the copy_async of {} is still writing it", allocation.name_,
                    place_text(state.place));
      }
      note_freed(warp_of(state.writer), copies.arrival_epochs[static_cast<size_t>(state.epoch)]);
    } else if (state.writer >= 0) {
      note_freed(warp_of(state.writer), state.epoch);
    }
    for (const auto* accesses : {&allocation.reads_, &allocation.atomics_}) {
      if (accesses->empty()) continue;
      for (int w = 0; w < num_warps_; ++w) {
        const int64_t epoch = (*accesses)[byte * static_cast<size_t>(num_warps_) + w].epoch;
        if (epoch > 0) note_freed(w, epoch);
      }
    }
  }
  ANYBIT_TRY(free_bulk_reads(allocation));
  allocation.is_freed_ = true;
  return {};
}

Status SharedArena::check_bounds(const SharedAllocation& allocation, int64_t bit, int count) const {
  if (allocation.is_freed_) {
    return fail(ErrorCode::kInvalidArgument, "%{} has been freed", allocation.name_);
  }
  if (bit < 0 || bit + count > allocation.num_bits()) {
    return fail(ErrorCode::kInvalidArgument, "bits [{}, {}) lie outside the {} bits of %{}", bit,
                bit + count, allocation.num_bits(), allocation.name_);
  }
  return {};
}

Status SharedArena::check_arrived(const SharedAllocation& allocation, int64_t byte,
                                  const Accessor& who, std::string_view verb) const {
  const SharedAllocation::ByteState& state = allocation.states_[byte];
  if (state.kind == SharedAllocation::WriteKind::kThread) return {};
  if (state.kind == SharedAllocation::WriteKind::kBulk) {
    if (clock_.is_ordered(state.writer, state.epoch, warp_of(who.thread))) return {};
    return fail(ErrorCode::kInvalidArgument,
                "thread {} {} byte {} of %{}, which the copy_bulk of {} writes, with no "
                "barrier_wait for phase {} of its barrier between",
                who.thread, verb, byte, allocation.name_, place_text(state.place), state.epoch);
  }
  const int64_t owner = warp_of(state.writer);
  const CopyGroups& copies = copies_[static_cast<size_t>(owner)];
  const auto num_arrived = static_cast<int64_t>(copies.arrival_epochs.size());
  if (state.epoch >= num_arrived) {
    return fail(ErrorCode::kInvalidArgument,
                "thread {} {} byte {} of %{} while the copy_async of {} is under way: {}",
                who.thread, verb, byte, allocation.name_, place_text(state.place),
                state.epoch >= copies.num_committed ? "it has not been committed"
                                                    : "no copy_async_wait has covered its group");
  }
  if (clock_.is_ordered(owner, copies.arrival_epochs[state.epoch], warp_of(who.thread))) return {};
  return fail(ErrorCode::kInvalidArgument,
              "thread {} {} byte {} of %{}, which the copy_async of {} wrote, with no sync after "
              "the copy_async_wait",
              who.thread, verb, byte, allocation.name_, place_text(state.place));
}

Status SharedArena::check_last_write(const SharedAllocation& allocation, int64_t byte,
                                     const Accessor& who, bool is_copy,
                                     std::string_view verb) const {
  const SharedAllocation::ByteState& state = allocation.states_[byte];
  if (!check_races_ || state.kind != SharedAllocation::WriteKind::kThread || state.writer < 0 ||
      (state.writer == who.thread && !is_copy) ||
      clock_.is_ordered(warp_of(state.writer), state.epoch, warp_of(who.thread))) {
    return {};
  }
  return fail(ErrorCode::kInvalidArgument,
              "race: thread {} {} byte {} of %{}, which thread {} wrote ({}), with no sync between",
              who.thread, verb, byte, allocation.name_, state.writer, place_text(state.place));
}

Status SharedArena::check_others(const SharedAllocation& allocation, int64_t byte,
                                 const Accessor& who, bool is_copy, std::string_view verb,
                                 bool atomics) const {
  const auto& accesses = atomics ? allocation.atomics_ : allocation.reads_;
  if (!check_races_ || accesses.empty()) return {};
  for (int w = 0; w < num_warps_; ++w) {
    const auto& access = accesses[static_cast<size_t>(byte * num_warps_ + w)];
    if (access.epoch == 0 || clock_.is_ordered(w, access.epoch, warp_of(who.thread))) continue;
    // A thread is ordered with itself, but which thread copies is not the program's to know.
    int64_t other = access.thread;
    if (!is_copy && other == who.thread) other = access.other;
    if (other < 0) continue;
    return fail(ErrorCode::kInvalidArgument,
                "race: thread {} {} byte {} of %{}, which thread {} {} ({}), with no sync between",
                who.thread, verb, byte, allocation.name_, other, atomics ? "updated" : "read",
                place_text(access.place));
  }
  return {};
}

Status SharedArena::check_not_read(const SharedAllocation& allocation, int64_t byte,
                                   const Accessor& who, std::string_view verb) const {
  if (allocation.async_reads_.empty()) return {};
  const auto& reads = allocation.async_reads_[static_cast<size_t>(byte)];
  if (reads.count == 0) return {};
  return fail(ErrorCode::kInvalidArgument,
              "thread {} {} byte {} of %{}, which the wgmma of {} still reads: no wgmma_wait has "
              "covered its group",
              who.thread, verb, byte, allocation.name_, place_text(reads.place));
}

Status SharedArena::check_previous_uses(const SharedAllocation& allocation,
                                        const Accessor& who) const {
  if (!check_races_) return {};
  for (int64_t agent = 0; agent < clock_.num_agents(); ++agent) {
    const int64_t used = allocation.previous_uses_[agent];
    if (used == 0 || clock_.is_ordered(agent, used - 1, warp_of(who.thread))) continue;
    return fail(ErrorCode::kInvalidArgument,
                "race: thread {} writes %{}, whose bytes may be those of a freed tile that {} "
                "used, with no sync between",
                who.thread, allocation.name_,
                agent < kMaxWarps ? fmt::format("warp {}", agent) : "a bulk copy");
  }
  return {};
}

Status SharedArena::check_write(const SharedAllocation& allocation, int64_t byte,
                                const Accessor& who, bool is_copy, std::string_view verb) const {
  ANYBIT_TRY(check_not_read(allocation, byte, who, verb));
  ANYBIT_TRY(check_arrived(allocation, byte, who, verb));
  ANYBIT_TRY(check_last_write(allocation, byte, who, is_copy, verb));
  ANYBIT_TRY(check_others(allocation, byte, who, is_copy, verb, false));
  ANYBIT_TRY(check_others(allocation, byte, who, is_copy, verb, true));
  return check_bulk_reads(allocation, byte, who, verb);
}

/// Whoever writes knows that the bulk stores of the byte have read it.
Status SharedArena::check_bulk_reads(const SharedAllocation& allocation, int64_t byte,
                                     const Accessor& who, std::string_view verb) const {
  if (allocation.bulk_reads_.empty()) return {};
  for (int w = 0; w < num_warps_; ++w) {
    const auto& read = allocation.bulk_reads_[static_cast<size_t>(byte * num_warps_ + w)];
    const std::vector<int64_t>& epochs = stores_[static_cast<size_t>(w)].arrival_epochs;
    if (read.group < 0) continue;
    const bool was_awaited = read.group < static_cast<int64_t>(epochs.size());
    if (was_awaited &&
        clock_.is_ordered(w, epochs[static_cast<size_t>(read.group)], warp_of(who.thread))) {
      continue;
    }
    return fail(ErrorCode::kInvalidArgument,
                "thread {} {} byte {} of %{}, which the store_bulk of {} may still read: {}",
                who.thread, verb, byte, allocation.name_, place_text(read.place),
                was_awaited ? "no sync follows the store_bulk_wait"
                            : "no store_bulk_wait has covered its group");
  }
  return {};
}

void SharedArena::note(std::vector<SharedAllocation::WarpAccess>& accesses, int64_t byte,
                       const Accessor& who) const {
  const int64_t warp = warp_of(who.thread), epoch = clock_.epoch(warp);
  auto& access = accesses[static_cast<size_t>(byte * num_warps_ + warp)];
  if (access.epoch != epoch) {
    access = {epoch, who.thread, -1, who.place};
  } else if (access.thread != who.thread) {
    access.other = who.thread;
  }
}

Result<Code> SharedArena::read(SharedAllocation& allocation, int64_t bit, int count,
                               const Accessor& who) {
  ANYBIT_TRY(check_bounds(allocation, bit, count));
  for (int64_t byte = bit / 8; byte <= (bit + count - 1) / 8; ++byte) {
    ANYBIT_TRY(check_arrived(allocation, byte, who, "reads"));
    const uint8_t covered = covered_bits(byte, bit, count);
    if ((allocation.states_[byte].written & covered) != covered) {
      return fail(ErrorCode::kInvalidArgument,
                  "thread {} reads byte {} of %{}, which nobody has written", who.thread, byte,
                  allocation.name_);
    }
    ANYBIT_TRY(check_last_write(allocation, byte, who, false, "reads"));
    ANYBIT_TRY(check_others(allocation, byte, who, false, "reads", true));
    if (check_races_) note(allocation.reads_, byte, who);
  }
  return read_bits(allocation.bytes_.data(), bit, count);
}

Status SharedArena::write(SharedAllocation& allocation, int64_t bit, int count, Code code,
                          const Accessor& who) {
  ANYBIT_TRY(check_bounds(allocation, bit, count));
  ANYBIT_TRY(check_previous_uses(allocation, who));
  for (int64_t byte = bit / 8; byte <= (bit + count - 1) / 8; ++byte) {
    ANYBIT_TRY(check_write(allocation, byte, who, false, "writes"));
    SharedAllocation::ByteState& state = allocation.states_[byte];
    state.written |= covered_bits(byte, bit, count);
    state.kind = SharedAllocation::WriteKind::kThread;
    state.writer = who.thread;
    state.epoch = clock_.epoch(warp_of(who.thread));
    state.num_fences = static_cast<int64_t>(fences_[warp_of(who.thread)].size());
    state.place = who.place;
  }
  write_bits(allocation.bytes_.data(), bit, count, code);
  return {};
}

Result<Code> SharedArena::update(SharedAllocation& allocation, int64_t bit, int count, AtomicOp op,
                                 const ElementFormat& element, Code value, const Accessor& who) {
  ANYBIT_TRY(check_bounds(allocation, bit, count));
  if (allocation.atomics_.empty()) allocation.atomics_.resize(allocation.reads_.size());
  for (int64_t byte = bit / 8; byte <= (bit + count - 1) / 8; ++byte) {
    ANYBIT_TRY(check_not_read(allocation, byte, who, "updates"));
    ANYBIT_TRY(check_arrived(allocation, byte, who, "updates"));
    const uint8_t covered = covered_bits(byte, bit, count);
    if ((allocation.states_[byte].written & covered) != covered) {
      return fail(ErrorCode::kInvalidArgument,
                  "thread {} updates byte {} of %{}, which nobody has written", who.thread, byte,
                  allocation.name_);
    }
    ANYBIT_TRY(check_last_write(allocation, byte, who, false, "updates"));
    ANYBIT_TRY(check_others(allocation, byte, who, false, "updates", false));
    if (check_races_) note(allocation.atomics_, byte, who);
  }
  const Code old = read_bits(allocation.bytes_.data(), bit, count);
  write_bits(allocation.bytes_.data(), bit, count, apply_atomic(op, element, old, value));
  return old;
}

Status SharedArena::copy(SharedAllocation& allocation, int64_t bit, int count, Code code,
                         const Accessor& who) {
  ANYBIT_TRY(check_bounds(allocation, bit, count));
  ANYBIT_TRY(check_previous_uses(allocation, who));
  const CopyGroups& copies = copies_[static_cast<size_t>(warp_of(who.thread))];
  for (int64_t byte = bit / 8; byte <= (bit + count - 1) / 8; ++byte) {
    SharedAllocation::ByteState& state = allocation.states_[byte];
    // Elements of one copy may share a byte: the same run of bytes then carries both.
    const bool is_same_copy = state.kind == SharedAllocation::WriteKind::kCopyAsync &&
                              state.writer == who.thread && state.epoch == copies.num_committed &&
                              state.place == who.place &&
                              (state.written & covered_bits(byte, bit, count)) == 0;
    if (!is_same_copy) {
      ANYBIT_TRY(check_write(allocation, byte, who, true, "copies to"));
      state.written = 0;
    }
    state.written |= covered_bits(byte, bit, count);
    state.kind = SharedAllocation::WriteKind::kCopyAsync;
    state.writer = who.thread;
    state.epoch = copies.num_committed;
    state.place = who.place;
  }
  write_bits(allocation.bytes_.data(), bit, count, code);
  return {};
}

Result<Code> SharedArena::read_by_wgmma(SharedAllocation& allocation, int64_t bit, int count,
                                        const Accessor& who) {
  ANYBIT_ASSIGN(const Code code, read(allocation, bit, count, who));
  for (int64_t byte = bit / 8; byte <= (bit + count - 1) / 8; ++byte) {
    ANYBIT_TRY(check_fenced(allocation, byte, who, "a wgmma reads"));
  }
  return code;
}

void SharedArena::begin_reading(SharedAllocation& allocation, const std::vector<int64_t>& bytes,
                                int place) {
  allocation.async_reads_.resize(allocation.bytes_.size());
  for (const int64_t byte : bytes) {
    auto& reads = allocation.async_reads_[static_cast<size_t>(byte)];
    ++reads.count;
    reads.place = place;
  }
}

void SharedArena::end_reading(SharedAllocation& allocation, const std::vector<int64_t>& bytes,
                              int64_t first, int64_t count, int place) {
  for (const int64_t byte : bytes) {
    --allocation.async_reads_[static_cast<size_t>(byte)].count;
    for (int64_t w = first; check_races_ && w < first + count; ++w) {
      note(allocation.reads_, byte, {w * kWarpSize, place});
    }
  }
}

/// What a thread wrote is seen by bulk copies and wgmma after a fence_async of its warp, ordered
/// before them.
Status SharedArena::check_fenced(const SharedAllocation& allocation, int64_t byte,
                                 const Accessor& who, std::string_view verb) const {
  const SharedAllocation::ByteState& state = allocation.states_[byte];
  if (!check_races_ || state.kind == SharedAllocation::WriteKind::kBulk || state.writer < 0) {
    return {};
  }
  const int64_t writer = warp_of(state.writer);
  const std::vector<int64_t>& fences = fences_[static_cast<size_t>(writer)];
  auto fence = fences.end();
  if (state.kind == SharedAllocation::WriteKind::kCopyAsync) {  // Fenced after their wait.
    const auto& arrivals = copies_[static_cast<size_t>(writer)].arrival_epochs;
    fence =
        std::lower_bound(fences.begin(), fences.end(), arrivals[static_cast<size_t>(state.epoch)]);
  } else if (state.num_fences < static_cast<int64_t>(fences.size())) {
    fence = fences.begin() + state.num_fences;
  }
  if (fence != fences.end() && clock_.is_ordered(writer, *fence, warp_of(who.thread))) return {};
  return fail(ErrorCode::kInvalidArgument,
              "{} byte {} of %{}, which thread {} wrote ({}), with no fence_async of that thread "
              "and a sync after it between",
              verb, byte, allocation.name_, state.writer, place_text(state.place));
}

Status SharedArena::bulk_copy(SharedAllocation& allocation, int64_t bit, int count, Code code,
                              const Accessor& who, const BulkPhase& phase) {
  ANYBIT_TRY(check_bounds(allocation, bit, count));
  ANYBIT_TRY(check_previous_uses(allocation, who));
  for (int64_t byte = bit / 8; byte <= (bit + count - 1) / 8; ++byte) {
    ANYBIT_TRY(check_write(allocation, byte, who, true, "copies to"));
    ANYBIT_TRY(check_fenced(allocation, byte, who, "a bulk copy overwrites"));
    SharedAllocation::ByteState& state = allocation.states_[byte];
    state.written = covered_bits(byte, bit, count);
    state.kind = SharedAllocation::WriteKind::kBulk;
    state.writer = phase.agent;
    state.epoch = phase.phase;
    state.place = who.place;
  }
  write_bits(allocation.bytes_.data(), bit, count, code);
  return {};
}

void SharedArena::fence_async(int64_t first, int64_t count) {
  for (int64_t w = first; w < first + count; ++w) {
    fences_[static_cast<size_t>(w)].push_back(clock_.epoch(w));
  }
}

void SharedArena::commit(int64_t first, int64_t count) {
  for (int64_t w = first; w < first + count; ++w) ++copies_[static_cast<size_t>(w)].num_committed;
}

void SharedArena::wait(int64_t first, int64_t count, int64_t groups) {
  for (int64_t w = first; w < first + count; ++w) note_arrivals(copies_, w, groups);
}

/// A wait of `warp` for all groups but the newest.
void SharedArena::note_arrivals(std::vector<CopyGroups>& groups_of, int64_t warp,
                                int64_t groups) const {
  CopyGroups& own = groups_of[static_cast<size_t>(warp)];
  while (static_cast<int64_t>(own.arrival_epochs.size()) < own.num_committed - groups) {
    own.arrival_epochs.push_back(clock_.epoch(warp));
  }
}

Result<Code> SharedArena::bulk_read(SharedAllocation& allocation, int64_t bit, int count,
                                    const Accessor& who) {
  ANYBIT_TRY(check_bounds(allocation, bit, count));
  if (allocation.bulk_reads_.empty()) allocation.bulk_reads_.resize(allocation.reads_.size());
  CopyGroups& stores = stores_[static_cast<size_t>(warp_of(who.thread))];
  for (int64_t byte = bit / 8; byte <= (bit + count - 1) / 8; ++byte) {
    ANYBIT_TRY(check_arrived(allocation, byte, who, "stores"));
    const uint8_t covered = covered_bits(byte, bit, count);
    if ((allocation.states_[byte].written & covered) != covered) {
      return fail(ErrorCode::kInvalidArgument,
                  "a bulk store reads byte {} of %{}, which nobody has written", byte,
                  allocation.name_);
    }
    ANYBIT_TRY(check_fenced(allocation, byte, who, "a bulk store reads"));
    ANYBIT_TRY(check_others(allocation, byte, who, true, "stores", true));
    allocation.bulk_reads_[static_cast<size_t>(byte * num_warps_ + warp_of(who.thread))] = {
        stores.num_committed, who.place};
  }
  stores.last_group = stores.num_committed;
  stores.last_place = who.place;
  return read_bits(allocation.bytes_.data(), bit, count);
}

Status SharedArena::check_end() const {
  for (const CopyGroups& stores : stores_) {
    if (stores.last_group < static_cast<int64_t>(stores.arrival_epochs.size())) continue;
    return fail(ErrorCode::kInvalidArgument,
                "the kernel ends while the store_bulk of {} may still read: {}",
                place_text(stores.last_place),
                stores.last_group < stores.num_committed
                    ? "no store_bulk_wait has covered its group"
                    : "it has not been committed");
  }
  return {};
}

}  // namespace anybit::vm::reference

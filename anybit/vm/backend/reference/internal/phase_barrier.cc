#include "anybit/vm/backend/reference/internal/phase_barrier.h"

namespace anybit::vm::reference {
namespace {

int64_t warp_of(const Accessor& who) { return who.thread / kWarpSize; }

}  // namespace

/// A warp that knows of everything that completed the last phase knows that it is complete.
void PhaseBarrier::learn(BarrierClock& clock, const Accessor& who) const {
  const int64_t warp = warp_of(who);
  const Knowledge& known = clock.known(warp);
  const bool knows_all = !had_bytes_ && std::ranges::all_of(before_, [&](const Arrival& arrival) {
    return arrival.warp == warp || arrival.epoch < known[arrival.warp];
  });
  if (knows_all && known[agent_] < phase_) clock.learn(warp, agent_, phase_);
}

Status PhaseBarrier::check_begun(BarrierClock& clock, const Accessor& who,
                                 std::string_view what) const {
  learn(clock, who);
  if (!check_order_ || clock.known(warp_of(who))[agent_] >= phase_) return {};
  return fail(ErrorCode::kInvalidArgument,
              "{} of thread {} may come in an earlier phase of {} than {}: nothing orders it after "
              "phase {}",
              what, who.thread, name_, phase_, phase_ - 1);
}

Status PhaseBarrier::arrive(BarrierClock& clock, const Accessor& who, int64_t bytes) {
  ANYBIT_TRY(check_begun(clock, who, "the arrival"));
  if (pending_ == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "phase {} of {} has had its {} arrivals, and {} announced bytes are not copied; "
                "this is one more",
                phase_, name_, arrivals_, bytes_);
  }
  --pending_;
  bytes_ += bytes;
  has_bytes_ = has_bytes_ || bytes > 0;
  arrived_.push_back({warp_of(who), clock.epoch(warp_of(who))});
  incoming_.join(clock.release(warp_of(who)));
  return advance();
}

Status PhaseBarrier::begin_copy(BarrierClock& clock, const Accessor& who, int64_t bytes) {
  ANYBIT_TRY(check_begun(clock, who, "the copy"));
  if (pending_ == 0 && bytes > bytes_) {
    return fail(ErrorCode::kInvalidArgument,
                "{} bytes are copied in phase {} of {}, of whose announced bytes {} are left",
                bytes, phase_, name_, bytes_);
  }
  has_bytes_ = true;
  last_copy_phase_ = phase_;
  last_copy_place_ = who.place;
  return {};
}

Status PhaseBarrier::end_copy(int64_t bytes) {
  bytes_ -= bytes;
  return advance();
}

Status PhaseBarrier::advance() {
  if (pending_ != 0 || bytes_ != 0) return {};
  incoming_.set(agent_, phase_ + 1);
  complete_ = incoming_;
  for (const Wait& wait : waits_) {
    if (check_order_ && wait.target == phase_ && complete_[wait.warp] <= wait.epoch) {
      return fail(ErrorCode::kInvalidArgument, "{}", missed_text(wait));
    }
  }
  std::erase_if(waits_, [&](const Wait& wait) { return wait.target <= phase_; });
  ++phase_;
  pending_ = arrivals_;
  before_ = std::move(arrived_);
  arrived_.clear();
  had_bytes_ = has_bytes_;
  has_bytes_ = false;
  return {};
}

std::string PhaseBarrier::missed_text(const Wait& wait) const {
  if (wait.target == 0) {
    return fmt::format(
        "warp {} may wait for ever for parity 1 of {} ({}): nothing orders the wait before the end "
        "of phase 0",
        wait.warp, name_, place_text(wait.place));
  }
  return fmt::format(
      "warp {} may miss phase {} of {}, for which it waits ({}): nothing orders the wait before "
      "the end of phase {}",
      wait.warp, wait.target - 1, name_, place_text(wait.place), wait.target);
}

Result<int64_t> PhaseBarrier::begin_wait(BarrierClock& clock, const Accessor& who, int64_t parity) {
  learn(clock, who);
  const int64_t warp = warp_of(who), known = clock.known(warp)[agent_];
  // Phase `known - 1` is complete for all that the warp knows; of the other parity is the next.
  const int64_t target = ((known + 1) & 1) == parity ? known : known + 1;
  const Wait wait{warp, target, clock.epoch(warp), who.place};
  if (check_order_ && phase_ > target) {
    return fail(ErrorCode::kInvalidArgument, "{}", missed_text(wait));
  }
  waits_.push_back(wait);
  return target;
}

void PhaseBarrier::end_wait(BarrierClock& clock, const Accessor& who) const {
  clock.acquire(warp_of(who), complete_);
}

std::string PhaseBarrier::waiting_text(int64_t target, int place) const {
  std::string text = fmt::format("phase {} of {} ({}), which has had {} of {} arrivals", target - 1,
                                 name_, place_text(place), arrivals_ - pending_, arrivals_);
  if (bytes_ > 0) text += fmt::format(" and lacks {} of the announced bytes", bytes_);
  if (bytes_ < 0) text += fmt::format(" and {} bytes that nobody announced", -bytes_);
  return text;
}

Status PhaseBarrier::check_end(const BarrierClock& clock, int64_t num_warps) const {
  if (last_copy_phase_ < 0) return {};
  for (int64_t w = 0; w < num_warps; ++w) {
    if (clock.known(w)[agent_] > last_copy_phase_) return {};
  }
  return fail(ErrorCode::kInvalidArgument,
              "the kernel ends while the copy_bulk of {} may be under way: nobody waited for phase "
              "{} of {}",
              place_text(last_copy_place_), last_copy_phase_, name_);
}

}  // namespace anybit::vm::reference

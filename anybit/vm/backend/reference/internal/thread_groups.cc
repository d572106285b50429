#include "anybit/vm/backend/reference/internal/thread_groups.h"

#include <algorithm>

namespace anybit::vm::reference {

bool ThreadGroups::can_run(size_t i) const {
  const State& state = states_[i];
  if (state.is_done) return false;
  if (!state.is_started) {
    return std::ranges::all_of(groups_[i].after, [&](size_t j) { return states_[j].is_done; });
  }
  return state.ready == nullptr || (*state.ready)();
}

void ThreadGroups::start(size_t i) {
  State& state = states_[i];
  state.is_started = true;
  entries_[i] = {this, i};
  state.fiber.start(
      stacks_->stack(static_cast<int>(i)),
      [](void* argument) {
        const Entry entry = *static_cast<const Entry*>(argument);
        ThreadGroups& self = *entry.groups;
        self.results_[entry.index] = self.groups_[entry.index].run();
        self.states_[entry.index].is_done = true;
        self.states_[entry.index].fiber.finish();
      },
      &entries_[i]);
}

void ThreadGroups::resume(size_t i, const std::function<void(size_t)>& on_switch) {
  if (!states_[i].is_started) start(i);
  current_ = i;
  on_switch(i);
  states_[i].fiber.resume();
}

/// Every group that began returns, so that what lies on its stack is destroyed.
void ThreadGroups::end_all(const std::function<void(size_t)>& on_switch) {
  is_ending_ = true;
  for (size_t i = 0; i < states_.size(); ++i) {
    while (states_[i].is_started && !states_[i].is_done) resume(i, on_switch);
  }
}

/// The first group that waits says what all wait for.
Status ThreadGroups::end_deadlock(const std::function<void(size_t)>& on_switch) {
  size_t first = states_.size();
  for (size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].is_done || states_[i].describe == nullptr) continue;
    first = std::min(first, i);
    deadlock_ += (deadlock_.empty() ? "" : "; ") + (*states_[i].describe)();
  }
  end_all(on_switch);
  return results_[first];
}

Status ThreadGroups::run(const std::function<void(size_t)>& on_switch) {
  ANYBIT_ASSIGN(stacks_, internal::FiberStacks::create(static_cast<int>(groups_.size())));
  states_ = std::vector<State>(groups_.size());
  entries_.resize(groups_.size());
  results_.resize(groups_.size());
  while (!std::ranges::all_of(states_, &State::is_done)) {
    bool ran = false;
    for (size_t i = 0; i < states_.size(); ++i) {
      if (!can_run(i)) continue;
      ran = true;
      resume(i, on_switch);
      if (!states_[i].is_done || results_[i]) continue;
      end_all(on_switch);
      return results_[i];
    }
    if (!ran) return end_deadlock(on_switch);
  }
  return {};
}

Status ThreadGroups::wait_until(const std::function<bool()>& ready,
                                const std::function<std::string()>& describe) {
  State& state = states_[current_];
  while (!ready() && !is_ending_) {
    state.ready = &ready;
    state.describe = &describe;
    state.fiber.suspend();
    state.ready = nullptr;
    state.describe = nullptr;
  }
  if (!is_ending_) return {};
  return fail(ErrorCode::kInvalidArgument, "deadlock: {}", deadlock_);
}

}  // namespace anybit::vm::reference

// Groups of threads that run at the same time: fibres that take turns where one waits for another.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/backend/internal/fiber.h"

namespace anybit::vm::reference {

/// What a group does, and which earlier groups must have ended before it begins.
struct ThreadGroup {
  std::function<Status()> run;
  std::vector<size_t> after = {};
};

class ThreadGroups {
 public:
  explicit ThreadGroups(std::vector<ThreadGroup> groups) : groups_(std::move(groups)) {}

  /// Runs all, in their order wherever several can go on. Calls on_switch(i) before group i runs.
  /// Errors: the first of a group; the others are made to end. If all wait, the wait of the first
  /// of them gives "deadlock: " and what each waits for.
  Status run(const std::function<void(size_t)>& on_switch);

  /// In a group: lets the others run until ready(). Errors: the groups are ending; then the group
  /// returns. `describe`: what it waits for.
  Status wait_until(const std::function<bool()>& ready,
                    const std::function<std::string()>& describe);

 private:
  struct State {
    internal::Fiber fiber;
    bool is_started = false;
    bool is_done = false;
    const std::function<bool()>* ready = nullptr;
    const std::function<std::string()>* describe = nullptr;
  };
  struct Entry {
    ThreadGroups* groups;
    size_t index;
  };

  bool can_run(size_t i) const;
  void resume(size_t i, const std::function<void(size_t)>& on_switch);
  void start(size_t i);
  void end_all(const std::function<void(size_t)>& on_switch);
  Status end_deadlock(const std::function<void(size_t)>& on_switch);

  std::vector<ThreadGroup> groups_;
  std::vector<State> states_;
  std::vector<Entry> entries_;
  std::vector<Status> results_;
  std::optional<internal::FiberStacks> stacks_;
  size_t current_ = 0;
  bool is_ending_ = false;
  std::string deadlock_;  // What all wait for.
};

}  // namespace anybit::vm::reference

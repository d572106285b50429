// What the interpreter's two source files share: guards that restore its state at the end of a
// block, and the marking of errors with their line.
#pragma once

#include <utility>

#include "anybit/model/chat_template/internal/interpreter.h"

namespace anybit::model::jinja {

/// Evaluation and statements inside one another, across macros. Each level takes a few stack
/// frames; the limit keeps them within 2 MB even with AddressSanitizer.
inline constexpr int kMaxEvaluationDepth = 500;
/// Of collections: they are compared, printed and destroyed recursively.
inline constexpr int kMaxValueDepth = 150;

/// Opens a scope inside `outer` and closes it again. A scope in which a macro was made stays, as
/// the macro may be called later.
class Interpreter::ScopeGuard {
 public:
  ScopeGuard(Interpreter& interpreter, Scope* outer)
      : interpreter_(interpreter),
        previous_(interpreter.scope_),
        num_macros_(interpreter.num_macros_) {
    interpreter.scopes_.push_back({outer, {}});
    interpreter.scope_ = &interpreter.scopes_.back();
  }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;
  ~ScopeGuard() {
    interpreter_.scope_ = previous_;
    if (interpreter_.num_macros_ == num_macros_) interpreter_.scopes_.pop_back();
  }

 private:
  Interpreter& interpreter_;
  Scope* previous_;
  int64_t num_macros_;
};

/// Counts a level of recursion; status() tells whether it is one too many.
class Interpreter::DepthGuard {
 public:
  explicit DepthGuard(Interpreter& interpreter) : depth_(interpreter.depth_) { ++depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;
  ~DepthGuard() { --depth_; }

  Status status() const {
    if (depth_ <= kMaxEvaluationDepth) return {};
    return template_error("the template calls itself more than {} levels deep",
                          kMaxEvaluationDepth);
  }

 private:
  int& depth_;
};

/// Changes a counter until the end of the block: by one, or to a value.
class CounterGuard {
 public:
  explicit CounterGuard(int& counter) : CounterGuard(counter, counter + 1) {}
  CounterGuard(int& counter, int value) : counter_(counter), previous_(counter) { counter = value; }
  CounterGuard(const CounterGuard&) = delete;
  CounterGuard& operator=(const CounterGuard&) = delete;
  ~CounterGuard() { counter_ = previous_; }

 private:
  int& counter_;
  int previous_;
};

template <class T>
Result<T> Interpreter::located(Result<T> result, int line) const {
  if (!result) {
    return with_context(std::move(result).error(), fmt::format("line {}", line));
  }
  return result;
}

}  // namespace anybit::model::jinja

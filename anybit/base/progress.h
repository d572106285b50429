// How a long computation tells its caller how far it is. Libraries report; only cli/ draws bars.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace anybit {

struct Progress {
  std::string_view task;  // "quantize", "perplexity": stable over one task's reports.
  int64_t done = 0;       // Of `total`, in `unit`s.
  int64_t total = 0;
  std::string_view unit;  // "tensors", "tokens"
  std::string_view note;  // What is being worked on, or a running result. May be empty.
};

/// Called on the thread that runs the computation, at a rate the caller need not limit.
/// An empty function is allowed and means nobody listens.
using ProgressSink = std::function<void(const Progress&)>;

}  // namespace anybit

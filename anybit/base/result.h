// Result<T>: a value or an Error, returned by every function that can fail for a reason its caller
// cannot rule out: a file, a request, a device, a model somebody else wrote.
// A broken precondition inside our own code is a bug: see check.h.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace anybit {

/// What kind of failure an Error reports; the CLI and the server map it to exit codes and statuses.
enum class ErrorCode : uint8_t {
  kInvalidArgument,  // Can never work, whatever the state of the system.
  kNotFound,         // No file, tensor, kernel or model of that name.
  kUnsupported,      // Valid, but not on this device or in this build.
  kCorruptData,      // A file or message contradicts itself or its specification.
  kOutOfMemory,      // Host, device or KV-cache memory ran out; may work later.
  kIo,               // The operating system reported a failure.
  kDeviceError,      // The driver reported a failure.
};

/// A failure and its explanation: what was expected and what was found, with names and numbers.
struct Error {
  ErrorCode code;
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;

/// The result of a function with nothing to return; `return {};` reports success.
using Status = Result<void>;

/// Builds a failed Result: return fail(ErrorCode::kNotFound, "no tensor {} in {}", name, path);
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format,
                                         Args&&... args) {
  return tl::make_unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

/// The same error with `context` ("reading config.json") put before its message.
[[nodiscard]] inline tl::unexpected<Error> with_context(Error error, std::string_view context) {
  error.message = fmt::format("{}: {}", context, error.message);
  return tl::make_unexpected(std::move(error));
}

}  // namespace anybit

#define ANYBIT_CONCAT_INNER(a, b) a##b
#define ANYBIT_CONCAT(a, b) ANYBIT_CONCAT_INNER(a, b)

/// Leaves the enclosing function with the error of `expr`, if it has one.
#define ANYBIT_TRY(expr)                                            \
  do {                                                              \
    if (auto anybit_result = (expr); !anybit_result)                \
      return tl::make_unexpected(std::move(anybit_result).error()); \
  } while (false)

/// ANYBIT_ASSIGN(auto file, open(path)): declares or assigns the value, or leaves with the error.
// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot stand in parentheses.
#define ANYBIT_ASSIGN(declaration, expr)                                                    \
  auto ANYBIT_CONCAT(anybit_result_, __LINE__) = (expr);                                    \
  if (!ANYBIT_CONCAT(anybit_result_, __LINE__))                                             \
    return tl::make_unexpected(std::move(ANYBIT_CONCAT(anybit_result_, __LINE__)).error()); \
  declaration = std::move(*ANYBIT_CONCAT(anybit_result_, __LINE__))
// NOLINTEND(bugprone-macro-parentheses)

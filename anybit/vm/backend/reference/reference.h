// The reference backend: what a program of the tile VM means. It executes every instruction thread
// by thread exactly as the layouts say, one CTA after the other, and reports what a GPU would let
// pass: races, unwritten memory, accesses out of bounds, copies read too early.
// Obviously right rather than fast; other backends are compared with it.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <variant>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm {

/// The value of one parameter: a scalar, or for a pointer the memory that it may reach.
struct LaunchArgument {
  LaunchArgument(int32_t value)  // NOLINT(google-explicit-constructor)
      : value(ScalarValue{ScalarType::kI32, value, 0, nullptr}) {}
  LaunchArgument(int64_t value)  // NOLINT(google-explicit-constructor)
      : value(ScalarValue{ScalarType::kI64, value, 0, nullptr}) {}
  LaunchArgument(float value)  // NOLINT(google-explicit-constructor)
      : value(ScalarValue{ScalarType::kF32, 0, value, nullptr}) {}
  LaunchArgument(bool value)  // NOLINT(google-explicit-constructor)
      : value(ScalarValue{ScalarType::kBool, value, 0, nullptr}) {}
  LaunchArgument(ScalarValue value) : value(value) {}  // NOLINT(google-explicit-constructor)
  LaunchArgument(std::span<std::byte> memory)          // NOLINT(google-explicit-constructor)
      : value(memory) {}

  std::variant<ScalarValue, std::span<std::byte>> value;
};

struct ReferenceOptions {
  bool check_races = true;
  /// Takes each line of `print`, without its end; null: lines are dropped.
  std::function<void(std::string_view)> print = nullptr;
  /// The most statements that one launch may execute: a loop without end becomes an error.
  int64_t max_statements = int64_t{1} << 32;
};

/// Runs `program` for every CTA of its grid, in order (x fastest). Memory is read and written in
/// place; after an error its content is that of a half-run kernel.
/// Pre: verify(program, VerifyStage::kWithLayouts) has passed.
/// Errors: kInvalidArgument for arguments that do not fit the parameters (number, type, pointers
/// not aligned to 16 bytes) and for every error of the program, naming line, instruction, CTA,
/// thread and element: memory out of bounds, a race, unwritten or freed shared memory, a copy used
/// before it has arrived, division by zero, a failed assert or assume, a semaphore that no earlier
/// CTA has released (CTAs run one after the other, so waiting for a later one never ends here).
Status run_reference(const Program& program, std::span<const LaunchArgument> arguments,
                     const ReferenceOptions& options = {});

}  // namespace anybit::vm

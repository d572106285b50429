// Schedules: the choices that change how fast a kernel is and not what it computes, as named
// integers. A kernel template says which there are (kernel_template.h).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"

namespace anybit::vm {

/// Integers by name, in the order of their names.
class NamedIntegers {
 public:
  NamedIntegers() = default;
  NamedIntegers(std::initializer_list<std::pair<const std::string, int64_t>> entries)
      : entries_(entries) {}

  /// The integer of that name. Pre: there is one.
  int64_t at(std::string_view name) const;
  std::optional<int64_t> find(std::string_view name) const;
  void set(std::string_view name, int64_t value);
  const std::map<std::string, int64_t, std::less<>>& entries() const { return entries_; }

  friend bool operator==(const NamedIntegers&, const NamedIntegers&) = default;
  friend auto operator<=>(const NamedIntegers&, const NamedIntegers&) = default;

 private:
  std::map<std::string, int64_t, std::less<>> entries_;
};

/// The sizes of a problem: m, n, k.
using ProblemSizes = NamedIntegers;
/// A choice for every axis: tile_m, num_stages.
using Schedule = NamedIntegers;

/// "k=4096 m=16 n=4096".
std::string to_string(const NamedIntegers& integers);

/// Parses that text, in any order; blanks separate. Names are [a-z_][a-z0-9_]*.
/// Errors: kInvalidArgument naming the word, also of a name that occurs twice.
Result<NamedIntegers> parse_named_integers(std::string_view text);

/// One choice of a schedule and the values it may take, in the order in which they are listed.
struct ScheduleAxis {
  std::string name;
  std::vector<int64_t> values;
  std::string meaning;  // "rows of a CTA's tile"
};

/// The most schedules of one space.
inline constexpr int64_t kMaxSchedules = 100'000;

/// Every combination of the axes' values, the last axis fastest.
/// Errors: kInvalidArgument beyond kMaxSchedules, or for an axis without values.
Result<std::vector<Schedule>> all_schedules(std::span<const ScheduleAxis> axes);

/// The least power of two that is at least `size`: how shape classes round sizes.
/// Pre: 1 <= size <= 2^62.
int64_t rounded_up_to_power_of_two(int64_t size);

}  // namespace anybit::vm

#include "anybit/vm/tuning/schedule.h"

#include <charconv>

#include "anybit/base/check.h"

namespace anybit::vm {
namespace {

bool is_name(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (text.empty() || !is_letter(text[0])) return false;
  for (const char c : text) {
    if (!is_letter(c) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

}  // namespace

int64_t NamedIntegers::at(std::string_view name) const {
  const auto found = entries_.find(name);
  ANYBIT_CHECK(found != entries_.end());
  return found->second;
}

std::optional<int64_t> NamedIntegers::find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? std::nullopt : std::optional(found->second);
}

void NamedIntegers::set(std::string_view name, int64_t value) {
  entries_[std::string(name)] = value;
}

std::string to_string(const NamedIntegers& integers) {
  std::string text;
  for (const auto& [name, value] : integers.entries()) {
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  }
  return text;
}

Result<NamedIntegers> parse_named_integers(std::string_view text) {
  NamedIntegers result;
  while (true) {
    const size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return result;
    text.remove_prefix(first);
    const std::string_view word = text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(word.size());
    const size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    int64_t value = 0;
    const char* const end = word.data() + word.size();
    const bool has_value = equals != std::string_view::npos && is_name(name) && [&] {
      const auto parsed = std::from_chars(word.data() + equals + 1, end, value);
      return parsed.ec == std::errc() && parsed.ptr == end;
    }();
    if (!has_value) {
      return fail(ErrorCode::kInvalidArgument, "expected name=integer, found '{}'", word);
    }
    if (result.find(name)) return fail(ErrorCode::kInvalidArgument, "{} is given twice", name);
    result.set(name, value);
  }
}

Result<std::vector<Schedule>> all_schedules(std::span<const ScheduleAxis> axes) {
  int64_t count = 1;
  for (const ScheduleAxis& axis : axes) {
    const auto values = static_cast<int64_t>(axis.values.size());
    if (values == 0 || count > kMaxSchedules / values) {
      return fail(ErrorCode::kInvalidArgument,
                  "axis {} of {} values: expected 1 or more, and at most {} schedules in all",
                  axis.name, values, kMaxSchedules);
    }
    count *= values;
  }
  std::vector<Schedule> schedules;
  for (int64_t i = 0; i < count; ++i) {
    Schedule& schedule = schedules.emplace_back();
    int64_t rest = i;
    for (size_t a = axes.size(); a-- > 0;) {
      const auto values = static_cast<int64_t>(axes[a].values.size());
      schedule.set(axes[a].name, axes[a].values[static_cast<size_t>(rest % values)]);
      rest /= values;
    }
  }
  return schedules;
}

int64_t rounded_up_to_power_of_two(int64_t size) {
  ANYBIT_CHECK(size >= 1 && size <= int64_t{1} << 62);
  int64_t power = 1;
  while (power < size) power *= 2;
  return power;
}

}  // namespace anybit::vm

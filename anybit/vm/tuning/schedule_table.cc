#include "anybit/vm/tuning/schedule_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "anybit/base/file.h"
#include "anybit/vm/tuning/internal/shipped_schedules.h"

namespace anybit::vm {
namespace {

constexpr std::string_view kHeader =
    "# Measured schedules: kernel | device | shape class | schedule | time | commit\n";
constexpr int64_t kMaxTableBytes = int64_t{16} << 20;

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// The six columns of a line. Errors: another number of them, or an empty one.
Result<std::array<std::string_view, 6>> columns_of(std::string_view line) {
  std::array<std::string_view, 6> columns;
  size_t count = 0;
  for (size_t first = 0; first <= line.size(); ++count) {
    const size_t end = std::min(line.find('|', first), line.size());
    if (count < columns.size()) columns[count] = trimmed(line.substr(first, end - first));
    first = end + 1;
  }
  const bool has_empty = std::any_of(columns.begin(), columns.end(),
                                     [](std::string_view column) { return column.empty(); });
  if (count != columns.size() || has_empty) {
    return fail(ErrorCode::kCorruptData,
                "expected kernel | device | shape class | schedule | time | commit, found '{}'",
                line);
  }
  return columns;
}

Result<ScheduleEntry> parse_entry(std::string_view line) {
  ANYBIT_ASSIGN(const auto columns, columns_of(line));
  ScheduleEntry entry;
  entry.kernel = columns[0];
  entry.device = columns[1];
  auto shape_class = parse_named_integers(columns[2]), schedule = parse_named_integers(columns[3]);
  if (!shape_class || !schedule) {
    return fail(ErrorCode::kCorruptData, "{}",
                (shape_class ? schedule : shape_class).error().message);
  }
  entry.shape_class = std::move(*shape_class);
  entry.schedule = std::move(*schedule);
  const std::string_view time = columns[4];
  const auto parsed = std::from_chars(time.data(), time.data() + time.size(), entry.microseconds);
  if (parsed.ec != std::errc() || !(entry.microseconds > 0) || !std::isfinite(entry.microseconds) ||
      std::string_view(parsed.ptr, time.data() + time.size()) != " us") {
    return fail(ErrorCode::kCorruptData, "expected a time such as '12.5 us', found '{}'", time);
  }
  entry.commit = columns[5];
  return entry;
}

const char* set_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace

const ScheduleEntry* ScheduleTable::find(std::string_view kernel, std::string_view device,
                                         const ProblemSizes& shape_class) const {
  const auto found = entries_.find(Key(std::string(kernel), std::string(device), shape_class));
  return found == entries_.end() ? nullptr : &found->second;
}

void ScheduleTable::put(ScheduleEntry entry) {
  Key key(entry.kernel, entry.device, entry.shape_class);
  entries_.insert_or_assign(std::move(key), std::move(entry));
}

void ScheduleTable::merge(const ScheduleTable& other) {
  for (const auto& [key, entry] : other.entries_) put(entry);
}

std::vector<ScheduleEntry> ScheduleTable::entries() const {
  std::vector<ScheduleEntry> result;
  for (const auto& [key, entry] : entries_) result.push_back(entry);
  return result;
}

std::string to_string(const ScheduleTable& table) {
  std::string text(kHeader);
  for (const ScheduleEntry& entry : table.entries()) {
    text += fmt::format("{} | {} | {} | {} | {:.5g} us | {}\n", entry.kernel, entry.device,
                        to_string(entry.shape_class), to_string(entry.schedule), entry.microseconds,
                        entry.commit);
  }
  return text;
}

Result<ScheduleTable> parse_schedule_table(std::string_view text) {
  ScheduleTable table;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line[0] == '#') continue;
    Result<ScheduleEntry> entry = parse_entry(line);
    if (!entry) return with_context(entry.error(), fmt::format("line {}", number));
    if (table.find(entry->kernel, entry->device, entry->shape_class) != nullptr) {
      return fail(ErrorCode::kCorruptData, "line {}: {} on {} at {} is there twice", number,
                  entry->kernel, entry->device, to_string(entry->shape_class));
    }
    table.put(std::move(*entry));
  }
  return table;
}

Result<ScheduleTable> load_schedule_table(const std::filesystem::path& path) {
  const Result<std::string> text = read_text_file(path, kMaxTableBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return ScheduleTable();
  ANYBIT_TRY(text);
  Result<ScheduleTable> table = parse_schedule_table(*text);
  if (!table) return with_context(table.error(), path.string());
  return table;
}

Status store_schedule(const std::filesystem::path& path, const ScheduleEntry& entry) {
  ANYBIT_ASSIGN(ScheduleTable table, load_schedule_table(path));
  table.put(entry);
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) {
    return fail(ErrorCode::kIo, "{}: {}", path.parent_path().string(), error.message());
  }
  return write_file(path, to_string(table));
}

Result<std::filesystem::path> user_schedule_path() {
  if (const char* own = set_variable("ANYBIT_SCHEDULES")) return std::filesystem::path(own);
  if (const char* xdg = set_variable("XDG_CACHE_HOME"); xdg != nullptr && *xdg == '/') {
    return std::filesystem::path(xdg) / "anybit" / "schedules.txt";
  }
  if (const char* home = set_variable("HOME")) {
    return std::filesystem::path(home) / ".cache" / "anybit" / "schedules.txt";
  }
  return fail(ErrorCode::kNotFound,
              "no place for schedules: none of ANYBIT_SCHEDULES, XDG_CACHE_HOME, HOME is set");
}

Result<ScheduleTable> shipped_schedules() {
  return parse_schedule_table(internal::kShippedSchedules);
}

ScheduleTable known_schedules(std::string& note) {
  note.clear();
  ScheduleTable table;
  if (auto shipped = shipped_schedules()) table = std::move(*shipped);
  const auto path = user_schedule_path();
  if (!path) return table;
  const auto own = load_schedule_table(*path);
  if (own) {
    table.merge(*own);
  } else {
    note = fmt::format("the table of measured schedules is left out: {}", own.error().message);
  }
  return table;
}

}  // namespace anybit::vm

// Schedules that were measured, by kernel, device and shape class: a text of one line an entry,
// sorted, that people read and commit:
//
//   dense_matmul_f16 | h100 | k=8192 m=8192 n=8192 | num_stages=3 tile_m=128 | 3105.2 us | c10f112
//
// '#' begins a comment line. Shipped tables are compiled in (shipped_schedules()); the user's own
// lies in the cache folder and goes first.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "anybit/base/result.h"
#include "anybit/vm/tuning/schedule.h"

namespace anybit::vm {

struct ScheduleEntry {
  std::string kernel;
  std::string device;
  ProblemSizes shape_class;
  Schedule schedule;
  double microseconds = 0;
  std::string commit;  // Of the program that measured it; "unknown" if it does not know.
};

class ScheduleTable {
 public:
  /// Null: no entry.
  const ScheduleEntry* find(std::string_view kernel, std::string_view device,
                            const ProblemSizes& shape_class) const;
  /// Takes the place of an entry for the same kernel, device and class.
  void put(ScheduleEntry entry);
  /// put() of every entry of `other`.
  void merge(const ScheduleTable& other);

  size_t size() const { return entries_.size(); }
  /// Sorted by kernel, device, class.
  std::vector<ScheduleEntry> entries() const;

 private:
  using Key = std::tuple<std::string, std::string, ProblemSizes>;
  std::map<Key, ScheduleEntry> entries_;
};

/// Times are given to five digits. Post: parse_schedule_table() of it gives the same table but for
/// their further digits, and the same text again.
std::string to_string(const ScheduleTable& table);

/// Errors: kCorruptData with the line, what was expected and what was found.
Result<ScheduleTable> parse_schedule_table(std::string_view text);

/// Reads a table; a file that is not there is an empty one.
/// Errors: kIo; kCorruptData naming the file and the line.
Result<ScheduleTable> load_schedule_table(const std::filesystem::path& path);

/// Adds the entry to the file, which appears whole or stays as it was.
/// Errors: as load_schedule_table(): a file that cannot be read is not overwritten; kIo.
Status store_schedule(const std::filesystem::path& path, const ScheduleEntry& entry);

/// Where the user's table lies: $ANYBIT_SCHEDULES if set, else schedules.txt in the folder anybit
/// of $XDG_CACHE_HOME (absolute) or of ~/.cache. Errors: kNotFound if none of them is set.
Result<std::filesystem::path> user_schedule_path();

/// The tables of this build's sources.
/// Errors: kCorruptData (a test holds that there are none).
Result<ScheduleTable> shipped_schedules();

/// The shipped tables with the user's entries over them. A user's table that cannot be read is left
/// out, and `note` says so and why; else it is empty.
ScheduleTable known_schedules(std::string& note);

}  // namespace anybit::vm

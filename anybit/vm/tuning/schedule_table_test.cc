#include "anybit/vm/tuning/schedule_table.h"

#include <gtest/gtest.h>

#include "anybit/base/file.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temporary_folder.h"

namespace anybit::vm {
namespace {

using anybit::testing::ScopedVariable;
using anybit::testing::TemporaryFolder;

ScheduleEntry entry(int64_t m, double microseconds) {
  return {"softmax_f16", "h100", {{"m", m}}, {{"num_warps", 8}}, microseconds, "abc1234"};
}

TEST(ScheduleTable, TextIsSortedAndParsesBack) {
  ScheduleTable table;
  table.put(entry(64, 12.5));
  table.put(entry(16, 3.25));
  ScheduleEntry copy = entry(8, 1e-3);
  copy.kernel = "copy";
  table.put(copy);
  const std::string text = to_string(table);
  EXPECT_EQ(text,
            "# Measured schedules: kernel | device | shape class | schedule | time | commit\n"
            "copy | h100 | m=8 | num_warps=8 | 0.001 us | abc1234\n"
            "softmax_f16 | h100 | m=16 | num_warps=8 | 3.25 us | abc1234\n"
            "softmax_f16 | h100 | m=64 | num_warps=8 | 12.5 us | abc1234\n");
  const auto parsed = parse_schedule_table(text);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(to_string(*parsed), text);
  ASSERT_NE(parsed->find("softmax_f16", "h100", {{"m", 64}}), nullptr);
  EXPECT_EQ(parsed->find("softmax_f16", "h100", {{"m", 64}})->microseconds, 12.5);
  EXPECT_EQ(parsed->find("softmax_f16", "a100", {{"m", 64}}), nullptr);
}

TEST(ScheduleTable, BrokenLinesAreNamed) {
  for (const auto& [text, message] :
       {std::pair{"a | b | m=1 | w=1 | 2 us\n", "line 1: expected kernel |"},
        std::pair{"# note\n\na | b | m | w=1 | 2 us | c\n", "line 3: expected name=integer"},
        std::pair{"a | b | m=1 | w=1 | fast | c\n", "line 1: expected a time"},
        std::pair{"a | b | m=1 | w=1 | -2 us | c\n", "line 1: expected a time"},
        std::pair{"a | b | m=1 | w=1 | nan us | c\n", "line 1: expected a time"},
        std::pair{"a | b | m=1 | w=1 | 2 ms | c\n", "line 1: expected a time"},
        std::pair{"a | b | m=1 | | 2 us | c\n", "line 1: expected kernel |"},
        std::pair{"a | b | m=1 | w=1 | 2 us | c\na | b | m=1 | w=2 | 1 us | c\n",
                  "line 2: a on b at m=1 is there twice"}}) {
    const auto parsed = parse_schedule_table(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kCorruptData);
    EXPECT_NE(parsed.error().message.find(message), std::string::npos) << parsed.error().message;
  }
}

TEST(ScheduleTable, FilesGrowByEntriesAndKeepTheNewest) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "new" / "schedules.txt";
  EXPECT_EQ(load_schedule_table(path)->size(), 0U);
  ASSERT_TRUE(store_schedule(path, entry(1, 5)).has_value());
  ASSERT_TRUE(store_schedule(path, entry(2, 6)).has_value());
  ASSERT_TRUE(store_schedule(path, entry(1, 4)).has_value());
  const auto table = load_schedule_table(path);
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->size(), 2U);
  EXPECT_EQ(table->find("softmax_f16", "h100", {{"m", 1}})->microseconds, 4);
}

TEST(ScheduleTable, ACorruptFileIsNotOverwritten) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "schedules.txt";
  ASSERT_TRUE(write_file(path, "nonsense\n").has_value());
  const Status status = store_schedule(path, entry(1, 5));
  ASSERT_FALSE(status.has_value());
  EXPECT_NE(status.error().message.find("schedules.txt: line 1"), std::string::npos);
  EXPECT_EQ(*read_text_file(path), "nonsense\n");
}

TEST(ScheduleTable, TheUsersEntriesGoFirstAndBrokenTablesAreNoted) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "schedules.txt";
  const ScopedVariable own("ANYBIT_SCHEDULES", path.c_str());
  ASSERT_EQ(*user_schedule_path(), path);
  std::string note;
  const size_t shipped = known_schedules(note).size();
  EXPECT_EQ(note, "");
  ASSERT_TRUE(store_schedule(path, entry(3, 5)).has_value());
  EXPECT_EQ(known_schedules(note).size(), shipped + 1);
  ASSERT_TRUE(write_file(path, "a | b\n").has_value());
  EXPECT_EQ(known_schedules(note).size(), shipped);
  EXPECT_NE(note.find("left out"), std::string::npos);
  EXPECT_NE(note.find("schedules.txt: line 1"), std::string::npos);
}

TEST(ScheduleTable, ShippedTablesParse) {
  const auto shipped = shipped_schedules();
  ASSERT_TRUE(shipped.has_value()) << shipped.error().message;
}

}  // namespace
}  // namespace anybit::vm

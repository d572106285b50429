#include "anybit/base/file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "tests/support/temporary_folder.h"

namespace anybit {
namespace {

using testing::TemporaryFolder;

std::string text_of(const std::filesystem::path& path) { return read_text_file(path).value(); }

TEST(MapFile, GivesTheBytesAndKeepsThemAlive) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "a", "hello"));
  Buffer slice = map_file(folder / "a").value().slice(1, 3);
  std::filesystem::remove(folder / "a");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(slice.data()), 3), "ell");
}

// Bytes of mapped files that are in this process's memory now.
int64_t resident_file_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssFile:")) return std::stoll(line.substr(8)) * 1024;
  }
  return -1;
}

TEST(MapFile, PagesLeaveMemoryAndComeBack) {
  if (resident_file_bytes() < 0) GTEST_SKIP() << "this system does not tell resident bytes";
  const TemporaryFolder folder;
  constexpr int64_t kSize = 16 << 20, kMargin = 1 << 20;
  ASSERT_TRUE(write_file(folder / "a", std::string(kSize, 'x')));
  const Buffer part = map_file(folder / "a").value().slice(1, kSize - 2);
  const auto all_read = [&] {
    return std::ranges::count(part.bytes(), std::byte{'x'}) == part.size();
  };
  const int64_t before = resident_file_bytes();
  EXPECT_TRUE(all_read());
  EXPECT_GT(resident_file_bytes(), before + kSize - kMargin);
  part.release_pages();
  EXPECT_LT(resident_file_bytes(), before + kMargin);
  EXPECT_TRUE(all_read());
}

TEST(MapFile, OfAnEmptyFileIsEmpty) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "empty", ""));
  EXPECT_TRUE(map_file(folder / "empty").value().empty());
}

TEST(MapFile, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  const auto missing = map_file(folder / "absent");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find("absent"), std::string::npos);
  const auto directory = map_file(folder.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::kIo);
}

TEST(ReadTextFile, RefusesMoreThanTheLimit) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "a", "12345"));
  EXPECT_EQ(read_text_file(folder / "a", 5).value(), "12345");
  const auto refused = read_text_file(folder / "a", 4);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

TEST(AtomicFile, AppearsAtCommit) {
  const TemporaryFolder folder;
  {
    AtomicFile file = AtomicFile::create(folder / "a").value();
    ASSERT_TRUE(file.write(std::string_view("one ")));
    ASSERT_TRUE(file.write(std::string_view("two")));
    EXPECT_EQ(file.position(), 7);
    EXPECT_FALSE(std::filesystem::exists(folder / "a"));
    ASSERT_TRUE(file.commit());
  }
  EXPECT_EQ(text_of(folder / "a"), "one two");
  EXPECT_EQ(folder.num_entries(), 1);
}

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "a", "old"));
  {
    AtomicFile file = AtomicFile::create(folder / "a").value();
    ASSERT_TRUE(file.write(std::string_view("half of the n")));
  }
  EXPECT_EQ(text_of(folder / "a"), "old");
  EXPECT_EQ(folder.num_entries(), 1);
}

TEST(AtomicFile, WritesAnywhereAndFillsGapsWithZeros) {
  const TemporaryFolder folder;
  AtomicFile file = AtomicFile::create(folder / "a").value();
  ASSERT_TRUE(file.write(std::string_view("ab")));
  ASSERT_TRUE(file.write_at(4, std::as_bytes(std::span("z", 1))));
  ASSERT_TRUE(file.write_at(0, std::as_bytes(std::span("A", 1))));
  EXPECT_EQ(file.position(), 2);
  ASSERT_TRUE(file.write(std::string_view("c")));
  ASSERT_TRUE(file.commit());
  EXPECT_EQ(text_of(folder / "a"), std::string("Abc\0z", 5));
}

TEST(AtomicFile, MovedFromOwnsNothing) {
  const TemporaryFolder folder;
  AtomicFile first = AtomicFile::create(folder / "a").value();
  AtomicFile second = std::move(first);
  ASSERT_TRUE(second.write(std::string_view("x")));
  second = AtomicFile::create(folder / "b").value();
  EXPECT_EQ(folder.num_entries(), 1);
  ASSERT_TRUE(second.commit());
  EXPECT_TRUE(std::filesystem::exists(folder / "b"));
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
}

TEST(AtomicFile, ReportsAMissingFolder) {
  const TemporaryFolder folder;
  const auto file = AtomicFile::create(folder / "none" / "a");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace anybit

// Runs every fuzz target over its committed corpus: what fuzzing once found stays fixed, and each
// target stays compilable, in builds without libFuzzer.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "anybit/base/file.h"

namespace anybit::fuzz {

#define ANYBIT_FUZZ_NAME(name) int name(const uint8_t* bytes, size_t size);
#include "fuzz_names.inc"
#undef ANYBIT_FUZZ_NAME

namespace {

struct Target {
  const char* name;
  int (*run)(const uint8_t*, size_t);
};

constexpr Target kTargets[] = {
#define ANYBIT_FUZZ_NAME(name) {#name, name},
#include "fuzz_names.inc"
#undef ANYBIT_FUZZ_NAME
};

class Replay : public ::testing::TestWithParam<Target> {};

TEST_P(Replay, PassesItsCorpus) {
  const std::filesystem::path folder = std::filesystem::path(ANYBIT_FUZZ_CORPUS) / GetParam().name;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  ASSERT_FALSE(files.empty()) << folder << " holds no inputs";
  std::ranges::sort(files);
  for (const std::filesystem::path& file : files) {
    SCOPED_TRACE(file.string());
    const Buffer input = map_file(file).value();
    EXPECT_EQ(GetParam().run(reinterpret_cast<const uint8_t*>(input.data()),
                             static_cast<size_t>(input.size())),
              0);
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, ::testing::ValuesIn(kTargets),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace anybit::fuzz

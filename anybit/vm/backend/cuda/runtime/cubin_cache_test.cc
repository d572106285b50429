#include "anybit/vm/backend/cuda/runtime/cubin_cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <set>

#include "anybit/base/file.h"
#include "tests/support/temporary_folder.h"

namespace anybit::vm::cuda {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

/// A cubin of `num_bytes` bytes that depend on `seed`.
Cubin made_cubin(int seed, size_t num_bytes = 100) {
  Cubin cubin;
  cubin.arch = "sm_90a";
  cubin.seconds = 0.25 * seed;
  cubin.log =
      "ptxas info    : Compiling entry function 'k' for 'sm_90a'\n"
      "ptxas info    : Used 40 registers, used 1 barriers\n";
  cubin.kernels = parse_kernel_resources(cubin.log);
  for (size_t i = 0; i < num_bytes; ++i) {
    cubin.bytes.push_back(static_cast<std::byte>(i * 7 + static_cast<size_t>(seed)));
  }
  return cubin;
}

CubinCache open_cache(const fs::path& folder, int64_t max_bytes = CubinCache::kDefaultMaxBytes) {
  return CubinCache::open(folder, max_bytes).value();
}

void set_age(const fs::path& path, std::chrono::seconds age) {
  fs::last_write_time(path, fs::file_time_type::clock::now() - age);
}

TEST(CubinKey, DependsOnEverythingThatDecidesTheCubin) {
  CompileOptions base;
  base.includes = {{"device.h", "int x;"}};
  base.defines = {"A=1"};
  std::vector<CompileOptions> variants(8, base);
  variants[1].arch = "sm_90";
  variants[2].includes[0].name = "other.h";
  variants[3].includes[0].text = "int y;";
  variants[4].defines = {"A=2"};
  variants[5].fmad = true;
  variants[6].line_info = true;
  variants[7].source_name = "b.cu";
  std::set<std::string> keys;
  for (const CompileOptions& options : variants) keys.insert(cubin_key("source", options, "13.0"));
  keys.insert(cubin_key("another", base, "13.0"));
  keys.insert(cubin_key("source", base, "12.9"));
  EXPECT_EQ(keys.size(), variants.size() + 2);
  EXPECT_EQ(cubin_key("source", base, "13.0"), cubin_key("source", base, "13.0"));
}

TEST(CubinCache, GivesBackWhatWasStored) {
  const TemporaryFolder folder;
  const CubinCache cache = open_cache(folder / "new/deep");
  EXPECT_EQ(fs::status(folder / "new/deep").permissions(), fs::perms::owner_all);
  EXPECT_FALSE(cache.find("k1").value().has_value());
  const Cubin cubin = made_cubin(3);
  ASSERT_TRUE(cache.store("k1", cubin));
  const Cubin found = cache.find("k1").value().value();
  EXPECT_EQ(found.bytes, cubin.bytes);
  EXPECT_EQ(found.log, cubin.log);
  EXPECT_EQ(found.arch, cubin.arch);
  EXPECT_EQ(found.seconds, cubin.seconds);
  ASSERT_EQ(found.kernels.size(), 1U);
  EXPECT_EQ(found.kernels[0].registers, 40);
  EXPECT_FALSE(cache.find("k2").value().has_value());
}

TEST(CubinCache, CompilesOnceAndKeepsNoFailure) {
  const TemporaryFolder folder;
  const CubinCache cache = open_cache(folder.path());
  int compiled = 0;
  const auto failing = [&]() -> Result<Cubin> {
    ++compiled;
    return fail(ErrorCode::kInvalidArgument, "does not compile");
  };
  const auto working = [&]() -> Result<Cubin> {
    ++compiled;
    return made_cubin(1);
  };
  EXPECT_EQ(cache.get_or_compile("k", failing).error().message, "does not compile");
  EXPECT_EQ(folder.num_entries(), 0);
  EXPECT_FALSE(cache.get_or_compile("k", working).value().was_cached);
  const CubinCache::Lookup second = cache.get_or_compile("k", working).value();
  EXPECT_TRUE(second.was_cached);
  EXPECT_EQ(second.problem, "");
  EXPECT_EQ(second.cubin.bytes, made_cubin(1).bytes);
  EXPECT_EQ(compiled, 2);
}

TEST(CubinCache, NoticesEveryFlippedByteAndEveryTruncation) {
  const TemporaryFolder folder;
  const CubinCache cache = open_cache(folder.path());
  ASSERT_TRUE(cache.store("k", made_cubin(1, 40)));
  const std::string good = read_text_file(cache.entry_path("k")).value();
  const auto put = [&](const std::string& bytes) {
    std::ofstream(cache.entry_path("k"), std::ios::binary | std::ios::trunc) << bytes;
  };
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    put(bad);
    const auto found = cache.find("k");
    ASSERT_FALSE(found) << "byte " << i;
    EXPECT_EQ(found.error().code, ErrorCode::kCorruptData);
    put(good.substr(0, i));
    ASSERT_FALSE(cache.find("k")) << "cut at " << i;
  }
  put(good + "x");
  EXPECT_FALSE(cache.find("k"));
  put(good);
  EXPECT_TRUE(cache.find("k").value().has_value());
}

TEST(CubinCache, ReplacesADamagedEntryAndSaysSo) {
  const TemporaryFolder folder;
  const CubinCache cache = open_cache(folder.path());
  const auto compile = []() -> Result<Cubin> { return made_cubin(1); };
  std::ofstream(cache.entry_path("k")) << "garbage";
  const CubinCache::Lookup repaired = cache.get_or_compile("k", compile).value();
  EXPECT_FALSE(repaired.was_cached);
  EXPECT_NE(repaired.problem.find("k.cubin: not a cubin entry"), std::string::npos)
      << repaired.problem;
  EXPECT_TRUE(cache.get_or_compile("k", compile).value().was_cached);
}

TEST(CubinCache, RefusesTheEntryOfAnotherKey) {
  const TemporaryFolder folder;
  const CubinCache cache = open_cache(folder.path());
  ASSERT_TRUE(cache.store("a", made_cubin(1)));
  fs::copy_file(cache.entry_path("a"), cache.entry_path("b"));
  const auto found = cache.find("b");
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("key 'a'"), std::string::npos);
}

TEST(CubinCache, RemovesTheLeastRecentlyUsed) {
  const TemporaryFolder folder;
  const CubinCache unlimited = open_cache(folder.path());
  for (int i = 0; i < 4; ++i) {
    const std::string key = "k" + std::to_string(i);
    ASSERT_TRUE(unlimited.store(key, made_cubin(i, 1000)));
    set_age(unlimited.entry_path(key), std::chrono::seconds(100 - i));
  }
  const int64_t each = unlimited.size_bytes().value() / 4;
  const CubinCache limited = open_cache(folder.path(), 3 * each);
  ASSERT_TRUE(limited.find("k0").value().has_value());  // Now the most recently used.
  ASSERT_TRUE(limited.store("k4", made_cubin(4, 1000)));
  EXPECT_LE(limited.size_bytes().value(), 3 * each);
  for (const auto& [key, stays] : std::vector<std::pair<std::string, bool>>{
           {"k0", true}, {"k1", false}, {"k2", false}, {"k3", true}, {"k4", true}}) {
    EXPECT_EQ(fs::exists(limited.entry_path(key)), stays) << key;
  }
}

TEST(CubinCache, DoesNotKeepWhatExceedsTheLimitAlone) {
  const TemporaryFolder folder;
  const CubinCache cache = open_cache(folder.path(), 500);
  EXPECT_EQ(cache.store("k", made_cubin(1, 1000)).error().code, ErrorCode::kInvalidArgument);
  const auto lookup =
      cache.get_or_compile("k", []() -> Result<Cubin> { return made_cubin(1, 1000); });
  ASSERT_TRUE(lookup);
  EXPECT_EQ(lookup->cubin.bytes.size(), 1000U);
  EXPECT_NE(lookup->problem.find("the limit of all is 500"), std::string::npos);
  EXPECT_EQ(folder.num_entries(), 0);
}

TEST(CubinCache, RemovesAbandonedTemporaryFilesOnly) {
  const TemporaryFolder folder;
  const CubinCache cache = open_cache(folder.path());
  for (const char* name : {"a.cubin.tmp-old", "b.cubin.tmp-new", "notes.txt"}) {
    std::ofstream(folder / name) << "x";
  }
  set_age(folder / "a.cubin.tmp-old", std::chrono::hours(2));
  set_age(folder / "notes.txt", std::chrono::hours(2));
  ASSERT_TRUE(cache.store("k", made_cubin(1)));
  EXPECT_FALSE(fs::exists(folder / "a.cubin.tmp-old"));
  EXPECT_TRUE(fs::exists(folder / "b.cubin.tmp-new"));
  EXPECT_TRUE(fs::exists(folder / "notes.txt"));
}

TEST(CubinCache, StillCompilesIfTheFolderIsGone) {
  const TemporaryFolder folder;
  const CubinCache cache = open_cache(folder / "gone");
  fs::remove_all(folder / "gone");
  const auto lookup = cache.get_or_compile("k", []() -> Result<Cubin> { return made_cubin(1); });
  ASSERT_TRUE(lookup);
  EXPECT_FALSE(lookup->was_cached);
  EXPECT_NE(lookup->problem.find("cannot create"), std::string::npos) << lookup->problem;
}

TEST(CubinCache, SaysWhyItCannotOpen) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  EXPECT_EQ(CubinCache::open(folder / "file").error().code, ErrorCode::kIo);
  EXPECT_EQ(CubinCache::open(folder / "file/under").error().code, ErrorCode::kIo);
  EXPECT_EQ(CubinCache::open(folder.path(), -1).error().code, ErrorCode::kInvalidArgument);
}

/// Looks up 12 keys many times in an order of its own; 0 if every result was right.
int use_cache(const fs::path& folder, int64_t max_bytes, int process) {
  const auto cache = CubinCache::open(folder, max_bytes);
  if (!cache) return 1;
  for (int i = 0; i < 120; ++i) {
    const int seed = (i * 5 + process * 7) % 12;
    const auto lookup = cache->get_or_compile(
        "k" + std::to_string(seed), [&]() -> Result<Cubin> { return made_cubin(seed, 2000); });
    if (!lookup || lookup->cubin.bytes != made_cubin(seed, 2000).bytes) return 2;
    if (!lookup->problem.empty()) return 3;
  }
  return 0;
}

TEST(CubinCache, IsSharedByProcessesThatStoreAndEvictAtOnce) {
  const TemporaryFolder folder;
  constexpr int kProcesses = 6;
  constexpr int64_t kMaxBytes = 16'000;  // About 7 of the 12 entries.
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(use_cache(folder.path(), kMaxBytes, process));
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  const CubinCache cache = open_cache(folder.path(), kMaxBytes);
  ASSERT_TRUE(cache.store("last", made_cubin(99, 2000)));
  EXPECT_LE(cache.size_bytes().value(), kMaxBytes);
  for (const auto& item : fs::directory_iterator(folder.path())) {
    EXPECT_EQ(item.path().extension(), ".cubin") << "left behind: " << item.path();
    EXPECT_TRUE(cache.find(item.path().stem().string())) << item.path();
  }
}

/// Sets an environment variable, or with null removes it, until the end of the scope.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;
  ~ScopedVariable() { set(old_ ? old_->c_str() : nullptr); }

 private:
  void set(const char* value) const {
    if (value == nullptr) {
      ::unsetenv(name_);
    } else {
      ::setenv(name_, value, 1);
    }
  }
  const char* name_;
  std::optional<std::string> old_;
};

TEST(DefaultCubinFolder, FollowsTheEnvironment) {
  const ScopedVariable home("HOME", "/h");
  const ScopedVariable xdg("XDG_CACHE_HOME", "/x");
  {
    const ScopedVariable own("ANYBIT_CACHE_DIR", "/own");
    EXPECT_EQ(default_cubin_folder().value(), "/own");
  }
  const ScopedVariable empty("ANYBIT_CACHE_DIR", "");
  EXPECT_EQ(default_cubin_folder().value(), "/x/anybit/cubin");
  const ScopedVariable relative("XDG_CACHE_HOME", "x");
  EXPECT_EQ(default_cubin_folder().value(), "/h/.cache/anybit/cubin");
  const ScopedVariable homeless("HOME", nullptr);
  EXPECT_EQ(default_cubin_folder().error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace anybit::vm::cuda

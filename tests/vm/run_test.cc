// Every program of tests/vm/run on every backend: the reference, the CUDA text under emulation, and
// with ANYBIT_GPU_TESTS=1 a GPU.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "anybit/vm/backend/run.h"
#include "anybit/vm/pass/pipeline.h"
#include "tests/vm/run_case.h"

namespace anybit::vm::testing {
namespace {

Status run_on_reference(const Program& program, std::span<const LaunchArgument> arguments,
                        std::vector<std::string>& printed) {
  ANYBIT_ASSIGN(const LoweredProgram lowered, lower(program, {.verify_after_each = true}));
  ReferenceOptions options;
  options.max_statements = 1000000;
  options.print = [&](std::string_view line) { printed.emplace_back(line); };
  return run_reference(lowered.program, arguments, options);
}

/// A backend that runs generated code, which does not find errors of programs.
RunBackend generated(Backend backend) {
  return [backend](const Program& program, std::span<const LaunchArgument> arguments,
                   std::vector<std::string>&) { return run_program(backend, program, arguments); };
}

class RunTest : public ::testing::TestWithParam<std::string> {
 protected:
  static void check(const RunBackend& backend, bool checks_errors) {
    const Result<RunCase> test = load_run_case(GetParam());
    ASSERT_TRUE(test.has_value()) << test.error().message;
    if (!checks_errors && !test->error.empty()) {
      GTEST_SKIP() << "an error of the program, which only the reference finds";
    }
    const Status status = check_run_case(*test, backend, checks_errors);
    EXPECT_TRUE(status.has_value()) << status.error().message;
  }
};

TEST_P(RunTest, OnReference) { check(run_on_reference, true); }

TEST_P(RunTest, OnEmulatedGpu) { check(generated(Backend::kEmulated), false); }

TEST_P(RunTest, OnGpu) {
  const char* wanted = std::getenv("ANYBIT_GPU_TESTS");
  if (wanted == nullptr || std::strcmp(wanted, "1") != 0) {
    GTEST_SKIP() << "set ANYBIT_GPU_TESTS=1 to run on GPU 0";
  }
  check(generated(Backend::kCuda), false);
}

std::string case_name(const ::testing::TestParamInfo<std::string>& info) {
  const size_t slash = info.param.rfind('/');
  return info.param.substr(slash + 1, info.param.rfind('.') - slash - 1);
}

INSTANTIATE_TEST_SUITE_P(Vm, RunTest,
                         ::testing::ValuesIn(list_run_cases(ANYBIT_SOURCE_DIR "/tests/vm/run")),
                         case_name);

}  // namespace
}  // namespace anybit::vm::testing

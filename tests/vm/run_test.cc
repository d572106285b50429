// Every program of tests/vm/run on the reference backend.
#include <gtest/gtest.h>

#include "anybit/vm/ir/verify.h"
#include "anybit/vm/pass/layout_inference.h"
#include "tests/vm/run_case.h"

namespace anybit::vm::testing {
namespace {

Status run_on_reference(const Program& program, std::span<const LaunchArgument> arguments,
                        std::vector<std::string>& printed) {
  ANYBIT_ASSIGN(const LayoutInference inferred, infer_layouts(program));
  ANYBIT_TRY(verify(inferred.program, VerifyStage::kWithLayouts));
  ReferenceOptions options;
  options.max_statements = 1000000;
  options.print = [&](std::string_view line) { printed.emplace_back(line); };
  return run_reference(inferred.program, arguments, options);
}

class RunTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RunTest, OnReference) {
  const Result<RunCase> test = load_run_case(GetParam());
  ASSERT_TRUE(test.has_value()) << test.error().message;
  const Status status = check_run_case(*test, run_on_reference, true);
  EXPECT_TRUE(status.has_value()) << status.error().message;
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

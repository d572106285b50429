// Every template on small sizes: what its workload takes, its program takes too, and under
// emulation the check of its problem finds the result right.
#include "anybit/kernel/tuning/templates.h"

#include <gtest/gtest.h>

#include "anybit/vm/backend/cuda/emit/emit.h"
#include "anybit/vm/backend/run.h"
#include "anybit/vm/pass/pipeline.h"
#include "anybit/vm/tuning/ranking.h"

namespace anybit::kernel {
namespace {

using vm::KernelTemplate;
using vm::ProblemSizes;

/// Small sizes that have several legal schedules.
ProblemSizes small_sizes(const KernelTemplate& kernel) {
  if (kernel.name == "copy") return {{"n", 5000}};
  if (kernel.name.starts_with("dense_matmul")) return {{"k", 128}, {"m", 40}, {"n", 72}};
  return {{"columns", 1024}, {"rows", 5}};
}

class Templates : public ::testing::TestWithParam<std::string> {
 protected:
  KernelTemplate kernel = *find_kernel_template(GetParam());
  vm::DeviceModel device = *vm::find_device_model("h100");
};

TEST_P(Templates, ResultsOfTheFirstScheduleAreFoundRightAndOthersWrong) {
  const ProblemSizes sizes = small_sizes(kernel);
  const auto ranking = vm::rank_schedules(kernel, sizes, device);
  ASSERT_TRUE(ranking.has_value()) << ranking.error().message;
  EXPECT_GT(ranking->candidates.size(), 1U);
  const auto program = kernel.program(sizes, ranking->candidates[0].schedule);
  ASSERT_TRUE(program.has_value()) << program.error().message;
  const auto problem = kernel.problem(sizes, 3);
  ASSERT_TRUE(problem.has_value()) << problem.error().message;
  struct alignas(16) Word {
    std::byte bytes[16];
  };
  std::vector<std::vector<Word>> memory;
  std::vector<vm::LaunchArgument> arguments;
  std::vector<std::vector<std::byte>> buffers;
  for (const vm::TuningArgument& argument : problem->arguments) {
    if (!argument.is_buffer) {
      arguments.emplace_back(argument.scalar);
      continue;
    }
    auto& words = memory.emplace_back(argument.contents.size() / 16 + 1);
    std::copy(argument.contents.begin(), argument.contents.end(), words[0].bytes);
    arguments.emplace_back(std::span<std::byte>(words[0].bytes, argument.contents.size()));
    buffers.push_back(argument.contents);
  }
  EXPECT_NE(problem->check(buffers), "") << "before the launch nothing is written";
  const Status status = vm::run_program(vm::Backend::kEmulated, *program, arguments);
  ASSERT_TRUE(status.has_value()) << status.error().message;
  for (size_t i = 0; i < buffers.size(); ++i) {
    std::copy_n(memory[i][0].bytes, buffers[i].size(), buffers[i].begin());
  }
  EXPECT_EQ(problem->check(buffers), "");
  // One wrong number in the output.
  buffers.back()[1] ^= std::byte{0x41};
  EXPECT_NE(problem->check(buffers), "");
}

TEST_P(Templates, EveryLegalScheduleLowersAndFitsItsEstimateOfSharedMemory) {
  const ProblemSizes sizes = small_sizes(kernel);
  const auto ranking = vm::rank_schedules(kernel, sizes, device);
  ASSERT_TRUE(ranking.has_value());
  // A sample: emitting all of them takes long.
  const size_t step = std::max<size_t>(1, ranking->candidates.size() / 6);
  for (size_t i = 0; i < ranking->candidates.size(); i += step) {
    const vm::Candidate& candidate = ranking->candidates[i];
    const auto program = kernel.program(sizes, candidate.schedule);
    ASSERT_TRUE(program.has_value()) << to_string(candidate.schedule);
    const auto lowered = vm::lower(*program, {.wants_code = true});
    ASSERT_TRUE(lowered.has_value()) << lowered.error().message;
    const auto emitted = vm::cuda::emit_cuda(*lowered);
    ASSERT_TRUE(emitted.has_value()) << to_string(candidate.schedule) << emitted.error().message;
    EXPECT_EQ(emitted->threads_per_cta, candidate.workload.threads_per_cta);
    EXPECT_LE(emitted->shared_bytes, candidate.workload.shared_bytes + 1024)
        << to_string(candidate.schedule);
  }
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const KernelTemplate& kernel : kernel_templates()) result.push_back(kernel.name);
  return result;
}

INSTANTIATE_TEST_SUITE_P(All, Templates, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST(TemplateTable, NamesAreSortedAndFound) {
  const std::vector<std::string> all = names();
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  const auto unknown = find_kernel_template("dense");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("dense_matmul_f16"), std::string::npos);
}

TEST(TemplateTable, ShippedSchedulesAreOfTheirSpaces) {
  const auto table = vm::shipped_schedules();
  ASSERT_TRUE(table.has_value());
  for (const vm::ScheduleEntry& entry : table->entries()) {
    const auto kernel = find_kernel_template(entry.kernel);
    ASSERT_TRUE(kernel.has_value()) << entry.kernel;
    const auto device = vm::find_device_model(entry.device);
    ASSERT_TRUE(device.has_value()) << entry.device;
    const auto chosen = vm::choose_schedule(*kernel, entry.shape_class, *device, *table);
    ASSERT_TRUE(chosen.has_value()) << entry.kernel << ": " << chosen.error().message;
    EXPECT_TRUE(chosen->is_tuned) << entry.kernel << " " << to_string(entry.schedule);
    EXPECT_EQ(chosen->schedule, entry.schedule);
  }
}

}  // namespace
}  // namespace anybit::kernel

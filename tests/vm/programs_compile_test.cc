// Every kernel of kernel/*/*_program and every program of tests/vm/{accept,run} compiles to machine
// code: all of them for sm_90a, a part for each other architecture. Needs no GPU but a compiler:
// NVRTC, else nvcc; skipped where there is neither. What the device header's own functions compile
// to is tested by vm/backend/cuda/device_compile_test.cc.
//   ANYBIT_TEST_COMPILER=nvcc takes nvcc, ANYBIT_LONG_TESTS=1 every program for every architecture.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "anybit/base/file.h"
#include "anybit/base/parallel.h"
#include "anybit/kernel/cast/cast_program.h"
#include "anybit/kernel/copy/copy_program.h"
#include "anybit/kernel/hadamard/hadamard_program.h"
#include "anybit/kernel/histogram/histogram_program.h"
#include "anybit/kernel/matmul/dense_program.h"
#include "anybit/kernel/matmul/weight_only_pack.h"
#include "anybit/kernel/matmul/weight_only_program.h"
#include "anybit/kernel/matmul/wgmma_program.h"
#include "anybit/kernel/norm/rms_norm_program.h"
#include "anybit/kernel/quantize/group_quantize_program.h"
#include "anybit/kernel/reduce/sum_program.h"
#include "anybit/kernel/softmax/softmax_program.h"
#include "anybit/vm/backend/cuda/program.h"
#include "anybit/vm/pass/pipeline.h"
#include "anybit/vm/text/parse.h"
#include "tests/support/temporary_folder.h"

namespace anybit::vm::testing {
namespace {

namespace fs = std::filesystem;

struct NamedProgram {
  std::string name;
  Program program;
};

/// The kernels that the product has as VM programs: a row each, with the choices that change the
/// generated code. A new kernel/<operation>/<name>_program.h is added here.
std::vector<NamedProgram> kernel_programs() {
  std::vector<NamedProgram> programs;
  const auto add = [&](std::string name, Result<Program> program) {
    ASSERT_TRUE(program.has_value()) << name << ": " << program.error().message;
    programs.push_back({std::move(name), std::move(*program)});
  };
  for (const auto& element : {numeric::kF16, numeric::kBF16}) {
    const std::string suffix = " " + numeric::element_name(element);
    add("transpose" + suffix, kernel::transpose_program(element));
    add("hadamard 4096" + suffix, kernel::hadamard_program(element, 4096));
    add("rms_norm 4096" + suffix, kernel::rms_norm_program(element, 4096));
    add("softmax 4096" + suffix, kernel::softmax_program(element, 4096));
    add("dense 128x128x32" + suffix, kernel::dense_matmul_program(element, {}));
    add("dense 128x256x64" + suffix, kernel::dense_matmul_program(element, {128, 256, 64, 3, 8}));
  }
  add("wgmma", kernel::wgmma_matmul_program(numeric::kF16, {}));
  for (const char* name : {"int4_g128", "int5_g128", "mxfp4"}) {
    const auto format = kernel::weight_only_format(*numeric::parse_scheme(name), 4096,
                                                   numeric::kF16, numeric::kF16, false);
    EXPECT_TRUE(format.has_value()) << name << ": " << format.error().message;
    if (!format) continue;
    kernel::WeightOnlySchedule schedule;
    schedule.tile = kernel::weight_tile(*format, schedule.tile.rows);
    add(fmt::format("weight-only {}", name), kernel::weight_only_program(*format, schedule));
  }
  add("copy", kernel::copy_program());
  add("histogram", kernel::histogram_program());
  add("sum", kernel::sum_program());
  using kernel::GroupScaleRule;
  add("quantize int4_g32", kernel::group_quantize_program({numeric::int_format(4), numeric::kF16,
                                                           32, GroupScaleRule::kRatio}));
  add("quantize mxfp4", kernel::group_quantize_program(
                            {numeric::kE2M1, numeric::kE8M0, 32, GroupScaleRule::kPowerOfTwo}));
  add("quantize nvfp4",
      kernel::group_quantize_program({numeric::kE2M1, numeric::kE4M3, 16, GroupScaleRule::kRatio}));
  // One of each kind and width of format; gpu_check runs all of them.
  for (const char* name : {"int1", "uint2", "int3", "e2m1", "uint5", "e3m2", "e2m3", "int7", "e4m3",
                           "e5m2", "posit8_1", "lns8_3", "binary", "ternary", "bipolar3"}) {
    const auto format = *numeric::parse_element_format(name);
    add(fmt::format("cast {} to f16", name), kernel::cast_program(format, numeric::kF16));
    add(fmt::format("cast bf16 to {}", name), kernel::cast_program(numeric::kBF16, format));
  }
  return programs;
}

std::vector<NamedProgram> text_programs() {
  std::vector<std::string> paths;
  for (const char* folder : {"accept", "run"}) {
    for (const auto& entry :
         fs::directory_iterator(fs::path(ANYBIT_SOURCE_DIR) / "tests/vm" / folder)) {
      if (entry.path().extension() == ".vm") paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<NamedProgram> programs;
  for (const std::string& path : paths) {
    const Result<std::string> text = read_text_file(path);
    EXPECT_TRUE(text.has_value()) << path;
    Result<std::vector<Program>> parsed = parse_module(*text);
    EXPECT_TRUE(parsed.has_value()) << path << ": " << parsed.error().message;
    for (Program& program : *parsed) {
      programs.push_back({fs::path(path).filename().string(), std::move(program)});
    }
  }
  return programs;
}

/// A compiler of CUDA C++; errors() is empty where a text compiles.
class CudaCompiler {
 public:
  CudaCompiler() {
    const char* wanted = std::getenv("ANYBIT_TEST_COMPILER");
    if (wanted == nullptr || std::string_view(wanted) != "nvcc") {
      if (auto loaded = cuda::Compiler::load()) nvrtc_ = std::move(*loaded);
    }
    if (!nvrtc_) has_nvcc_ = std::system("nvcc --version >/dev/null 2>&1") == 0;
  }

  bool is_there() const { return nvrtc_ || has_nvcc_; }
  std::string name() const { return nvrtc_ ? "NVRTC " + nvrtc_->version() : "nvcc"; }
  /// nvcc is taken at its word: it has every architecture that is asked for here.
  bool knows(int architecture) const {
    return !nvrtc_ || std::ranges::count(nvrtc_->architectures(), architecture) > 0;
  }

  std::string errors(const cuda::EmittedKernel& kernel, const std::string& architecture) const {
    if (nvrtc_) {
      const auto cubin = cuda::compile_kernel(*nvrtc_, kernel, architecture, nullptr);
      return cubin ? "" : cubin.error().message;
    }
    const anybit::testing::TemporaryFolder folder;
    const std::string source = (folder / "kernel.cu").string(), log = (folder / "log.txt").string();
    std::ofstream(source) << cuda::compiler_input(kernel);
    const std::string command =
        fmt::format("nvcc -std=c++17 -arch={} -cubin -o {} {} >{} 2>&1", architecture,
                    (folder / "kernel.cubin").string(), source, log);
    if (std::system(command.c_str()) == 0) return "";
    const Result<std::string> messages = read_text_file(log);
    return "nvcc: " + (messages ? *messages : "no message");
  }

 private:
  std::optional<cuda::Compiler> nvrtc_;
  bool has_nvcc_ = false;
};

const CudaCompiler& compiler() {
  static const CudaCompiler found;
  return found;
}

struct Architecture {
  const char* name;
  int number;
};

constexpr Architecture kMain = {"sm_90a", 90};

Result<cuda::EmittedKernel> emit_for(const Program& program, int architecture) {
  ANYBIT_ASSIGN(const LoweredProgram lowered,
                lower(program, {.architecture = architecture, .wants_code = true}));
  return cuda::emit_cuda(lowered, {.architecture = architecture});
}

void compile_all(const std::vector<NamedProgram>& programs, const Architecture& architecture,
                 size_t step) {
  if (!compiler().is_there()) GTEST_SKIP() << "neither NVRTC nor nvcc is on this machine";
  if (!compiler().knows(architecture.number)) {
    GTEST_SKIP() << compiler().name() << " does not know " << architecture.name;
  }
  const char* wants_all = std::getenv("ANYBIT_LONG_TESTS");
  if (wants_all != nullptr && std::string_view(wants_all) == "1") step = 1;
  std::mutex mutex;
  std::vector<double> seconds;
  std::vector<std::string> problems;
  int refused = 0;
  std::atomic<size_t> next = 0;
  parallel_run({std::min(2, Threads::all().count)}, [&](int, int) {
    for (size_t i = step * next++; i < programs.size(); i = step * next++) {
      const auto emitted = emit_for(programs[i].program, architecture.number);
      // What only the main architecture has is refused elsewhere by right.
      const bool is_refused = !emitted && !emit_for(programs[i].program, kMain.number);
      std::string problem;
      double time = 0;
      if (emitted) {
        const auto start = std::chrono::steady_clock::now();
        problem = compiler().errors(*emitted, architecture.name);
        time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      } else if (emitted.error().code != ErrorCode::kUnsupported) {
        problem = emitted.error().message;
      }
      const std::lock_guard<std::mutex> lock(mutex);
      if (emitted) seconds.push_back(time);
      refused += is_refused ? 1 : 0;
      if (!problem.empty()) problems.push_back(programs[i].name + ": " + problem);
    }
  });
  for (const std::string& problem : problems) ADD_FAILURE() << architecture.name << " " << problem;
  ASSERT_FALSE(seconds.empty());
  // Programs that hold an access which cannot be generated, and say why, are few.
  EXPECT_LE(refused * 5, static_cast<int>(seconds.size())) << architecture.name;
  std::sort(seconds.begin(), seconds.end());
  std::printf(
      "%s, %s: %zu programs, %d refused with a reason; compiling took %.2f s in the median, "
      "%.2f s at most\n",
      compiler().name().c_str(), architecture.name, seconds.size(), refused,
      seconds[seconds.size() / 2], seconds.back());
}

constexpr Architecture kOthers[] = {{"sm_80", 80}, {"sm_86", 86}, {"sm_89", 89}, {"sm_100a", 100}};

TEST(Compile, KernelsForTheMainArchitecture) { compile_all(kernel_programs(), kMain, 1); }

TEST(Compile, TextProgramsForTheMainArchitecture) { compile_all(text_programs(), kMain, 1); }

class OtherArchitecture : public ::testing::TestWithParam<Architecture> {};

TEST_P(OtherArchitecture, KernelsAndTextPrograms) {
  std::vector<NamedProgram> programs = kernel_programs();
  for (NamedProgram& program : text_programs()) programs.push_back(std::move(program));
  compile_all(programs, GetParam(), 11);
}

INSTANTIATE_TEST_SUITE_P(Compile, OtherArchitecture, ::testing::ValuesIn(kOthers),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace anybit::vm::testing

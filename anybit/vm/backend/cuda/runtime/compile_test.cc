#include "anybit/vm/backend/cuda/runtime/compile.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "anybit/vm/backend/cuda/runtime/cubin_cache.h"
#include "tests/support/fake_cuda/load.h"
#include "tests/support/temporary_folder.h"

namespace anybit::vm::cuda {
namespace {

using testing::FakeCuda;
using testing::TemporaryFolder;

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in:\n" << text;
}

// The device's own compiler; the tests named RealNvrtc skip where it is absent.
class RealNvrtc : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loaded = Compiler::load();
    if (!loaded) GTEST_SKIP() << "no NVRTC on this machine: " << loaded.error().message;
    compiler_ = std::move(*loaded);
  }
  const Compiler& compiler() const { return *compiler_; }

 private:
  std::optional<Compiler> compiler_;
};

constexpr const char* kReverse = R"(#include "constants.h"
extern "C" __global__ void __launch_bounds__(128) reverse(float* p, int n) {
  __shared__ float tile[128];
  int i = threadIdx.x;
  tile[i] = p[i];
  __syncthreads();
  p[i] = tile[127 - i] * VALUE * SCALE + n;
}
)";

CompileOptions reverse_options() {
  CompileOptions options;
  options.includes = {{"constants.h", "#define VALUE 2.0f\n"}};
  options.defines = {"SCALE=3.0f"};
  return options;
}

TEST_F(RealNvrtc, CompilesToACubinAndReportsItsResources) {
  const Cubin cubin = compiler().compile(kReverse, reverse_options()).value();
  ASSERT_GE(cubin.bytes.size(), 4U);
  EXPECT_EQ(std::to_integer<int>(cubin.bytes[0]), 0x7f);  // ELF
  EXPECT_EQ(cubin.arch, "sm_90a");
  EXPECT_GT(cubin.seconds, 0);
  ASSERT_EQ(cubin.kernels.size(), 1U);
  const KernelResources& kernel = cubin.kernels[0];
  EXPECT_EQ(kernel.name, "reverse");
  EXPECT_GT(kernel.registers, 0);
  EXPECT_EQ(kernel.barriers, 1);
  EXPECT_EQ(kernel.shared_bytes, 512);
  EXPECT_EQ(kernel.spill_store_bytes, 0);
  EXPECT_EQ(compiler().compile(kReverse, reverse_options()).value().bytes, cubin.bytes);
}

TEST_F(RealNvrtc, ReportsSpills) {
  // 128 live values in the 32 registers that 2048 threads on an SM leave.
  const std::string source = R"(
extern "C" __global__ void __launch_bounds__(1024, 2) spill(float* p) {
  float a[128];
#pragma unroll
  for (int i = 0; i < 128; ++i) a[i] = p[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 128; ++i) p[i * 1024 + threadIdx.x] = a[127 - i];
}
extern "C" __global__ void light(float* p) { *p = 1; }
)";
  const Cubin cubin = compiler().compile(source, {}).value();
  ASSERT_EQ(cubin.kernels.size(), 2U);
  for (const KernelResources& kernel : cubin.kernels) {
    const bool spills = kernel.name == "spill";
    EXPECT_EQ(kernel.spill_store_bytes > 0, spills) << kernel.name;
    EXPECT_EQ(kernel.spill_load_bytes > 0, spills) << kernel.name;
    EXPECT_EQ(kernel.stack_bytes > 0, spills) << kernel.name;
    EXPECT_LE(kernel.registers, 32);
  }
}

TEST_F(RealNvrtc, DoesNotContractUnlessAsked) {
  const std::string source =
      "extern \"C\" __global__ void f(float* p) { p[0] = p[1] * p[2] + p[3]; }";
  CompileOptions contracted;
  contracted.fmad = true;
  EXPECT_NE(compiler().compile(source, {}).value().bytes,
            compiler().compile(source, contracted).value().bytes);
}

TEST_F(RealNvrtc, ShowsTheLinesOfAMistake) {
  const auto failed = compiler().compile("int fine;\n__global__ void f() {\n  int x = y;\n}\n", {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kInvalidArgument);
  const std::string& message = failed.error().message;
  expect_part(message, "compiling kernel.cu for sm_90a: NVRTC_ERROR_COMPILATION (6)");
  expect_part(message, "identifier \"y\" is undefined");
  expect_part(message,
              "kernel.cu:\n      1 | int fine;\n      2 | __global__ void f() {\n"
              ">     3 |   int x = y;\n      4 | }");
}

TEST_F(RealNvrtc, ShowsTheLinesOfAMistakeInAnInclude) {
  CompileOptions options;
  options.includes = {{"bad.h", "\n\nfoo bar;\n"}};
  const auto failed = compiler().compile("#include \"bad.h\"\n", options);
  ASSERT_FALSE(failed);
  expect_part(failed.error().message, "bad.h:\n      1 | \n      2 | \n>     3 | foo bar;");
}

TEST_F(RealNvrtc, ShowsThePtxThatTheAssemblerRefuses) {
  const auto failed = compiler().compile(
      "extern \"C\" __global__ void f(float* p) { asm volatile(\"bogus.b32 %0;\" :: \"l\"(p)); }",
      {});
  ASSERT_FALSE(failed);
  expect_part(failed.error().message, "bogus");
  expect_part(failed.error().message, "ptx input:\n");
  expect_part(failed.error().message, "| \tbogus.b32 ");
}

TEST_F(RealNvrtc, NamesTheHeaderThatWasNotGiven) {
  const auto failed = compiler().compile("#include \"absent.h\"\n", {});
  ASSERT_FALSE(failed);
  expect_part(failed.error().message, "cannot open source file \"absent.h\"");
}

TEST_F(RealNvrtc, CompilesForEveryArchitectureItNames) {
  ASSERT_FALSE(compiler().architectures().empty());
  for (const int number : compiler().architectures()) {
    CompileOptions options = reverse_options();
    options.arch = "sm_" + std::to_string(number);
    EXPECT_TRUE(compiler().compile(kReverse, options)) << options.arch;
    if (number != 90 && number != 100) continue;
    options.arch += "a";
    EXPECT_TRUE(compiler().compile(kReverse, options)) << options.arch;
  }
}

TEST_F(RealNvrtc, RefusesArchitecturesItDoesNotKnow) {
  CompileOptions options;
  options.arch = "sm_77";
  const auto unknown = compiler().compile("", options);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kUnsupported);
  expect_part(unknown.error().message, "does not compile for sm_77; it knows sm_");
  options.arch = "sm_80a";  // There is no such variant of an architecture that it knows.
  const auto variant = compiler().compile("", options);
  ASSERT_FALSE(variant);
  EXPECT_EQ(variant.error().code, ErrorCode::kUnsupported) << variant.error().message;
}

TEST_F(RealNvrtc, FillsTheCache) {
  const TemporaryFolder folder;
  const CubinCache cache = CubinCache::open(folder.path()).value();
  const auto first = cache.get_or_compile(compiler(), kReverse, reverse_options()).value();
  const auto second = cache.get_or_compile(compiler(), kReverse, reverse_options()).value();
  EXPECT_FALSE(first.was_cached);
  EXPECT_TRUE(second.was_cached);
  EXPECT_EQ(second.problem, "");
  EXPECT_EQ(second.cubin.bytes, first.cubin.bytes);
  ASSERT_EQ(second.cubin.kernels.size(), 1U);
  EXPECT_EQ(second.cubin.kernels[0].registers, first.cubin.kernels[0].registers);
  CompileOptions changed = reverse_options();
  changed.includes[0].text = "#define VALUE 5.0f\n";
  EXPECT_FALSE(cache.get_or_compile(compiler(), kReverse, changed).value().was_cached);
}

class FakeNvrtc : public ::testing::Test {
 protected:
  Result<Cubin> compile(const CompileOptions& options = {}) const {
    return Compiler::load(ANYBIT_FAKE_CUDA).value().compile("line 1\nline 2\nline 3\n", options);
  }
  void TearDown() override { EXPECT_EQ(fake_.live["program"], 0); }

  FakeCuda& fake_ = testing::reset_fake_cuda(ANYBIT_FAKE_CUDA);
};

TEST_F(FakeNvrtc, IsGivenOptionsAndHeaders) {
  CompileOptions options;
  options.arch = "sm_100a";
  options.includes = {{"a.h", "A"}, {"b.h", "B"}};
  options.defines = {"X", "Y=2 + 3"};
  options.line_info = true;
  const Cubin cubin = compile(options).value();
  EXPECT_EQ(cubin.bytes.size(), 7U);
  EXPECT_EQ(fake_.nvrtc_headers, (std::vector<std::string>{"a.h", "A", "b.h", "B"}));
  EXPECT_EQ(fake_.nvrtc_options,
            (std::vector<std::string>{"--gpu-architecture=sm_100a", "--std=c++17", "--fmad=false",
                                      "-default-device", "--ptxas-options=-v", "-lineinfo",
                                      "--define-macro=X", "--define-macro=Y=2 + 3"}));
  EXPECT_EQ(Compiler::load(ANYBIT_FAKE_CUDA).value().version(), "13.7");
}

TEST_F(FakeNvrtc, RefusesMalformedOptions) {
  const auto refused = [&](const CompileOptions& options, const std::string& part) {
    const auto cubin = compile(options);
    ASSERT_FALSE(cubin) << part;
    EXPECT_EQ(cubin.error().code, ErrorCode::kInvalidArgument);
    expect_part(cubin.error().message, part);
  };
  for (const char* arch : {"", "90a", "sm_", "sm_x", "compute_90", "sm_90b", "sm_-9", "sm_99999"}) {
    CompileOptions options;
    options.arch = arch;
    refused(options, "expected sm_<number>[a|f]");
  }
  for (const char* define : {"", "=1", "1A", "A B", "A-"}) {
    CompileOptions options;
    options.defines = {define};
    refused(options, "expected NAME or NAME=VALUE");
  }
  CompileOptions options;
  options.includes = {{"a.h", ""}, {"b.h", ""}, {"a.h", ""}};
  refused(options, "include 'a.h' is given twice");
  options.includes = {{"", "text"}};
  refused(options, "include 0 ('')");
  options.includes = {{"a.h", std::string("a\0b", 3)}};
  refused(options, "no NUL characters");
  EXPECT_EQ(fake_.num_calls("nvrtcCreateProgram"), 0);
}

TEST_F(FakeNvrtc, ReportsTheFailureOfEveryCall) {
  for (const char* name : {"nvrtcVersion", "nvrtcGetNumSupportedArchs", "nvrtcGetSupportedArchs"}) {
    fake_.failures = {{name, 11}};
    const auto compiler = Compiler::load(ANYBIT_FAKE_CUDA);
    ASSERT_FALSE(compiler) << name;
    EXPECT_EQ(compiler.error().code, ErrorCode::kDeviceError);
  }
  for (const char* name : {"nvrtcCreateProgram", "nvrtcCompileProgram", "nvrtcGetProgramLogSize",
                           "nvrtcGetProgramLog", "nvrtcGetCUBINSize", "nvrtcGetCUBIN"}) {
    fake_.failures = {{name, 1}};
    const auto cubin = compile();
    ASSERT_FALSE(cubin) << name;
    EXPECT_EQ(cubin.error().code, ErrorCode::kOutOfMemory) << name;
    EXPECT_EQ(fake_.live["program"], 0) << name;
  }
}

TEST_F(FakeNvrtc, ExplainsAFailureOfTheAssembler) {
  fake_.nvrtc_compile_result = 6;
  fake_.nvrtc_log = "ptxas application ptx input, line 2; error   : Not a name\n";
  fake_.nvrtc_ptx = "ptx 1\nptx 2\nptx 3\n";
  const std::string message = compile().error().message;
  expect_part(message, "Not a name");
  expect_part(message, "ptx input:\n      1 | ptx 1\n>     2 | ptx 2\n      3 | ptx 3");
  fake_.failures = {{"nvrtcGetPTX", 11}};
  EXPECT_EQ(compile().error().message.find("| ptx 2"), std::string::npos);
}

TEST_F(FakeNvrtc, ShowsEachPlaceOnceAndOnlyPlacesThatExist) {
  fake_.nvrtc_compile_result = 6;
  fake_.nvrtc_log =
      "kernel.cu(1): error: a\nkernel.cu(1): error: b\nkernel.cu(99): error: c\n"
      "other.h(1): error: d\nkernel.cu(3): warning: e\nkernel.cu(x): error: f\nerror\n";
  const std::string message = compile().error().message;
  EXPECT_EQ(message.find("> "), message.rfind("> ")) << message;
  expect_part(message, ">     1 | line 1");
}

TEST(ParseKernelResources, ReadsTheAssemblersReport) {
  const std::vector<KernelResources> kernels = parse_kernel_resources(
      "kernel.cu(3): warning #177-D: variable \"x\" was declared but never referenced\n"
      "ptxas info    : 8 bytes gmem\n"
      "ptxas info    : Compiling entry function '_Z1fPf' for 'sm_90a'\n"
      "ptxas info    : Function properties for _Z1fPf\n"
      "    256 bytes stack frame, 24 bytes spill stores, 32 bytes spill loads\n"
      "ptxas info    : Used 168 registers, used 3 barriers, 256 bytes cumulative stack size, "
      "1024 bytes smem, 560 bytes cmem[0], 8 bytes cmem[2]\n"
      "ptxas info    : Function properties for helper\n"
      "    64 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads\n"
      "ptxas info    : Compiling entry function 'g' for 'sm_90a'\n"
      "ptxas info    : Used 8 registers\n");
  ASSERT_EQ(kernels.size(), 2U);
  EXPECT_EQ(kernels[0].name, "_Z1fPf");
  EXPECT_EQ(kernels[0].registers, 168);
  EXPECT_EQ(kernels[0].barriers, 3);
  EXPECT_EQ(kernels[0].stack_bytes, 256);
  EXPECT_EQ(kernels[0].spill_store_bytes, 24);
  EXPECT_EQ(kernels[0].spill_load_bytes, 32);
  EXPECT_EQ(kernels[0].shared_bytes, 1024);
  EXPECT_EQ(kernels[0].constant_bytes, 568);
  EXPECT_EQ(kernels[1].name, "g");
  EXPECT_EQ(kernels[1].registers, 8);
  EXPECT_EQ(kernels[1].shared_bytes, 0);
  EXPECT_TRUE(parse_kernel_resources("").empty());
  EXPECT_TRUE(parse_kernel_resources("ptxas info    : Used 8 registers").empty());
}

}  // namespace
}  // namespace anybit::vm::cuda

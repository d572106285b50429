// Bulk copies in emitted text: what is refused, and what a launch must encode.
#include "anybit/vm/backend/cuda/emit/emit.h"

#include <gtest/gtest.h>

#include "anybit/vm/pass/pipeline.h"
#include "anybit/vm/text/parse.h"

namespace anybit::vm::cuda {
namespace {

Result<EmittedKernel> emit(const std::string& body, int architecture = 90) {
  ANYBIT_ASSIGN(Program program,
                parse_program("kernel k(x: ptr, m: i32) grid [m] warps 4 {\n" + body + "}\n"));
  ANYBIT_ASSIGN(const LoweredProgram lowered,
                lower(std::move(program), {.architecture = architecture, .wants_code = true}));
  return emit_cuda(lowered, {.architecture = architecture});
}

std::string copy_text(const std::string& tensor, const std::string& tile, int64_t bytes) {
  return "  %x = global_view(pointer=x, " + tensor + ")\n  %s" + tile +
         "\n  %full = alloc_barrier(shape=[1], arrivals=1)\n  barrier_expect(%full, index=[0], "
         "bytes=" +
         std::to_string(bytes) +
         ")\n  copy_bulk(%s, %x, %full, offset=[block.x, 0], index=[0])\n"
         "  barrier_wait(%full, index=[0], parity=0)\n";
}
const std::string kTile = " = alloc_shared(element=f16, shape=[8, 64])";

std::string refusal(const Result<EmittedKernel>& result) {
  if (result) return "no error";
  EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
  return result.error().message;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(EmitBulk, DescribesTheTensorByParameters) {
  const Result<EmittedKernel> kernel =
      emit("  let rows = m * 2\n" + copy_text("element=f16, shape=[rows, 64]", kTile, 1024));
  ASSERT_TRUE(kernel) << kernel.error().message;
  ASSERT_EQ(kernel->tensor_maps.size(), 1U);
  const TensorMapParameter& map = kernel->tensor_maps[0];
  EXPECT_EQ(map.span_bytes, 128);
  EXPECT_EQ(map.box, (std::vector<int64_t>{8, 64}));
  const auto lookup = [](VariableId id) -> ScalarValue {
    if (id == kNumBuiltins) return {ScalarType::kPointer, 4096, 0, nullptr};
    return {ScalarType::kI32, 5, 0, nullptr};
  };
  const Result<TensorMapValues> values = evaluate_tensor_map(map, lookup);
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ(values->address, 4096);
  EXPECT_EQ(values->extents, (std::vector<int64_t>{10, 64}));
  EXPECT_EQ(values->stride_bytes, (std::vector<int64_t>{128, 2}));
  EXPECT_PRED2(contains, kernel->source, "AB_GRID_CONSTANT const ab::TensorMap tensor_map_0");
  EXPECT_PRED2(contains, kernel->source, "ab::fence_barrier_init();");
}

TEST(EmitBulk, EvaluatesOnlyTensorsThatTheHardwareTakes) {
  const auto value_of = [](int64_t m) {
    return [m](VariableId) -> ScalarValue { return {ScalarType::kI32, m, 0, nullptr}; };
  };
  const Result<EmittedKernel> kernel =
      emit(copy_text("element=f16, shape=[m, 64], strides=[m, 1]", kTile, 1024));
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_TRUE(evaluate_tensor_map(kernel->tensor_maps[0], value_of(72)));
  for (const int64_t m : {0, -8, 65}) {
    EXPECT_FALSE(evaluate_tensor_map(kernel->tensor_maps[0], value_of(m))) << m;
  }
}

TEST(EmitBulk, RefusesWhatCannotBeABox) {
  EXPECT_PRED2(contains, refusal(emit(copy_text("element=f16, shape=[m, 64]", kTile, 1024), 80)),
               "needs compute capability 9.0, found 8.0");
  EXPECT_PRED2(contains,
               refusal(emit("  let rows = m + block.x\n" +
                            copy_text("element=f16, shape=[rows, 64]", kTile, 1024))),
               "a bulk copy needs extents that the kernel's parameters determine; block.x is none");
  EXPECT_PRED2(
      contains,
      refusal(emit(copy_text("element=f16, shape=[m, 64], strides=[128, 2]", kTile, 1024))),
      "rows with gaps");
  EXPECT_PRED2(
      contains,
      refusal(emit(copy_text("element=f16, shape=[m, 64]", " @ column_major(8,64)" + kTile, 1024))),
      "bulk copies need row-major tiles without gaps");
  EXPECT_PRED2(contains,
               refusal(emit(copy_text("element=f16, shape=[m, 64]",
                                      " @ row_major(8,64).swizzle(2,3,3)" + kTile, 1024))),
               "is none of the TMA's");
  EXPECT_PRED2(contains,
               refusal(emit(copy_text("element=f16, shape=[m, 64]",
                                      "s = alloc_shared(element=f16, shape=[65, 32])\n  %s = "
                                      "slice_shared(%ss, offset=[m, 0], shape=[1, 32])",
                                      64))),
               "not proved to begin at a multiple of 128 bytes");
}

TEST(EmitBulk, RefusesClustersBeforeHopper) {
  const auto program = parse_program("kernel k() grid [2] cluster [2] {\n}\n");
  ASSERT_TRUE(program) << program.error().message;
  const auto lowered = lower(*program, {.wants_code = true});
  ASSERT_TRUE(lowered);
  EXPECT_TRUE(emit_cuda(*lowered, {.architecture = 90}));
  EXPECT_PRED2(contains, refusal(emit_cuda(*lowered, {.architecture = 89})),
               "clusters need compute capability 9.0");
}

TEST(EmitRegisters, ChangesWholeWarpgroups) {
  const auto kernel = parse_program(
      "kernel k() grid [1] warps 8 {\n  threads(0, 32) registers(24) {\n    sync()\n  }\n"
      "  threads(128, 128) registers(240) {\n    sync()\n  }\n}\n");
  ASSERT_TRUE(kernel) << kernel.error().message;
  const auto lowered = lower(*kernel, {.wants_code = true});
  ASSERT_TRUE(lowered);
  const auto emitted = emit_cuda(*lowered, {});
  ASSERT_TRUE(emitted);
  const std::string& source = emitted->source;
  EXPECT_PRED2(contains, source, "AB_LAUNCH_BOUNDS_2(256, 1)");
  EXPECT_PRED2(contains, source,
               "if (tid / 128u == 0u) {\n    ab::setmaxnreg_dec<24>();\n    if (tid1 < 32u) {");
  EXPECT_PRED2(contains, source, "if (tid2 < 128u) {\n    ab::setmaxnreg_dec<240>();");
}

}  // namespace
}  // namespace anybit::vm::cuda

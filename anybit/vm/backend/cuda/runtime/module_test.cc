#include "anybit/vm/backend/cuda/runtime/module.h"

#include <gtest/gtest.h>

#include <cstring>

#include "anybit/vm/backend/cuda/runtime/tensor_map.h"
#include "tests/support/fake_cuda/load.h"

namespace anybit::vm::cuda {
namespace {

using testing::FakeCuda;
using testing::FakeLaunch;

std::span<const std::byte> image(std::string_view text) { return std::as_bytes(std::span(text)); }

class FakeModule : public ::testing::Test {
 protected:
  FakeModule() {
    fake_.parameter_bytes = {8, 4};
    fake_.function_attributes = {{0, 256}, {1, 1000}, {2, 16}, {3, 40}, {4, 168}, {6, 90}};
  }

  Kernel kernel() const {
    return Module::load(device_, image("fake:a,b,")).value().kernel("b").value();
  }
  static KernelArguments arguments() {
    return KernelArguments().add(uint64_t{0x1122334455667788}).add(int32_t{-7});
  }
  void expect_refused(const LaunchShape& shape, const KernelArguments& arguments,
                      const std::string& part, ErrorCode code = ErrorCode::kInvalidArgument) {
    const Status status = kernel().launch(stream_, shape, arguments);
    ASSERT_FALSE(status) << part;
    EXPECT_EQ(status.error().code, code);
    EXPECT_NE(status.error().message.find(part), std::string::npos) << status.error().message;
    EXPECT_EQ(fake_.num_calls("cuLaunchKernelEx"), 0);
  }

  FakeCuda& fake_ = testing::reset_fake_cuda(ANYBIT_FAKE_CUDA);
  Device device_ = Device::open(0, ANYBIT_FAKE_CUDA).value();
  Stream stream_ = Stream::create(device_).value();
};

TEST_F(FakeModule, IsLoadedUntilTheLastKernelGoes) {
  {
    const Kernel kept = kernel();
    EXPECT_EQ(fake_.live["module"], 1);
    EXPECT_EQ(kept.name(), "b");
  }
  EXPECT_EQ(fake_.live["module"], 0);
}

TEST_F(FakeModule, ReportsFailures) {
  EXPECT_EQ(Module::load(device_, {}).error().code, ErrorCode::kCorruptData);
  const auto garbage = Module::load(device_, image("garbage"));
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().code, ErrorCode::kCorruptData);
  EXPECT_NE(garbage.error().message.find("the log of the loader"), std::string::npos);
  fake_.failures = {{"cuModuleLoadDataEx", 209}};
  EXPECT_EQ(Module::load(device_, image("fake:a,")).error().code, ErrorCode::kUnsupported);
  fake_.failures.clear();
  const Module module = Module::load(device_, image("fake:a,")).value();
  const auto absent = module.kernel("c");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  EXPECT_NE(absent.error().message.find("the kernel 'c'"), std::string::npos);
  fake_.failures = {{"cuFuncGetAttribute", 700}};
  EXPECT_EQ(module.kernel("a").error().code, ErrorCode::kDeviceError);
}

TEST_F(FakeModule, KernelHasAttributesAndParameters) {
  const Kernel k = kernel();
  EXPECT_EQ(k.attributes().max_threads_per_cta, 256);
  EXPECT_EQ(k.attributes().shared_bytes, 1000);
  EXPECT_EQ(k.attributes().constant_bytes, 16);
  EXPECT_EQ(k.attributes().local_bytes, 40);
  EXPECT_EQ(k.attributes().registers, 168);
  EXPECT_EQ(k.attributes().binary_version, 90);
  ASSERT_EQ(k.parameter_bytes().size(), 2U);
  EXPECT_EQ(k.parameter_bytes()[1], 4);
  EXPECT_EQ(k.ctas_per_sm(256, 0).value(), 8);
  fake_.failures = {{"cuOccupancyMaxActiveBlocksPerMultiprocessor", 700}};
  EXPECT_FALSE(k.ctas_per_sm(256, 0));
}

TEST_F(FakeModule, LaunchesWithShapeAndArguments) {
  Kernel k = kernel();
  ASSERT_TRUE(k.set_dynamic_shared_bytes(100'000));
  EXPECT_EQ(fake_.function_attributes[8], 100'000);
  LaunchShape shape{{6, 5, 4}, {32, 2, 1}, {2, 1, 1}, 100'000};
  shape.overlaps_previous = true;
  ASSERT_TRUE(k.launch(stream_, shape, arguments()));
  ASSERT_EQ(fake_.launches.size(), 1U);
  const FakeLaunch& launch = fake_.launches[0];
  EXPECT_EQ(launch.kernel, "b");
  EXPECT_EQ(launch.config.grid[0], 6U);
  EXPECT_EQ(launch.config.grid[1], 5U);
  EXPECT_EQ(launch.config.grid[2], 4U);
  EXPECT_EQ(launch.config.cta[0], 32U);
  EXPECT_EQ(launch.config.cta[1], 2U);
  EXPECT_EQ(launch.config.shared_bytes, 100'000U);
  EXPECT_EQ(launch.config.stream, stream_.handle());
  ASSERT_EQ(launch.attributes.size(), 2U);
  EXPECT_EQ(launch.attributes[0].id, 4);
  EXPECT_EQ(launch.attributes[0].value[0], 2U);
  EXPECT_EQ(launch.attributes[0].value[2], 1U);
  EXPECT_EQ(launch.attributes[1].id, 6);
  EXPECT_EQ(launch.attributes[1].value[0], 1U);
  uint64_t first = 0;
  int32_t second = 0;
  std::memcpy(&first, launch.arguments[0].data(), sizeof(first));
  std::memcpy(&second, launch.arguments[1].data(), sizeof(second));
  EXPECT_EQ(first, 0x1122334455667788U);
  EXPECT_EQ(second, -7);
  ASSERT_TRUE(k.launch(stream_, {{1}, {32}}, arguments()));
  EXPECT_TRUE(fake_.launches[1].attributes.empty());
}

TEST_F(FakeModule, RefusesImpossibleLaunches) {
  const KernelArguments good = arguments();
  expect_refused({{0}, {32}}, good, "an extent of grid 0x1x1");
  expect_refused({{1}, {32, 0}}, good, "cta 32x0x1");
  expect_refused({{1}, {257}}, good, "expected at most 256 threads");
  expect_refused({{3}, {32}, {2}}, good, "cluster 2x1x1 does not divide grid 3x1x1");
  expect_refused({{1}, {32}, {1}, -1}, good, "-1 bytes of dynamic");
  expect_refused({{1}, {32}, {1}, (48 << 10) - 999}, good, "48152 were allowed");
  expect_refused({{1}, {32}}, KernelArguments().add(uint64_t{0}), "expected 2 arguments, found 1");
  expect_refused({{1}, {32}}, KernelArguments().add(uint64_t{0}).add(uint64_t{0}),
                 "argument 1: expected 4 bytes, found 8");
  fake_.compute_major = 8;
  device_ = Device::open(0, ANYBIT_FAKE_CUDA).value();
  expect_refused({{2}, {32}, {2}}, good, "has no clusters", ErrorCode::kUnsupported);
}

TEST_F(FakeModule, ReportsAFailedLaunch) {
  fake_.failures = {{"cuLaunchKernelEx", 700}};
  const Status status = kernel().launch(stream_, {{7}, {32}}, arguments());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kDeviceError);
  EXPECT_NE(status.error().message.find("launching 'b' with grid 7x1x1"), std::string::npos);
}

TEST_F(FakeModule, LimitsDynamicSharedMemory) {
  Kernel k = kernel();
  EXPECT_EQ(k.set_dynamic_shared_bytes(-1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(k.set_dynamic_shared_bytes((227 << 10) - 1000));
  const Status excess = k.set_dynamic_shared_bytes((227 << 10) - 999);
  ASSERT_FALSE(excess);
  EXPECT_EQ(excess.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(excess.error().message.find("allows 231448"), std::string::npos);
  fake_.failures = {{"cuFuncSetAttribute", 1}};
  EXPECT_FALSE(k.set_dynamic_shared_bytes(10));
}

TEST(OldDriver, CannotCheckArguments) {
  FakeCuda& fake = testing::reset_fake_cuda(ANYBIT_FAKE_CUDA_12_0);
  const Device device = Device::open(0, ANYBIT_FAKE_CUDA_12_0).value();
  const Stream stream = Stream::create(device).value();
  const Kernel kernel = Module::load(device, image("fake:a,")).value().kernel("a").value();
  EXPECT_TRUE(kernel.parameter_bytes().empty());
  EXPECT_TRUE(kernel.launch(stream, {{1}, {32}}, KernelArguments().add(1)));
  EXPECT_EQ(fake.launches.size(), 1U);
}

/// A 64 x 256 matrix in boxes of 8 x 64 elements.
TensorMapOptions matrix(int bits_per_element) {
  TensorMapOptions options;
  options.address = 0x1000;
  options.bits_per_element = bits_per_element;
  options.rows = 64;
  options.columns = 256;
  options.row_stride_bytes = 256 * bits_per_element / 8;
  options.box_rows = 8;
  options.box_columns = 64;
  return options;
}

TEST_F(FakeModule, EncodesTensorMaps) {
  TensorMapOptions options = matrix(16);
  options.swizzle = Swizzle::k128Bytes;
  const TensorMap map = encode_tensor_map(device_, options).value();
  EXPECT_EQ(map.opaque[0], 0xababababababababU);
  EXPECT_EQ(map.opaque[15], 0xababababababababU);
  EXPECT_EQ(fake_.tensor_map,
            (std::vector<int64_t>{1, 0x1000, 256, 64, 512, 64, 8, 1, 1, 0, 3, 3, 0}));
  fake_.failures = {{"cuTensorMapEncodeTiled", 1}};
  EXPECT_EQ(encode_tensor_map(device_, options).error().code, ErrorCode::kInvalidArgument);
  fake_.compute_major = 8;
  const Device ampere = Device::open(0, ANYBIT_FAKE_CUDA).value();
  EXPECT_EQ(encode_tensor_map(ampere, options).error().code, ErrorCode::kUnsupported);
}

TEST(TensorMapUnits, CountElementsOrBytesOrWiderUnits) {
  for (int bits = 1; bits <= 64; ++bits) {
    TensorMapOptions options = matrix(bits);
    options.box_columns = 128;
    const TensorMapUnits units = tensor_map_units(options).value();
    EXPECT_EQ(units.columns * units.unit_bytes, options.row_stride_bytes) << bits;
    EXPECT_EQ(units.box_columns * units.unit_bytes, 128 * bits / 8) << bits;
    EXPECT_LE(units.box_columns, 256) << bits;
    const bool is_unit = bits == 8 || bits == 16 || bits == 32 || bits == 64;
    EXPECT_EQ(units.unit_bytes, is_unit ? bits / 8 : bits <= 16 ? 1 : bits <= 32 ? 2 : 4) << bits;
  }
}

TEST(TensorMapUnits, NamesTheRuleThatIsBroken) {
  const auto refused = [](const char* part, auto change) {
    TensorMapOptions options = matrix(8);
    change(options);
    const auto units = tensor_map_units(options);
    ASSERT_FALSE(units) << part;
    EXPECT_EQ(units.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(units.error().message.find(part), std::string::npos) << units.error().message;
  };
  refused("1 to 64 bits", [](auto& o) { o.bits_per_element = 0; });
  refused("1 to 64 bits", [](auto& o) { o.bits_per_element = 65; });
  refused("2^32 rows", [](auto& o) { o.rows = 0; });
  refused("2^32 rows", [](auto& o) { o.columns = (int64_t{1} << 32) + 1; });
  refused("1 to 256 rows", [](auto& o) { o.box_rows = 257; });
  refused("1 to 256 rows", [](auto& o) { o.box_columns = 0; });
  refused("aligned to 16", [](auto& o) { o.address = 0x1008; });
  refused("aligned to 16", [](auto& o) { o.address = 0; });
  refused("multiple of 16 bytes, at least 256", [](auto& o) { o.row_stride_bytes = 264; });
  refused("multiple of 16 bytes, at least 256", [](auto& o) { o.row_stride_bytes = 240; });
  refused("multiple of 16 bytes, at least 256",
          [](auto& o) { o.row_stride_bytes = int64_t{1} << 40; });
  refused("whole bytes", [](auto& o) { o.bits_per_element = 3, o.box_columns = 63; });
  refused("boxes of a multiple of 16 bytes", [](auto& o) { o.box_columns = 40; });
  refused("a swizzle of 32 bytes cannot", [](auto& o) { o.swizzle = Swizzle::k32Bytes; });
  refused("no unit divides",
          [](auto& o) { o.columns = 257, o.row_stride_bytes = 272, o.box_columns = 272; });
}

}  // namespace
}  // namespace anybit::vm::cuda

#include "anybit/vm/backend/cuda/runtime/device.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "anybit/vm/backend/cuda/runtime/device_buffer.h"
#include "anybit/vm/backend/cuda/runtime/stream.h"
#include "tests/support/fake_cuda/load.h"

namespace anybit::vm::cuda {
namespace {

using testing::FakeCuda;

constexpr int kFault = 700;

class FakeDevice : public ::testing::Test {
 protected:
  Device open() const { return Device::open(0, ANYBIT_FAKE_CUDA).value(); }

  /// Expects that `operation` reports the fault that each of `entry_points` is made to return.
  template <class Operation>
  void expect_faults(std::initializer_list<const char*> entry_points, const Operation& operation) {
    for (const char* entry_point : entry_points) {
      fake_.failures = {{entry_point, kFault}};
      const auto result = operation();
      fake_.failures.clear();
      ASSERT_FALSE(result) << entry_point;
      EXPECT_EQ(result.error().code, ErrorCode::kDeviceError) << entry_point;
      EXPECT_NE(result.error().message.find("CUDA_ERROR_ILLEGAL_ADDRESS (700)"), std::string::npos)
          << result.error().message;
    }
  }

  void TearDown() override {
    for (const auto& [kind, count] : fake_.live) EXPECT_EQ(count, 0) << kind;
  }

  FakeCuda& fake_ = testing::reset_fake_cuda(ANYBIT_FAKE_CUDA);
};

TEST_F(FakeDevice, HasProperties) {
  const Device device = open();
  const DeviceProperties& properties = device.properties();
  EXPECT_EQ(properties.name, "Fake GPU");
  EXPECT_EQ(properties.architecture(), "sm_90a");
  EXPECT_EQ(properties.num_sms, 132);
  EXPECT_EQ(properties.memory_bytes, 1 << 30);
  EXPECT_EQ(properties.l2_bytes, 50 << 20);
  EXPECT_EQ(properties.shared_bytes_per_cta, 48 << 10);
  EXPECT_EQ(properties.shared_bytes_per_cta_optin, 227 << 10);
  EXPECT_EQ(properties.shared_bytes_per_sm, 228 << 10);
  EXPECT_EQ(properties.registers_per_sm, 65536);
  EXPECT_EQ(properties.max_threads_per_cta, 1024);
  EXPECT_EQ(properties.clock_khz, 1'980'000);
  EXPECT_EQ(properties.memory_clock_khz, 2'619'000);
  EXPECT_EQ(properties.memory_bus_bits, 5120);
  EXPECT_TRUE(properties.has_clusters);
  EXPECT_EQ(device.driver_version(), 13000);
  EXPECT_EQ(device.free_bytes().value(), 1 << 29);
  fake_.compute_major = 8;
  EXPECT_EQ(open().properties().architecture(), "sm_80");
  EXPECT_FALSE(open().properties().has_clusters);
}

TEST_F(FakeDevice, IsCountedEnumeratedAndFound) {
  fake_.num_devices = 3;
  EXPECT_EQ(Device::count(ANYBIT_FAKE_CUDA).value(), 3);
  const auto all = Device::enumerate(ANYBIT_FAKE_CUDA).value();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[2].ordinal, 2);
  EXPECT_EQ(fake_.num_calls("cuDevicePrimaryCtxRetain"), 0);
  for (const int ordinal : {-1, 3}) {
    const auto absent = Device::open(ordinal, ANYBIT_FAKE_CUDA);
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
    EXPECT_NE(absent.error().message.find("has 3"), std::string::npos);
  }
  fake_.num_devices = 0;
  EXPECT_EQ(Device::count(ANYBIT_FAKE_CUDA).value(), 0);
  EXPECT_TRUE(Device::enumerate(ANYBIT_FAKE_CUDA).value().empty());
  EXPECT_EQ(Device::open(0, ANYBIT_FAKE_CUDA).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Device::open(0, "/nowhere/libcuda.so.1").error().code, ErrorCode::kUnsupported);
}

TEST_F(FakeDevice, ReportsTheFailureOfEveryCall) {
  expect_faults({"cuInit", "cuDeviceGetCount"}, [] { return Device::count(ANYBIT_FAKE_CUDA); });
  expect_faults({"cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2", "cuDeviceGetAttribute"},
                [] { return Device::enumerate(ANYBIT_FAKE_CUDA); });
  expect_faults({"cuDriverGetVersion", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent"},
                [] { return Device::open(0, ANYBIT_FAKE_CUDA); });
  const Device device = open();
  expect_faults({"cuCtxSetCurrent", "cuCtxSynchronize"}, [&] { return device.synchronize(); });
  expect_faults({"cuMemGetInfo_v2"}, [&] { return device.free_bytes(); });
}

TEST_F(FakeDevice, StaysOpenAsLongAsWhatLivesInIt) {
  {
    const DeviceBuffer buffer = DeviceBuffer::allocate(open(), 16).value();
    EXPECT_EQ(fake_.live["context"], 1);
  }
  EXPECT_EQ(fake_.live["context"], 0);
  EXPECT_EQ(fake_.calls.back(), "cuDevicePrimaryCtxRelease_v2");
}

TEST_F(FakeDevice, WorksFromEveryThread) {
  const Device device = open();
  Status status = fail(ErrorCode::kDeviceError, "not run");
  std::thread([&] { status = device.synchronize(); }).join();
  EXPECT_TRUE(status);
}

TEST_F(FakeDevice, BufferKeepsWhatIsWritten) {
  const Device device = open();
  std::vector<int> numbers(100);
  std::iota(numbers.begin(), numbers.end(), 0);
  DeviceBuffer buffer = DeviceBuffer::copy_of(device, numbers).value();
  EXPECT_EQ(buffer.size_bytes(), 400);
  EXPECT_EQ(buffer.address() % 256, 0U);
  EXPECT_EQ(buffer.to_vector<int>().value(), numbers);
  const int replacement[] = {-1, -2};
  ASSERT_TRUE(buffer.write(std::as_bytes(std::span(replacement)), 4));
  numbers[1] = -1;
  numbers[2] = -2;
  EXPECT_EQ(buffer.to_vector<int>().value(), numbers);
  int part[2] = {};
  ASSERT_TRUE(buffer.read(std::as_writable_bytes(std::span(part)), 8));
  EXPECT_EQ(part[0], -2);
  EXPECT_EQ(part[1], 3);
  DeviceBuffer other = DeviceBuffer::allocate(device, 404).value();
  ASSERT_TRUE(other.fill(std::byte{0xff}));
  ASSERT_TRUE(other.write(buffer, 4));
  numbers.insert(numbers.begin(), -1);
  EXPECT_EQ(other.to_vector<int>().value(), numbers);
  buffer = std::move(other);
  EXPECT_EQ(fake_.live["memory"], 1);
  EXPECT_EQ(buffer.to_vector<int>().value(), numbers);
}

TEST_F(FakeDevice, BufferWaitsForEarlierWorkAndForItsOwn) {
  const Device device = open();
  DeviceBuffer buffer = DeviceBuffer::allocate(device, 4).value();
  fake_.calls.clear();
  ASSERT_TRUE(buffer.fill(std::byte{1}));
  EXPECT_EQ(fake_.calls,
            (std::vector<std::string>{"cuCtxSetCurrent", "cuCtxSynchronize", "cuMemsetD8_v2",
                                      "cuCtxSetCurrent", "cuCtxSynchronize"}));
}

TEST_F(FakeDevice, BufferChecksSizes) {
  const Device device = open();
  EXPECT_EQ(DeviceBuffer::allocate(device, -1).error().code, ErrorCode::kInvalidArgument);
  DeviceBuffer buffer = DeviceBuffer::allocate(device, 10).value();
  std::byte bytes[11] = {};
  for (const int64_t offset : {int64_t{-1}, int64_t{6}, int64_t{11}, INT64_MAX}) {
    EXPECT_EQ(buffer.write(std::span(bytes, 5), offset).error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(buffer.read(std::span(bytes, 5), offset).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(buffer.write(std::span(bytes, 11)));
  EXPECT_FALSE(buffer.write(DeviceBuffer::allocate(device, 8).value(), 3));
  EXPECT_FALSE(buffer.to_vector<int>());
  DeviceBuffer empty = DeviceBuffer::allocate(device, 0).value();
  EXPECT_EQ(empty.address(), 0U);
  EXPECT_TRUE(empty.fill(std::byte{0}));
  EXPECT_TRUE(empty.write(std::span<const std::byte>()));
  EXPECT_TRUE(empty.to_vector<int>().value().empty());
}

TEST_F(FakeDevice, BufferReportsFailures) {
  const Device device = open();
  const auto too_large = DeviceBuffer::allocate(device, int64_t{1} << 40);
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(too_large.error().message.find("(536870912 free)"), std::string::npos);
  DeviceBuffer buffer = DeviceBuffer::allocate(device, 4).value();
  DeviceBuffer other = DeviceBuffer::allocate(device, 4).value();
  std::byte bytes[4] = {};
  expect_faults({"cuCtxSynchronize", "cuMemcpyHtoD_v2"}, [&] { return buffer.write(bytes); });
  expect_faults({"cuCtxSynchronize", "cuMemcpyDtoH_v2"}, [&] { return buffer.read(bytes); });
  expect_faults({"cuCtxSynchronize", "cuMemcpyDtoD_v2"}, [&] { return buffer.write(other); });
  expect_faults({"cuCtxSynchronize", "cuMemsetD8_v2"}, [&] { return buffer.fill(std::byte{}); });
}

TEST_F(FakeDevice, StreamAndEventReportFailures) {
  const Device device = open();
  expect_faults({"cuCtxSetCurrent", "cuStreamCreate"}, [&] { return Stream::create(device); });
  expect_faults({"cuCtxSetCurrent", "cuEventCreate"}, [&] { return Event::create(device); });
  Stream stream = Stream::create(device).value();
  Event start = Event::create(device).value();
  Event end = Event::create(device).value();
  expect_faults({"cuStreamSynchronize"}, [&] { return stream.synchronize(); });
  expect_faults({"cuEventRecord"}, [&] { return start.record(stream); });
  expect_faults({"cuEventSynchronize"}, [&] { return start.synchronize(); });
  expect_faults({"cuEventElapsedTime"}, [&] { return end.microseconds_since(start); });
  ASSERT_TRUE(start.record(stream));
  ASSERT_TRUE(end.record(stream));
  EXPECT_EQ(end.microseconds_since(start).value(), 0);
  stream = Stream::create(device).value();
  start = std::move(end);
  EXPECT_EQ(fake_.live["stream"], 1);
  EXPECT_EQ(fake_.live["event"], 1);
}

TEST_F(FakeDevice, GraphReportsFailuresAndFreesTheStream) {
  const Device device = open();
  const Stream stream = Stream::create(device).value();
  const auto nothing = []() -> Status { return {}; };
  expect_faults({"cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags"},
                [&] { return Graph::capture(stream, nothing); });
  EXPECT_EQ(fake_.live["graph"], 0);
  const auto failed = Graph::capture(
      stream, []() -> Status { return fail(ErrorCode::kNotFound, "the body's own"); });
  EXPECT_EQ(failed.error().message, "the body's own");
  EXPECT_TRUE(stream.synchronize());
  fake_.loses_graphs = true;
  EXPECT_EQ(Graph::capture(stream, nothing).error().code, ErrorCode::kDeviceError);
  fake_.loses_graphs = false;
  Graph graph = Graph::capture(stream, nothing).value();
  graph = Graph::capture(stream, nothing).value();
  EXPECT_EQ(fake_.live["graph_exec"], 1);
  EXPECT_TRUE(graph.launch(stream));
  expect_faults({"cuGraphLaunch"}, [&] { return graph.launch(stream); });
}

}  // namespace
}  // namespace anybit::vm::cuda

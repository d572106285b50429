#include "anybit/vm/backend/cuda/runtime/timing.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "tests/support/fake_cuda/load.h"

namespace anybit::vm::cuda {
namespace {

using testing::FakeCuda;
using testing::FakeLaunch;

/// The fake, whose kernels take one argument of 8 bytes.
FakeCuda& prepared_fake() {
  FakeCuda& fake = testing::reset_fake_cuda(ANYBIT_FAKE_CUDA);
  fake.parameter_bytes = {8};
  return fake;
}

class FakeTiming : public ::testing::Test {
 protected:
  FakeTiming() {
    options_.launches_per_graph = 8;
    options_.replays = 11;
    options_.warmup_us = 0;
  }

  static std::vector<KernelArguments> sets(int count) {
    std::vector<KernelArguments> all;
    for (int i = 0; i < count; ++i) all.push_back(KernelArguments().add(int64_t{i}));
    return all;
  }
  static int64_t argument(const FakeLaunch& launch) {
    int64_t value = 0;
    std::memcpy(&value, launch.arguments[0].data(), sizeof(value));
    return value;
  }
  Result<Timing> time(int num_sets, int64_t bytes_per_set) const {
    return time_kernel(stream_, kernel_, {{1}, {32}}, sets(num_sets), bytes_per_set, options_);
  }

  FakeCuda& fake_ = prepared_fake();
  Device device_ = Device::open(0, ANYBIT_FAKE_CUDA).value();
  Stream stream_ = Stream::create(device_).value();
  Kernel kernel_ = Module::load(device_, std::as_bytes(std::span(std::string_view("fake:k,"))))
                       .value()
                       .kernel("k")
                       .value();
  TimingOptions options_;
};

TEST_F(FakeTiming, RotatesOverTheSetsInWholeRounds) {
  const Timing timing = time(5, 40'000'000).value();
  EXPECT_EQ(timing.launches_per_graph, 10);
  EXPECT_EQ(timing.rotation_bytes, 200'000'000);
  EXPECT_EQ(timing.replays, 11);
  EXPECT_EQ(fake_.num_calls("cuGraphLaunch"), 2 + 11);
  ASSERT_EQ(fake_.launches.size(), 1U + 13 * 10);  // One before the graph.
  for (size_t i = 1; i < fake_.launches.size(); ++i) {
    EXPECT_EQ(argument(fake_.launches[i]), static_cast<int64_t>((i - 1) % 5));
  }
  for (const char* kind : {"graph", "graph_exec", "event"}) EXPECT_EQ(fake_.live[kind], 0) << kind;
}

TEST_F(FakeTiming, GivesStatisticsPerLaunch) {
  // 8 launches of 10 µs, and 0, 8, 16 ... 80 µs more: 10, 11 ... 20 µs a launch.
  options_.warmup_replays = 0;
  for (int i = 0; i <= 10; ++i) fake_.replay_extra_us.push_back(8.0 * ((i * 7) % 11));
  const Timing timing = time(8, 25'000'000).value();
  constexpr double kResolution = 1e-3;  // Of the driver's float milliseconds, at a fifth of one.
  EXPECT_NEAR(timing.min_us, 10, kResolution);
  EXPECT_NEAR(timing.p10_us, 11, kResolution);
  EXPECT_NEAR(timing.median_us, 15, kResolution);
  EXPECT_NEAR(timing.p90_us, 19, kResolution);
  EXPECT_NEAR(timing.max_us, 20, kResolution);
}

TEST_F(FakeTiming, WarmsUpForTheTimeAsked) {
  options_.warmup_us = 1000;  // 80 µs a replay.
  ASSERT_TRUE(time(8, 25'000'000));
  EXPECT_EQ(fake_.num_calls("cuGraphLaunch"), 13 + 11);
  // A clock that stands still ends the warm-up all the same.
  fake_.us_per_launch = 0;
  EXPECT_TRUE(time(1, 200'000'000));
}

TEST_F(FakeTiming, RefusesAHotCacheUnlessAsked) {
  const auto hot = time(4, 40'000'000);
  ASSERT_FALSE(hot);
  EXPECT_EQ(hot.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(hot.error().message.find("expected 200000000 bytes in all, that is 5 sets"),
            std::string::npos)
      << hot.error().message;
  EXPECT_FALSE(time(4, 0));
  options_.min_rotation_bytes = 0;
  EXPECT_TRUE(time(1, 0));
}

TEST_F(FakeTiming, RefusesOptionsOutOfRange) {
  EXPECT_EQ(time(0, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(time(1, -1).error().code, ErrorCode::kInvalidArgument);
  options_.min_rotation_bytes = 0;
  for (const auto change : {+[](TimingOptions& o) { o.replays = 0; },
                            +[](TimingOptions& o) { o.launches_per_graph = 0; },
                            +[](TimingOptions& o) { o.launches_per_graph = 1'000'000; },
                            +[](TimingOptions& o) { o.warmup_replays = -1; }}) {
    const TimingOptions good = options_;
    change(options_);
    EXPECT_EQ(time(1, 1).error().code, ErrorCode::kInvalidArgument);
    options_ = good;
  }
  EXPECT_TRUE(fake_.launches.empty());
}

TEST_F(FakeTiming, ReportsTheFailureOfEveryCall) {
  for (const char* name :
       {"cuLaunchKernelEx", "cuStreamSynchronize", "cuStreamBeginCapture_v2", "cuStreamEndCapture",
        "cuGraphInstantiateWithFlags", "cuEventCreate", "cuEventRecord", "cuGraphLaunch",
        "cuEventSynchronize", "cuEventElapsedTime"}) {
    fake_.failures = {{name, 700}};
    const auto timing = time(8, 25'000'000);
    ASSERT_FALSE(timing) << name;
    EXPECT_EQ(timing.error().code, ErrorCode::kDeviceError) << name;
    for (const char* kind : {"graph", "graph_exec", "event"}) {
      EXPECT_EQ(fake_.live[kind], 0) << kind << " after " << name;
    }
  }
}

TEST_F(FakeTiming, MeasuresBandwidth) {
  fake_.parameter_bytes = {8, 8};
  kernel_ = Module::load(device_, std::as_bytes(std::span(std::string_view("fake:copy,"))))
                .value()
                .kernel("copy")
                .value();
  BandwidthKernel probe;
  probe.kernel = &kernel_;
  probe.shape = {{132}, {256}};
  probe.source_bytes = 3'000'000;
  probe.destination_bytes = 1'000'000;
  probe.arguments = [](DevicePointer source, DevicePointer destination) {
    return KernelArguments().add(source).add(destination);
  };
  options_.min_rotation_bytes = 10'000'000;
  std::set<int64_t> sources;
  fake_.on_launch = [&](const FakeLaunch& launch) {
    sources.insert(argument(launch));
    const auto* bytes = reinterpret_cast<const unsigned char*>(argument(launch));
    EXPECT_EQ(bytes[2'999'999], 0x5a);
  };
  const Bandwidth bandwidth = measure_bandwidth(stream_, probe, options_).value();
  EXPECT_EQ(sources.size(), 3U);
  EXPECT_EQ(bandwidth.bytes_moved, 4'000'000);
  EXPECT_NEAR(bandwidth.gb_per_s, 400, 0.1);  // 4 MB in 10 µs, as float milliseconds.
  EXPECT_EQ(fake_.live["memory"], 0);
  fake_.us_per_launch = 0;
  EXPECT_EQ(measure_bandwidth(stream_, probe, options_).error().code, ErrorCode::kDeviceError);
  fake_.failures = {{"cuMemAlloc_v2", 2}};
  EXPECT_EQ(measure_bandwidth(stream_, probe, options_).error().code, ErrorCode::kOutOfMemory);
  probe.source_bytes = 0;
  EXPECT_EQ(measure_bandwidth(stream_, probe, options_).error().code, ErrorCode::kInvalidArgument);
  fake_.on_launch = nullptr;
}

TEST(Percentile, InterpolatesBetweenNeighbours) {
  EXPECT_EQ(percentile({3}, 0.5), 3);
  EXPECT_EQ(percentile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_EQ(percentile({4, 1, 3, 2}, 0), 1);
  EXPECT_EQ(percentile({4, 1, 3, 2}, 1), 4);
  EXPECT_EQ(gigabytes_per_second(3'000'000, 1), 3000);
}

}  // namespace
}  // namespace anybit::vm::cuda

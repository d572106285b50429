#include "anybit/vm/tuning/cost_model.h"

#include <gtest/gtest.h>

#include "anybit/vm/tuning/ranking.h"

namespace anybit::vm {
namespace {

DeviceModel h100() { return *find_device_model("h100"); }

/// A memory-bound launch: `ctas` of 256 threads move 32 KiB each.
Workload mover(int64_t ctas) {
  Workload w;
  w.num_ctas = ctas;
  w.threads_per_cta = 256;
  w.step_global_bytes = 16384;
  w.epilogue_bytes = 16384;
  w.dram_bytes = 32768.0 * static_cast<double>(ctas);
  return w;
}

TEST(CostModel, NeverBelowTheFloor) {
  for (const int64_t ctas : {1, 100, 132, 133, 5000}) {
    const auto result = estimate(h100(), mover(ctas));
    ASSERT_TRUE(result.has_value());
    EXPECT_GE(result->microseconds, result->floor_microseconds);
    EXPECT_NEAR(result->floor_microseconds, 32768.0 * static_cast<double>(ctas) / 2943e3, 1e-9);
  }
}

TEST(CostModel, MoreWorkTakesLonger) {
  double before = 0;
  for (int64_t ctas = 66; ctas <= 66 * 64; ctas *= 2) {
    const double now = estimate(h100(), mover(ctas))->microseconds;
    EXPECT_GE(now, before) << ctas;
    before = now;
  }
}

TEST(CostModel, ResourcesBoundTheCtasOfAMultiprocessor) {
  Workload w = mover(1000);
  EXPECT_EQ(estimate(h100(), w)->ctas_per_sm, 8);  // 2048 threads.
  w.registers_per_thread = 64;
  EXPECT_EQ(estimate(h100(), w)->ctas_per_sm, 4);
  w.shared_bytes = 100 * 1024;
  EXPECT_EQ(estimate(h100(), w)->ctas_per_sm, 2);
}

TEST(CostModel, WhatDoesNotFitIsRefusedWithTheReason) {
  Workload w = mover(1);
  w.shared_bytes = 228 * 1024;
  EXPECT_NE(estimate(h100(), w).error().message.find("shared memory"), std::string::npos);
  w = mover(1);
  w.registers_per_thread = 256;
  EXPECT_NE(estimate(h100(), w).error().message.find("registers"), std::string::npos);
  w = mover(1);
  w.threads_per_cta = 1024;
  w.registers_per_thread = 128;
  EXPECT_EQ(estimate(h100(), w).error().code, ErrorCode::kUnsupported);
}

TEST(CostModel, DeeperPipelinesHideLatency) {
  Workload w = mover(132);
  w.num_steps = 100;
  w.step_global_bytes = 1024;
  const double shallow = estimate(h100(), w)->microseconds;
  EXPECT_EQ(estimate(h100(), w)->limit, "latency");
  w.steps_ahead = 3;
  EXPECT_LT(estimate(h100(), w)->microseconds, 0.5 * shallow);
}

/// A template of one axis `w` whose legal values are those that divide n.
KernelTemplate divided() {
  KernelTemplate kernel;
  kernel.name = "divided";
  kernel.size_names = {"n"};
  kernel.axes = {{"w", {1, 2, 3, 4}, ""}};
  kernel.shape_class = [](const ProblemSizes& sizes) { return sizes; };
  kernel.workload = [](const ProblemSizes& sizes, const Schedule& schedule,
                       const DeviceModel&) -> Result<Workload> {
    const int64_t n = sizes.at("n"), w = schedule.at("w");
    if (n % w != 0) return fail(ErrorCode::kUnsupported, "w={} does not divide n={}", w, n);
    return mover(n / w);  // Larger pieces: less work.
  };
  return kernel;
}

TEST(Ranking, OrdersAndSaysWhatWasLeftOut) {
  const auto ranking = rank_schedules(divided(), {{"n", 1000}}, h100());
  ASSERT_TRUE(ranking.has_value());
  EXPECT_EQ(ranking->num_schedules, 4);
  ASSERT_EQ(ranking->candidates.size(), 3U);
  EXPECT_EQ(ranking->candidates[0].schedule.at("w"), 4);
  ASSERT_EQ(ranking->pruned.size(), 1U);
  EXPECT_EQ(ranking->pruned.begin()->first, "w=# does not divide n=#");
  EXPECT_EQ(ranking->pruned.begin()->second.count, 1);
}

TEST(Ranking, SizesAreChecked) {
  EXPECT_FALSE(rank_schedules(divided(), {}, h100()).has_value());
  EXPECT_FALSE(rank_schedules(divided(), {{"n", 0}}, h100()).has_value());
  EXPECT_FALSE(rank_schedules(divided(), {{"n", 8}, {"m", 8}}, h100()).has_value());
}

TEST(Ranking, MeasuredSchedulesGoFirstWhereTheyFit) {
  ScheduleTable table;
  EXPECT_FALSE(choose_schedule(divided(), {{"n", 1000}}, h100(), table)->is_tuned);
  table.put({"divided", "h100", {{"n", 1000}}, {{"w", 2}}, 7.5, "c"});
  const auto chosen = choose_schedule(divided(), {{"n", 1000}}, h100(), table);
  ASSERT_TRUE(chosen.has_value());
  EXPECT_TRUE(chosen->is_tuned);
  EXPECT_EQ(chosen->schedule.at("w"), 2);
  EXPECT_EQ(chosen->why, "tuned: 7.5 us at n=1000");
  // Neither a schedule that does not serve the sizes nor one that the space has lost.
  table.put({"divided", "h100", {{"n", 1000}}, {{"w", 3}}, 7.5, "c"});
  EXPECT_FALSE(choose_schedule(divided(), {{"n", 1000}}, h100(), table)->is_tuned);
  table.put({"divided", "h100", {{"n", 1000}}, {{"w", 5}}, 7.5, "c"});
  EXPECT_FALSE(choose_schedule(divided(), {{"n", 1000}}, h100(), table)->is_tuned);
}

TEST(DeviceModels, UnknownDevicesGetRatesOfTheirClocks) {
  cuda::DeviceProperties properties;
  properties.name = "NVIDIA RTX A2000 (12GB)";
  properties.compute_major = 8;
  properties.compute_minor = 6;
  properties.num_sms = 26;
  properties.clock_khz = 1'200'000;
  properties.memory_clock_khz = 6'000'000;
  properties.memory_bus_bits = 192;
  const DeviceModel device = device_model_of(properties);
  EXPECT_EQ(device.name, "nvidia-rtx-a2000-12gb-");
  EXPECT_NEAR(device.dram_gb_per_s, 259.2, 0.1);
  EXPECT_EQ(device.wgmma_f16_tflops, 0);
  properties.name = "NVIDIA H100 80GB HBM3";
  EXPECT_EQ(device_model_of(properties).name, "h100");
  EXPECT_FALSE(find_device_model("h1000").has_value());
}

}  // namespace
}  // namespace anybit::vm

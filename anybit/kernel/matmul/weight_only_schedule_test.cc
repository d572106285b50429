#include "anybit/kernel/matmul/weight_only_schedule.h"

#include <gtest/gtest.h>

namespace anybit::kernel {
namespace {

constexpr int kSms = 132;

WeightOnlyFormat format_of(int bits, int64_t group_size) {
  WeightOnlyFormat format;
  format.element = numeric::int_format(bits);
  format.group_size = group_size;
  return format;
}

TEST(WeightOnlySchedule, what_is_chosen_is_a_program_and_keeps_its_promises) {
  for (const int bits : {1, 3, 4, 8}) {
    for (const int64_t group : {0, 16, 128}) {
      const WeightOnlyFormat format = format_of(bits, group);
      for (const ProductShape& shape : {ProductShape{1, 4096, 4096},
                                        {16, 28672, 8192},
                                        {64, 8192, 8192},
                                        {3, 77, 160},
                                        {1000, 576, 1536}}) {
        SCOPED_TRACE(fmt::format("{} bits, groups of {}, m={} n={} k={}", bits, group, shape.m,
                                 shape.n, shape.k));
        const int64_t rows = choose_tile_rows(format, shape.n, kSms);
        const auto chosen = choose_schedule(format, rows, shape, kSms);
        ASSERT_TRUE(chosen.has_value()) << chosen.error().message;
        const WeightOnlySchedule& s = chosen->schedule;
        EXPECT_TRUE(weight_only_program(format, s).has_value());
        EXPECT_GT(chosen->cost.microseconds, 0);
        EXPECT_GE(chosen->cost.ctas_per_sm, 1);
        EXPECT_NE(chosen->why.find("CTAs"), std::string::npos);
        if (s.is_whole) {
          EXPECT_EQ(shape.n % s.rows_of_a_cta(), 0);
          EXPECT_EQ(shape.k % s.depth_of_a_step(), 0);
          EXPECT_GE(shape.k, s.depth_of_a_round());
        }
        if (s.is_whole_m) EXPECT_EQ(shape.m % s.activation_rows, 0);
        if (s.tiles_per_stage > 1) EXPECT_EQ(shape.k % s.depth_of_a_stage(), 0);
      }
    }
  }
}

TEST(WeightOnlySchedule, no_other_schedule_is_predicted_to_be_quicker) {
  const WeightOnlyFormat format = format_of(4, 128);
  const ProductShape shape{1, 8192, 8192};
  const auto chosen = choose_schedule(format, 32, shape, kSms);
  ASSERT_TRUE(chosen.has_value());
  const auto all = weight_only_schedules(format, 32, shape);
  EXPECT_GT(all.size(), 20u);
  for (const WeightOnlySchedule& s : all) {
    const ScheduleCost cost = schedule_cost(format, s, shape, kSms);
    if (cost.ctas_per_sm > 0) EXPECT_GE(cost.microseconds, chosen->cost.microseconds);
  }
}

TEST(WeightOnlySchedule, a_cta_of_14_warps_has_the_registers_of_16) {
  WeightOnlySchedule s;
  s.tile = {32, 128};
  s.tile_m = s.activation_rows = 16;
  s.warps_n = 7;
  s.warps_k = 2;
  s.num_stages = 2;
  const ScheduleCost cost = schedule_cost(format_of(3, 128), s, {16, 28672, 8192}, kSms);
  EXPECT_GT(cost.registers, 128);
  EXPECT_EQ(cost.ctas_per_sm, 0);
}

TEST(WeightOnlySchedule, says_what_stands_in_the_way) {
  WeightOnlyFormat format = format_of(4, 24);
  const auto chosen = choose_schedule(format, 32, {1, 4096, 4096}, kSms);
  ASSERT_FALSE(chosen.has_value());
  EXPECT_EQ(chosen.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(chosen.error().message.find("24"), std::string::npos);
}

}  // namespace
}  // namespace anybit::kernel

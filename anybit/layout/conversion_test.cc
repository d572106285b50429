#include "anybit/layout/conversion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "anybit/layout/mma_layouts.h"
#include "anybit/layout/register_layout_ops.h"
#include "tests/support/property.h"

namespace anybit::layout {
namespace {

using anybit::testing::check_property;
using anybit::testing::Choices;

/// The kind by its definition: what the worst destination place needs.
ConversionKind kind_by_definition(const RegisterLayout& from, const RegisterLayout& to) {
  bool is_uniform = true;
  bool in_thread = true;
  bool in_warp = true;
  for (int64_t t = 0; t < to.num_threads(); ++t) {
    for (int64_t e = 0; e < to.local_size(); ++e) {
      const Dims x = to.coordinates(t, e);
      const std::vector<int64_t> holders = from.holders(x);
      in_thread &= std::ranges::count(holders, t) == 1;
      in_warp &= std::ranges::any_of(holders, [t](int64_t h) { return h / 32 == t / 32; });
      is_uniform &= from.local_index(x) == from.local_index(to.coordinates(0, e));
    }
  }
  if (in_thread) return is_uniform ? ConversionKind::kNone : ConversionKind::kSelect;
  return in_warp ? ConversionKind::kShuffle : ConversionKind::kShared;
}

/// Runs the plan on registers that hold their element's number.
void check_plan(const RegisterLayout& from, const RegisterLayout& to, const Conversion& plan) {
  for (int64_t t = 0; t < to.num_threads(); ++t) {
    for (int64_t e = 0; e < to.local_size(); ++e) {
      const Place source = plan.source(t, e);
      RC_ASSERT(source.thread / 32 == t / 32);
      RC_ASSERT(from.linear_index(source.thread, source.local) == to.linear_index(t, e));
      const std::vector<int64_t> holders = from.holders(to.coordinates(t, e));
      for (const int64_t h : holders) {
        if (h / 32 == t / 32) RC_ASSERT((source.thread ^ t) <= (h ^ t));
      }
    }
  }
}

/// A layout of [8, 8] in 2^6 or 3 * 2^5 threads: six bits in any order in the lists, and
/// replication.
RegisterLayout random_layout_of_64(Choices& choices, int64_t extra) {
  std::vector<Digit> threads;
  std::vector<Digit> locals;
  std::vector<Digit> replicas;
  const auto insert = [&choices](std::vector<Digit>& list, const Digit& digit) {
    // Mostly at the end, so that layouts resemble each other.
    const int back = choices.below(3) == 0 ? choices.between(0, static_cast<int>(list.size())) : 0;
    list.insert(list.end() - back, digit);
  };
  for (int bit = 5; bit >= 0; --bit) {
    const bool is_local = choices.below(3) == 0;
    insert(is_local ? locals : threads, {2, bit / 3, int64_t{1} << bit % 3});
    if (is_local) replicas.push_back({.extent = 2});
  }
  replicas.push_back({.extent = extra});
  for (const Digit& digit : replicas) insert(threads, digit);
  return RegisterLayout::from_digits(Dims{8, 8}, threads, locals).value();
}

TEST(Conversion, PlansRealiseTheCheapestConversion) {
  std::array<int, 4> count{};
  check_property(3000, [&](Choices& choices) {
    const int64_t extra = choices.between(1, 3);
    RegisterLayout from = random_layout_of_64(choices, extra);
    RegisterLayout to = random_layout_of_64(choices, extra);
    const int variant = choices.below(6);
    if (variant == 1) {
      // The first thread digit made local in `from`: threads hold more than they need.
      std::vector<Digit> threads(from.thread_digits().begin(), from.thread_digits().end());
      std::vector<Digit> locals(from.local_digits().begin(), from.local_digits().end());
      Digit& first = threads.front();
      to = from;
      if (!first.is_replicated()) locals.insert(locals.begin(), first);
      first = {.extent = first.extent};
      from = RegisterLayout::from_digits(to.shape(), threads, locals).value();
    } else if (variant == 2) {
      // Local digits in another order.
      std::vector<Digit> locals(from.local_digits().begin(), from.local_digits().end());
      std::ranges::reverse(locals);
      to = RegisterLayout::from_digits(from.shape(), from.thread_digits(), locals).value();
    }
    const Conversion plan = plan_conversion(from, to).value();
    RC_ASSERT(plan.kind == kind_by_definition(from, to));
    ++count[static_cast<size_t>(plan.kind)];
    if (plan.kind != ConversionKind::kShared) check_plan(from, to, plan);
    RC_ASSERT(plan_conversion(from, from).value().is_identity());
    if (plan.is_identity() && from.replication() == to.replication()) RC_ASSERT(from == to);
  });
  for (const int cases : count) EXPECT_GT(cases, 15) << ::testing::PrintToString(count);
}

TEST(Conversion, TheAccumulatorIsTheNextOperandA) {
  // Two accumulators [16,8] side by side are an operand A [16,16] of 16-bit elements: attention's
  // second product needs no move.
  const MmaFragments mma = mma_fragments()[0];
  const RegisterLayout scores = local({1, 2}) * mma.cd;
  const Conversion plan = plan_conversion(scores, mma.a).value();
  EXPECT_EQ(plan.kind, ConversionKind::kNone);
  EXPECT_TRUE(plan.is_identity());
}

TEST(Conversion, KindsOfKnownCases) {
  const auto kind = [](const RegisterLayout& from, const RegisterLayout& to) {
    return plan_conversion(from, to).value().kind;
  };
  EXPECT_EQ(kind(local({2, 4}), column_local({2, 4})), ConversionKind::kNone);
  EXPECT_EQ(kind(replicated(4) * local({4}), spatial({4})), ConversionKind::kSelect);
  EXPECT_EQ(kind(spatial({4, 8}), column_spatial({4, 8})), ConversionKind::kShuffle);
  EXPECT_EQ(kind(spatial({4, 16}), column_spatial({4, 16})), ConversionKind::kShared);
}

TEST(Conversion, ErrorsNameTheDifference) {
  EXPECT_EQ(plan_conversion(spatial({4}), spatial({2, 2})).error().message,
            "cannot convert [4] in 4 threads to [2,2] in 4 threads");
  EXPECT_EQ(plan_conversion(spatial({4}), local({4})).error().code, ErrorCode::kInvalidArgument);
  const RegisterLayout large = local({int64_t{1} << 25});
  EXPECT_EQ(plan_conversion(large, large).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace anybit::layout

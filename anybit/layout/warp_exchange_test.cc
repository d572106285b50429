#include "anybit/layout/warp_exchange.h"

#include <gtest/gtest.h>

#include <vector>

#include "anybit/layout/conversion.h"
#include "anybit/layout/mma_layouts.h"
#include "anybit/layout/register_layout_ops.h"
#include "tests/support/property.h"

namespace anybit::layout {
namespace {

using anybit::testing::check_property;
using anybit::testing::Choices;

/// What every output slot holds after the steps, as element numbers. [threads, outputs, slots]
std::vector<int64_t> run(const WarpExchange& plan, const RegisterLayout& from) {
  const auto threads = static_cast<size_t>(from.num_threads());
  const auto slots = static_cast<size_t>(plan.slots);
  std::vector<std::vector<int64_t>> words(threads);  // [threads][words * slots]
  for (size_t t = 0; t < threads; ++t) {
    for (const int64_t place : plan.inputs) {
      words[t].push_back(from.linear_index(static_cast<int64_t>(t), place));
    }
  }
  for (const ExchangeStep& step : plan.steps) {
    std::vector<std::vector<int64_t>> made(threads);
    for (size_t t = 0; t < threads; ++t) {
      const auto thread = static_cast<int64_t>(t);
      int64_t source = thread, word = step.a;
      if (step.kind == ExchangeStep::Kind::kSelect) {
        word = thread / step.amount % 2 == 1 ? step.b : step.a;
      } else {
        source = thread / 32 * 32 + (plan.source_lane(thread % 32) ^ step.amount);
      }
      const auto begin = words[static_cast<size_t>(source)].begin() + word * plan.slots;
      made[t].assign(begin, begin + plan.slots);
    }
    for (size_t t = 0; t < threads; ++t) {
      words[t].insert(words[t].end(), made[t].begin(), made[t].end());
    }
  }
  std::vector<int64_t> result;
  for (size_t t = 0; t < threads; ++t) {
    for (const int64_t word : plan.results) {
      for (size_t s = 0; s < slots; ++s) {
        result.push_back(words[t][static_cast<size_t>(word * plan.slots) + s]);
      }
    }
  }
  return result;
}

/// Whether every place of `to` is filled, once, with its element.
bool realises(const WarpExchange& plan, const RegisterLayout& from, const RegisterLayout& to) {
  const std::vector<int64_t> found = run(plan, from);
  if (static_cast<int64_t>(plan.outputs.size()) != to.local_size()) return false;
  std::vector<bool> filled(plan.outputs.size());
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    if (filled[static_cast<size_t>(plan.outputs[i])]) return false;
    filled[static_cast<size_t>(plan.outputs[i])] = true;
    for (int64_t t = 0; t < to.num_threads(); ++t) {
      const size_t at = static_cast<size_t>(t) * plan.outputs.size() + i;
      if (found[at] != to.linear_index(t, plan.outputs[i])) return false;
    }
  }
  return true;
}

/// A layout of [16, 8, 3] over 64 threads: seven bits in any order in the lists, 3 local.
RegisterLayout random_layout(Choices& choices) {
  std::vector<Digit> threads, locals;
  const auto insert = [&choices](std::vector<Digit>& list, const Digit& digit) {
    const int back = choices.below(3) == 0 ? choices.between(0, static_cast<int>(list.size())) : 0;
    list.insert(list.end() - back, digit);
  };
  insert(locals, {3, 2, 1});
  int num_thread_bits = 0;
  for (int bit = 6; bit >= 0; --bit) {
    const Digit digit =
        bit < 3 ? Digit{2, 1, int64_t{1} << bit} : Digit{2, 0, int64_t{1} << (bit - 3)};
    const bool is_local = choices.below(3) == 0 || num_thread_bits == 6;
    insert(is_local ? locals : threads, digit);
    num_thread_bits += is_local ? 0 : 1;
  }
  for (; num_thread_bits < 6; ++num_thread_bits) insert(threads, {.extent = 2});
  return RegisterLayout::from_digits(Dims{16, 8, 3}, threads, locals).value();
}

TEST(WarpExchange, RealisesEveryConversionWithinAWarp) {
  int realised = 0;
  check_property(6000, [&](Choices& choices) {
    const RegisterLayout from = random_layout(choices), to = random_layout(choices);
    const Conversion conversion = plan_conversion(from, to).value();
    const auto plan = plan_warp_exchange(from, to, choices.between(1, 10));
    if (!plan) {
      RC_ASSERT(plan.error().code == ErrorCode::kUnsupported);
      // Warps that are copies of each other may share the work in ways that are not planned.
      const std::vector<int64_t> replicas = from.replica_offsets();
      RC_ASSERT(conversion.kind == ConversionKind::kShared || replicas.back() >= 32);
      return;
    }
    RC_ASSERT(conversion.kind != ConversionKind::kShared);
    ++realised;
    RC_ASSERT(realises(*plan, from, to));
    RC_ASSERT(plan->num_shuffles() <= static_cast<int64_t>(plan->results.size()));
    if (conversion.kind != ConversionKind::kShuffle) RC_ASSERT(plan->num_shuffles() == 0);
    if (conversion.kind == ConversionKind::kNone) RC_ASSERT(plan->steps.empty());
  });
  EXPECT_GT(realised, 1000);
}

TEST(WarpExchange, CountsOfKnownCases) {
  const auto plan = [](const RegisterLayout& from, const RegisterLayout& to, int64_t slots) {
    const WarpExchange exchange = plan_warp_exchange(from, to, slots).value();
    EXPECT_TRUE(realises(exchange, from, to));
    return std::pair(exchange.num_shuffles(), exchange.num_selects());
  };
  // Every lane bit moves: nothing stays in its lane.
  EXPECT_EQ(plan(spatial({32}) * local({2}), local({2}) * spatial({32}), 1).first, 2);
  // A butterfly: lane bit 0 and the local bit change places.
  const RegisterLayout low = spatial({16, 2}) * local({1, 2});
  const RegisterLayout high = spatial({16, 1}) * local({1, 2}) * spatial({1, 2});
  EXPECT_EQ(plan(low, high, 1), std::pair(int64_t{1}, int64_t{3}));
  // Rows to columns of 32 x 32: each lane keeps one element.
  EXPECT_EQ(plan(spatial({32, 1}) * local({1, 32}), local({32, 1}) * spatial({1, 32}), 1).first,
            31);
  // f16 [16, 16] by rows of 16 bytes to the operand A of mma: pairs stay together, four lanes
  // exchange, and a word stays in its lane.
  const RegisterLayout rows = spatial({16, 2}) * local({1, 8});
  EXPECT_LE(plan(rows, mma_fragments()[0].a, 2).first, 4);
  // Replicas tell who sends what.
  EXPECT_EQ(plan(replicated(4) * spatial({8}) * local({4}), spatial({32}), 1).first, 1);
}

TEST(WarpExchange, ErrorsNameTheDifference) {
  const auto error = [](const RegisterLayout& from, const RegisterLayout& to) {
    return plan_warp_exchange(from, to, 1).error();
  };
  EXPECT_EQ(error(spatial({4, 16}), column_spatial({4, 16})).message, "elements leave their warp");
  EXPECT_EQ(error(spatial({3, 2}), column_spatial({3, 2})).message,
            "factors whose extents are no powers of two change their places");
  EXPECT_EQ(error(spatial({4}), local({4})).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(plan_warp_exchange(spatial({4}), spatial({4}), 0).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(WarpExchange, UnitsAreTheLowestPlacesOfBoth) {
  check_property(3000, [&](Choices& choices) {
    const RegisterLayout a = random_layout(choices);
    const RegisterLayout b = choices.flip() ? a : random_layout(choices);
    const int64_t limit = choices.between(1, 9);
    const UnitLayouts units = common_units(a, b, limit);
    RC_ASSERT(units.unit <= limit);
    RC_ASSERT(units.from.local_size() * units.unit == a.local_size());
    RC_ASSERT(units.to.local_size() * units.unit == b.local_size());
    // Units are numbered alike in both: two places of a unit are equal iff they were before.
    const Place first = a.locate(b.linear_index(5, 0));
    const Place unit = units.from.locate(units.to.linear_index(5, 0));
    RC_ASSERT(first.thread == unit.thread && first.local / units.unit == unit.local);
    for (int64_t e = 0; e < b.local_size(); ++e) {
      const Place place = a.locate(b.linear_index(3, e));
      const Place of_unit = units.from.locate(units.to.linear_index(3, e / units.unit));
      RC_ASSERT(place.thread == of_unit.thread);
      RC_ASSERT(place.local == of_unit.local * units.unit + e % units.unit);
    }
  });
}

}  // namespace
}  // namespace anybit::layout

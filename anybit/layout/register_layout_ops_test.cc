#include "anybit/layout/register_layout_ops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tests/support/property.h"
#include "tests/support/random_layout.h"

namespace anybit::layout {
namespace {

using anybit::testing::check_property;
using anybit::testing::Choices;
using anybit::testing::random_layout;
using ::testing::HasSubstr;

constexpr int kCases = 8000;
constexpr int64_t kCheap = 20000;  // Products of more places are not enumerated.

int64_t places(const RegisterLayout& layout) { return layout.num_threads() * layout.local_size(); }

/// A random order of `rank` dimensions.
std::vector<int> random_order(Choices& choices, int rank) {
  std::vector<int> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  for (int i = rank - 1; i > 0; --i) {
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(choices.between(0, i))]);
  }
  return order;
}

/// A random set of dimensions below `rank`.
std::vector<int> random_dims(Choices& choices, int rank) {
  std::vector<int> dims;
  for (int d = 0; d < rank; ++d) {
    if (choices.flip()) dims.push_back(d);
  }
  return dims;
}

std::string error_of(const Result<RegisterLayout>& result) {
  return result ? std::string("no error") : result.error().message;
}

// The cases of the peer's own tests, restated.

TEST(RegisterLayoutOps, SpatialOfLocal) {
  const RegisterLayout layout = spatial({2, 4}) * local({2, 1});
  for (int64_t t = 0; t < 8; ++t) {
    for (int64_t e = 0; e < 2; ++e) {
      EXPECT_EQ(layout.coordinates(t, e), (Dims{2 * (t / 4) + e, t % 4}));
    }
  }
}

TEST(RegisterLayoutOps, Quotients) {
  EXPECT_EQ(divide(spatial({2, 4}), spatial({1, 2})).value(), spatial({2, 2}));
  EXPECT_EQ(divide(spatial({6}), spatial({3})).value(), spatial({2}));
  EXPECT_EQ(divide(spatial({32, 1}) * local({1, 32}), spatial({32, 1})).value(), local({1, 32}));
  EXPECT_EQ(left_divide(spatial({2, 12}) * local({2, 3}), spatial({2, 1}) * local({2, 1})).value(),
            spatial({1, 12}) * local({1, 3}));
}

TEST(RegisterLayoutOps, QuotientsThatDoNotExistSayWhy) {
  EXPECT_THAT(error_of(divide(spatial({8}) * local({6}), local({4}))),
              HasSubstr("cannot divide 6 local places by 4"));
  EXPECT_THAT(error_of(divide(spatial({6}), spatial({4}))), HasSubstr("cannot divide shape"));
  EXPECT_THAT(error_of(divide(spatial({4}), spatial({1, 4}))),
              HasSubstr("rank 1 by one of rank 2"));
  EXPECT_THAT(error_of(divide(spatial({2, 4}), spatial({2, 1}))), HasSubstr("do not end in"));
  EXPECT_THAT(error_of(left_divide(spatial({2, 4}), spatial({1, 2}))),
              HasSubstr("do not begin with"));
  EXPECT_THAT(error_of(left_divide(spatial({4}), replicated(3, 1))),
              HasSubstr("cannot divide 4 threads by 3"));
}

TEST(RegisterLayoutOps, ReshapeSplitsADimension) {
  EXPECT_EQ(reshape(spatial({2, 4}), {2, 2, 2}).value(), spatial({2, 2, 2}));
  EXPECT_EQ(reshape(spatial({4, 3}), {3, 4}).value(), spatial({3, 4}));
  EXPECT_THAT(error_of(reshape(column_local({4, 3}), {3, 4})), HasSubstr("straddles dimension"));
  EXPECT_THAT(error_of(reshape(spatial({4}), {5})), HasSubstr("4 and 5 elements"));
  EXPECT_THAT(error_of(reshape(spatial({4}), {0})), HasSubstr("at least 1"));
}

TEST(RegisterLayoutOps, TheMmaOperandBIsColumnMajor) {
  const RegisterLayout b = local({2, 1}) * column_spatial({4, 8}) * local({2, 1});
  for (int64_t k = 0; k < 16; ++k) {
    for (int64_t n = 0; n < 8; ++n) {
      EXPECT_EQ(b.holders({k, n}), (std::vector<int64_t>{4 * n + k % 8 / 2}));
      EXPECT_EQ(b.local_index({k, n}), 2 * (k / 8) + k % 2);
    }
  }
}

TEST(RegisterLayoutOps, ReplicatedCoversSingle) {
  const RegisterLayout all = replicated(4, 1) * local({4});
  EXPECT_TRUE(covers(all, spatial({4})));
  EXPECT_FALSE(covers(spatial({4}), all));
  EXPECT_FALSE(covers(all, spatial({8})));
  EXPECT_FALSE(covers(local({4}), spatial({4})));
}

// Laws, by enumeration.

TEST(RegisterLayoutOps, ComposeMeansTilesOfTiles) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout p = random_layout(choices);
    const RegisterLayout q = random_layout(choices);
    const RegisterLayout pq = p * q;
    RC_ASSERT(pq.num_threads() == p.num_threads() * q.num_threads());
    RC_ASSERT(pq.local_size() == p.local_size() * q.local_size());
    RC_ASSERT(pq.replication() == p.replication() * q.replication());
    const int rank = std::max(p.rank(), q.rank());
    RC_ASSERT(pq.rank() == rank);
    if (places(pq) > kCheap) return;
    const Dims tile = pad_left(q.shape(), rank);
    for (int64_t t = 0; t < pq.num_threads(); ++t) {
      for (int64_t e = 0; e < pq.local_size(); ++e) {
        const Dims x = p.coordinates(t / q.num_threads(), e / q.local_size());
        const Dims y = q.coordinates(t % q.num_threads(), e % q.local_size());
        Dims expected = Dims::filled(rank, 0);
        for (int d = 0; d < rank; ++d) {
          if (d >= rank - x.size()) expected[d] += x[d - rank + x.size()] * tile[d];
          if (d >= rank - y.size()) expected[d] += y[d - rank + y.size()];
        }
        RC_ASSERT(pq.coordinates(t, e) == expected);
      }
    }
  });
}

TEST(RegisterLayoutOps, ComposeIsAMonoid) {
  check_property(2 * kCases, [](Choices& choices) {
    const RegisterLayout a = random_layout(choices);
    const RegisterLayout b = random_layout(choices);
    const RegisterLayout c = random_layout(choices);
    RC_ASSERT((a * b) * c == a * (b * c));
    RC_ASSERT(a * RegisterLayout() == a);
    RC_ASSERT(RegisterLayout() * a == a);
  });
}

TEST(RegisterLayoutOps, ComposeRefusesWhatIsTooLarge) {
  const RegisterLayout large = local({int64_t{1} << 20});
  EXPECT_THAT(error_of(compose(large, large)), HasSubstr("at most 2147483648 elements"));
  const RegisterLayout copies = replicated(int64_t{1} << 20);
  EXPECT_THAT(error_of(compose(copies, copies)), HasSubstr("thread list: its extents exceed"));
}

TEST(RegisterLayoutOps, QuotientsInvertTheProduct) {
  check_property(2 * kCases, [](Choices& choices) {
    const int rank = choices.between(0, 3);
    const RegisterLayout p = random_layout(choices, rank);
    const RegisterLayout q = random_layout(choices, rank);
    const RegisterLayout pq = p * q;
    RC_ASSERT(divide(pq, q).value() == p);
    RC_ASSERT(left_divide(pq, p).value() == q);
    RC_ASSERT(divide(pq, RegisterLayout()).value() == pq);
    RC_ASSERT(left_divide(pq, RegisterLayout()).value() == pq);
  });
}

/// Whether layout == p . q for some p (q if `is_left`), found by enumerating its definition.
bool has_quotient(const RegisterLayout& layout, const RegisterLayout& factor, bool is_left) {
  if (layout.num_threads() % factor.num_threads() != 0) return false;
  if (layout.local_size() % factor.local_size() != 0) return false;
  Dims other = layout.shape();
  for (int d = 0; d < layout.rank(); ++d) {
    if (other[d] % factor.shape()[d] != 0) return false;
    other[d] /= factor.shape()[d];
  }
  const Dims& tile = is_left ? other : factor.shape();
  const int64_t threads = (is_left ? layout.num_threads() / factor.num_threads()  //
                                   : factor.num_threads());
  const int64_t locals =
      (is_left ? layout.local_size() / factor.local_size() : factor.local_size());
  // Each place of the layout must be the sum of an outer part that depends on the outer indices
  // only, a multiple of the tile, and an inner part that depends on the inner ones only.
  for (int64_t t = 0; t < layout.num_threads(); ++t) {
    for (int64_t e = 0; e < layout.local_size(); ++e) {
      const Dims x = layout.coordinates(t, e);
      const Dims outer = layout.coordinates(t / threads * threads, e / locals * locals);
      const Dims inner = layout.coordinates(t % threads, e % locals);
      const Dims known = is_left ? factor.coordinates(t / threads, e / locals)
                                 : factor.coordinates(t % threads, e % locals);
      for (int d = 0; d < layout.rank(); ++d) {
        if (outer[d] % tile[d] != 0 || inner[d] >= tile[d]) return false;
        if (x[d] != outer[d] + inner[d]) return false;
        if (known[d] != (is_left ? outer[d] / tile[d] : inner[d])) return false;
      }
    }
  }
  return true;
}

TEST(RegisterLayoutOps, QuotientsExistExactlyWhereTheProductIsTheLayout) {
  int num_quotients = 0;
  int num_errors = 0;
  check_property(4 * kCases, [&](Choices& choices) {
    const RegisterLayout layout = random_layout(choices, 1) * random_layout(choices, 1);
    const RegisterLayout factor = random_layout(choices, 1);
    if (places(layout) > 500) return;
    const auto outer = divide(layout, factor);
    const auto inner = left_divide(layout, factor);
    RC_ASSERT(outer.has_value() == has_quotient(layout, factor, false));
    RC_ASSERT(inner.has_value() == has_quotient(layout, factor, true));
    if (outer) RC_ASSERT(*outer * factor == layout);
    if (inner) RC_ASSERT(factor * *inner == layout);
    ++(outer ? num_quotients : num_errors);
  });
  EXPECT_GT(num_quotients, kCases / 10);
  EXPECT_GT(num_errors, kCases / 10);
}

TEST(RegisterLayoutOps, ConcatPutsDimensionsSideBySide) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout a = random_layout(choices);
    const RegisterLayout b = random_layout(choices);
    const RegisterLayout both = concat(a, b).value();
    RC_ASSERT(both.num_threads() == a.num_threads() * b.num_threads());
    if (places(both) > kCheap) return;
    for (int64_t t = 0; t < both.num_threads(); ++t) {
      for (int64_t e = 0; e < both.local_size(); ++e) {
        Dims expected = a.coordinates(t / b.num_threads(), e / b.local_size());
        for (const int64_t x : b.coordinates(t % b.num_threads(), e % b.local_size())) {
          expected.push_back(x);
        }
        RC_ASSERT(both.coordinates(t, e) == expected);
      }
    }
  });
  EXPECT_THAT(error_of(concat(local({1, 1, 1, 1, 1}), local({1, 1, 1, 1}))),
              HasSubstr("at most 8 dimensions"));
}

TEST(RegisterLayoutOps, ReduceKeepsWhoHeldAPart) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout layout = random_layout(choices);
    const std::vector<int> dims = random_dims(choices, layout.rank());
    const RegisterLayout kept = reduce(layout, dims, true).value();
    RC_ASSERT(kept.num_threads() == layout.num_threads());
    for (int64_t t = 0; t < layout.num_threads(); ++t) {
      std::vector<int64_t> expected;  // In the order of local places, each once.
      for (int64_t e = 0; e < layout.local_size(); ++e) {
        Dims x = layout.coordinates(t, e);
        for (const int d : dims) x[d] = 0;
        const int64_t linear = ravel(x, kept.shape());
        if (std::ranges::find(expected, linear) == expected.end()) expected.push_back(linear);
      }
      RC_ASSERT(static_cast<int64_t>(expected.size()) == kept.local_size());
      for (int64_t e = 0; e < kept.local_size(); ++e) {
        RC_ASSERT(kept.linear_index(t, e) == expected[static_cast<size_t>(e)]);
      }
    }
    RC_ASSERT(reduce(layout, dims, false).value() == squeeze(kept, dims).value());
    RC_ASSERT(reduce_to(layout, kept.shape()).value() == kept);
    RC_ASSERT(reduce(layout, {}, true).value() == layout);
  });
  const int twice[] = {0, 0};
  const int beyond[] = {2};
  EXPECT_THAT(error_of(reduce(local({2, 2}), twice, true)), HasSubstr("named twice"));
  EXPECT_THAT(error_of(reduce(local({2, 2}), beyond, true)), HasSubstr("no dimension 2"));
  EXPECT_THAT(error_of(reduce_to(local({4, 4}), {2, 4})), HasSubstr("dimension 0"));
  EXPECT_THAT(error_of(reduce_to(local({4, 4}), {4})), HasSubstr("ranks differ"));
}

TEST(RegisterLayoutOps, BroadcastOperandsAreWhereTheResultNeedsThem) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout result = random_layout(choices);
    const int dropped = result.rank() == 0 ? 0 : choices.below(result.rank());
    Dims shape;
    for (int d = dropped; d < result.rank(); ++d) {
      shape.push_back(choices.flip() ? 1 : result.shape()[d]);
    }
    const RegisterLayout operand = broadcast_operand(result, shape).value();
    RC_ASSERT(operand.shape() == shape);
    RC_ASSERT(broadcast_shape(result.shape(), shape).value() == result.shape());
    for (int64_t t = 0; t < result.num_threads(); ++t) {
      std::set<int64_t> needed;
      for (int64_t e = 0; e < result.local_size(); ++e) {
        const Dims x = result.coordinates(t, e);
        Dims y = shape;
        for (int d = 0; d < shape.size(); ++d) y[d] = shape[d] == 1 ? 0 : x[d + dropped];
        needed.insert(ravel(y, shape));
        RC_ASSERT(operand.holds(t, ravel(y, shape)));
      }
      RC_ASSERT(static_cast<int64_t>(needed.size()) == operand.local_size());
    }
  });
  EXPECT_THAT(error_of(broadcast_operand(local({4}), {1, 4})), HasSubstr("more dimensions"));
  EXPECT_THAT(error_of(broadcast_operand(local({4}), {2})), HasSubstr("dimension 0"));
  EXPECT_FALSE(broadcast_shape({4, 3}, {2, 3}).has_value());
  EXPECT_EQ(broadcast_shape({4, 1}, {3}).value(), (Dims{4, 3}));
}

TEST(RegisterLayoutOps, ReshapeKeepsRowMajorNumbers) {
  int num_reshaped = 0;
  check_property(2 * kCases, [&](Choices& choices) {
    const RegisterLayout layout = random_layout(choices);
    // A random shape of the same size: factors handed out to dimensions in order.
    Dims shape = Dims::filled(choices.between(1, 4), 1);
    int64_t left = layout.size();
    int d = 0;
    for (const int64_t prime : {2, 3}) {
      for (; left % prime == 0; left /= prime) {
        d = choices.below(shape.size());
        shape[d] *= prime;
      }
    }
    const auto reshaped = reshape(layout, shape);
    if (!reshaped) return;
    ++num_reshaped;
    RC_ASSERT(reshaped->shape() == shape);
    RC_ASSERT(reshaped->thread_offsets() == layout.thread_offsets());
    RC_ASSERT(reshaped->local_offsets() == layout.local_offsets());
    RC_ASSERT(reshape(*reshaped, layout.shape()).value() == layout);
  });
  EXPECT_GT(num_reshaped, kCases / 4);
}

TEST(RegisterLayoutOps, ReshapeFailsOnlyWhereNoLayoutExists) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout layout = random_layout(choices, 2);
    const RegisterLayout wanted = random_layout(choices, 2);
    if (wanted.size() != layout.size()) return;
    const auto reshaped = reshape(layout, wanted.shape());
    // If the wanted layout is the map, the reshape must find it.
    const bool is_map = wanted.thread_offsets() == layout.thread_offsets() &&
                        wanted.local_offsets() == layout.local_offsets();
    RC_ASSERT((reshaped && *reshaped == wanted) == is_map);
  });
}

TEST(RegisterLayoutOps, FlattenKeepsRowMajorNumbers) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout layout = random_layout(choices, choices.between(1, 3));
    const int first = choices.below(layout.rank());
    const int last = choices.between(first, layout.rank() - 1);
    const RegisterLayout flat = flatten(layout, first, last).value();
    RC_ASSERT(flat.rank() == layout.rank() - (last - first));
    RC_ASSERT(flat.thread_offsets() == layout.thread_offsets());
    RC_ASSERT(flat.local_offsets() == layout.local_offsets());
  });
  EXPECT_THAT(error_of(flatten(local({2, 2}), 1, 2)), HasSubstr("the rank is 2"));
  EXPECT_THAT(error_of(flatten(local({2, 2}), 1, 0)), HasSubstr("cannot flatten"));
}

TEST(RegisterLayoutOps, PermuteMovesCoordinates) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout layout = random_layout(choices);
    const std::vector<int> order = random_order(choices, layout.rank());
    const RegisterLayout permuted = permute(layout, order).value();
    for (int64_t t = 0; t < layout.num_threads(); ++t) {
      for (int64_t e = 0; e < layout.local_size(); ++e) {
        const Dims x = layout.coordinates(t, e);
        const Dims y = permuted.coordinates(t, e);
        for (int d = 0; d < layout.rank(); ++d) {
          RC_ASSERT(y[d] == x[order[static_cast<size_t>(d)]]);
        }
      }
    }
  });
  EXPECT_EQ(transpose(spatial({2, 4}), 0, 1).value(), column_spatial({4, 2}));
  EXPECT_EQ(transpose(spatial({2, 4}), 1, 1).value(), spatial({2, 4}));
  EXPECT_FALSE(transpose(spatial({2, 4}), 0, 2).has_value());
  const int short_order[] = {0};
  EXPECT_THAT(error_of(permute(spatial({2, 4}), short_order)), HasSubstr("1 of 2 dimensions"));
}

TEST(RegisterLayoutOps, SqueezeInvertsUnsqueeze) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout layout = random_layout(choices);
    std::vector<int> dims = random_dims(choices, 5);
    while (!dims.empty() && dims.back() >= layout.rank() + static_cast<int>(dims.size())) {
      dims.pop_back();
    }
    const RegisterLayout wider = unsqueeze(layout, dims).value();
    RC_ASSERT(wider.rank() == layout.rank() + static_cast<int>(dims.size()));
    for (const int d : dims) RC_ASSERT(wider.shape()[d] == 1);
    RC_ASSERT(wider.thread_offsets() == layout.thread_offsets());
    RC_ASSERT(wider.local_offsets() == layout.local_offsets());
    RC_ASSERT(squeeze(wider, dims).value() == layout);
  });
  const int first[] = {0};
  const int nine[] = {0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_THAT(error_of(squeeze(local({2, 1}), first)), HasSubstr("cannot squeeze dimension 0"));
  EXPECT_THAT(error_of(unsqueeze(local({2}), nine)), HasSubstr("at most 8 dimensions, found 9"));
}

/// covers() by its definition.
bool covers_by_enumeration(const RegisterLayout& have, const RegisterLayout& need) {
  if (have.shape() != need.shape() || have.num_threads() != need.num_threads()) return false;
  for (int64_t t = 0; t < need.num_threads(); ++t) {
    for (int64_t e = 0; e < need.local_size(); ++e) {
      if (!have.holds(t, need.linear_index(t, e))) return false;
    }
  }
  return true;
}

/// A layout of the shape and threads of `layout` that is likely to cover it or be covered: some
/// thread digits of both become replication in one.
RegisterLayout relaxed(Choices& choices, const RegisterLayout& layout) {
  std::vector<Digit> threads(layout.thread_digits().begin(), layout.thread_digits().end());
  std::vector<Digit> locals(layout.local_digits().begin(), layout.local_digits().end());
  for (Digit& digit : threads) {
    if (digit.is_replicated() || choices.below(3) > 0) continue;
    locals.insert(locals.begin() + choices.between(0, static_cast<int>(locals.size())), digit);
    digit = {.extent = digit.extent};
  }
  return RegisterLayout::from_digits(layout.shape(), threads, locals).value();
}

TEST(RegisterLayoutOps, CoversByDefinition) {
  int num_covers = 0;
  check_property(4 * kCases, [&](Choices& choices) {
    const RegisterLayout base = random_layout(choices, choices.between(1, 2));
    const RegisterLayout a = relaxed(choices, base);
    const RegisterLayout b = choices.flip() ? base : relaxed(choices, base);
    RC_ASSERT(covers(a, a));
    RC_ASSERT(covers(a, b) == covers_by_enumeration(a, b));
    RC_ASSERT(covers(b, a) == covers_by_enumeration(b, a));
    RC_ASSERT(covers(a, base));
    const RegisterLayout c = relaxed(choices, a);
    RC_ASSERT(covers(c, a) && covers(c, base));  // Transitive.
    if (!(a == b) && covers(a, b)) ++num_covers;
  });
  EXPECT_GT(num_covers, kCases / 10);
}

/// A layout of 18 elements in 18 threads: modes 2, 3, 3 in any order, each in a list.
RegisterLayout random_layout_of_18(Choices& choices) {
  std::vector<int64_t> extents = {3, 3};
  extents.insert(extents.begin() + choices.below(3), 2);
  std::vector<Digit> threads;
  std::vector<Digit> locals;
  int64_t stride = 1;
  for (const int64_t extent : extents) {
    const bool is_local = choices.below(3) == 0;
    std::vector<Digit>& list = is_local ? locals : threads;
    list.insert(list.begin() + choices.between(0, static_cast<int>(list.size())),
                {extent, 0, stride});
    if (is_local) {
      threads.insert(threads.begin() + choices.between(0, static_cast<int>(threads.size())),
                     {.extent = extent});
    }
    stride *= extent;
  }
  return RegisterLayout::from_digits(Dims{18}, threads, locals).value();
}

// Extents that do not nest: threads and elements can agree in a digit by arithmetic alone.
TEST(RegisterLayoutOps, CoversOfUnrelatedLayouts) {
  int num_covers = 0;
  check_property(4 * kCases, [&](Choices& choices) {
    const RegisterLayout a = random_layout_of_18(choices);
    const RegisterLayout b = random_layout_of_18(choices);
    RC_ASSERT(covers(a, b) == covers_by_enumeration(a, b));
    if (!(a == b) && covers(a, b)) ++num_covers;
  });
  EXPECT_GT(num_covers, kCases / 10);
  const Digit parity[] = {{.extent = 9}, {2, 0, 1}};
  const Digit nine[] = {{9, 0, 2}};
  const Digit shuffled[] = {{2, 0, 9}, {3, 0, 1}, {3, 0, 3}};
  EXPECT_TRUE(covers(RegisterLayout::from_digits(Dims{18}, parity, nine).value(),
                     RegisterLayout::from_digits(Dims{18}, shuffled, {}).value()));
}

TEST(RegisterLayoutOps, CoalescedLayoutsAreRowMajorVectors) {
  int num_made = 0;
  check_property(kCases, [&](Choices& choices) {
    Dims shape;
    for (int d = choices.between(1, 3); d > 0; --d) {
      shape.push_back((int64_t{1} << choices.between(0, 3)) * (choices.below(4) == 0 ? 3 : 1));
    }
    const int64_t threads = int64_t{1} << choices.between(0, 6);
    const int64_t vector = int64_t{1} << choices.between(0, 3);
    const auto layout = coalesced(shape, threads, vector);
    const bool must_fail = shape.back() % vector != 0;
    RC_ASSERT(!(must_fail && layout));
    if (!layout) return;
    ++num_made;
    RC_ASSERT(layout->shape() == shape);
    RC_ASSERT(layout->num_threads() == threads);
    RC_ASSERT(contiguous_local_run(*layout) >= vector);
    RC_ASSERT((layout->replication() > 1) == (layout->size() < threads * vector));
    if (!std::has_single_bit(static_cast<uint64_t>(layout->size()))) return;
    // The vectors of local places [0, vector) are the tile's first elements in thread order.
    const int64_t distinct = threads / layout->replication();
    for (int64_t t = 0; t < threads; ++t) {
      for (int64_t v = 0; v < vector; ++v) {
        RC_ASSERT(layout->linear_index(t, v) == t % distinct * vector + v);
      }
    }
  });
  EXPECT_GT(num_made, kCases / 10);
  EXPECT_EQ(coalesced({16, 48}, 32, 1).value(), local({8, 3}) * spatial({2, 16}));
  EXPECT_EQ(coalesced({64, 64}, 128, 8).value(), local({4, 1}) * spatial({16, 8}) * local({1, 8}));
  EXPECT_EQ(coalesced({4, 4}, 32, 2).value(), replicated(4) * spatial({4, 2}) * local({1, 2}));
  EXPECT_THAT(error_of(coalesced({8, 6}, 32, 4)), HasSubstr("do not divide the last dimension"));
  EXPECT_THAT(error_of(coalesced({3, 3}, 2, 1)), HasSubstr("do not divide [3,3]"));
  EXPECT_FALSE(coalesced({4}, 0, 1).has_value());
  EXPECT_FALSE(coalesced({4}, 4, 0).has_value());
  EXPECT_EQ(coalesced({}, 32, 1).value(), replicated(32));
}

TEST(RegisterLayoutOps, ContiguousLocalRunIsTheWidestVector) {
  check_property(kCases, [](Choices& choices) {
    const RegisterLayout layout = random_layout(choices);
    const auto is_run = [&layout](int64_t v) {
      if (layout.local_size() % v != 0) return false;
      for (int64_t e = 0; e < layout.local_size(); ++e) {
        if (e % v == 0) continue;
        Dims expected = layout.coordinates(0, e - 1);
        ++expected[expected.size() - 1];
        if (layout.coordinates(0, e) != expected) return false;
      }
      return true;
    };
    int64_t widest = 1;
    for (int64_t v = 2; v <= layout.local_size(); v *= 2) {
      if (is_run(v)) widest = v;
    }
    RC_ASSERT(contiguous_local_run(layout) == widest);
  });
}

}  // namespace
}  // namespace anybit::layout

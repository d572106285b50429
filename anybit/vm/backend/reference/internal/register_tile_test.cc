#include "anybit/vm/backend/reference/internal/register_tile.h"

#include <gtest/gtest.h>

#include "anybit/layout/register_layout_ops.h"

namespace anybit::vm::reference {
namespace {

using layout::local;
using layout::replicated;
using layout::spatial;

std::shared_ptr<const LayoutTables> tables_of(const layout::RegisterLayout& layout) {
  return std::make_shared<const LayoutTables>(layout);
}

TEST(LayoutTables, AgreeWithTheLayout) {
  const layout::RegisterLayout mma = local({2, 1}) * spatial({8, 4}) * local({1, 2});
  const layout::RegisterLayout copies = replicated(4, 2) * spatial({4, 2}) * local({2, 3});
  for (const layout::RegisterLayout& layout : {mma, copies}) {
    const LayoutTables tables(layout);
    ASSERT_EQ(tables.num_threads(), layout.num_threads());
    ASSERT_EQ(tables.local_size(), layout.local_size());
    for (int64_t t = 0; t < tables.num_threads(); ++t) {
      for (int64_t e = 0; e < tables.local_size(); ++e) {
        EXPECT_EQ(tables.linear(t, e), layout.linear_index(t, e));
      }
      for (int64_t x = 0; x < tables.size(); ++x) {
        EXPECT_EQ(tables.holds(t, x), layout.holds(t, x));
      }
    }
    for (int64_t x = 0; x < tables.size(); ++x) {
      EXPECT_EQ(tables.thread_of[x], layout.locate(x).thread);
      EXPECT_EQ(tables.local_of[x], layout.locate(x).local);
    }
  }
}

TEST(RegisterTile, KeepsEveryElementOfEveryWidthApart) {
  for (const int bits : {1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 16}) {
    const ElementFormat element = numeric::uint_format(bits);
    RegisterTile tile(element, tables_of(spatial({4}) * local({37})));
    const auto code_at = [&](int64_t t, int64_t e) {
      return static_cast<Code>((t * 1000 + e * 7919) & ((1 << bits) - 1));
    };
    // Backwards, so that a write that spills over would hit elements already written.
    for (int64_t t = 4; t-- > 0;) {
      for (int64_t e = 37; e-- > 0;) {
        EXPECT_FALSE(tile.is_written(t, e));
        tile.set(t, e, code_at(t, e));
      }
    }
    for (int64_t t = 0; t < 4; ++t) {
      for (int64_t e = 0; e < 37; ++e) {
        EXPECT_TRUE(tile.is_written(t, e));
        EXPECT_EQ(tile.get(t, e), code_at(t, e)) << bits << " bits, element " << e;
      }
    }
  }
}

TEST(RegisterTile, CopiesOfAnElementAreSeparate) {
  RegisterTile tile(kInt32, tables_of(replicated(2, 1) * local({1})));
  tile.set(0, 0, 5);
  EXPECT_FALSE(tile.is_written(1, 0));
  tile.set(1, 0, 6);
  EXPECT_EQ(tile.get(0, 0), 5U);
  EXPECT_EQ(tile.get(1, 0), 6U);
}

TEST(RegisterTile, AViewReadsTheSameBitString) {
  // Three bytes a thread are four elements of six bits.
  RegisterTile bytes(numeric::uint_format(8), tables_of(spatial({2}) * local({3})));
  const Code values[] = {0xAB, 0xCD, 0xEF};
  for (int64_t e = 0; e < 3; ++e) bytes.set(1, e, values[e]);
  const RegisterTile view = bytes.view(numeric::kE3M2, tables_of(spatial({2}) * local({4})));
  const uint32_t string = 0xEFCDAB;
  for (int64_t e = 0; e < 4; ++e) {
    EXPECT_EQ(view.get(1, e), string >> (6 * e) & 63);
    EXPECT_TRUE(view.is_written(1, e));
    EXPECT_FALSE(view.is_written(0, e));
  }
}

}  // namespace
}  // namespace anybit::vm::reference

#include "anybit/vm/pass/tile_range.h"

#include <gtest/gtest.h>

#include "anybit/vm/ir/builder.h"
#include "anybit/vm/ir/element.h"

namespace anybit::vm {
namespace {

class TileRangesTest : public testing::Test {
 protected:
  void expect_range(Tile tile, int64_t low, int64_t high) {
    k_.store_global(out_, k_.reshape(tile, {64}), {0});  // Used, and of the right size.
    const auto program = k_.build();
    ASSERT_TRUE(program) << program.error().message;
    const TileRange range = TileRanges(*program).range(tile.id);
    EXPECT_EQ(range.low, low);
    EXPECT_EQ(range.high, high);
  }
  Tile number(int64_t value) { return k_.full(kInt32, {1}, Expr(value)); }
  Tile bytes() { return k_.cast(k_.load_global(in_, {0}, {64}), kInt32); }

  KernelBuilder k_{"ranges"};
  Expr x_ = k_.parameter("x", ScalarType::kPointer), n_ = k_.parameter("n", ScalarType::kI32);
  Tile in_ = k_.global_view(x_, numeric::uint_format(8), {n_});
  Tile out_ = k_.global_view(x_, kInt32, {n_});
  bool has_grid_ = (k_.grid({n_}), true);
};

TEST_F(TileRangesTest, ByteAsIndex) { expect_range(bytes(), 0, 255); }

TEST_F(TileRangesTest, ByteOfManyTables) {
  const Tile lane = k_.reshape(k_.iota({2, 32}, 1), {64});
  expect_range(k_.add(k_.mul(bytes(), number(32)), lane), 0, 255 * 32 + 31);
}

TEST_F(TileRangesTest, SignsMinimumAndMaximum) {
  const Tile negative = k_.mul(k_.sub(bytes(), number(10)), number(-3));
  expect_range(k_.binary(BinaryOp::kMax, negative, number(-100)), -100, 30);
}

TEST_F(TileRangesTest, OverflowTakesEveryValue) {
  expect_range(k_.mul(bytes(), number(1 << 30)), INT32_MIN, INT32_MAX);
}

TEST_F(TileRangesTest, ProductsOfWholeWordsTakeEveryValue) {
  const Tile word = k_.cast(k_.load_global(k_.global_view(x_, kUint32, {n_}), {0}, {64}), kUint32);
  const Tile square = k_.mul(word, word);
  k_.store_global(out_, k_.cast(square, kInt32), {0});
  const auto program = k_.build();
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(TileRanges(*program).range(square.id).low, 0);
  EXPECT_EQ(TileRanges(*program).range(square.id).high, UINT32_MAX);
}

TEST_F(TileRangesTest, SumsOfSumsTakeNoTime) {
  Tile sum = bytes();
  for (int i = 0; i < 200; ++i) sum = k_.add(sum, sum);  // 2^200 ways from the last to the first.
  expect_range(sum, INT32_MIN, INT32_MAX);
}

TEST_F(TileRangesTest, SelectTakesBoth) {
  const Tile inside = k_.compare(CompareOp::kLess, bytes(), number(7));
  expect_range(k_.select(inside, bytes(), number(-1)), -1, 255);
}

TEST_F(TileRangesTest, ChangedTilesTakeEveryValue) {
  const Tile sum = k_.full(kInt32, {64}, 0);
  k_.for_range("i", 0, 4, 1, [&](const Expr&) { k_.assign(sum, k_.add(sum, bytes())); });
  expect_range(sum, INT32_MIN, INT32_MAX);
}

}  // namespace
}  // namespace anybit::vm

// The reference backend through its public face, on programs that are built. What instructions
// compute is tested by the programs of tests/vm/run; here: launching, orders, literal layouts.
#include "anybit/vm/backend/reference/reference.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/builder.h"
#include "anybit/vm/ir/verify.h"
#include "anybit/vm/pass/layout_inference.h"

namespace anybit::vm {
namespace {

using layout::local;
using layout::replicated;
using layout::spatial;

/// Elements in memory that a launch may use.
template <class T>
struct Memory {
  explicit Memory(size_t size) : words((size * sizeof(T) + 15) / 16), size(size) {}
  struct alignas(16) Word {
    std::byte bytes[16];
  };
  T& operator[](size_t i) { return reinterpret_cast<T*>(words.data())[i]; }
  LaunchArgument argument() {
    return std::span(reinterpret_cast<std::byte*>(words.data()), size * sizeof(T));
  }
  std::vector<Word> words;
  size_t size;
};

Program built(KernelBuilder& k) {
  Result<Program> program = k.build();
  EXPECT_TRUE(program.has_value()) << program.error().message;
  Result<LayoutInference> inferred = infer_layouts(std::move(*program));
  EXPECT_TRUE(inferred.has_value()) << inferred.error().message;
  const Status status = verify(inferred->program, VerifyStage::kWithLayouts);
  EXPECT_TRUE(status.has_value()) << status.error().message;
  return std::move(inferred->program);
}

std::string run(KernelBuilder& k, std::vector<LaunchArgument> arguments,
                const ReferenceOptions& options = {}) {
  const Status status = run_reference(built(k), arguments, options);
  return status ? "" : status.error().message;
}

TEST(Reference, ArgumentsMustFitTheParameters) {
  KernelBuilder k("f", 1);
  k.parameter("x", ScalarType::kPointer);
  k.parameter("n", ScalarType::kI32);
  k.grid({1});
  const Program program = built(k);
  Memory<float> x(8);
  const auto message = [&](std::vector<LaunchArgument> arguments) {
    const Status status = run_reference(program, arguments);
    return status ? "" : status.error().message;
  };
  EXPECT_EQ(message({x.argument(), 3}), "");
  EXPECT_EQ(message({x.argument()}), "f: 1 arguments, expected 2");
  EXPECT_EQ(message({3, 3}), "argument x: expected memory, found a scalar");
  EXPECT_EQ(message({x.argument(), 3.0F}), "argument n: expected i32, found f32");
  EXPECT_EQ(message({x.argument(), int64_t{3}}), "argument n: expected i32, found i64");
  EXPECT_EQ(message({x.argument(), x.argument()}), "argument n: expected i32, found memory");
  EXPECT_EQ(message({std::span(reinterpret_cast<std::byte*>(&x[1]), 4), 3}),
            "argument x: memory not aligned to 16 bytes");
}

TEST(Reference, CtasRunInOrderXFastest) {
  KernelBuilder k("f", 1);
  const Expr n = k.parameter("n", ScalarType::kI32);
  k.grid({2, n, 2});
  k.emit(Opcode::kPrint, {Tile{}},
         {std::string("cta"), k.block(0) + k.block(1) * 10 + k.block(2) * 100}, std::nullopt,
         false);
  std::vector<std::string> lines;
  ReferenceOptions options;
  options.print = [&](std::string_view line) { lines.emplace_back(line); };
  EXPECT_EQ(run(k, {2}, options), "");
  EXPECT_EQ(lines, (std::vector<std::string>{"cta 0", "cta 1", "cta 10", "cta 11", "cta 100",
                                             "cta 101", "cta 110", "cta 111"}));
  lines.clear();
  EXPECT_EQ(run_reference(built(k), std::vector<LaunchArgument>{0}, options).has_value(), true);
  EXPECT_TRUE(lines.empty());
  EXPECT_FALSE(run_reference(built(k), std::vector<LaunchArgument>{-1}).has_value());
}

/// What reduce must give in f32, computed without the backend's tables: each thread's elements
/// along dimension 1 in order, then a butterfly over the bits of the threads that share a row.
std::vector<float> sums_by_hand(const layout::RegisterLayout& held, const std::vector<float>& x,
                                const std::vector<int64_t>& thread_bits) {
  const int64_t rows = held.shape()[0], columns = held.shape()[1];
  std::vector<std::vector<float>> sums(held.num_threads(), std::vector<float>(rows));
  std::vector<std::vector<bool>> has(held.num_threads(), std::vector<bool>(rows));
  for (int64_t t = 0; t < held.num_threads(); ++t) {
    for (int64_t e = 0; e < held.local_size(); ++e) {
      const layout::Dims at = held.coordinates(t, e);
      const float value = x[at[0] * columns + at[1]];
      sums[t][at[0]] = has[t][at[0]] ? sums[t][at[0]] + value : value;
      has[t][at[0]] = true;
    }
  }
  for (const int64_t bit : thread_bits) {
    const auto before = sums;
    for (int64_t t = 0; t < held.num_threads(); ++t) {
      for (int64_t r = 0; r < rows; ++r) sums[t][r] = before[t][r] + before[t ^ bit][r];
    }
  }
  std::vector<float> result(rows);
  for (int64_t t = held.num_threads(); t-- > 0;) {
    for (int64_t r = 0; r < rows; ++r) {
      if (has[t][r]) result[r] = sums[t][r];
    }
  }
  return result;
}

TEST(Reference, SumsAreTakenInTheDocumentedOrder) {
  struct Case {
    layout::RegisterLayout held;
    std::vector<int64_t> thread_bits;  // Of the threads along dimension 1, lowest first.
  };
  const Case cases[] = {
      {spatial({32, 1}) * local({1, 64}), {}},
      {local({2, 1}) * spatial({16, 2}) * local({1, 32}), {1}},
      {local({32, 2}) * spatial({1, 32}), {1, 2, 4, 8, 16}},
      {local({4, 1}) * spatial({8, 4}) * local({1, 16}), {1, 2}},
      {local({4, 16}) * layout::column_spatial({8, 4}), {8, 16}},
  };
  std::mt19937 random(7);
  for (const Case& c : cases) {
    std::vector<float> values(32 * 64);
    Memory<float> x(values.size()), y(32);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = x[i] =
          std::ldexp(static_cast<float>(random() % 1000) - 500.0F, static_cast<int>(random() % 20));
    }
    KernelBuilder k("sum", 1);
    const Expr px = k.parameter("x", ScalarType::kPointer);
    const Expr py = k.parameter("y", ScalarType::kPointer);
    k.grid({1});
    const Tile tile =
        k.load_global(k.global_view(px, numeric::kF32, {32, 64}), {0, 0}, {32, 64}, c.held);
    k.store_global(k.global_view(py, numeric::kF32, {32, 1}), k.reduce(tile, ReduceOp::kSum, 1),
                   {0, 0});
    ASSERT_EQ(run(k, {x.argument(), y.argument()}), "");
    const std::vector<float> expected = sums_by_hand(c.held, values, c.thread_bits);
    for (size_t r = 0; r < 32; ++r) EXPECT_EQ(y[r], expected[r]) << r;
  }
}

TEST(Reference, ScansRoundInTheElementsOwnFormat) {
  // 2048 + 1 is 2048 in f16, each time: a scan that kept more bits would end at 2079.
  Memory<uint16_t> y(32);
  KernelBuilder k("scan", 1);
  const Expr py = k.parameter("y", ScalarType::kPointer);
  k.grid({1});
  const Tile index = k.cast(k.iota({32}, 0), numeric::kF16);
  const Tile zero = k.full(numeric::kF16, {32}, Expr::real(0));
  const Tile x = k.select(k.compare(CompareOp::kEqual, index, zero),
                          k.full(numeric::kF16, {32}, Expr::real(2048)),
                          k.full(numeric::kF16, {32}, Expr::real(1)));
  k.store_global(k.global_view(py, numeric::kF16, {32}), k.scan(x, ReduceOp::kSum, 0), {0});
  ASSERT_EQ(run(k, {y.argument()}), "");
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(numeric::decode(numeric::kF16, y[i]), 2048);
}

TEST(Reference, AViewUnderAWrongLayoutGivesWrongElements) {
  // Thread t holds elements 2t and 2t + 1; read as t and t + 32, they come out shuffled.
  Memory<int32_t> y(64);
  KernelBuilder k("view", 1);
  const Expr py = k.parameter("y", ScalarType::kPointer);
  k.grid({1});
  const Tile pairs =
      k.load_global(k.global_view(py, kInt32, {64}), {0}, {64}, spatial({32}) * local({2}));
  const Tile wrong = k.view(pairs, kInt32, {64}, local({2}) * spatial({32}));
  k.store_global(k.global_view(py, kInt32, {64}), wrong, {0});
  for (int32_t i = 0; i < 64; ++i) y[i] = i;
  ASSERT_EQ(run(k, {y.argument()}), "");
  for (int32_t i = 0; i < 64; ++i) EXPECT_EQ(y[i], (i % 32) * 2 + i / 32);
}

TEST(Reference, CopiesThatDifferMayNotBeMultiplied) {
  // Every thread loads an element of its own, and then views it as a copy of one element.
  KernelBuilder k("dot", 1);
  k.grid({1});
  const Tile mine =
      k.emit(Opcode::kIota, {}, {std::vector<int64_t>{32}, int64_t{0}}, spatial({32}));
  const Tile copies = k.view(mine, kInt32, {1, 1}, replicated(32, 2) * local({1, 1}));
  const Tile a = k.cast(copies, numeric::kF32);
  const Tile c = k.full(numeric::kF32, {1, 1}, Expr::real(0), replicated(32, 2) * local({1, 1}));
  k.dot(a, a, c);
  const std::string message = run(k, {});
  EXPECT_NE(message.find("thread 1, element [0, 0]: its copy in"), std::string::npos) << message;
  EXPECT_NE(message.find("differs from that of thread 0"), std::string::npos) << message;
}

TEST(Reference, ErrorsNameStatementInstructionCtaThreadAndElement) {
  KernelBuilder k("f", 1);
  const Expr px = k.parameter("x", ScalarType::kPointer);
  k.grid({2});
  const Tile view = k.global_view(px, numeric::kF32, {64});
  k.load_global(view, {k.block(0) * 32}, {32}, spatial({32}));
  Memory<float> x(40);
  EXPECT_EQ(run(k, {x.argument()}),
            "statement 2: load_global in CTA [1, 0, 0]: thread 8, element [8]: out of bounds: "
            "byte 160 of the 160 bytes at x");
}

TEST(Reference, RacesAreIgnoredIfAsked) {
  KernelBuilder k("race", 1);
  k.grid({1});
  const Tile s = k.alloc_shared(kInt32, {64});
  k.store_shared(s, k.iota({64}, 0));
  k.load_shared(s, local({2}) * spatial({32}));
  const std::string message = run(k, {});
  EXPECT_NE(message.find("race: thread 0 reads byte"), std::string::npos) << message;
  ReferenceOptions options;
  options.check_races = false;
  EXPECT_EQ(run(k, {}, options), "");
}

TEST(Reference, SharedTilesLieAsTheirLayoutSays) {
  // A slice of a swizzled tile, read back whole: offsets are swizzled once, from the allocation.
  Memory<int32_t> y(256);
  const layout::SharedMode modes[] = {{8, 0, 32}, {32, 1, 1}};
  const int64_t shape[] = {8, 32};
  const auto swizzled = layout::SharedLayout::make(shape, modes, {2, 3, 3});
  ASSERT_TRUE(swizzled.has_value());
  KernelBuilder k("swizzle", 1);
  const Expr py = k.parameter("y", ScalarType::kPointer);
  k.grid({1});
  const Tile s = k.alloc_shared(kInt32, {8, 32}, *swizzled);
  const Tile rows = k.iota({8, 32}, 0), columns = k.iota({8, 32}, 1);
  const Tile hundred = k.full(kInt32, {8, 32}, 100);
  k.store_shared(s, k.add(k.mul(rows, hundred), columns));
  k.sync();
  for (int part = 0; part < 2; ++part) {
    const Tile half = k.slice_shared(s, {part * 4, 0}, {4, 32});
    k.store_global(k.global_view(py, kInt32, {8, 32}), k.load_shared(half), {part * 4, 0});
  }
  ASSERT_EQ(run(k, {y.argument()}), "");
  for (int32_t i = 0; i < 256; ++i) EXPECT_EQ(y[i], i / 32 * 100 + i % 32);
}

}  // namespace
}  // namespace anybit::vm

#include "anybit/vm/ir/builder.h"

#include <gtest/gtest.h>

#include "anybit/vm/ir/verify.h"

namespace anybit::vm {
namespace {

std::string error_of(KernelBuilder& k) {
  const Result<Program> program = k.build();
  return program ? "" : program.error().message;
}

TEST(KernelBuilder, BuildsAVerifiedProgram) {
  KernelBuilder k("sums", 2);
  const Expr x = k.parameter("x", ScalarType::kPointer), n = k.parameter("n", ScalarType::kI32);
  k.grid({n});
  const Tile all = k.global_view(x, numeric::kF32, {n, 64});
  const Tile total = k.full(numeric::kF32, {64}, Expr::real(0));
  k.for_range("i", 0, n, 1, [&](const Expr& i) {
    k.assign(total, k.add(total, k.load_global(all, {i, 0}, {64})));
  });
  k.if_then(
      less(Expr(0), n),
      [&] {
        k.store_global(all, total, {0, 0});
      },
      [&] { k.sync(); });
  k.threads(32, 32, [&] { k.sync(); });
  const Result<Program> program = k.build();
  ASSERT_TRUE(program.has_value()) << program.error().message;
  EXPECT_EQ(program->num_threads(), 64);
  EXPECT_EQ(program->parameters.size(), 2u);
  ASSERT_EQ(program->body.size(), 5u);
  EXPECT_EQ(program->body[2].body.size(), 3u);
  EXPECT_EQ(program->body[3].else_body.size(), 1u);
  EXPECT_EQ(program->type_of(total.id).shape, std::vector<int64_t>{64});
  EXPECT_EQ(program->values[total.id].name, "full_1");
}

TEST(KernelBuilder, KeepsTheFirstMistake) {
  KernelBuilder k("k");
  k.grid({1});
  const Tile a = k.iota({8}, 0), b = k.iota({5}, 0);
  const Tile sum = k.add(a, b);
  EXPECT_EQ(sum.id, kNoValue);
  k.iota({8}, 3);
  EXPECT_EQ(error_of(k), "binary: shapes [8] and [5] do not broadcast");
}

TEST(KernelBuilder, RefusesWrongSignatures) {
  struct Case {
    Opcode opcode;
    std::vector<Attribute> attributes;
    const char* message;
  };
  const Case cases[] = {
      {Opcode::kIota, {}, "iota: shape= is missing"},
      {Opcode::kIota, {std::vector<int64_t>{8}, Expr(0)}, "iota: dim= has the wrong kind of value"},
      {Opcode::kUnary, {int64_t{99}}, "unary: operand x is missing"},
      {Opcode::kSync, {int64_t{1}}, "sync: 0 operands and 1 attributes, expected 0 and 0"},
  };
  for (const Case& c : cases) {
    KernelBuilder k("k");
    k.grid({1});
    k.emit(c.opcode, {}, c.attributes);
    EXPECT_EQ(error_of(k), c.message);
  }
  KernelBuilder k("k");
  k.grid({1});
  k.emit(Opcode::kUnary, {k.iota({8}, 0)}, {int64_t{99}});
  EXPECT_EQ(error_of(k), "unary: op= names nothing");
  KernelBuilder shared("k");
  shared.grid({1});
  shared.unary(UnaryOp::kNegate, shared.alloc_shared(numeric::kF32, {8}));
  EXPECT_EQ(error_of(shared),
            "unary: operand x: %alloc_shared_0 is in shared memory, expected "
            "register");
}

TEST(KernelBuilder, LeavesOutWhatIsOptional) {
  KernelBuilder k("k");
  const Expr x = k.parameter("x", ScalarType::kPointer);
  k.grid({1});
  const Tile counts = k.global_view(x, kInt32, {8}), i = k.iota({8}, 0);
  k.atomic_global(counts, i, i, AtomicOp::kAdd);
  k.emit(Opcode::kPrint, {}, {std::string("here")});
  const Program program = k.build().value();
  EXPECT_EQ(program.body[2].instruction.result, kNoValue);
  EXPECT_EQ(program.body[3].instruction.operands[0], kNoValue);
  EXPECT_EQ(program.body[3].instruction.attributes[1].index(), 0u);
}

TEST(KernelBuilder, LoopsTakeTheWiderType) {
  KernelBuilder k("k");
  const Expr big = k.parameter("big", ScalarType::kI64);
  k.grid({1});
  k.for_range("i", 0, big, 2, [&](const Expr& i) { EXPECT_EQ(i.type(), ScalarType::kI64); });
  const Program program = k.build().value();
  for (const Expr& bound : program.body[0].expressions) {
    EXPECT_EQ(bound.type(), ScalarType::kI64);
  }
}

}  // namespace
}  // namespace anybit::vm

// Builds programs in C++, so that a kernel reads like its mathematics:
//
//   KernelBuilder k("scale");
//   const Expr x = k.parameter("x", ScalarType::kPointer), n = k.parameter("n", ScalarType::kI32);
//   k.grid({ceil_div(n, 1024)});
//   const Tile all = k.global_view(x, numeric::kF16, {n});
//   const Tile part = k.load_global(all, {k.block(0) * 1024}, {1024});
//   k.store_global(all, k.mul(part, k.full(numeric::kF16, {1024}, Expr::real(2))), {k.block(0) *
//   1024}); ANYBIT_ASSIGN(const Program program, k.build());
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "anybit/vm/ir/operators.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm {

/// A tile of the program under construction.
struct Tile {
  ValueId id = kNoValue;
};

/// How a for loop is compiled (Statement::unroll, num_stages).
struct ForOptions {
  bool unroll = false;
  int64_t num_stages = 0;
};

/// Appends statements at a cursor. The first mistake (a shape that does not fit, say) is kept and
/// returned by build(); what follows it is ignored.
class KernelBuilder {
 public:
  explicit KernelBuilder(std::string name, int num_warps = 4);

  Expr parameter(std::string name, ScalarType type);
  void grid(std::vector<Expr> extents);
  void cluster(std::vector<int64_t> extents);
  void comment(std::string text);
  /// The index of this CTA in grid dimension 0, 1, 2.
  Expr block(int dim) const;
  /// The index of this CTA in its cluster.
  Expr cluster_rank() const { return Expr::variable(kClusterRank, ScalarType::kI32); }
  /// How many there are in that dimension.
  Expr num_blocks(int dim) const;

  /// The shape of a shared or register tile. Pre: the tile was built without a mistake.
  const std::vector<int64_t>& shape_of(Tile tile) const { return program_.type_of(tile.id).shape; }

  /// The element of a tile. Pre: as above.
  const numeric::ElementFormat& element_of(Tile tile) const {
    return program_.type_of(tile.id).element;
  }

  /// The general form of every instruction: attributes in the order of the table, monostate for
  /// those left out. The result, if the instruction has one, is laid out by inference unless `at`.
  Tile emit(Opcode opcode, std::vector<Tile> operands, std::vector<Attribute> attributes,
            std::optional<layout::RegisterLayout> at = std::nullopt, bool wants_result = true);

  Tile global_view(Expr pointer, numeric::ElementFormat element, std::vector<Expr> shape);
  Tile alloc_shared(numeric::ElementFormat element, std::vector<int64_t> shape,
                    std::optional<layout::SharedLayout> at = std::nullopt);
  void free_shared(Tile shared);
  Tile slice_shared(Tile shared, std::vector<Expr> offset, std::vector<int64_t> shape);
  Tile reshape_shared(Tile shared, std::vector<int64_t> shape);
  Tile permute_shared(Tile shared, std::vector<int64_t> dims);
  Tile full(numeric::ElementFormat element, std::vector<int64_t> shape, Expr value,
            std::optional<layout::RegisterLayout> at = std::nullopt);
  Tile iota(std::vector<int64_t> shape, int64_t dim);
  Tile random(std::vector<int64_t> shape, Expr seed, Expr offset);
  Tile load_global(Tile global, std::vector<Expr> offset, std::vector<int64_t> shape,
                   std::optional<layout::RegisterLayout> at = std::nullopt);
  void store_global(Tile global, Tile tile, std::vector<Expr> offset);
  Tile gather_global(Tile global, Tile indices);
  void scatter_global(Tile global, Tile indices, Tile values);
  Tile load_shared(Tile shared, std::optional<layout::RegisterLayout> at = std::nullopt);
  void store_shared(Tile shared, Tile tile);
  void copy_async(Tile shared, Tile global, std::vector<Expr> offset);
  void copy_async_commit();
  void copy_async_wait(int64_t groups);
  Tile alloc_barrier(std::vector<int64_t> shape, int64_t arrivals);
  void barrier_arrive(Tile barriers, std::vector<Expr> index);
  void barrier_expect(Tile barriers, std::vector<Expr> index, int64_t bytes);
  void barrier_wait(Tile barriers, std::vector<Expr> index, Expr parity);
  void copy_bulk(Tile shared, Tile global, Tile barriers, std::vector<Expr> offset,
                 std::vector<Expr> index);
  void fence_async();
  void store_bulk(Tile global, Tile shared, std::vector<Expr> offset);
  void store_bulk_commit();
  void store_bulk_wait(int64_t groups);
  void cluster_sync();
  Tile view(Tile tile, numeric::ElementFormat element, std::vector<int64_t> shape,
            std::optional<layout::RegisterLayout> at = std::nullopt);
  Tile cast(Tile tile, numeric::ElementFormat element, bool saturate = false);
  Tile convert_layout(Tile tile, layout::RegisterLayout at);
  Tile lookup(Tile codes, Tile table);
  Tile reshape(Tile tile, std::vector<int64_t> shape);
  Tile permute(Tile tile, std::vector<int64_t> dims);
  Tile slice(Tile tile, std::vector<int64_t> offset, std::vector<int64_t> shape);
  Tile unary(UnaryOp op, Tile x);
  Tile binary(BinaryOp op, Tile a, Tile b);
  Tile add(Tile a, Tile b) { return binary(BinaryOp::kAdd, a, b); }
  Tile sub(Tile a, Tile b) { return binary(BinaryOp::kSub, a, b); }
  Tile mul(Tile a, Tile b) { return binary(BinaryOp::kMul, a, b); }
  Tile div(Tile a, Tile b) { return binary(BinaryOp::kDiv, a, b); }
  Tile fma(Tile a, Tile b, Tile c);
  Tile compare(CompareOp op, Tile a, Tile b);
  Tile select(Tile condition, Tile a, Tile b);
  void assign(Tile target, Tile source);
  Tile dot(Tile a, Tile b, Tile c);
  void wgmma(Tile sum, Tile a, Tile b);
  void wgmma_commit();
  void wgmma_wait(int64_t groups);
  Tile reduce(Tile x, ReduceOp op, int64_t dim);
  Tile scan(Tile x, ReduceOp op, int64_t dim, bool exclusive = false);
  void atomic_global(Tile target, Tile indices, Tile values, AtomicOp op);
  void atomic_shared(Tile target, Tile indices, Tile values, AtomicOp op);
  void sync();

  Expr let(std::string name, Expr value);
  Expr var(std::string name, Expr value);
  void set(const Expr& variable, Expr value);
  void assume(Expr condition);
  void for_range(std::string name, Expr begin, Expr end, int64_t step,
                 const std::function<void(Expr)>& body, ForOptions options = {});
  void while_loop(Expr condition, const std::function<void()>& body);
  void if_then(Expr condition, const std::function<void()>& body,
               const std::function<void()>& otherwise = nullptr);
  void break_loop();
  void threads(int64_t first, int64_t count, const std::function<void()>& body,
               int64_t num_registers = 0);

  /// The verified program. Errors: the first mistake.
  Result<Program> build();

 private:
  Statement& append(StatementKind kind);
  void nest(Block& block, const std::function<void()>& body);
  std::string fresh_name(std::string_view stem);  // Of the newest value.
  void record(Error error);

  Program program_;
  Block* cursor_;
  int64_t num_threads_;
  std::optional<Error> error_;
};

}  // namespace anybit::vm

// The generator of random programs: what its parts share. generator.cc holds the frame and global
// memory, generator_tiles.cc the instructions on registers, generator_flow.cc shared memory and
// control.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "anybit/vm/ir/builder.h"
#include "tests/vm/internal/random_choices.h"
#include "tests/vm/program_generator.h"

namespace anybit::vm::testing {

/// A register tile that may be used here.
struct PoolTile {
  Tile tile;
  numeric::ElementFormat element;
  std::vector<int64_t> shape;
  /// Its codes are the same on every backend. False behind float arithmetic, whose NaNs are alike
  /// only as values: such bits are not viewed as anything else.
  bool has_exact_codes = true;

  int64_t size() const;
};

/// A random layout of `shape` over `num_threads`, whose threads hold `run` neighbours of the last
/// dimension together and at most 64 elements; nothing where there is none. Pre: run divides the
/// last extent.
std::optional<layout::RegisterLayout> random_layout(RandomChoices& random,
                                                    const std::vector<int64_t>& shape,
                                                    int64_t num_threads, bool may_replicate,
                                                    int64_t run = 1);

/// Whether `cast` takes and gives it.
bool is_castable(const numeric::ElementFormat& element);

class Generator {
 public:
  Generator(uint64_t seed, const GeneratorOptions& options);
  Result<FuzzProgram> run();

 private:
  /// A kind of statement: how often, and where it may stand. Gives false where it found nothing to
  /// work on.
  struct Operation {
    int weight;
    bool in_groups;  // Within threads(...) too.
    bool (Generator::*emit)();
  };
  static std::span<const Operation> operations();
  void emit_operations(int64_t count);

  // Choices.
  numeric::ElementFormat random_element();
  numeric::ElementFormat random_compute_element();
  std::vector<int64_t> random_shape();
  std::vector<int64_t> split(int64_t total, int64_t rank);
  std::optional<layout::RegisterLayout> maybe_layout(const std::vector<int64_t>& shape);
  Expr random_integer();  // An i32 expression of small value.
  Expr random_condition();
  const PoolTile* pick_tile(const std::function<bool(const PoolTile&)>& fits);
  void add(Tile tile, const numeric::ElementFormat& element, bool has_exact_codes);
  std::string fresh(std::string_view stem);

  // Arguments.
  Expr scalar_i32(int64_t value);
  Expr scalar_f32(float value);
  Expr buffer(std::string_view stem, const numeric::ElementFormat& element, int64_t size,
              bool is_random);
  std::vector<std::byte> random_contents(const numeric::ElementFormat& element, int64_t size);

  /// Where a tile of `shape` is loaded from: a fresh buffer.
  struct Source {
    Tile global;
    std::vector<Expr> offset;
    bool is_inside = true;  // The whole tile.
  };
  Source make_source(const numeric::ElementFormat& element, const std::vector<int64_t>& shape,
                     bool is_regular);
  Tile load(const numeric::ElementFormat& element, const std::vector<int64_t>& shape);
  bool store(PoolTile tile);

  // Operations; generator.cc.
  bool emit_load();
  bool emit_gather();
  bool emit_scatter();
  bool emit_atomic_global();
  // generator_tiles.cc
  bool emit_full();
  bool emit_iota();
  bool emit_random();
  bool emit_cast();
  bool emit_unary();
  bool emit_binary();
  bool emit_fma();
  bool emit_compare();
  bool emit_select();
  bool emit_reduce();
  bool emit_scan();
  bool emit_reshape();
  bool emit_permute();
  bool emit_view();
  bool emit_convert();
  bool emit_dot();
  PoolTile partner_of(const PoolTile& tile);
  PoolTile small_integers(const numeric::ElementFormat& element, std::vector<int64_t> shape);
  // generator_flow.cc
  bool emit_shared();
  bool emit_copy_async();
  bool emit_lookup();
  bool emit_atomic_shared();
  bool emit_for();
  bool emit_while();
  bool emit_if();
  bool emit_threads();
  bool emit_let();
  bool emit_assert();
  Tile copy_of(const PoolTile& tile);
  void assign_something(const PoolTile& target, size_t first_new);
  std::optional<layout::SharedLayout> maybe_shared_layout(const std::vector<int64_t>& shape);
  void sync_in_loops();

  RandomChoices random_;
  const GeneratorOptions options_;
  int num_warps_;
  KernelBuilder builder_;
  int64_t grid_ = 1;
  int64_t num_threads_;
  std::vector<PoolTile> pool_;
  std::vector<Expr> integers_;    // Scalars in scope, the innermost last.
  std::vector<Expr> parameters_;  // Of type i32.
  std::vector<FuzzArgument> arguments_;
  int num_names_ = 0;
  int loop_depth_ = 0, depth_ = 0;
  bool in_group_ = false;
};

}  // namespace anybit::vm::testing

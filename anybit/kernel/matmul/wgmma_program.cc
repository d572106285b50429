#include "anybit/kernel/matmul/wgmma_program.h"

#include "anybit/base/check.h"
#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {
namespace {

using vm::Expr;
using vm::KernelBuilder;
using vm::ScalarType;
using vm::Tile;

constexpr int64_t kWarpgroup = 128, kWarpsOfGroup = 4;  // Threads, warps.
constexpr int64_t kRows = 64;                           // Of the tile, a consumer's.
constexpr int64_t kPart = 64;                           // Columns that are stored at a time.

class WgmmaMatmul {
 public:
  WgmmaMatmul(const numeric::ElementFormat& element, const WgmmaSchedule& schedule)
      : element_(element),
        s_(schedule),
        kb_("wgmma_matmul", static_cast<int>(kWarpsOfGroup * schedule.num_consumers + 1)) {}

  Result<vm::Program> build() {
    take_parameters();
    a_stages_ = kb_.alloc_shared(element_, {s_.num_stages, s_.tile_m(), s_.tile_k});
    b_stages_ = kb_.alloc_shared(element_, {s_.num_stages, s_.tile_n, s_.tile_k});
    parts_ = kb_.alloc_shared(element_, {2 * s_.num_consumers, kRows, kPart});
    full_ = kb_.alloc_barrier({s_.num_stages}, 1);
    empty_ = kb_.alloc_barrier({s_.num_stages}, kWarpsOfGroup * s_.num_consumers);
    const int64_t consumers = kWarpgroup * s_.num_consumers;
    kb_.threads(consumers, vm::kWarpSize, [&] { produce(); });
    for (int64_t i = 0; i < s_.num_consumers; ++i) {
      kb_.threads(i * kWarpgroup, kWarpgroup, [&] { consume(i); });
    }
    return kb_.build();
  }

 private:
  void take_parameters() {
    const Expr a = kb_.parameter("a", ScalarType::kPointer);
    const Expr b = kb_.parameter("b", ScalarType::kPointer);
    const Expr c = kb_.parameter("c", ScalarType::kPointer);
    const Expr m = kb_.parameter("m", ScalarType::kI32), n = kb_.parameter("n", ScalarType::kI32);
    const Expr k = kb_.parameter("k", ScalarType::kI32);
    const Expr max_ctas = kb_.parameter("max_ctas", ScalarType::kI32);
    kb_.assume(equal(n % 8, 0));
    kb_.assume(equal(k % 8, 0));
    kb_.assume(less(Expr(0), k));
    kb_.grid({min(max_ctas, ceil_div(m, s_.tile_m()) * ceil_div(n, s_.tile_n))});
    a_ = kb_.global_view(a, element_, {m, k});
    b_ = kb_.global_view(b, element_, {n, k});
    c_ = kb_.global_view(c, element_, {m, n});
    rows_ = kb_.let("rows", ceil_div(m, s_.tile_m()));
    columns_ = kb_.let("columns", ceil_div(n, s_.tile_n));
    steps_ = kb_.let("steps", ceil_div(k, s_.tile_k));
    rounds_ = kb_.let(
        "rounds", (rows_ * columns_ - kb_.block(0) + kb_.num_blocks(0) - 1) / kb_.num_blocks(0));
  }

  /// The row and column of tiles in the CTA's round: groups of rows, in each column by column, so
  /// that the CTAs that run together share operands in L2.
  struct Place {
    Expr row, column;
  };
  Place place(const std::string& prefix, const Expr& round) {
    const Expr tile = kb_.let(prefix + "tile", kb_.block(0) + round * kb_.num_blocks(0));
    const Expr first = kb_.let(prefix + "first", tile / (columns_ * s_.group_m) * s_.group_m);
    const Expr inner = kb_.let(prefix + "inner", tile - first * columns_);
    const Expr height = kb_.let(prefix + "height", min(rows_ - first, Expr(s_.group_m)));
    return {kb_.let(prefix + "row", (first + inner % height) * s_.tile_m()),
            kb_.let(prefix + "column", inner / height * s_.tile_n)};
  }

  Tile stage_of(Tile stages, const Expr& stage, int64_t first_row, int64_t rows) {
    return kb_.reshape_shared(kb_.slice_shared(stages, {stage, first_row, 0}, {1, rows, s_.tile_k}),
                              {rows, s_.tile_k});
  }

  void produce() {
    const int64_t bytes = (s_.tile_m() + s_.tile_n) * s_.tile_k * element_.bits / 8;
    kb_.for_range("fetch_round", 0, rounds_, 1, [&](const Expr& round) {
      const Place at = place("fetch_", round);
      kb_.for_range("fetch_step", 0, steps_, 1, [&](const Expr& step) {
        const Expr turn = kb_.let("fetch_turn", round * steps_ + step);
        const Expr stage = kb_.let("fetch_stage", turn % s_.num_stages);
        kb_.barrier_wait(empty_, {stage}, 1 - turn / s_.num_stages % 2);
        kb_.barrier_expect(full_, {stage}, bytes);
        kb_.copy_bulk(stage_of(a_stages_, stage, 0, s_.tile_m()), a_, full_,
                      {at.row, step * s_.tile_k}, {stage});
        kb_.copy_bulk(stage_of(b_stages_, stage, 0, s_.tile_n), b_, full_,
                      {at.column, step * s_.tile_k}, {stage});
      });
    });
  }

  /// Consumer i has rows [64 i, 64 i + 64) of the tile. Consumers do not wait for each other: while
  /// one stores, the other multiplies.
  void consume(int64_t i) {
    const std::string name = fmt::format("sum{}_", i);
    kb_.for_range(name + "round", 0, rounds_, 1, [&](const Expr& round) {
      const Place at = place(name, round);
      const Tile sum = kb_.full(numeric::kF32, {kRows, s_.tile_n}, Expr::real(0));
      kb_.for_range(name + "step", 0, steps_, 1, [&](const Expr& step) {
        const Expr turn = kb_.let(name + "turn", round * steps_ + step);
        const Expr stage = kb_.let(name + "stage", turn % s_.num_stages);
        kb_.barrier_wait(full_, {stage}, turn / s_.num_stages % 2);
        const Tile left = stage_of(a_stages_, stage, i * kRows, kRows);
        const Tile right = stage_of(b_stages_, stage, 0, s_.tile_n);
        kb_.wgmma(sum, left, kb_.permute_shared(right, {1, 0}));
        kb_.wgmma_commit();
        // One step stays under way; the stage of the one before is free.
        kb_.wgmma_wait(1);
        kb_.if_then(less(Expr(0), step),
                    [&] { kb_.barrier_arrive(empty_, {(turn - 1) % s_.num_stages}); });
      });
      kb_.wgmma_wait(0);
      kb_.barrier_arrive(empty_, {((round + 1) * steps_ - 1) % s_.num_stages});
      store(sum, i, {at.row + i * kRows, at.column});
    });
  }

  /// Part by part through shared memory, so that each thread writes 16 bytes; two buffers in turn,
  /// so that one barrier a part is enough.
  void store(Tile sum, int64_t i, const Place& at) {
    const auto by_rows = layout::coalesced({kRows, kPart}, kWarpgroup, 8);
    ANYBIT_CHECK(by_rows.has_value());
    for (int64_t column = 0; column < s_.tile_n; column += kPart) {
      const Tile part = kb_.cast(kb_.slice(sum, {0, column}, {kRows, kPart}), element_);
      const int64_t buffer = 2 * i + column / kPart % 2;
      const Tile shared = kb_.reshape_shared(
          kb_.slice_shared(parts_, {buffer, 0, 0}, {1, kRows, kPart}), {kRows, kPart});
      kb_.store_shared(shared, part);
      kb_.sync();
      kb_.store_global(c_, kb_.load_shared(shared, *by_rows), {at.row, at.column + column});
    }
  }

  const numeric::ElementFormat element_;
  const WgmmaSchedule s_;
  KernelBuilder kb_;
  Tile a_, b_, c_, a_stages_, b_stages_, parts_, full_, empty_;
  Expr rows_, columns_, steps_, rounds_;
};

}  // namespace

Result<vm::Program> wgmma_matmul_program(const numeric::ElementFormat& element,
                                         const WgmmaSchedule& schedule) {
  return WgmmaMatmul(element, schedule).build();
}

}  // namespace anybit::kernel

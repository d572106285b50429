#include "anybit/kernel/matmul/weight_only_program.h"

#include <algorithm>
#include <cmath>

#include "anybit/base/check.h"
#include "anybit/layout/mma_layouts.h"
#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/builder.h"

namespace anybit::kernel {
namespace {

using layout::Digit;
using layout::local;
using layout::RegisterLayout;
using layout::replicated;
using layout::spatial;
using numeric::ElementFormat;
using vm::Expr;
using vm::KernelBuilder;
using vm::ScalarType;
using vm::Tile;

constexpr int kNowhere = Digit::kReplicated;
constexpr int64_t kNoEnd = int64_t{1} << 26;  // Of the stages of k: beyond what any weight has.

RegisterLayout from_digits(std::vector<int64_t> shape, const std::vector<Digit>& threads,
                           const std::vector<Digit>& locals) {
  auto result = RegisterLayout::from_digits(shape, threads, locals);
  ANYBIT_CHECK(result.has_value());
  return *result;
}

/// What one warp multiplies at a time, as loaded; not yet in the form of operands.
struct Stage {
  std::vector<Tile> codes;        // [tiles]: uint8 [warps_n, warps_k, 1, bytes of a tile]
  std::vector<Tile> activations;  // [tiles]: [activation rows, warps_k, depth]
  Tile scales;                    // [warps_n, groups, rows], of grouped formats
  Tile zero_points;               // likewise, uint8
};

class WeightOnlyBuilder {
 public:
  WeightOnlyBuilder(const WeightOnlyFormat& format, const WeightOnlySchedule& schedule,
                    const DecodedElement& decoded)
      : f_(format),
        s_(schedule),
        decoded_(decoded),
        kb_("weight_only", static_cast<int>(schedule.num_warps())) {}

  Result<vm::Program> build();

 private:
  bool is_codebook() const { return f_.element.kind == numeric::ElementKind::kCodebook; }
  bool is_grouped() const { return f_.group_size > 0; }
  int64_t warps() const { return s_.num_warps(); }
  /// Groups that the warps of a step lie in, and steps that share a group's scale.
  int64_t groups_of_a_step() const {
    return std::max<int64_t>(1, s_.depth_of_a_step() / f_.group_size);
  }

  /// Whether each tile of codes lies wholly inside k.
  bool has_whole_tiles() const { return s_.is_whole || s_.tiles_per_stage > 1; }
  Tile activation_view(const Expr& pointer);
  void declare();
  Tile load(Tile global, std::vector<Expr> offset, std::vector<int64_t> shape,
            const RegisterLayout& at, bool is_streamed, bool is_inside);
  Tile load_codes(const Expr& step, int64_t tile);
  Tile load_activations(const Expr& step, int64_t tile);
  Stage load_stage(const Expr& step);
  RegisterLayout group_layout() const;
  RegisterLayout activation_layout() const;
  RegisterLayout accumulator_layout(int64_t rows) const;
  Tile zeros(int64_t rows);
  Tile sums_of(const Stage& stage, Tile initial);
  void multiply(const Stage& stage);
  void refill(const Stage& stage, const Expr& step, const Expr& steps);
  Tile widened(Tile codes);
  /// A loaded tile of one number a row as f32 [warps, rows / 16, 16, 1].
  Tile of_rows(Tile loaded);
  Tile activation_operand(Tile activations);
  Tile zero_corrected(Tile sums, const Stage& stage);
  Tile sum_over_warps();
  void store(Tile sums);

  const WeightOnlyFormat f_;
  const WeightOnlySchedule s_;
  const DecodedElement decoded_;
  KernelBuilder kb_;
  Expr m_, n_, k_, tensor_scale_;
  Tile a_all_, codes_all_, scales_all_, zero_points_all_, c_all_, bias_all_, codebook_;
  Tile sum_;  // f32 [warps * rows, tile_m]; of grouped formats [warps, rows / 16, 16, tile_m]
};

/// [m, stages of k, depth of a stage], or where k may end within a tile [m, 1, k].
Tile WeightOnlyBuilder::activation_view(const Expr& pointer) {
  if (!has_whole_tiles()) return kb_.global_view(pointer, f_.activation, {m_, Expr(1), k_});
  // That k ends is not tested where every step lies inside.
  const Expr stages = s_.is_whole ? Expr(kNoEnd) : k_ / s_.depth_of_a_stage();
  return kb_.emit(
      vm::Opcode::kGlobalView, {},
      {pointer, f_.activation, std::vector<Expr>{m_, stages, Expr(s_.depth_of_a_stage())},
       std::vector<Expr>{k_, Expr(s_.depth_of_a_stage()), Expr(1)}});
}

void WeightOnlyBuilder::declare() {
  const auto pointer = [&](const char* name) { return kb_.parameter(name, ScalarType::kPointer); };
  const Expr a = pointer("a"), codes = pointer("codes"), scales = pointer("scales");
  const Expr zero_points = f_.has_zero_point ? pointer("zero_points") : Expr(0);
  const Expr codebook = is_codebook() ? pointer("codebook") : Expr(0);
  const Expr bias = f_.has_bias ? pointer("bias") : Expr(0);
  const Expr c = pointer("c");
  m_ = kb_.parameter("m", ScalarType::kI32);
  n_ = kb_.parameter("n", ScalarType::kI32);
  k_ = kb_.parameter("k", ScalarType::kI32);
  tensor_scale_ = kb_.parameter("tensor_scale", ScalarType::kF32);
  // CTAs of the same weights follow each other, and find them in L2.
  kb_.grid({ceil_div(m_, s_.activation_rows), ceil_div(n_, s_.rows_of_a_cta())});
  if (s_.is_whole) {
    kb_.assume(equal(n_ % s_.rows_of_a_cta(), 0));
    kb_.assume(equal(k_ % s_.depth_of_a_step(), 0));
    kb_.assume(less(s_.depth_of_a_round() - 1, k_));
  } else if (s_.tiles_per_stage > 1) {
    kb_.assume(equal(k_ % s_.depth_of_a_stage(), 0));
  } else if (s_.has_aligned_k) {
    kb_.assume(equal(k_ % 8, 0));
  }
  const Expr row_tiles = ceil_div(n_, s_.tile.rows);
  a_all_ = activation_view(a);
  codes_all_ = kb_.global_view(codes, numeric::uint_format(8),
                               {row_tiles, ceil_div(k_, s_.depth_of_a_stage()),
                                Expr(s_.tiles_per_stage), Expr(tile_bytes(f_, s_.tile))});
  if (is_grouped()) {
    const std::vector<Expr> shape = {row_tiles, ceil_div(k_, f_.group_size), Expr(s_.tile.rows)};
    scales_all_ = kb_.global_view(scales, f_.scale, shape);
    if (f_.has_zero_point) {
      zero_points_all_ = kb_.global_view(zero_points, numeric::uint_format(8), shape);
    }
  } else {
    scales_all_ = kb_.global_view(scales, numeric::kF32, {n_, Expr(1)});
  }
  if (f_.has_bias) bias_all_ = kb_.global_view(bias, numeric::kF32, {n_, Expr(1)});
  // What lies behind the CTA's own rows of the product are copies.
  c_all_ = kb_.global_view(c, f_.output,
                           {min(m_, kb_.block(0) * s_.activation_rows + s_.activation_rows), n_});
  if (is_codebook()) {
    const int64_t entries = int64_t{1} << f_.element.bits;
    codebook_ = kb_.alloc_shared(f_.activation, {entries});
    kb_.store_shared(
        codebook_,
        kb_.load_global(kb_.global_view(codebook, f_.activation, {Expr(entries)}), {0}, {entries}));
    kb_.sync();
  }
}

Tile WeightOnlyBuilder::load(Tile global, std::vector<Expr> offset, std::vector<int64_t> shape,
                             const RegisterLayout& at, bool is_streamed, bool is_inside) {
  using vm::Attribute;
  return kb_.emit(
      vm::Opcode::kLoadGlobal, {global},
      {std::move(offset), std::move(shape), is_streamed ? Attribute(int64_t{1}) : Attribute(),
       is_inside ? Attribute(int64_t{1}) : Attribute()},
      at);
}

/// [warps_n, groups, rows]: each lane has the scales of its rows, side by side.
RegisterLayout WeightOnlyBuilder::group_layout() const {
  const int64_t groups = groups_of_a_step(), sharing = s_.warps_k / groups;
  const int64_t held = s_.tile.rows / 8;
  return from_digits(
      {s_.warps_n, groups, s_.tile.rows},
      {{s_.warps_n, 0, 1}, {groups, 1, 1}, {sharing, kNowhere, 0}, {8, 2, held}, {4, kNowhere, 0}},
      {{held, 2, 1}});
}

/// Four lanes share a row, each with runs of neighbours: [rows, warps_k, depth], or
/// [rows, 1, warps_k * depth] where k may end within a tile.
RegisterLayout WeightOnlyBuilder::activation_layout() const {
  const int64_t run = activation_run(s_.tile), rows = s_.activation_rows;
  const int64_t lanes = std::min<int64_t>(rows, 8), held = rows / lanes;
  const bool is_split = has_whole_tiles();
  const Digit warps = is_split ? Digit{s_.warps_k, 1, 1} : Digit{s_.warps_k, 2, s_.tile.depth};
  const std::vector<int64_t> shape = {rows, is_split ? s_.warps_k : 1,
                                      is_split ? s_.tile.depth : s_.depth_of_a_step()};
  return from_digits(
      shape,
      {{s_.warps_n, kNowhere, 0}, warps, {8 / lanes, kNowhere, 0}, {lanes, 0, 1}, {4, 2, run}},
      {{held, 0, lanes}, {s_.tile.depth / (4 * run), 2, 4 * run}, {run, 2, 1}});
}

RegisterLayout WeightOnlyBuilder::accumulator_layout(int64_t rows) const {
  return spatial({warps(), 1}) * local({rows / 16, s_.tile_m / 8}) * layout::mma_fragments()[0].cd;
}

Tile WeightOnlyBuilder::load_codes(const Expr& step, int64_t tile) {
  const int64_t bytes = tile_bytes(f_, s_.tile);
  const auto lanes = layout::reshape(tile_byte_layout(f_, s_.tile), layout::Dims({1, 1, 1, bytes}));
  ANYBIT_CHECK(lanes.has_value());
  return load(codes_all_, {kb_.block(1) * s_.warps_n, step * s_.warps_k, Expr(tile), 0},
              {s_.warps_n, s_.warps_k, 1, bytes}, spatial({s_.warps_n, s_.warps_k, 1, 1}) * *lanes,
              true, s_.is_whole);
}

Tile WeightOnlyBuilder::load_activations(const Expr& step, int64_t tile) {
  const Expr row = kb_.block(0) * s_.activation_rows;
  const RegisterLayout at = activation_layout();
  std::vector<Expr> offset = {row, 0, step * s_.depth_of_a_step()};
  if (has_whole_tiles()) {
    Expr stage = step * s_.warps_k;
    if (s_.is_whole) stage = min(max(stage, 0), kNoEnd / 2);
    offset = {row, stage, Expr(tile * s_.tile.depth)};
  }
  const std::vector<int64_t> shape(at.shape().begin(), at.shape().end());
  return load(a_all_, offset, shape, at, false, s_.is_whole && s_.is_whole_m);
}

Stage WeightOnlyBuilder::load_stage(const Expr& step) {
  Stage stage;
  for (int64_t tile = 0; tile < s_.tiles_per_stage; ++tile) {
    stage.codes.push_back(load_codes(step, tile));
  }
  for (int64_t tile = 0; tile < s_.tiles_per_stage; ++tile) {
    stage.activations.push_back(load_activations(step, tile));
  }
  if (!is_grouped()) return stage;
  const std::vector<Expr> offset = {kb_.block(1) * s_.warps_n,
                                    step * s_.depth_of_a_step() / f_.group_size, 0};
  const std::vector<int64_t> shape = {s_.warps_n, groups_of_a_step(), s_.tile.rows};
  stage.scales = load(scales_all_, offset, shape, group_layout(), false, s_.is_whole);
  if (f_.has_zero_point) {
    stage.zero_points = load(zero_points_all_, offset, shape, group_layout(), false, s_.is_whole);
  }
  return stage;
}

Tile WeightOnlyBuilder::widened(Tile codes) {
  const std::vector<int64_t> shape = {warps() * s_.tile.rows, s_.tile.depth};
  const RegisterLayout of_warps = spatial({warps(), 1});
  const RegisterLayout stored = of_warps * tile_code_layout(f_, s_.tile);
  const RegisterLayout wanted = of_warps * tile_operand_layout(s_.tile);
  Tile placed = kb_.view(codes, decoded_.element, shape, stored);
  if (!(stored == wanted)) placed = kb_.convert_layout(placed, wanted);
  return is_codebook() ? kb_.lookup(placed, codebook_) : kb_.cast(placed, f_.activation);
}

Tile WeightOnlyBuilder::of_rows(Tile loaded) {
  const RegisterLayout at = from_digits({warps() * s_.tile.rows, 1},
                                        {{warps(), 0, s_.tile.rows}, {8, 0, 1}, {4, kNowhere, 0}},
                                        {{s_.tile.rows / 8, 0, 8}});
  const ElementFormat element = kb_.element_of(loaded);
  const Tile viewed = kb_.view(loaded, element, {warps() * s_.tile.rows, 1}, at);
  const Tile wide = element == numeric::kF32 ? viewed : kb_.cast(viewed, numeric::kF32);
  return kb_.reshape(wide, {warps(), s_.tile.rows / 16, 16, 1});
}

Tile WeightOnlyBuilder::activation_operand(Tile activations) {
  const RegisterLayout operand_b = replicated(warps(), 2) * local({1, s_.tile_m / 8}) *
                                   local({s_.tile.depth / 16, 1}) * layout::mma_fragments()[0].b;
  return kb_.view(activations, f_.activation, {s_.tile.depth, s_.tile_m}, operand_b);
}

Tile WeightOnlyBuilder::zeros(int64_t rows) {
  return kb_.full(numeric::kF32, {warps() * rows, s_.tile_m}, Expr::real(0),
                  accumulator_layout(rows));
}

/// sums - zero_point * (sum of the activations over the group).
Tile WeightOnlyBuilder::zero_corrected(Tile sums, const Stage& stage) {
  const RegisterLayout ones_at =
      spatial({warps(), 1}) * local({1, s_.tile.depth / 16}) * layout::mma_fragments()[0].a;
  const Tile ones = kb_.full(f_.activation, {warps() * 16, s_.tile.depth}, Expr::real(1), ones_at);
  Tile totals = zeros(16);
  for (const Tile activations : stage.activations) {
    totals = kb_.dot(ones, activation_operand(activations), totals);
  }
  const Tile negated = kb_.unary(vm::UnaryOp::kNegate, of_rows(stage.zero_points));
  return kb_.fma(negated, kb_.reshape(totals, {warps(), 1, 16, s_.tile_m}), sums);
}

Tile WeightOnlyBuilder::sums_of(const Stage& stage, Tile initial) {
  Tile sums = initial;
  for (size_t tile = 0; tile < stage.codes.size(); ++tile) {
    sums = kb_.dot(widened(stage.codes[tile]), activation_operand(stage.activations[tile]), sums);
  }
  return sums;
}

void WeightOnlyBuilder::multiply(const Stage& stage) {
  if (!is_grouped()) {
    kb_.assign(sum_, sums_of(stage, sum_));
    return;
  }
  Tile sums =
      kb_.reshape(sums_of(stage, zeros(s_.tile.rows)), {warps(), s_.tile.rows / 16, 16, s_.tile_m});
  if (f_.has_zero_point) sums = zero_corrected(sums, stage);
  kb_.assign(sum_, kb_.fma(sums, of_rows(stage.scales), sum_));
}

/// The sums of the CTA, f32 [warps_n, 1, rows, tile_m].
Tile WeightOnlyBuilder::sum_over_warps() {
  const std::vector<int64_t> shape = {s_.warps_n, s_.warps_k, s_.tile.rows, s_.tile_m};
  const Tile parts = kb_.reshape(sum_, shape);
  const Tile shared = kb_.alloc_shared(numeric::kF32, shape);
  kb_.store_shared(shared, parts);
  kb_.sync();
  // Neighbouring threads take neighbouring rows; a thread's own elements differ in m, then in n.
  const int64_t threads = warps() * vm::kWarpSize;
  const int64_t elements = s_.warps_n * s_.tile.rows * s_.tile_m;
  const int64_t held = std::max<int64_t>(1, elements / threads);
  const int64_t held_m = std::min(held, s_.tile_m), held_rows = held / held_m;
  const int64_t copies = std::max<int64_t>(1, threads / elements);
  const int64_t lanes_m = s_.tile_m / held_m, lanes_rows = s_.tile.rows / held_rows;
  const RegisterLayout at = from_digits(
      shape, {{copies, kNowhere, 0}, {s_.warps_n, 0, 1}, {lanes_m, 3, 1}, {lanes_rows, 2, 1}},
      {{held_rows, 2, lanes_rows}, {held_m, 3, lanes_m}, {s_.warps_k, 1, 1}});
  return kb_.reduce(kb_.load_shared(shared, at), vm::ReduceOp::kSum, 1);
}

void WeightOnlyBuilder::store(Tile sums) {
  const int64_t rows = s_.rows_of_a_cta();
  const Expr first_row = kb_.block(1) * rows;
  Tile y = kb_.reshape(sums, {rows, s_.tile_m});
  const auto scalar = [&](Expr value) { return kb_.full(numeric::kF32, {1, 1}, std::move(value)); };
  if (!is_grouped()) y = kb_.mul(y, kb_.load_global(scales_all_, {first_row, 0}, {rows, 1}));
  y = kb_.mul(y, scalar(tensor_scale_));
  if (decoded_.shift > 0) y = kb_.mul(y, scalar(Expr::real(std::ldexp(1.0F, decoded_.shift))));
  if (f_.has_bias) y = kb_.add(y, kb_.load_global(bias_all_, {first_row, 0}, {rows, 1}));
  if (f_.output != numeric::kF32) y = kb_.cast(y, f_.output);
  kb_.store_global(c_all_, kb_.permute(y, {1, 0}), {kb_.block(0) * s_.activation_rows, first_row});
}

void WeightOnlyBuilder::refill(const Stage& stage, const Expr& step, const Expr& steps) {
  const auto load_and_assign = [&] {
    const Stage loaded = load_stage(step);
    for (size_t tile = 0; tile < stage.codes.size(); ++tile) {
      kb_.assign(stage.codes[tile], loaded.codes[tile]);
      kb_.assign(stage.activations[tile], loaded.activations[tile]);
    }
    if (is_grouped()) kb_.assign(stage.scales, loaded.scales);
    if (f_.has_zero_point) kb_.assign(stage.zero_points, loaded.zero_points);
  };
  if (s_.is_whole) {
    kb_.if_then(less(step, steps), load_and_assign);
  } else {
    load_and_assign();
  }
}

Result<vm::Program> WeightOnlyBuilder::build() {
  declare();
  const Tile zero = zeros(s_.tile.rows);
  sum_ = is_grouped() ? kb_.reshape(zero, {warps(), s_.tile.rows / 16, 16, s_.tile_m}) : zero;
  const Expr steps = kb_.let("steps", ceil_div(k_, s_.depth_of_a_step()));
  std::vector<Stage> stages;
  for (int64_t i = 0; i < s_.num_stages; ++i) stages.push_back(load_stage(Expr(i)));
  kb_.for_range("round", 0, steps, s_.num_stages, [&](const Expr& round) {
    for (int64_t i = 0; i < s_.num_stages; ++i) {
      const auto turn = [&] {
        multiply(stages[static_cast<size_t>(i)]);
        refill(stages[static_cast<size_t>(i)], round + (i + s_.num_stages), steps);
      };
      // Beyond the last step a stage lies outside and has been read as zeros, unless tests are
      // spared.
      if (s_.is_whole && i > 0) {
        kb_.if_then(less(round + i, steps), turn);
      } else {
        turn();
      }
    }
  });
  store(sum_over_warps());
  return kb_.build();
}

Status check_schedule(const WeightOnlyFormat& f, const WeightOnlySchedule& s) {
  const int64_t step = s.depth_of_a_step(), rows = s.activation_rows;
  const bool has_counts = s.tile_m > 0 && s.tile_m % 8 == 0 && s.warps_n > 0 && s.warps_k > 0 &&
                          s.num_warps() <= vm::kMaxWarps && s.num_stages > 0 &&
                          s.tiles_per_stage > 0;
  const bool has_rows =
      rows == s.tile_m || (s.tile_m == 8 && (rows == 1 || rows == 2 || rows == 4));
  const bool fits_groups =
      f.group_size == 0 || (f.group_size % s.depth_of_a_stage() == 0 &&
                            (f.group_size % step == 0 || step % f.group_size == 0));
  if (has_counts && has_rows && fits_groups) return {};
  return fail(ErrorCode::kInvalidArgument,
              "weight-only schedule: {} of {} rows, {} x {} warps, {} stages of {} tiles of {} of "
              "k under groups of {}",
              rows, s.tile_m, s.warps_n, s.warps_k, s.num_stages, s.tiles_per_stage, s.tile.depth,
              f.group_size);
}

}  // namespace

Result<vm::Program> weight_only_program(const WeightOnlyFormat& format,
                                        const WeightOnlySchedule& schedule) {
  ANYBIT_TRY(check_weight_only(format, schedule.tile));
  ANYBIT_TRY(check_schedule(format, schedule));
  ANYBIT_ASSIGN(const DecodedElement decoded, decoded_element(format));
  return WeightOnlyBuilder(format, schedule, decoded).build();
}

}  // namespace anybit::kernel

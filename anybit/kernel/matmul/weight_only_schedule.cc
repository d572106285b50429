#include "anybit/kernel/matmul/weight_only_schedule.h"

#include <algorithm>
#include <cmath>

namespace anybit::kernel {
namespace {

constexpr int64_t kRegistersOfAnSm = 65536, kMaxRegisters = 255, kMaxCtasOfAnSm = 32;
constexpr int64_t kSharedOfAnSm = 227 * 1024, kMaxThreadsOfAnSm = 2048, kLanes = 32;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Registers of a thread: sums, tiles under way, and what the widening of one tile needs.
int64_t estimated_registers(const WeightOnlyFormat& f, const WeightOnlySchedule& s) {
  const int64_t sums = s.tile.rows / 16 * (s.tile_m / 8) * 4;
  const int64_t codes = ceil_div(tile_bytes(f, s.tile), kLanes * 4);
  const int64_t activations = s.tile.depth / 16 * (s.tile_m / 8) * 2;
  const int64_t scales = f.group_size > 0 ? ceil_div(s.tile.rows / 8 * f.scale.bits, 32) : 0;
  const int64_t zero_points = f.has_zero_point ? ceil_div(s.tile.rows / 8, 4) : 0;
  const int64_t a_stage = s.tiles_per_stage * (codes + activations) + scales + zero_points;
  constexpr int64_t kAddresses = 14;
  const int64_t widening = s.tile_m > 8 ? 32 : 16;
  return sums + s.num_stages * a_stage + widening + kAddresses;
}

int64_t shared_bytes(const WeightOnlySchedule& s) {
  return s.num_warps() * s.tile.rows * s.tile_m * 4;
}

/// The least of these that is at least m, else the last.
int64_t at_least(std::initializer_list<int64_t> sizes, int64_t m) {
  for (const int64_t size : sizes) {
    if (m <= size) return size;
  }
  return *(sizes.end() - 1);
}

bool divides_groups(const WeightOnlyFormat& f, const WeightOnlySchedule& s) {
  const int64_t step = s.depth_of_a_step();
  return f.group_size == 0 || (f.group_size % s.depth_of_a_stage() == 0 &&
                               (f.group_size % step == 0 || step % f.group_size == 0));
}

}  // namespace

namespace {

/// Adds the schedules with this many rows of activations.
void add_schedules(const WeightOnlyFormat& format, const ProductShape& shape, WeightOnlySchedule s,
                   std::vector<WeightOnlySchedule>& schedules) {
  for (const int64_t warps_n : {1, 2, 4, 7}) {
    for (const int64_t warps_k : {1, 2, 4, 8, 16}) {
      if (warps_n * warps_k < 4 || warps_n * warps_k > 16) continue;
      for (const int64_t num_stages : {1, 2, 3, 4, 6}) {
        for (const int64_t tiles : {1, 2, 4}) {
          s.warps_n = warps_n;
          s.warps_k = warps_k;
          s.num_stages = num_stages;
          s.tiles_per_stage = tiles;
          if (num_stages > 1 && shape.k < s.depth_of_a_round()) continue;
          if (tiles > 1 && shape.k % s.depth_of_a_stage() != 0) continue;
          if (!divides_groups(format, s)) continue;
          s.is_whole = shape.n % s.rows_of_a_cta() == 0 && shape.k % s.depth_of_a_step() == 0 &&
                       shape.k >= s.depth_of_a_round();
          if (estimated_registers(format, s) > kMaxRegisters) continue;
          if (shared_bytes(s) > kSharedOfAnSm) continue;
          schedules.push_back(s);
        }
      }
    }
  }
}

}  // namespace

std::vector<WeightOnlySchedule> weight_only_schedules(const WeightOnlyFormat& format, int64_t rows,
                                                      const ProductShape& shape) {
  std::vector<WeightOnlySchedule> schedules;
  WeightOnlySchedule s;
  s.tile = weight_tile(format, rows);
  s.has_aligned_k = shape.k % 8 == 0;
  std::vector<int64_t> choices = {at_least({1, 2, 4, 8, 16, 32, 64}, shape.m)};
  for (const int64_t fewer : {16, 32}) {
    if (fewer < choices[0]) choices.push_back(fewer);
  }
  for (const int64_t activation_rows : choices) {
    s.activation_rows = activation_rows;
    s.tile_m = std::max<int64_t>(8, activation_rows);
    s.is_whole_m = shape.m % activation_rows == 0;
    add_schedules(format, shape, s, schedules);
  }
  return schedules;
}

namespace {

/// Instructions that widen a code, about: docs/casts.md.
double widening_instructions(const numeric::ElementFormat& element) {
  using numeric::ElementKind;
  const bool is_wide = element.bits > 4;
  switch (element.kind) {
    case ElementKind::kInt:
    case ElementKind::kUint:
    case ElementKind::kBinary:
    case ElementKind::kBipolar: return 32 % element.bits == 0 ? 1.2 : 2.0;
    case ElementKind::kFloat: return element.bits == 8 ? 2.0 : is_wide ? 2.8 : 2.2;
    case ElementKind::kCodebook: return is_wide ? 7.0 : 3.0;
    default: return is_wide ? 5.5 : 2.8;
  }
}

/// Instructions of one warp, over the codes that a lane holds, in a stage.
double stage_instructions(const WeightOnlyFormat& f, const WeightOnlySchedule& s) {
  const auto codes = static_cast<double>(s.tile.rows * s.depth_of_a_stage()) / kLanes;
  const auto columns = static_cast<double>(s.tile_m) / 8;
  double count = codes * (widening_instructions(f.element) + 0.125 * columns);
  count += 25 + 8 * static_cast<double>(s.tiles_per_stage) * columns + (s.is_whole ? 0 : 25);
  if (f.group_size > 0) {
    count += static_cast<double>(s.tile.rows) / 8 * (2 * columns + 1.5);
    if (f.has_zero_point) count += static_cast<double>(s.tile.rows) / 8 * (2 * columns + 2);
  }
  return count;
}

/// The share of issue slots that so many warps on a scheduler fill, measured on an H100 with two
/// and four.
double issue_share(double warps) { return std::min(0.85, 0.25 + 0.105 * warps); }

}  // namespace

ScheduleCost schedule_cost(const WeightOnlyFormat& format, const WeightOnlySchedule& s,
                           const ProductShape& shape, int num_sms) {
  ScheduleCost cost;
  cost.registers = estimated_registers(format, s);
  cost.ctas = ceil_div(shape.n, s.rows_of_a_cta()) * ceil_div(shape.m, s.activation_rows);
  const int64_t threads = s.num_warps() * kLanes;
  // Each of an SM's four schedulers has a quarter of the registers and whole warps.
  const int64_t by_registers =
      kRegistersOfAnSm / 4 / (kLanes * ceil_div(cost.registers, 8) * 8) * 4 / s.num_warps();
  cost.ctas_per_sm = std::min({by_registers, kMaxThreadsOfAnSm / threads, kMaxCtasOfAnSm,
                               (kSharedOfAnSm + 1024) / (shared_bytes(s) + 1024)});
  if (cost.ctas_per_sm == 0) return cost;
  const int64_t resident = std::min<int64_t>(cost.ctas_per_sm, ceil_div(cost.ctas, num_sms));
  cost.bytes_in_flight =
      resident * s.num_warps() * s.num_stages * s.tiles_per_stage * tile_bytes(format, s.tile);
  const int64_t waves = ceil_div(cost.ctas, num_sms * resident);
  cost.occupied = static_cast<double>(cost.ctas) / static_cast<double>(waves * resident * num_sms);
  constexpr double kLatencyUs = 1.1, kPeakBytesPerUs = 3.0e6, kStartUs = 3.0, kClockMhz = 1750;
  constexpr double kL2BytesPerUs = 6.5e6, kWaveUs = 0.8;
  const auto codes = static_cast<double>(shape.n * shape.k);
  const double passes = static_cast<double>(ceil_div(shape.m, s.activation_rows));
  const double bytes = codes * format.element.bits / 8 * (1 + 0.2 * (passes - 1));
  const double held = static_cast<double>(s.tile.rows * s.depth_of_a_stage());
  const double issued = passes * codes / held * stage_instructions(format, s);
  const double warps = static_cast<double>(resident * s.num_warps()) / 4;
  const double from_memory =
      bytes / std::min(kPeakBytesPerUs, static_cast<double>(cost.bytes_in_flight) * cost.occupied *
                                            num_sms / kLatencyUs);
  // Every CTA reads the activations, from L2 unless a neighbour on its SM has them in L1.
  const double activations = static_cast<double>(cost.ctas) *
                             static_cast<double>(s.activation_rows * shape.k * 2) /
                             (resident > 1 ? 1.5 : 1.0);
  const double moving = std::max(from_memory, (bytes + activations) / kL2BytesPerUs);
  const double issuing = issued / (4 * kClockMhz * num_sms * issue_share(warps) * cost.occupied);
  // The two overlap, though not wholly; the start of a CTA that is alone on its SM with nothing.
  const double starts = static_cast<double>(waves - 1) * kWaveUs / static_cast<double>(resident);
  cost.microseconds =
      kStartUs + starts + std::max(moving, issuing) + 0.15 * std::min(moving, issuing);
  return cost;
}

int64_t choose_tile_rows(const WeightOnlyFormat& format, int64_t n, int num_sms) {
  // Measured: 32 rows leave registers for 16 columns of sums; short groups want more codes under
  // a lane's scales. A tile for almost every SM comes first.
  const bool has_short_groups = format.group_size > 0 && format.group_size <= 32;
  for (const int64_t rows : {64, 32}) {
    if (rows == 64 && !has_short_groups) continue;
    if (n >= rows * num_sms * 7 / 8) return rows;
  }
  return 16;
}

Result<ChosenSchedule> choose_schedule(const WeightOnlyFormat& format, int64_t rows,
                                       const ProductShape& shape, int num_sms) {
  ANYBIT_TRY(check_weight_only(format, weight_tile(format, rows)));
  const WeightOnlySchedule* best = nullptr;
  ScheduleCost least;
  const std::vector<WeightOnlySchedule> schedules = weight_only_schedules(format, rows, shape);
  for (const WeightOnlySchedule& schedule : schedules) {
    const ScheduleCost cost = schedule_cost(format, schedule, shape, num_sms);
    if (cost.ctas_per_sm == 0) continue;
    if (best == nullptr || cost.microseconds < least.microseconds) {
      best = &schedule;
      least = cost;
    }
  }
  if (best == nullptr) {
    return fail(ErrorCode::kUnsupported, "no schedule of {} rows for groups of {}", rows,
                format.group_size);
  }
  return ChosenSchedule{
      *best, least,
      fmt::format("tiles of {} x {}, {} x {} warps, {} stages of {} tiles: {} CTAs, {} on an SM, "
                  "fill {:.0f} % of {} SMs with {} KiB under way in each",
                  best->tile.rows, best->tile.depth, best->warps_n, best->warps_k, best->num_stages,
                  best->tiles_per_stage, least.ctas, least.ctas_per_sm, 100 * least.occupied,
                  num_sms, least.bytes_in_flight / 1024)};
}

}  // namespace anybit::kernel

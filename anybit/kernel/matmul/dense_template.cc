// The schedule space of dense_matmul_program.
#include <algorithm>
#include <cmath>

#include "anybit/base/integer.h"
#include "anybit/base/philox.h"
#include "anybit/kernel/matmul/dense_program.h"
#include "anybit/kernel/tuning/internal/problem_data.h"
#include "anybit/kernel/tuning/templates.h"

namespace anybit::kernel {
namespace {

using numeric::ElementFormat;
using vm::ProblemSizes;
using vm::Schedule;
using vm::Workload;

DenseSchedule dense_schedule(const Schedule& s) {
  return {s.at("tile_m"), s.at("tile_n"), s.at("tile_k"), s.at("num_stages"),
          static_cast<int>(s.at("num_warps"))};
}

/// Rows and columns of the part of a tile that one warp multiplies: as square as can be.
struct WarpTile {
  int64_t rows = 0, columns = 0;
};
WarpTile warp_tile(const DenseSchedule& s) {
  WarpTile best;
  for (int64_t down = 1; down <= s.num_warps; down *= 2) {
    const int64_t across = s.num_warps / down;
    if (s.tile_m % (16 * down) != 0 || s.tile_n % (8 * across) != 0) continue;
    const WarpTile tile{s.tile_m / down, s.tile_n / across};
    if (best.rows == 0 || tile.rows + tile.columns < best.rows + best.columns) best = tile;
  }
  return best;
}

Result<Workload> dense_workload(const ProblemSizes& sizes, const Schedule& schedule,
                                const vm::DeviceModel&) {
  const int64_t m = sizes.at("m"), n = sizes.at("n"), k = sizes.at("k");
  const DenseSchedule s = dense_schedule(schedule);
  if (n % 8 != 0) return fail(ErrorCode::kUnsupported, "n={} is no multiple of 8", n);
  if (k % s.tile_k != 0) {
    return fail(ErrorCode::kUnsupported, "tile_k={} does not divide k={}", s.tile_k, k);
  }
  const WarpTile warp = warp_tile(s);
  if (warp.rows == 0) {
    return fail(ErrorCode::kUnsupported, "{} warps do not divide a tile of {} x {}", s.num_warps,
                s.tile_m, s.tile_n);
  }
  if (s.tile_m > 64 && s.tile_m >= 2 * round_up(m, int64_t{16})) {
    return fail(ErrorCode::kUnsupported, "tile_m={} is mostly empty at m={}", s.tile_m, m);
  }
  Workload w;
  const int64_t threads = int64_t{32} * s.num_warps, stage = 2 * (s.tile_m + s.tile_n) * s.tile_k;
  w.num_ctas = ceil_div(m, s.tile_m) * ceil_div(n, s.tile_n);
  w.threads_per_cta = threads;
  // The result passes through shared memory on its way to rows.
  w.shared_bytes = s.num_stages * stage + 2 * s.tile_m * s.tile_n;
  // Sums, and the fragments of a step of k by 16, two deep, and addresses.
  w.registers_per_thread =
      s.tile_m * s.tile_n / threads + 2 * (warp.rows + warp.columns) * 16 / 64 + 40;
  w.num_steps = k / s.tile_k;
  w.step_global_bytes = static_cast<double>(stage);
  w.step_shared_bytes =
      static_cast<double>(stage + s.num_warps * (warp.rows + warp.columns) * s.tile_k * 2);
  w.step_tensor_flops = 2.0 * static_cast<double>(s.tile_m * s.tile_n * s.tile_k);
  // Copies of 16 bytes, ldmatrix, mma, and the loop around them.
  w.step_instructions =
      static_cast<double>(stage) / 16 * 4 +
      static_cast<double>(s.tile_m * s.tile_n * s.tile_k) / (16 * 8 * 16) * 32 * 1.5 +
      static_cast<double>(40 * threads);
  w.tensor_core = vm::TensorCore::kMma;
  w.steps_ahead = s.num_stages - 1;
  w.epilogue_bytes = 2.0 * static_cast<double>(s.tile_m * s.tile_n);
  w.dram_bytes = 2.0 * static_cast<double>(m * k + n * k + m * n);
  return w;
}

/// Compares `kSamples` random elements with sums in double precision.
std::string check_product(const std::vector<std::vector<std::byte>>& buffers,
                          const ElementFormat& element, const ProblemSizes& sizes) {
  constexpr uint64_t kSamples = 4000;
  const int64_t m = sizes.at("m"), n = sizes.at("n"), k = sizes.at("k");
  const internal::NumberView a(buffers[0], element), b(buffers[1], element), c(buffers[2], element);
  std::string problem = internal::first_unwritten(c);
  const double rounding = std::ldexp(1.0, -element.mantissa_bits - 1);
  const Philox random(14);
  for (uint64_t sample = 0; sample < kSamples && problem.empty(); ++sample) {
    const auto row = static_cast<int64_t>(random.bits64(2 * sample) % static_cast<uint64_t>(m));
    const auto column =
        static_cast<int64_t>(random.bits64(2 * sample + 1) % static_cast<uint64_t>(n));
    double sum = 0, magnitude = 0;
    for (int64_t p = 0; p < k; ++p) {
      const double term = a[row * k + p] * b[column * k + p];
      sum += term;
      magnitude += std::abs(term);
    }
    const double found = c[row * n + column];
    // The result's own rounding, and one of f32 (twice an ulp: tensor cores truncate) each 16
    // terms.
    const double allowed =
        std::abs(sum) * rounding + magnitude * static_cast<double>(k) / 16 * 0x1p-23 + 0x1p-25;
    if (!(std::abs(found - sum) <= allowed)) {
      problem =
          fmt::format("({}, {}): {} instead of {}, allowed {}", row, column, found, sum, allowed);
    }
  }
  return problem;
}

Result<vm::TuningProblem> dense_problem(const ElementFormat& element, const ProblemSizes& sizes,
                                        uint64_t seed) {
  const int64_t m = sizes.at("m"), n = sizes.at("n"), k = sizes.at("k");
  if (std::max({m, n, k}) > INT32_MAX || std::max({m * n, m * k, n * k}) > (int64_t{1} << 32)) {
    return fail(ErrorCode::kInvalidArgument, "a product of {} is too large to tune",
                to_string(sizes));
  }
  vm::TuningProblem problem;
  problem.arguments = {
      internal::buffer_argument(internal::random_numbers(element, m * k, seed)),
      internal::buffer_argument(internal::random_numbers(element, n * k, seed + 1)),
      internal::output_argument(2 * m * n),
      internal::i32_argument(m),
      internal::i32_argument(n),
      internal::i32_argument(k)};
  problem.check = [=](const std::vector<std::vector<std::byte>>& buffers) {
    return check_product(buffers, element, sizes);
  };
  problem.bytes_moved = 2 * (m * k + n * k + m * n);
  problem.operations = 2.0 * static_cast<double>(m) * static_cast<double>(n * k);
  return problem;
}

}  // namespace

vm::KernelTemplate dense_matmul_template(const ElementFormat& element) {
  vm::KernelTemplate row;
  row.name = "dense_matmul_" + numeric::element_name(element);
  row.summary = "c[m, n] = a[m, k] . b[n, k]^T in 16 bits on mma";
  row.size_names = {"m", "n", "k"};
  row.axes = {{"tile_m", {64, 128, 256}, "rows of a CTA's tile"},
              {"tile_n", {64, 128, 256}, "columns of a CTA's tile"},
              {"tile_k", {32, 64}, "depth of a step"},
              {"num_stages", {2, 3, 4, 5}, "steps in shared memory at a time"},
              {"num_warps", {4, 8}, "warps of a CTA"}};
  row.shape_class = [](const ProblemSizes& sizes) {
    ProblemSizes rounded;
    for (const auto& [name, size] : sizes.entries()) {
      rounded.set(name, vm::rounded_up_to_power_of_two(size));
    }
    return rounded;
  };
  row.workload = dense_workload;
  row.program = [element](const ProblemSizes&, const Schedule& schedule) {
    return dense_matmul_program(element, dense_schedule(schedule));
  };
  row.problem = [element](const ProblemSizes& sizes, uint64_t seed) {
    return dense_problem(element, sizes, seed);
  };
  return row;
}

}  // namespace anybit::kernel

// The schedule spaces of the kernels that move memory: softmax, RMSNorm, copy.
#include <algorithm>
#include <cmath>

#include "anybit/base/integer.h"
#include "anybit/kernel/copy/copy_program.h"
#include "anybit/kernel/norm/rms_norm_program.h"
#include "anybit/kernel/softmax/softmax_program.h"
#include "anybit/kernel/tuning/internal/problem_data.h"
#include "anybit/kernel/tuning/templates.h"

namespace anybit::kernel {
namespace {

using internal::NumberView;
using numeric::ElementFormat;
using vm::ProblemSizes;
using vm::Schedule;
using vm::Workload;

using Buffers = std::vector<std::vector<std::byte>>;

RowSchedule row_schedule(const Schedule& s) {
  return {static_cast<int>(s.at("num_warps")), s.at("rows_per_cta")};
}

/// Rows that are read once, worked on in registers, and written once.
/// `instructions`: of an element.
Result<Workload> row_workload(const ProblemSizes& sizes, const Schedule& schedule,
                              double instructions) {
  const int64_t rows = sizes.at("rows"), columns = sizes.at("columns");
  const RowSchedule s = row_schedule(schedule);
  if (columns % 1024 != 0 || columns > 16384) {
    return fail(ErrorCode::kUnsupported, "columns={}: expected a multiple of 1024, at most 16384",
                columns);
  }
  const int64_t threads = int64_t{32} * s.num_warps;
  const int64_t held = s.rows * columns / threads;
  if (held % 8 != 0 || held > 64) {
    return fail(ErrorCode::kUnsupported,
                "{} elements a thread: expected a multiple of 8, at most 64", held);
  }
  if (s.rows > rows) {
    return fail(ErrorCode::kUnsupported, "rows_per_cta={} of {} rows", s.rows, rows);
  }
  Workload w;
  w.num_ctas = ceil_div(rows, s.rows);
  w.threads_per_cta = threads;
  w.shared_bytes = 4 * threads * s.rows;
  w.registers_per_thread = 30 + held + held / 2;
  w.step_global_bytes = 2.0 * static_cast<double>(s.rows * columns);
  w.step_instructions = instructions * static_cast<double>(s.rows * columns) +
                        // Two reductions: shuffles, and the other warps' sums from shared memory.
                        static_cast<double>(threads * s.rows * (40 + 4 * s.num_warps));
  w.epilogue_bytes = 2.0 * static_cast<double>(s.rows * columns);
  w.dram_bytes = 4.0 * static_cast<double>(rows * columns);
  return w;
}

ProblemSizes row_class(const ProblemSizes& sizes) {
  return {{"columns", sizes.at("columns")},
          {"rows", vm::rounded_up_to_power_of_two(sizes.at("rows"))}};
}

vm::KernelTemplate row_template(std::string name, std::string summary, double instructions) {
  vm::KernelTemplate row;
  row.name = std::move(name);
  row.summary = std::move(summary);
  row.size_names = {"rows", "columns"};
  row.axes = {{"num_warps", {1, 2, 4, 8, 16}, "warps of a CTA"},
              {"rows_per_cta", {1, 2, 4}, "rows that a CTA takes together"}};
  row.shape_class = row_class;
  row.workload = [instructions](const ProblemSizes& sizes, const Schedule& schedule,
                                const vm::DeviceModel&) {
    return row_workload(sizes, schedule, instructions);
  };
  return row;
}

Status check_row_sizes(const ProblemSizes& sizes) {
  if (sizes.at("rows") <= INT32_MAX && sizes.at("rows") * sizes.at("columns") < int64_t{1} << 32) {
    return {};
  }
  return fail(ErrorCode::kInvalidArgument, "{} is too large to tune", to_string(sizes));
}

/// Rows that are compared with double precision: some, the first and the last.
std::vector<int64_t> sampled_rows(int64_t rows) {
  std::vector<int64_t> sampled = {0, rows - 1};
  for (int64_t i = 1; i < 30; ++i) sampled.push_back(rows * i / 30);
  return sampled;
}

/// y of the row is what `expected(x of the row)` gives, but for the rounding of the format and of
/// f32 arithmetic over a row.
std::string check_rows(
    const NumberView& x, const NumberView& y, const ElementFormat& element,
    const ProblemSizes& sizes,
    const std::function<std::vector<double>(const std::vector<double>& row)>& expected) {
  std::string problem = internal::first_unwritten(y);
  const int64_t columns = sizes.at("columns");
  const double rounding = std::ldexp(1.0, -element.mantissa_bits - 1);
  for (const int64_t row : sampled_rows(sizes.at("rows"))) {
    std::vector<double> values;
    for (int64_t j = 0; j < columns && problem.empty(); ++j) values.push_back(x[row * columns + j]);
    if (!problem.empty()) break;
    const std::vector<double> wanted = expected(values);
    for (int64_t j = 0; j < columns && problem.empty(); ++j) {
      const double found = y[row * columns + j], want = wanted[static_cast<size_t>(j)];
      // f32: an ulp for each step of a tree of sums, and a few for exp2, the reciprocal, products.
      const double allowed =
          std::abs(want) * (rounding + (std::log2(static_cast<double>(columns)) + 16) * 0x1p-23) +
          0x1p-25;
      if (!(std::abs(found - want) <= allowed)) {
        problem =
            fmt::format("({}, {}): {} instead of {}, allowed {}", row, j, found, want, allowed);
      }
    }
  }
  return problem;
}

}  // namespace

vm::KernelTemplate softmax_template(const ElementFormat& element) {
  vm::KernelTemplate row =
      row_template("softmax_" + numeric::element_name(element), "softmax of rows", 22);
  row.program = [element](const ProblemSizes& sizes, const Schedule& schedule) {
    return softmax_program(element, sizes.at("columns"), row_schedule(schedule));
  };
  row.problem = [element](const ProblemSizes& sizes, uint64_t seed) -> Result<vm::TuningProblem> {
    ANYBIT_TRY(check_row_sizes(sizes));
    const int64_t size = sizes.at("rows") * sizes.at("columns");
    vm::TuningProblem problem;
    problem.arguments = {internal::buffer_argument(internal::random_numbers(element, size, seed)),
                         internal::output_argument(2 * size),
                         internal::i32_argument(sizes.at("rows"))};
    problem.bytes_moved = 4 * size;
    problem.check = [=](const Buffers& buffers) {
      return check_rows(NumberView(buffers[0], element), NumberView(buffers[1], element), element,
                        sizes, [](const std::vector<double>& x) {
                          const double largest = *std::max_element(x.begin(), x.end());
                          std::vector<double> y;
                          double sum = 0;
                          for (const double value : x)
                            sum += y.emplace_back(std::exp(value - largest));
                          for (double& value : y) value /= sum;
                          return y;
                        });
    };
    return problem;
  };
  return row;
}

vm::KernelTemplate rms_norm_template(const ElementFormat& element) {
  constexpr float kEpsilon = 1e-5F;
  vm::KernelTemplate row =
      row_template("rms_norm_" + numeric::element_name(element), "RMSNorm of rows", 8);
  row.program = [element](const ProblemSizes& sizes, const Schedule& schedule) {
    return rms_norm_program(element, sizes.at("columns"), row_schedule(schedule));
  };
  row.problem = [element](const ProblemSizes& sizes, uint64_t seed) -> Result<vm::TuningProblem> {
    ANYBIT_TRY(check_row_sizes(sizes));
    const int64_t columns = sizes.at("columns"), size = sizes.at("rows") * columns;
    vm::TuningProblem problem;
    problem.arguments = {
        internal::buffer_argument(internal::random_numbers(element, size, seed)),
        internal::buffer_argument(internal::random_numbers(element, columns, seed + 1)),
        internal::output_argument(2 * size), internal::i32_argument(sizes.at("rows")),
        internal::f32_argument(kEpsilon)};
    problem.bytes_moved = 4 * size + 2 * columns;
    problem.check = [=](const Buffers& buffers) {
      const NumberView weight(buffers[1], element);
      return check_rows(NumberView(buffers[0], element), NumberView(buffers[2], element), element,
                        sizes, [&](const std::vector<double>& x) {
                          double squares = 0;
                          for (const double value : x) squares += value * value;
                          const double scale =
                              1 / std::sqrt(squares / static_cast<double>(columns) + kEpsilon);
                          std::vector<double> y;
                          for (const double value : x) {
                            y.push_back(value * scale * weight[static_cast<int64_t>(y.size())]);
                          }
                          return y;
                        });
    };
    return problem;
  };
  return row;
}

vm::KernelTemplate copy_template() {
  vm::KernelTemplate row;
  row.name = "copy";
  row.summary = "copying words";
  row.size_names = {"n"};
  row.axes = {{"words", {1024, 2048, 4096, 8192, 16384}, "32-bit words of a CTA"},
              {"num_warps", {2, 4, 8, 16}, "warps of a CTA"}};
  row.shape_class = [](const ProblemSizes& sizes) {
    return ProblemSizes{{"n", vm::rounded_up_to_power_of_two(sizes.at("n"))}};
  };
  row.workload = [](const ProblemSizes& sizes, const Schedule& schedule,
                    const vm::DeviceModel&) -> Result<Workload> {
    const int64_t n = sizes.at("n"), words = schedule.at("words");
    const int64_t threads = 32 * schedule.at("num_warps"), held = words / threads;
    if (n % 4 != 0) return fail(ErrorCode::kUnsupported, "n={} is no multiple of 4", n);
    if (held < 4 || held > 64) {
      return fail(ErrorCode::kUnsupported, "{} words a thread: expected 4 to 64", held);
    }
    Workload w;
    w.num_ctas = ceil_div(n, words);
    w.threads_per_cta = threads;
    w.registers_per_thread = 20 + held;
    w.step_global_bytes = 4.0 * static_cast<double>(words);
    w.step_instructions = static_cast<double>(words);
    w.epilogue_bytes = 4.0 * static_cast<double>(words);
    w.dram_bytes = 8.0 * static_cast<double>(n);
    return w;
  };
  row.program = [](const ProblemSizes&, const Schedule& schedule) {
    return copy_program({schedule.at("words"), static_cast<int>(schedule.at("num_warps"))});
  };
  row.problem = [](const ProblemSizes& sizes, uint64_t seed) -> Result<vm::TuningProblem> {
    const int64_t n = sizes.at("n");
    if (n > int64_t{1} << 30) {
      return fail(ErrorCode::kInvalidArgument, "{} is too large to tune", to_string(sizes));
    }
    vm::TuningProblem problem;
    problem.arguments = {internal::buffer_argument(internal::random_bytes(4 * n, seed)),
                         internal::output_argument(4 * n), internal::i32_argument(n)};
    problem.check = [](const Buffers& buffers) -> std::string {
      return buffers[0] == buffers[1] ? "" : "the copy differs";
    };
    problem.bytes_moved = 8 * n;
    return problem;
  };
  return row;
}

}  // namespace anybit::kernel

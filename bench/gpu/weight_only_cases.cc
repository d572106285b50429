#include "weight_only_cases.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <thread>

#include "anybit/base/philox.h"
#include "anybit/kernel/matmul/random_weight.h"
#include "anybit/kernel/matmul/weight_only_pack.h"
#include "anybit/kernel/matmul/weight_only_schedule.h"
#include "anybit/kernel/reduce/sum_program.h"
#include "anybit/numeric/packing.h"

namespace anybit::bench {
namespace {

using kernel::PackedWeight;
using kernel::ProductShape;
using kernel::WeightOnlyFormat;
using kernel::WeightOnlySchedule;
using numeric::ElementFormat;
using vm::cuda::CudaArgument;
using vm::cuda::CudaProgram;
using vm::cuda::DeviceBuffer;

std::string schedule_text(const WeightOnlySchedule& s) {
  return fmt::format("{}x{} m{}/{} w{}x{} s{}x{}{}{}", s.tile.rows, s.tile.depth, s.tile_m,
                     s.activation_rows, s.warps_n, s.warps_k, s.num_stages, s.tiles_per_stage,
                     s.is_whole ? "" : " ragged", s.is_whole_m ? "" : " ragged m");
}

/// A kernel to build, and what became of it.
struct Build {
  WeightOnlyFormat format;
  WeightOnlySchedule schedule;
  std::unique_ptr<CudaProgram> program;
  std::string problem;
};

std::string key_of(const std::string& scheme, const WeightOnlyFormat& f,
                   const WeightOnlySchedule& s) {
  return fmt::format("{} {} {} {}", scheme, numeric::element_name(f.activation),
                     numeric::element_name(f.output), schedule_text(s));
}

using Builds = std::map<std::string, Build>;

void build_all(const GpuContext& context, Builds& builds) {
  std::vector<Build*> todo;
  for (auto& [key, build] : builds) {
    if (!build.program && build.problem.empty()) todo.push_back(&build);
  }
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back([&] {
      for (size_t j = next++; j < todo.size(); j = next++) {
        Build& build = *todo[j];
        auto program = kernel::weight_only_program(build.format, build.schedule);
        if (!program) {
          build.problem = program.error().message;
          continue;
        }
        auto loaded = CudaProgram::load(context.device, context.compiler, std::move(*program));
        if (loaded) {
          build.program = std::make_unique<CudaProgram>(std::move(*loaded));
        } else {
          build.problem = loaded.error().message;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

/// A weight on the device, with activations and room for the product.
struct Operands {
  PackedWeight packed;  // Of the first rows; the device holds them repeated up to n.
  ProductShape shape;
  std::vector<double> a;  // [m, k]
  struct Set {
    std::vector<DeviceBuffer> buffers;  // The last one is c.
    std::vector<CudaArgument> arguments;
  };
  std::vector<Set> sets;
  struct Expected {
    int64_t m, row;
    double value, allowed;
  };
  std::vector<Expected> expected;
  int64_t bytes = 0;  // That a product must move.
};

std::vector<std::byte> repeated(const Buffer& buffer, int64_t times) {
  std::vector<std::byte> bytes;
  bytes.reserve(static_cast<size_t>(buffer.size() * times));
  for (int64_t i = 0; i < times; ++i) {
    bytes.insert(bytes.end(), buffer.bytes().begin(), buffer.bytes().end());
  }
  return bytes;
}

std::vector<std::byte> encoded(const ElementFormat& format, const std::vector<double>& values) {
  std::vector<uint32_t> codes;
  codes.reserve(values.size());
  for (const double value : values) codes.push_back(numeric::encode(format, value));
  std::vector<std::byte> bytes(codes.size() * format.bits / 8);
  numeric::pack_codes(codes, format.bits, bytes);
  return bytes;
}

Result<Operands::Set> make_set(const GpuContext& context, const Operands& o,
                               const std::vector<std::vector<std::byte>>& inputs, int64_t c_bytes) {
  Operands::Set set;
  for (const auto& bytes : inputs) {
    ANYBIT_ASSIGN(DeviceBuffer buffer, DeviceBuffer::copy_of(context.device, bytes));
    set.arguments.push_back(CudaArgument::pointer(buffer.address()));
    set.buffers.push_back(std::move(buffer));
  }
  ANYBIT_ASSIGN(DeviceBuffer c, DeviceBuffer::allocate(context.device, c_bytes));
  ANYBIT_TRY(c.fill(std::byte{0xff}));
  set.arguments.push_back(CudaArgument::pointer(c.address()));
  set.buffers.push_back(std::move(c));
  for (const int64_t size : {o.shape.m, o.shape.n, o.shape.k}) {
    set.arguments.push_back(CudaArgument::i32(size));
  }
  set.arguments.push_back(CudaArgument::f32(o.packed.tensor_scale));
  return set;
}

/// `distinct_rows` rows of random weights (all of them if n is no multiple), repeated.
Result<Operands> make_operands(const GpuContext& context, const numeric::Scheme& scheme,
                               const WeightOnlyFormat& format, int64_t tile_rows,
                               const ProductShape& shape, int64_t distinct_rows,
                               int64_t min_bytes) {
  Operands o;
  o.shape = shape;
  const int64_t rows = shape.n % distinct_rows == 0 ? distinct_rows : shape.n;
  ANYBIT_ASSIGN(const auto weight, kernel::random_weight(scheme, rows, shape.k, 21));
  ANYBIT_ASSIGN(o.packed,
                kernel::pack_weight_only(weight, format, kernel::weight_tile(format, tile_rows),
                                         Threads::all()));
  const Philox random(22);
  for (int64_t i = 0; i < shape.m * shape.k; ++i) {
    o.a.push_back(
        numeric::decode(format.activation, numeric::encode(format.activation, random.normal(i))));
  }
  std::vector<std::vector<std::byte>> inputs = {encoded(format.activation, o.a),
                                                repeated(o.packed.codes, shape.n / rows),
                                                repeated(o.packed.scales, shape.n / rows)};
  if (format.has_zero_point) inputs.push_back(repeated(o.packed.zero_points, shape.n / rows));
  if (!o.packed.codebook.empty()) {
    inputs.push_back(
        encoded(format.activation, {o.packed.codebook.begin(), o.packed.codebook.end()}));
  }
  const int64_t c_bytes = shape.m * shape.n * format.output.bits / 8;
  o.bytes = c_bytes;
  for (const auto& bytes : inputs) o.bytes += static_cast<int64_t>(bytes.size());
  do {
    ANYBIT_ASSIGN(auto set, make_set(context, o, inputs, c_bytes));
    o.sets.push_back(std::move(set));
  } while (static_cast<int64_t>(o.sets.size()) * o.bytes < min_bytes);
  return o;
}

double half_epsilon(const ElementFormat& f) { return std::ldexp(1.0, -f.mantissa_bits - 1); }

/// What double precision makes of `max_rows` rows of the weight at most.
void add_expected(Operands& o, int64_t max_rows) {
  const WeightOnlyFormat& f = o.packed.format;
  const int64_t n = o.shape.n, step = std::max<int64_t>(1, n / max_rows);
  // Elements that the activation's format rounds; a truncation an mma and a group; the output.
  const bool is_rounded = f.element.kind == numeric::ElementKind::kCodebook ||
                          f.element.bits > f.activation.mantissa_bits + 1 ||
                          f.element.kind == numeric::ElementKind::kLns ||
                          f.element.kind == numeric::ElementKind::kPosit;
  const double cast = is_rounded ? half_epsilon(f.activation) : 0;
  const double roundings = static_cast<double>(o.shape.k) / 8 + 64;
  for (int64_t row = step / 2; row < n; row += step) {
    const std::vector<double> w = kernel::packed_row_values(o.packed, row % o.packed.n);
    for (int64_t i = 0; i < o.shape.m; ++i) {
      double sum = 0, magnitude = 0;
      for (int64_t q = 0; q < o.shape.k; ++q) {
        const double term = o.a[static_cast<size_t>(i * o.shape.k + q)] * w[static_cast<size_t>(q)];
        sum += term;
        magnitude += std::abs(term);
      }
      // Zero points: the sums before the correction are larger than the result by at most this.
      if (f.has_zero_point) magnitude *= 1 << f.element.bits;
      const double allowed = magnitude * (roundings * 0x1p-23 + cast) +
                             1.01 * half_epsilon(f.output) * std::abs(sum) +
                             numeric::min_positive(f.output);
      o.expected.push_back({i, row, sum, allowed});
    }
  }
}

std::string check_product(const Operands& o, const std::vector<std::byte>& c) {
  const ElementFormat& output = o.packed.format.output;
  for (int64_t i = 0; i < o.shape.m * o.shape.n; ++i) {
    if (std::isnan(numeric::decode(output, numeric::unpack_code(c, output.bits, i)))) {
      return fmt::format("element ({}, {}) is NaN or was not written", i / o.shape.n,
                         i % o.shape.n);
    }
  }
  for (const Operands::Expected& e : o.expected) {
    const double found =
        numeric::decode(output, numeric::unpack_code(c, output.bits, e.m * o.shape.n + e.row));
    // What the output's format cannot hold becomes infinite or its largest number.
    const double most = numeric::max_finite(output);
    if (std::abs(e.value) > most && std::abs(found) >= most && found * e.value > 0) continue;
    if (!(std::abs(found - e.value) <= e.allowed)) {
      return fmt::format("({}, {}): {} instead of {}, allowed {}", e.m, e.row, found, e.value,
                         e.allowed);
    }
  }
  return "";
}

GpuRow run_product(const GpuContext& context, const std::string& name, const Build& build,
                   const Operands& o, bool wants_times) {
  GpuRow row;
  row.name = name;
  row.bytes_moved = o.bytes;
  row.problem = build.problem;
  if (!build.program) return row;
  row.compile_seconds = build.program->cubin().seconds;
  row.registers = build.program->kernel().attributes().registers;
  row.spill_bytes = build.program->kernel().attributes().local_bytes;
  const auto attempt = [&]() -> Status {
    ANYBIT_TRY(build.program->launch(context.stream, o.sets[0].arguments));
    ANYBIT_TRY(context.stream.synchronize());
    ANYBIT_ASSIGN(const auto c, o.sets[0].buffers.back().to_vector<std::byte>());
    row.problem = check_product(o, c);
    if (!row.problem.empty() || !wants_times) return {};
    std::vector<vm::cuda::KernelArguments> launches;
    vm::cuda::LaunchShape shape;
    for (const Operands::Set& set : o.sets) {
      ANYBIT_ASSIGN(const auto launch, build.program->prepare(set.arguments));
      launches.push_back(launch.arguments);
      shape = launch.shape;
    }
    vm::cuda::TimingOptions options;
    options.warmup_us = 5000;
    options.replays = 11;
    ANYBIT_ASSIGN(const auto timing, vm::cuda::time_kernel(context.stream, build.program->kernel(),
                                                           shape, launches, o.bytes, options));
    row.microseconds = timing.median_us;
    return {};
  };
  if (const Status status = attempt(); !status) row.problem = status.error().message;
  return row;
}

/// Schemes of every element of 1 to 8 bits.
std::vector<std::string> all_schemes() {
  std::vector<std::string> schemes = {"nvfp4",          "mxfp4",          "nf4",
                                      "uint4_g64_asym", "uint2_g32_asym", "uint8_channel_asym",
                                      "int8_b128x128",  "int5_channel",   "int4_tensor",
                                      "int3_g16_sf32",  "e4m3_g128_sbf16"};
  for (int bits = 1; bits <= 8; ++bits) schemes.push_back(fmt::format("codebook{}_g64", bits));
  for (const std::string& name : numeric::all_format_names()) {
    const auto format = numeric::parse_element_format(name);
    const bool has_values = format->kind != numeric::ElementKind::kCodebook &&
                            format->kind != numeric::ElementKind::kComplex;
    if (format->bits <= 8 && has_values) schemes.push_back(name + "_g64");
  }
  return schemes;
}

struct Request {
  std::string scheme_name;
  numeric::Scheme scheme;
  WeightOnlyFormat format;
  ProductShape shape;
  int64_t tile_rows;
  WeightOnlySchedule schedule;
  std::string key;
};

/// The requests of one scheme and shape: the chosen schedule, or all.
void add_requests(const GpuContext& context, const std::string& name, const ProductShape& shape,
                  const ElementFormat& activation, const std::vector<int64_t>& tile_rows,
                  const WeightOnlyOptions& options, std::vector<Request>& requests,
                  const std::function<void(const GpuRow&)>& take) {
  const int num_sms = context.device.properties().num_sms;
  GpuRow failed;
  failed.name = fmt::format("{} k={} n={} m={}", name, shape.k, shape.n, shape.m);
  const auto scheme = numeric::parse_scheme(name);
  if (!scheme) {
    failed.problem = scheme.error().message;
    return take(failed);
  }
  const auto format = kernel::weight_only_format(*scheme, shape.k, activation, activation, false);
  if (!format) {
    if (activation == numeric::kF16) {
      return add_requests(context, name, shape, numeric::kBF16, tile_rows, options, requests, take);
    }
    failed.problem = format.error().message;
    return take(failed);
  }
  std::vector<int64_t> all_rows = tile_rows;
  if (all_rows.empty()) {
    all_rows = {kernel::choose_tile_rows(*format, shape.n, num_sms)};
  }
  for (const int64_t rows : all_rows) {
    std::vector<WeightOnlySchedule> schedules;
    if (options.wants_sweep) {
      for (const auto& s : kernel::weight_only_schedules(*format, rows, shape)) {
        const auto cost = kernel::schedule_cost(*format, s, shape, num_sms);
        const bool has_enough = cost.bytes_in_flight >= 14'000 && cost.bytes_in_flight <= 100'000;
        const int64_t warps = s.num_warps() * cost.ctas_per_sm;
        const bool is_wanted = schedule_text(s).find(options.schedule) != std::string::npos;
        if (is_wanted && cost.ctas_per_sm > 0 && cost.ctas * 4 >= 3 * num_sms && has_enough &&
            warps >= 8) {
          schedules.push_back(s);
        }
      }
      const auto predicted = [&](const WeightOnlySchedule& schedule) {
        return kernel::schedule_cost(*format, schedule, shape, num_sms).microseconds;
      };
      std::stable_sort(schedules.begin(), schedules.end(),
                       [&](const auto& a, const auto& b) { return predicted(a) < predicted(b); });
      if (options.top > 0 && static_cast<int64_t>(schedules.size()) > options.top) {
        schedules.resize(static_cast<size_t>(options.top));
      }
    } else if (const auto chosen = kernel::choose_schedule(*format, rows, shape, num_sms)) {
      schedules.push_back(chosen->schedule);
    } else {
      failed.problem = chosen.error().message;
      take(failed);
    }
    for (const WeightOnlySchedule& s : schedules) {
      requests.push_back({name, *scheme, *format, shape, rows, s, key_of(name, *format, s)});
    }
  }
}

/// Runs requests of the same operands one after the other.
void run_requests(const GpuContext& context, std::vector<Request>& requests, bool wants_times,
                  int64_t checked_rows, const std::function<void(const GpuRow&)>& take) {
  Builds builds;
  for (const Request& r : requests) {
    Build build;
    build.format = r.format;
    build.schedule = r.schedule;
    builds.emplace(r.key, std::move(build));
  }
  build_all(context, builds);
  std::string held;
  Result<Operands> operands = Operands();
  for (const Request& r : requests) {
    const std::string wanted =
        fmt::format("{} k={} n={} m={}", r.scheme_name, r.shape.k, r.shape.n, r.shape.m);
    if (const std::string with_rows = fmt::format("{} {}", wanted, r.tile_rows);
        with_rows != held) {
      operands = Operands();  // Before the next ones are made.
      operands = make_operands(context, r.scheme, r.format, r.tile_rows, r.shape,
                               wants_times ? 256 : r.shape.n, wants_times ? 200'000'000 : 0);
      held = with_rows;
      if (operands) add_expected(*operands, checked_rows);
    }
    GpuRow row;
    row.name = fmt::format("{} {} [{}]", wanted, numeric::element_name(r.format.activation),
                           schedule_text(r.schedule));
    if (operands) {
      row = run_product(context, row.name, builds.at(r.key), *operands, wants_times);
    } else {
      row.problem = operands.error().message;
    }
    take(row);
  }
}

}  // namespace

double measured_read_bandwidth(const GpuContext& context) {
  const int64_t n = int64_t{1} << 28;
  auto program = kernel::sum_program();
  if (!program) return 0;
  auto loaded = CudaProgram::load(context.device, context.compiler, std::move(*program));
  auto x = DeviceBuffer::allocate(context.device, 4 * n);
  auto y = DeviceBuffer::allocate(context.device, 16);
  if (!loaded || !x || !y || !x->fill(std::byte{0x3a})) return 0;
  const CudaArgument arguments[] = {CudaArgument::pointer(x->address()),
                                    CudaArgument::pointer(y->address()), CudaArgument::i32(n)};
  const auto launch = loaded->prepare(arguments);
  if (!launch) return 0;
  vm::cuda::TimingOptions options;
  options.launches_per_graph = 4;
  const auto timing = vm::cuda::time_kernel(context.stream, loaded->kernel(), launch->shape,
                                            {{launch->arguments}}, 4 * n, options);
  return timing ? vm::cuda::gigabytes_per_second(4 * n, timing->median_us) : 0;
}

void run_weight_only(const GpuContext& context, const WeightOnlyOptions& options,
                     const std::function<void(const GpuRow&)>& take) {
  if (options.wants_checks) {
    std::vector<Request> requests;
    const std::vector<std::string> schemes =
        options.schemes.empty() ? all_schemes() : options.schemes;
    // Ragged in all three, and m on both sides of a tile.
    const ProductShape shapes[] = {{3, 203, 576}, {16, 96, 1040}, {65, 203, 576}};
    for (size_t i = 0; i < schemes.size(); ++i) {
      for (size_t j = 0; j < 3; ++j) {
        // Every scheme in one shape, in turn; those named in all.
        if (options.schemes.empty() && j != i % 3) continue;
        add_requests(context, schemes[i], shapes[j], i % 2 == 0 ? numeric::kF16 : numeric::kBF16,
                     {}, {}, requests, take);
      }
    }
    run_requests(context, requests, false, 1 << 20, take);
  }
  if (!options.wants_times) return;
  std::vector<std::string> schemes = options.schemes;
  if (schemes.empty()) {
    schemes = {"uint1_g128", "int2_g128", "int3_g128", "int4_g128", "int5_g128", "int6_g128",
               "int7_g128",  "int8_g128", "mxfp4",     "nvfp4",     "e3m2_g128", "e4m3_g128"};
  }
  auto shapes = options.shapes;
  if (shapes.empty()) {
    shapes = {{4096, 4096},  {4096, 14336}, {8192, 8192},
              {8192, 28672}, {28672, 8192}, {8192, 57344}};
  }
  const std::vector<int64_t> ms = options.ms.empty() ? std::vector<int64_t>{1, 16} : options.ms;
  std::vector<Request> requests;
  for (const std::string& scheme : schemes) {
    for (const auto& [k, n] : shapes) {
      for (const int64_t m : ms) {
        add_requests(context, scheme, {m, n, k}, numeric::kF16, options.tile_rows, options,
                     requests, take);
      }
    }
  }
  run_requests(context, requests, true, 32, take);
}

}  // namespace anybit::bench

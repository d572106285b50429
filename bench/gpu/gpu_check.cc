// Checks and measures the tile VM on a GPU: the device header against its emulation, casts of every
// format bit for bit, the memory-bound kernels and matrix products against double precision and the
// floor.
//   gpu_check [--only PART]... [--no-times] [--json FILE]; --help lists the parts
//   --case NAME: only the checks whose name contains this
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "anybit/vm/backend/cuda/device_selfcheck.h"
#include "anybit/vm/backend/cuda/device_source.h"
#include "cublas.h"
#include "gpu_case.h"
#include "gpu_parts.h"
#include "weight_only_cases.h"

namespace anybit::bench {
namespace {

struct Report {
  nlohmann::json rows = nlohmann::json::array();
  int num_right = 0, num_wrong = 0;

  void add(const GpuRow& row, double peak_bandwidth) {
    ++(row.problem.empty() ? num_right : num_wrong);
    nlohmann::json j = {{"name", row.name},
                        {"problem", row.problem},
                        {"us", row.microseconds},
                        {"bytes", row.bytes_moved},
                        {"registers", row.registers},
                        {"spill_bytes", row.spill_bytes},
                        {"compile_seconds", row.compile_seconds}};
    std::string speed;
    if (row.microseconds > 0) {
      const double gbps = static_cast<double>(row.bytes_moved) / row.microseconds / 1e3;
      j["gb_per_s"] = gbps;
      speed = fmt::format("{:9.1f} us {:7.0f} GB/s", row.microseconds, gbps);
      if (row.operations > 0) {
        j["tflops"] = row.operations / row.microseconds / 1e6;
        speed = fmt::format("{:9.1f} us {:7.1f} TFLOP/s", row.microseconds,
                            row.operations / row.microseconds / 1e6);
      } else if (peak_bandwidth > 0) {
        j["fraction_of_peak"] = gbps / peak_bandwidth;
        speed += fmt::format(" {:5.1f}% of peak", 100 * gbps / peak_bandwidth);
      }
    }
    rows.push_back(std::move(j));
    std::printf("%-62s %s %3d regs, %.2f s %s\n", row.name.c_str(), speed.c_str(), row.registers,
                row.compile_seconds,
                row.problem.empty() ? "ok" : ("WRONG: " + row.problem).c_str());
    std::fflush(stdout);
  }
};

Status check_wanted_case(const GpuContext& context, const vm::SelfCheckCase& check) {
  using namespace vm::cuda;
  ANYBIT_ASSIGN(const std::vector<uint32_t> expected, vm::emulated_self_check(check));
  CompileOptions options;
  options.arch = context.device.properties().architecture();
  const std::string source =
      std::string(vm::device_header_source()) + vm::wgmma_source_for(check.source) + check.source;
  ANYBIT_ASSIGN(const Cubin cubin, context.compiler.compile(source, options));
  ANYBIT_ASSIGN(const Module module, Module::load(context.device, cubin.bytes));
  ANYBIT_ASSIGN(Kernel kernel, module.kernel("check"));
  ANYBIT_TRY(kernel.set_dynamic_shared_bytes(check.shared_bytes));
  ANYBIT_ASSIGN(const DeviceBuffer in, DeviceBuffer::copy_of(context.device, check.input));
  ANYBIT_ASSIGN(DeviceBuffer out,
                DeviceBuffer::allocate(context.device, int64_t{4} * check.output_words));
  ANYBIT_TRY(out.fill(std::byte{0xcd}));
  LaunchShape shape;
  shape.cta.x = static_cast<uint32_t>(check.block_threads);
  shape.shared_bytes = check.shared_bytes;
  ANYBIT_TRY(
      kernel.launch(context.stream, shape, KernelArguments().add(in.address()).add(out.address())));
  ANYBIT_TRY(context.stream.synchronize());
  ANYBIT_ASSIGN(const std::vector<uint32_t> found, out.to_vector<uint32_t>());
  return vm::compare_self_check(check, expected, found);
}

void check_header(const GpuContext& context, const std::string& wanted, Report& report) {
  for (const vm::SelfCheckCase& check : vm::self_check_cases()) {
    if (check.name.find(wanted) == std::string::npos) continue;
    GpuRow row;
    row.name = "header: " + check.name;
    if (const Status status = check_wanted_case(context, check); !status) {
      row.problem = status.error().message;
    }
    report.add(row, 0);
  }
}

struct CheckOptions {
  std::vector<std::string> only;
  bool wants_times = true;
  std::string json_path, wanted_case;
  uint64_t first_seed = 1, num_seeds = 300;  // Of fuzz.
  std::string commit = "unknown";            // Of tune's entries.
  double budget = 60;                        // Seconds of tune for each shape.
  WeightOnlyOptions weight_only;
};

void check_fuzz(const GpuContext& context, const CheckOptions& options, Report& report) {
  const FuzzSummary summary = fuzz_on_gpu(context, options.first_seed, options.num_seeds);
  GpuRow row;
  row.name = fmt::format("fuzz: {} programs from seed {}, {} refused by code generation",
                         summary.programs, options.first_seed, summary.refused);
  for (const std::string& problem : summary.problems) row.problem += problem + "; ";
  if (summary.refused * 4 > summary.programs) row.problem += "too many are refused";
  report.add(row, 0);
}

void check_tune(const GpuContext& context, const CheckOptions& options, Report& report) {
  vm::ScheduleTable table;
  for (const TuneRow& tuned :
       tune_on_gpu(context, context.cache, options.commit, options.budget, options.wanted_case)) {
    GpuRow row;
    row.name = fmt::format("tune {} {}", tuned.kernel, to_string(tuned.sizes));
    if (!tuned.result) {
      row.problem = tuned.result.error().message;
    } else {
      row.name += ": " + to_string(tuned.result->best.schedule);
      row.microseconds = tuned.result->best.microseconds;
      table.put(tuned.result->best);
    }
    report.add(row, 0);
    if (!tuned.result) continue;
    auto& json = report.rows.back();
    json["best_of_first_five_us"] = tuned.best_of_first_five;
    for (const vm::TunedCandidate& candidate : tuned.result->candidates) {
      json["candidates"].push_back({{"schedule", to_string(candidate.schedule)},
                                    {"us", candidate.microseconds},
                                    {"estimated_us", candidate.estimate.microseconds},
                                    {"rank", candidate.rank + 1},
                                    {"registers", candidate.registers},
                                    {"spill_bytes", candidate.spill_bytes},
                                    {"problem", candidate.problem}});
    }
  }
  std::printf("%s", to_string(table).c_str());
}

int run(const CheckOptions& options) {
  const std::vector<std::string>& only = options.only;
  const std::string &json_path = options.json_path, &wanted_case = options.wanted_case;
  auto device = vm::cuda::Device::open();
  auto compiler = vm::cuda::Compiler::load();
  if (!device || !compiler) {
    std::fprintf(stderr, "gpu_check: %s\n",
                 (!device ? device.error() : compiler.error()).message.c_str());
    return 1;
  }
  auto stream = vm::cuda::Stream::create(*device);
  if (!stream) return 1;
  GpuContext context{*device, std::move(*compiler), std::move(*stream), options.wants_times};
  const auto wants = [&](const char* part) {
    return only.empty() || std::find(only.begin(), only.end(), part) != only.end();
  };
  Report report;
  double copy_bandwidth = 0;
  const auto run_all = [&](const std::vector<std::function<GpuCase()>>& cases) {
    for (const auto& make : cases) {
      GpuCase gpu_case = make();
      if (gpu_case.name.find(wanted_case) == std::string::npos) continue;
      const GpuRow row = run_case(context, std::move(gpu_case));
      if (row.name.starts_with("copy") && row.microseconds > 0) {
        copy_bandwidth = static_cast<double>(row.bytes_moved) / row.microseconds / 1e3;
      }
      report.add(row, copy_bandwidth);
    }
  };
  if (wants("header")) check_header(context, wanted_case, report);
  if (wants("memory")) run_all(memory_cases());
  if (wants("matmul") || wants("wgmma")) {
    run_all(wgmma_cases());
    for (const int64_t size : {8192, 4096}) {
      report.add(cublas_row(context, size, size, size), copy_bandwidth);
    }
  }
  if (wants("matmul")) run_all(matmul_cases());
  if (wants("weight-only")) {
    const double read = measured_read_bandwidth(context);
    std::printf("read bandwidth: %.0f GB/s; percentages are of it\n", read);
    run_weight_only(context, options.weight_only,
                    [&](const GpuRow& row) { report.add(row, read); });
  }
  const auto run_casts = [&](bool exhaustive) {
    const auto cases = cast_cases(exhaustive);
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / fmt::format("anybit_gpu_check_{}", getpid());
    const auto cache = vm::cuda::CubinCache::open(folder);
    if (cache) {
      compile_cases(context, *cache, cases);
      context.cache = &*cache;
    }
    run_all(cases);
    context.cache = nullptr;
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  };
  if (wants("cast-times")) run_casts(false);
  if (wants("casts")) {
    context.wants_times = false;
    run_casts(true);
  }
  if (wants("fuzz")) check_fuzz(context, options, report);
  if (wants("tune")) check_tune(context, options, report);
  std::printf("%s: %d right, %d wrong\n", context.device.properties().name.c_str(),
              report.num_right, report.num_wrong);
  if (!json_path.empty()) {
    std::ofstream(json_path) << nlohmann::json{
        {"device", context.device.properties().name},
        {"nvrtc", context.compiler.version()},
        {"rows", report.rows}}.dump(1);
  }
  return report.num_wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace anybit::bench

int main(int argc, char** argv) {
  CLI::App app{"Checks and measures the tile VM on GPU 0"};
  anybit::bench::CheckOptions options;
  bool no_times = false, no_checks = false;
  app.add_option("--only", options.only, "run these parts alone")
      ->check(CLI::IsMember({"header", "casts", "memory", "cast-times", "matmul", "wgmma",
                             "weight-only", "fuzz", "tune"}));
  app.add_option("--case", options.wanted_case, "only what has this in its name");
  app.add_flag("--no-times", no_times, "only whether results are right");
  app.add_option("--json", options.json_path, "writes all rows there");
  app.add_option("--seeds", options.num_seeds, "fuzz: how many programs");
  app.add_option("--first", options.first_seed, "fuzz: the seed of the first");
  app.add_option("--commit", options.commit, "tune: the commit that entries name");
  app.add_option("--budget", options.budget, "tune: seconds for each shape");
  anybit::bench::WeightOnlyOptions& weight_only = options.weight_only;
  app.add_option("--format", weight_only.schemes, "weight-only: these schemes");
  app.add_option("--shape", weight_only.shapes, "weight-only: n k");
  app.add_option("-m", weight_only.ms, "weight-only: rows of the activations");
  app.add_option("--rows", weight_only.tile_rows, "weight-only: rows of a tile");
  app.add_flag("--no-checks", no_checks, "weight-only: only times");
  app.add_flag("--sweep", weight_only.wants_sweep, "weight-only: times every schedule");
  app.add_option("--top", weight_only.top, "weight-only: the best predicted of the sweep");
  app.add_option("--schedule", weight_only.schedule, "weight-only: of the sweep, what has this");
  CLI11_PARSE(app, argc, argv);
  for (auto& [k, n] : weight_only.shapes) std::swap(k, n);
  weight_only.wants_sweep |= weight_only.top > 0 || !weight_only.schedule.empty();
  weight_only.wants_checks = !no_checks;
  options.wants_times = weight_only.wants_times = !no_times;
  return anybit::bench::run(options);
}

#include "anybit/kernel/matmul/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "anybit/base/integer.h"
#include "anybit/base/philox.h"
#include "anybit/kernel/matmul/internal/int8_peak.h"
#include "anybit/kernel/matmul/internal/panel_memory.h"
#include "anybit/kernel/matmul/random_weight.h"

namespace anybit::kernel {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kRotationBytes = int64_t{400} << 20;
constexpr int64_t kMaxCopies = 512;
constexpr int64_t kCheckedRows = 2;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// The sum of all words: several independent ones, so that loads and not additions are the limit.
uint64_t sum_words(std::span<const uint64_t> words) {
  constexpr size_t kLanes = 32;
  uint64_t sums[kLanes] = {};
  const uint64_t* const data = words.data();
  const size_t count = words.size() / kLanes * kLanes;
  for (size_t i = 0; i < count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += data[i + lane];
  }
  uint64_t total = 0;
  for (const uint64_t sum : sums) total += sum;
  return total;
}

std::vector<float> random_activations(int64_t count) {
  const Philox random(2);
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

double relative_error(const tensor::QuantizedTensor& weight, const std::vector<float>& a,
                      const std::vector<float>& c, int64_t rows) {
  std::vector<float> expected(static_cast<size_t>(rows * weight.rows));
  matmul_reference(weight, a.data(), rows, expected.data());
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(double{c[i]} - expected[i], 2);
    norm += std::pow(double{expected[i]}, 2);
  }
  return norm > 0 ? std::sqrt(error / norm) : std::sqrt(error);
}

}  // namespace

double measure_read_bandwidth(Threads threads) {
  constexpr int64_t kBytes = int64_t{512} << 20;
  constexpr int kPasses = 7;
  // Memory as kernels have it, so that the ceiling is one they could reach.
  internal::PanelMemory memory(kBytes);
  const std::span<uint64_t> words(memory.as<uint64_t>(), kBytes / sizeof(uint64_t));
  for (size_t i = 0; i < words.size(); ++i) words[i] = i;
  std::vector<double> rates;
  std::vector<uint64_t> sums(static_cast<size_t>(threads.count) * 8);
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto start = Clock::now();
    parallel_run(threads, [&](int thread, int num_threads) {
      const size_t begin = words.size() * static_cast<size_t>(thread) / num_threads;
      const size_t end = words.size() * static_cast<size_t>(thread + 1) / num_threads;
      sums[static_cast<size_t>(thread) * 8] += sum_words(words.subspan(begin, end - begin));
    });
    rates.push_back(static_cast<double>(kBytes) / seconds_since(start));
  }
  // Keeps the sums alive: an unused result would let the compiler drop the reads.
  volatile uint64_t sink = sums[0];
  static_cast<void>(sink);
  return median(rates);
}

double measure_int8_peak(Threads threads) {
  const internal::Int8Peak* peak = internal::find_int8_peak(CpuFeatures::host());
  if (peak == nullptr) return 0;
  constexpr int64_t kRounds = 4'000'000;
  std::vector<double> rates;
  for (int pass = 0; pass < 5; ++pass) {
    const auto start = Clock::now();
    parallel_run(threads, [&](int, int) { peak->run(kRounds); });
    rates.push_back(static_cast<double>(kRounds * peak->multiply_adds_per_round) * threads.count /
                    seconds_since(start));
  }
  return median(rates);
}

Result<MatmulBenchResult> bench_matmul(const numeric::Scheme& scheme,
                                       const MatmulBenchOptions& options) {
  if (options.m < 1 || options.n < 1 || options.k < 1) {
    return fail(ErrorCode::kInvalidArgument, "m, n and k must be positive, found {}, {} and {}",
                options.m, options.n, options.k);
  }
  ANYBIT_ASSIGN(const tensor::QuantizedTensor weight,
                random_weight(scheme, options.n, options.k, 1));
  std::vector<std::unique_ptr<PackedMatrix>> copies;
  ANYBIT_ASSIGN(copies.emplace_back(), pack(weight, options.pack));
  const int64_t size_bytes = copies.front()->size_bytes();
  const int64_t num_copies = std::clamp<int64_t>(
      ceil_div(kRotationBytes, std::max<int64_t>(1, size_bytes)), 1, kMaxCopies);
  while (std::ssize(copies) < num_copies) {
    ANYBIT_ASSIGN(copies.emplace_back(), pack(weight, options.pack));
  }
  const std::vector<float> a = random_activations(options.m * options.k);
  std::vector<float> c(static_cast<size_t>(options.m * options.n));
  const auto multiply = [&](int64_t i) {
    copies[static_cast<size_t>(i % num_copies)]->matmul(a.data(), options.m, c.data(),
                                                        options.pack.threads);
  };
  MatmulBenchResult result;
  multiply(0);
  result.relative_error = relative_error(weight, a, c, std::min(options.m, kCheckedRows));
  for (int64_t i = 0; i < std::min<int64_t>(num_copies, 16); ++i) multiply(i);
  std::vector<double> times;
  const auto start = Clock::now();
  for (int64_t i = 0; times.size() < 5 || seconds_since(start) < options.min_seconds; ++i) {
    const auto product_start = Clock::now();
    multiply(i);
    times.push_back(seconds_since(product_start));
  }
  result.kernel_name = copies.front()->kernel_name();
  result.repeats = std::ssize(times);
  result.seconds = median(times);
  result.weight_bytes = size_bytes;
  result.bytes_per_s = static_cast<double>(size_bytes) / result.seconds;
  result.multiply_adds_per_s =
      static_cast<double>(options.m) * static_cast<double>(options.n * options.k) / result.seconds;
  return result;
}

}  // namespace anybit::kernel

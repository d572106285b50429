// Roundings a second of round_array(), on one core, over an array that fits the second-level cache.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "anybit/base/philox.h"
#include "anybit/numeric/emulation/round_array.h"

namespace {

using namespace anybit::numeric;

constexpr int64_t kCount = 1 << 15;

// Normally distributed, so that some values are subnormal in the narrow formats.
template <class Real>
std::vector<Real> normal_values() {
  std::vector<Real> values(kCount);
  for (int64_t i = 0; i < kCount; ++i) {
    values[i] = static_cast<Real>(anybit::Philox(1).normal(static_cast<uint64_t>(i)));
  }
  return values;
}

template <class Real>
void round_array_rate(benchmark::State& state, const std::string& format, EmulatedMode mode) {
  EmulatedRounding rounding;
  rounding.format = parse_element_format(format).value();
  rounding.mode = mode;
  const std::vector<Real> values = normal_values<Real>();
  std::vector<Real> out(kCount);
  for (auto _ : state) {
    round_array(values, rounding, out);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kCount);
}

void encode_rate(benchmark::State& state, const std::string& format) {
  const ElementFormat element = parse_element_format(format).value();
  const std::vector<double> values = normal_values<double>();
  for (auto _ : state) {
    uint32_t sum = 0;
    for (const double x : values) sum += encode(element, x);
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * kCount);
}

struct NamedMode {
  const char* name;
  EmulatedMode mode;
};
constexpr NamedMode kModes[] = {{"nearest_even", EmulatedMode::kNearestEven},
                                {"toward_zero", EmulatedMode::kTowardZero},
                                {"to_odd", EmulatedMode::kToOdd},
                                {"stochastic", EmulatedMode::kStochastic}};

}  // namespace

int main(int argc, char** argv) {
  for (const std::string format : {"e4m3", "e5m2", "e2m1", "bf16", "f16", "int8", "posit8_1"}) {
    for (const NamedMode& mode : kModes) {
      const std::string tail = format + "/" + mode.name;
      benchmark::RegisterBenchmark(("float/" + tail).c_str(), [=](benchmark::State& state) {
        round_array_rate<float>(state, format, mode.mode);
      });
      benchmark::RegisterBenchmark(("double/" + tail).c_str(), [=](benchmark::State& state) {
        round_array_rate<double>(state, format, mode.mode);
      });
    }
    benchmark::RegisterBenchmark(("encode/" + format).c_str(),
                                 [=](benchmark::State& state) { encode_rate(state, format); });
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}

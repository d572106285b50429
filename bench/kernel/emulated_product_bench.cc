// Multiply-adds a second of the emulated products beside the f32 product of the same operands, one
// thread, and how far each result is from the product in double (relative to its norm).
#include <benchmark/benchmark.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "anybit/base/philox.h"
#include "anybit/kernel/matmul/matmul.h"
#include "anybit/numeric/emulation/approximate_normalization.h"
#include "anybit/numeric/emulation/lmul.h"

namespace {

using namespace anybit;

constexpr int64_t kM = 16, kN = 256, kK = 512;

std::vector<float> normal_values(uint64_t seed, int64_t count) {
  const Philox random(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

struct Operands {
  std::vector<float> a = normal_values(1, kM* kK);       // [m, k]
  std::vector<float> b = normal_values(2, kK* kN);       // [k, n]
  std::vector<float> bt = std::vector<float>(b.size());  // [n, k]

  Operands() {
    for (int64_t i = 0; i < kK; ++i) {
      for (int64_t j = 0; j < kN; ++j) bt[j * kK + i] = b[i * kN + j];
    }
  }
};

double relative_error(const Operands& operands, const std::vector<float>& c) {
  double error = 0, norm = 0;
  for (int64_t row = 0; row < kM; ++row) {
    for (int64_t col = 0; col < kN; ++col) {
      double sum = 0;
      for (int64_t i = 0; i < kK; ++i) {
        sum += double{operands.a[row * kK + i]} * operands.b[i * kN + col];
      }
      error += (c[row * kN + col] - sum) * (c[row * kN + col] - sum);
      norm += sum * sum;
    }
  }
  return std::sqrt(error / norm);
}

using Product = std::function<void(const Operands&, std::vector<float>&)>;

void product_rate(benchmark::State& state, const Product& product) {
  const Operands operands;
  std::vector<float> c(kM * kN);
  for (auto _ : state) {
    product(operands, c);
    benchmark::DoNotOptimize(c.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kM * kN * kK);
  state.counters["relative_error"] = relative_error(operands, c);
}

Product f32_product() {
  const Operands operands;
  const std::shared_ptr<kernel::PackedMatrix> packed =
      kernel::pack(tensor::dense_f32(operands.bt, kN, kK), {}).value();
  return [packed](const Operands& x, std::vector<float>& c) {
    packed->matmul(x.a.data(), kM, c.data(), {});
  };
}

Product lmul_product(int mantissa_bits) {
  return [mantissa_bits](const Operands& x, std::vector<float>& c) {
    numeric::lmul_matmul(x.a, x.b, kM, kN, kK, numeric::lmul_of_bits(mantissa_bits), c);
  };
}

Product approximate_product(const numeric::ApproximateNormalization& normalization) {
  return [normalization](const Operands& x, std::vector<float>& c) {
    numeric::approximate_matmul(x.a, x.b, kM, kN, kK, normalization, c);
  };
}

}  // namespace

int main(int argc, char** argv) {
  const auto add = [](const std::string& name, const Product& product) {
    benchmark::RegisterBenchmark(
        name.c_str(), [product](benchmark::State& state) { product_rate(state, product); });
  };
  add("f32", f32_product());
  for (const int bits : {23, 7, 4, 3}) {
    add("lmul/mantissa_bits:" + std::to_string(bits), lmul_product(bits));
  }
  add("approximate_normalization/exact", approximate_product({}));
  add("approximate_normalization/k:1,lambda:1", approximate_product({.k = 1, .lambda = 1}));
  add("approximate_normalization/k:1,lambda:2", approximate_product({.k = 1, .lambda = 2}));
  add("approximate_normalization/k:2,lambda:2", approximate_product({.k = 2, .lambda = 2}));
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}

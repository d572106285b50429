// Dense matrix products on the tensor cores.
#include <cmath>

#include "anybit/base/philox.h"
#include "anybit/kernel/matmul/dense_program.h"
#include "gpu_case.h"

namespace anybit::bench {
namespace {

GpuCase dense_case(int64_t m, int64_t n, int64_t k, const kernel::DenseSchedule& schedule) {
  GpuCase c{fmt::format("dense f16 mma, m={} n={} k={}, tile {}x{}x{}, {} warps, {} stages", m, n,
                        k, schedule.tile_m, schedule.tile_n, schedule.tile_k, schedule.num_warps,
                        schedule.num_stages),
            kernel::dense_matmul_program(numeric::kF16, schedule),
            {},
            {},
            2 * (m * k + n * k + m * n),
            2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k)};
  c.arguments = {input_buffer(bytes_of(random_halves(m * k, 12))),
                 input_buffer(bytes_of(random_halves(n * k, 13))),
                 output_buffer(2 * m * n),
                 scalar_i32(m),
                 scalar_i32(n),
                 scalar_i32(k)};
  c.check = [=](const std::vector<std::vector<std::byte>>& b) -> std::string {
    const auto a = elements_of<uint16_t>(b[0]), w = elements_of<uint16_t>(b[1]);
    const auto y = elements_of<uint16_t>(b[2]);
    for (size_t i = 0; i < y.size(); ++i) {
      if (std::isnan(half_value(y[i]))) return fmt::format("element {} was not written", i);
    }
    const Philox random(14);
    for (uint64_t sample = 0; sample < 4000; ++sample) {
      const auto row = static_cast<int64_t>(random.bits64(2 * sample) % static_cast<uint64_t>(m));
      const auto column =
          static_cast<int64_t>(random.bits64(2 * sample + 1) % static_cast<uint64_t>(n));
      double sum = 0, magnitude = 0;
      for (int64_t p = 0; p < k; ++p) {
        const double term = double{half_value(a[row * k + p])} * half_value(w[column * k + p]);
        sum += term;
        magnitude += std::abs(term);
      }
      const double found = half_value(y[row * n + column]);
      // Rounding to f16, and one rounding (twice an ulp: tensor cores truncate) a step of 16.
      const double allowed =
          std::abs(sum) * 0x1p-11 + magnitude * static_cast<double>(k) / 16 * 0x1p-23;
      if (!(std::abs(found - sum) <= allowed)) {
        return fmt::format("({}, {}): {} instead of {}, allowed {}", row, column, found, sum,
                           allowed);
      }
    }
    return "";
  };
  return c;
}

}  // namespace

std::vector<std::function<GpuCase()>> matmul_cases() {
  return {
      [] {
        return dense_case(8192, 8192, 8192, {128, 128, 32, 4, 4});
      },
      [] {
        return dense_case(8192, 8192, 8192, {128, 128, 64, 3, 4});
      },
      [] {
        return dense_case(8192, 8192, 8192, {128, 256, 32, 4, 8});
      },
      [] {
        return dense_case(8192, 8192, 8192, {128, 256, 64, 3, 8});
      },
      [] {
        return dense_case(1000, 1000, 1024, {128, 128, 32, 4, 4});
      },
      [] {
        return dense_case(17, 72, 96, {64, 64, 32, 3, 4});
      },
  };
}

}  // namespace anybit::bench

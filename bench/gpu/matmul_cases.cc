// Dense matrix products on the tensor cores.
#include <cmath>
#include <map>

#include "anybit/base/philox.h"
#include "anybit/kernel/matmul/dense_program.h"
#include "anybit/kernel/matmul/wgmma_program.h"
#include "gpu_case.h"

namespace anybit::bench {
namespace {

/// f16 operands [rows, k]; the last that was asked for is kept, for cases follow each other.
std::vector<std::byte> operand(int64_t rows, int64_t k, uint64_t seed) {
  static std::map<uint64_t, std::pair<int64_t, std::vector<std::byte>>> kept;
  auto& [count, bytes] = kept[seed];
  if (count != rows * k) {
    count = rows * k;
    bytes = bytes_of(random_halves(count, seed));
  }
  return bytes;
}

/// c[m, n] = a[m, k] . b[n, k]^T by a program with the parameters a, b, c, m, n, k.
GpuCase product_case(std::string name, Result<vm::Program> program, int64_t m, int64_t n,
                     int64_t k) {
  GpuCase c{std::move(name),
            std::move(program),
            {},
            {},
            2 * (m * k + n * k + m * n),
            2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k)};
  c.arguments = {input_buffer(operand(m, k, 12)),
                 input_buffer(operand(n, k, 13)),
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

GpuCase dense_case(int64_t m, int64_t n, int64_t k, const kernel::DenseSchedule& schedule) {
  return product_case(
      fmt::format("dense f16 mma, m={} n={} k={}, tile {}x{}x{}, {} warps, {} stages", m, n, k,
                  schedule.tile_m, schedule.tile_n, schedule.tile_k, schedule.num_warps,
                  schedule.num_stages),
      kernel::dense_matmul_program(numeric::kF16, schedule), m, n, k);
}

constexpr int64_t kMultiprocessors = 132;  // Of the H100 and H200 SXM.

GpuCase wgmma_case(int64_t m, int64_t n, int64_t k, const kernel::WgmmaSchedule& schedule) {
  GpuCase c = product_case(
      fmt::format("dense f16 wgmma, m={} n={} k={}, tile {}x{}x{}, {} stages, groups of {}", m, n,
                  k, schedule.tile_m(), schedule.tile_n, schedule.tile_k, schedule.num_stages,
                  schedule.group_m),
      kernel::wgmma_matmul_program(numeric::kF16, schedule), m, n, k);
  c.arguments.push_back(scalar_i32(kMultiprocessors));
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

std::vector<std::function<GpuCase()>> wgmma_cases() {
  const auto large = [](const kernel::WgmmaSchedule& schedule) {
    return [schedule] { return wgmma_case(8192, 8192, 8192, schedule); };
  };
  return {
      [] { return wgmma_case(17, 72, 96, {}); },
      [] { return wgmma_case(1000, 1000, 1032, {}); },
      large({.group_m = 16}),
      large({.group_m = 8}),
      large({.group_m = 32}),
      large({.num_stages = 3}),
      large({.tile_n = 192, .num_stages = 4}),
      large({.tile_n = 128, .num_stages = 5}),
      [] { return wgmma_case(4096, 4096, 4096, {}); },
  };
}

}  // namespace anybit::bench

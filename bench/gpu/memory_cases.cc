// Kernels that are bound by memory: copies, rows, groups, reductions.
#include <algorithm>
#include <bit>
#include <cmath>

#include "anybit/kernel/copy/copy_program.h"
#include "anybit/kernel/hadamard/hadamard_program.h"
#include "anybit/kernel/histogram/histogram_program.h"
#include "anybit/kernel/norm/rms_norm_program.h"
#include "anybit/kernel/quantize/group_quantize_program.h"
#include "anybit/kernel/reduce/sum_program.h"
#include "anybit/kernel/softmax/softmax_program.h"
#include "anybit/numeric/packing.h"
#include "gpu_case.h"

namespace anybit::bench {
namespace {

using Buffers = std::vector<std::vector<std::byte>>;

GpuCase copy_case() {
  const int64_t n = 1 << 25;
  GpuCase c{"copy, 128 MiB", kernel::copy_program(), {}, {}, 8 * n};
  c.make_arguments = [=] {
    return std::vector<GpuArgument>{input_buffer(random_bytes(4 * n, 1)), output_buffer(4 * n),
                                    scalar_i32(n)};
  };
  c.check = [](const Buffers& b) { return b[0] == b[1] ? "" : "the copy differs"; };
  return c;
}

GpuCase transpose_case(const numeric::ElementFormat& element) {
  const int64_t rows = 8192, columns = 4096, bytes = element.bits / 8;
  GpuCase c{fmt::format("transpose, {} [8192, 4096]", vm::tile_element_name(element)),
            kernel::transpose_program(element),
            {},
            {},
            2 * rows * columns * bytes};
  c.make_arguments = [=] {
    return std::vector<GpuArgument>{input_buffer(random_bytes(rows * columns * bytes, 2)),
                                    output_buffer(rows * columns * bytes), scalar_i32(rows),
                                    scalar_i32(columns)};
  };
  c.check = [=](const Buffers& b) -> std::string {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        if (std::memcmp(b[0].data() + (i * columns + j) * bytes,
                        b[1].data() + (j * rows + i) * bytes, static_cast<size_t>(bytes)) != 0) {
          return fmt::format("element ({}, {}) differs", j, i);
        }
      }
    }
    return "";
  };
  return c;
}

/// Compares f16 results of some rows with a computation in double.
std::string compare_rows(const std::vector<uint16_t>& in, const std::vector<uint16_t>& out,
                         int64_t rows, int64_t columns, double tolerance,
                         const std::function<std::vector<double>(const std::vector<double>&)>& f) {
  for (int64_t r = 0; r < rows; r += std::max<int64_t>(1, rows / 37)) {
    std::vector<double> row;
    for (int64_t j = 0; j < columns; ++j) row.push_back(half_value(in[r * columns + j]));
    const std::vector<double> expected = f(row);
    double scale = 0;
    for (const double value : expected) scale = std::max(scale, std::abs(value));
    for (int64_t j = 0; j < columns; ++j) {
      const double found = half_value(out[r * columns + j]);
      // Half an ulp of f16 (2^-11 relative, 2^-25 absolute), and f32's own rounding.
      const double allowed =
          std::abs(expected[j]) * (0x1p-11 + tolerance) + 0x1p-25 + scale * tolerance;
      if (!(std::abs(found - expected[j]) <= allowed)) {
        return fmt::format("row {}, column {}: {} instead of {}", r, j, found, expected[j]);
      }
    }
  }
  return "";
}

GpuCase softmax_case() {
  const int64_t rows = 8192, columns = 4096;
  GpuCase c{"softmax, f16 [8192, 4096]",
            kernel::softmax_program(numeric::kF16, columns),
            {},
            {},
            4 * rows * columns};
  c.make_arguments = [=] {
    return std::vector<GpuArgument>{input_buffer(bytes_of(random_halves(rows * columns, 3))),
                                    output_buffer(2 * rows * columns), scalar_i32(rows)};
  };
  c.check = [=](const Buffers& b) {
    return compare_rows(elements_of<uint16_t>(b[0]), elements_of<uint16_t>(b[1]), rows, columns,
                        64 * 0x1p-24, [](const std::vector<double>& x) {
                          const double largest = *std::max_element(x.begin(), x.end());
                          std::vector<double> y;
                          double sum = 0;
                          for (const double v : x) sum += y.emplace_back(std::exp(v - largest));
                          for (double& v : y) v /= sum;
                          return y;
                        });
  };
  return c;
}

GpuCase rms_norm_case() {
  const int64_t rows = 8192, columns = 4096;
  GpuCase c{"RMSNorm, f16 [8192, 4096]",
            kernel::rms_norm_program(numeric::kF16, columns),
            {},
            {},
            4 * rows * columns + 2 * columns};
  const std::vector<uint16_t> weight = random_halves(columns, 5);
  c.make_arguments = [=] {
    return std::vector<GpuArgument>{
        input_buffer(bytes_of(random_halves(rows * columns, 4))), input_buffer(bytes_of(weight)),
        output_buffer(2 * rows * columns), scalar_i32(rows), scalar_f32(1e-5F)};
  };
  c.check = [=](const Buffers& b) {
    return compare_rows(elements_of<uint16_t>(b[0]), elements_of<uint16_t>(b[2]), rows, columns,
                        64 * 0x1p-24, [&](const std::vector<double>& x) {
                          double squares = 0;
                          for (const double v : x) squares += v * v;
                          const double scale =
                              1 / std::sqrt(squares / static_cast<double>(columns) + 1e-5);
                          std::vector<double> y;
                          for (size_t j = 0; j < x.size(); ++j) {
                            y.push_back(x[j] * scale * half_value(weight[j]));
                          }
                          return y;
                        });
  };
  return c;
}

GpuCase hadamard_case() {
  const int64_t rows = 8192, columns = 4096;
  GpuCase c{"Hadamard, f16 [8192, 4096]",
            kernel::hadamard_program(numeric::kF16, columns),
            {},
            {},
            4 * rows * columns};
  c.make_arguments = [=] {
    return std::vector<GpuArgument>{input_buffer(bytes_of(random_halves(rows * columns, 6))),
                                    output_buffer(2 * rows * columns), scalar_i32(rows)};
  };
  c.check = [=](const Buffers& b) {
    return compare_rows(elements_of<uint16_t>(b[0]), elements_of<uint16_t>(b[1]), rows, columns,
                        16 * 0x1p-24, [](std::vector<double> x) {
                          const size_t n = x.size();
                          for (size_t stride = 1; stride < n; stride *= 2) {
                            for (size_t i = 0; i < n; ++i) {
                              if ((i & stride) != 0) continue;
                              const double u = x[i], v = x[i + stride];
                              x[i] = u + v;
                              x[i + stride] = u - v;
                            }
                          }
                          for (double& v : x) v /= std::sqrt(static_cast<double>(n));
                          return x;
                        });
  };
  return c;
}

GpuCase sum_case() {
  const int64_t n = 1 << 25;
  GpuCase c{"sum, f32 128 MiB", kernel::sum_program(), {}, {}, 4 * n};
  c.make_arguments = [=] {
    std::vector<float> x(static_cast<size_t>(n));
    const std::vector<uint16_t> halves = random_halves(n, 8);
    for (size_t i = 0; i < x.size(); ++i) x[i] = half_value(halves[i]);
    return std::vector<GpuArgument>{input_buffer(bytes_of(x)),
                                    state_buffer(bytes_of(std::vector<float>{0})), scalar_i32(n)};
  };
  c.check = [n](const Buffers& b) -> std::string {
    double sum = 0, magnitude = 0;
    for (const float v : elements_of<float>(b[0])) {
      sum += v;
      magnitude += std::abs(v);
    }
    // Each element passes through 16 additions in its thread, 9 between threads, and the CTAs'.
    const double allowed = magnitude * (16 + 9 + static_cast<double>(n) / 65536) * 0x1p-24;
    const double found = elements_of<float>(b[1])[0];
    if (std::abs(found - sum) <= allowed) return "";
    return fmt::format("{} instead of {}, allowed {}", found, sum, allowed);
  };
  return c;
}

GpuCase histogram_case() {
  const int64_t n = 1 << 27;
  GpuCase c{"histogram, 128 MiB of bytes", kernel::histogram_program(), {}, {}, n};
  c.make_arguments = [=] {
    return std::vector<GpuArgument>{input_buffer(random_bytes(n, 9)),
                                    state_buffer(bytes_of(std::vector<int32_t>(256, 0))),
                                    scalar_i32(n)};
  };
  c.check = [](const Buffers& b) -> std::string {
    std::vector<int32_t> counts(256, 0);
    for (const std::byte byte : b[0]) ++counts[static_cast<size_t>(byte)];
    return counts == elements_of<int32_t>(b[1]) ? "" : "the counts differ";
  };
  return c;
}

/// 2^floor(log2(x)) of a positive normal float.
float floor_power(float x) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0x7f800000U);
}

GpuCase quantize_case(const std::string& name, const kernel::GroupFormat& format) {
  const int64_t n = 1 << 25, groups = n / format.group_size;
  const int64_t code_bytes = numeric::packed_size_bytes(n, format.element.bits);
  const int64_t scale_bytes = numeric::packed_size_bytes(groups, format.scale.bits);
  GpuCase c{fmt::format("quantize to {}, f16 64 MiB", name),
            kernel::group_quantize_program(format),
            {},
            {},
            2 * n + code_bytes + scale_bytes};
  c.make_arguments = [=] {
    return std::vector<GpuArgument>{input_buffer(bytes_of(random_halves(n, 10))),
                                    output_buffer(code_bytes), output_buffer(scale_bytes),
                                    scalar_i32(n), scalar_f32(1.0F)};
  };
  c.check = [=](const Buffers& b) -> std::string {
    const std::vector<uint16_t> x = elements_of<uint16_t>(b[0]);
    const auto largest = static_cast<float>(numeric::max_finite(format.element));
    for (int64_t g = 0; g < groups; g += 61) {
      float amax = 0;
      for (int64_t i = 0; i < format.group_size; ++i) {
        amax = std::max(amax, std::abs(half_value(x[g * format.group_size + i])));
      }
      const float wanted = format.rule == kernel::GroupScaleRule::kRatio
                               ? amax * (1.0F / largest)
                               : floor_power(amax) / floor_power(largest);
      const uint32_t scale_code = numeric::encode(format.scale, wanted);
      if (numeric::unpack_code(b[2], format.scale.bits, g) != scale_code) {
        return fmt::format("scale {} is {} instead of {}", g,
                           numeric::unpack_code(b[2], format.scale.bits, g), scale_code);
      }
      auto scale = static_cast<float>(numeric::decode(format.scale, scale_code));
      if (scale == 0) scale = 1;
      for (int64_t i = g * format.group_size; i < (g + 1) * format.group_size; ++i) {
        const uint32_t code = numeric::encode(format.element, half_value(x[i]) / scale);
        if (numeric::unpack_code(b[1], format.element.bits, i) != code) {
          return fmt::format("code {} is {} instead of {}", i,
                             numeric::unpack_code(b[1], format.element.bits, i), code);
        }
      }
    }
    return "";
  };
  return c;
}

}  // namespace

std::vector<std::function<GpuCase()>> memory_cases() {
  using kernel::GroupScaleRule;
  return {
      copy_case,
      [] { return transpose_case(numeric::kF32); },
      [] { return transpose_case(numeric::kF16); },
      softmax_case,
      rms_norm_case,
      hadamard_case,
      sum_case,
      histogram_case,
      [] {
        return quantize_case("int4_g32",
                             {numeric::int_format(4), numeric::kF16, 32, GroupScaleRule::kRatio});
      },
      [] {
        return quantize_case("mxfp4",
                             {numeric::kE2M1, numeric::kE8M0, 32, GroupScaleRule::kPowerOfTwo});
      },
      [] {
        return quantize_case("nvfp4", {numeric::kE2M1, numeric::kE4M3, 16, GroupScaleRule::kRatio});
      }};
}

}  // namespace anybit::bench

// The kernels that are written as VM programs, on small sizes: the CUDA text under emulation gives
// the bits of the reference, every output is written, and the simple ones are compared with plain
// loops. tools/gpu_check.sh compares them with double precision on a GPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <variant>

#include "anybit/base/philox.h"
#include "anybit/kernel/cast/cast_program.h"
#include "anybit/kernel/copy/copy_program.h"
#include "anybit/kernel/hadamard/hadamard_program.h"
#include "anybit/kernel/histogram/histogram_program.h"
#include "anybit/kernel/matmul/dense_program.h"
#include "anybit/kernel/matmul/wgmma_program.h"
#include "anybit/kernel/norm/rms_norm_program.h"
#include "anybit/kernel/quantize/group_quantize_program.h"
#include "anybit/kernel/reduce/sum_program.h"
#include "anybit/kernel/softmax/softmax_program.h"
#include "anybit/vm/backend/run.h"
#include "tests/support/aligned_memory.h"

namespace anybit::vm::testing {
namespace {

using Memory = anybit::testing::AlignedMemory;

Memory halves(size_t count, uint64_t seed) {
  Memory memory(2 * count);
  const Philox random(seed);
  for (size_t i = 0; i < count; ++i) {
    memory.as<uint16_t>()[i] =
        static_cast<uint16_t>(numeric::encode(numeric::kF16, random.normal(i)));
  }
  return memory;
}

Memory random_bytes(size_t count, uint64_t seed) {
  Memory memory(count);
  const Philox random(seed);
  for (size_t i = 0; i < count; ++i) {
    memory.as<uint8_t>()[i] = static_cast<uint8_t>(random.bits64(i));
  }
  return memory;
}

Memory zeros(size_t count) {
  Memory memory(count);
  std::memset(memory.span().data(), 0, count);
  return memory;
}

using Argument = std::variant<Memory, int32_t, float>;

/// Runs on both backends from the same contents; compares every buffer, and returns the
/// reference's.
std::vector<Memory> run_both(const Result<Program>& program, const std::vector<Argument>& given) {
  EXPECT_TRUE(program.has_value()) << program.error().message;
  std::vector<std::vector<Memory>> results;
  for (const Backend backend : {Backend::kReference, Backend::kEmulated}) {
    std::vector<Memory> memories;
    for (const Argument& argument : given) {
      if (argument.index() == 0) memories.push_back(std::get<Memory>(argument));
    }
    std::vector<LaunchArgument> arguments;
    size_t next = 0;
    for (const Argument& argument : given) {
      if (argument.index() == 0) arguments.emplace_back(memories[next++].span());
      if (argument.index() == 1) arguments.emplace_back(std::get<int32_t>(argument));
      if (argument.index() == 2) arguments.emplace_back(std::get<float>(argument));
    }
    const Status status = run_program(backend, *program, arguments);
    EXPECT_TRUE(status.has_value()) << status.error().message;
    results.push_back(std::move(memories));
  }
  for (size_t i = 0; i < results[0].size(); ++i) {
    const auto a = results[0][i].span(), b = results[1][i].span();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()))
        << "buffer " << i << " differs between the backends";
  }
  return std::move(results[0]);
}

TEST(Kernels, Copy) {
  auto out = run_both(kernel::copy_program(), {random_bytes(20000, 1), Memory(20000), 5000});
  EXPECT_TRUE(std::ranges::equal(out[0].span(), out[1].span()));
}

TEST(Kernels, Transpose) {
  auto out = run_both(kernel::transpose_program(numeric::kF16),
                      {random_bytes(2 * 128 * 64, 2), Memory(2 * 128 * 64), 128, 64});
  for (size_t i = 0; i < 128; ++i) {
    for (size_t j = 0; j < 64; ++j) {
      ASSERT_EQ(out[0].as<uint16_t>()[i * 64 + j], out[1].as<uint16_t>()[j * 128 + i]);
    }
  }
}

TEST(Kernels, Casts) {
  // Formats without NaN, whose bits may differ.
  for (const char* name : {"int4", "e3m2", "uint3", "e2m1", "e4m3fin", "int7"}) {
    const auto format = *numeric::parse_element_format(name);
    const auto n = static_cast<size_t>(8192 + 32), packed = n * format.bits / 8;
    run_both(kernel::cast_program(format, numeric::kF16),
             {random_bytes(packed, 3), Memory(2 * n), static_cast<int32_t>(n)});
    run_both(kernel::cast_program(numeric::kF16, format),
             {halves(n, 4), Memory(packed), static_cast<int32_t>(n)});
  }
}

TEST(Kernels, Softmax) {
  auto out =
      run_both(kernel::softmax_program(numeric::kF16, 1024), {halves(2048, 5), Memory(4096), 2});
  double sum = 0;
  for (size_t j = 0; j < 1024; ++j) sum += numeric::decode(numeric::kF16, out[1].as<uint16_t>()[j]);
  EXPECT_NEAR(sum, 1, 1024 * 0x1p-25 + 0x1p-11);  // Half an ulp of each element, f16's own ulp.
}

TEST(Kernels, RmsNorm) {
  auto out = run_both(kernel::rms_norm_program(numeric::kF16, 1024),
                      {halves(2048, 6), halves(1024, 7), Memory(4096), 2, 1e-5F});
  double squares = 0;
  for (size_t j = 0; j < 1024; ++j) {
    const double x = numeric::decode(numeric::kF16, out[0].as<uint16_t>()[j]);
    squares += x * x;
  }
  for (size_t j = 0; j < 1024; ++j) {
    const double expected = numeric::decode(numeric::kF16, out[0].as<uint16_t>()[j]) *
                            numeric::decode(numeric::kF16, out[1].as<uint16_t>()[j]) /
                            std::sqrt(squares / 1024 + 1e-5);
    EXPECT_NEAR(numeric::decode(numeric::kF16, out[2].as<uint16_t>()[j]), expected,
                std::abs(expected) * (0x1p-11 + 0x1p-18) + 0x1p-25);
  }
}

TEST(Kernels, Hadamard) {
  auto out =
      run_both(kernel::hadamard_program(numeric::kF16, 256), {halves(512, 8), Memory(1024), 2});
  double first = 0;
  for (size_t j = 0; j < 256; ++j)
    first += numeric::decode(numeric::kF16, out[0].as<uint16_t>()[j]);
  EXPECT_NEAR(numeric::decode(numeric::kF16, out[1].as<uint16_t>()[0]), first / 16,
              std::abs(first) / 16 * 0x1p-11 + 256 * 0x1p-22);
}

TEST(Kernels, Histogram) {
  auto out = run_both(kernel::histogram_program(), {random_bytes(10000, 9), zeros(1024), 10000});
  std::vector<int32_t> counts(256, 0);
  for (const uint8_t byte : out[0].as<uint8_t>()) ++counts[byte];
  EXPECT_TRUE(std::ranges::equal(out[1].as<int32_t>(), counts));
}

TEST(Kernels, Sum) {
  Memory numbers(4 * 4096);
  for (size_t i = 0; i < 4096; ++i) numbers.as<float>()[i] = static_cast<float>(i % 64);
  auto out = run_both(kernel::sum_program(), {numbers, zeros(4), 4096});
  EXPECT_EQ(out[1].as<float>()[0], 64 * 2016);  // Exact: integers below 2^24.
}

TEST(Kernels, GroupQuantization) {
  using kernel::GroupScaleRule;
  const kernel::GroupFormat formats[] = {
      {numeric::int_format(4), numeric::kF16, 32, GroupScaleRule::kRatio},
      {numeric::kE2M1, numeric::kE8M0, 32, GroupScaleRule::kPowerOfTwo},
      {numeric::kE2M1, numeric::kE4M3, 16, GroupScaleRule::kRatio}};
  for (const kernel::GroupFormat& format : formats) {
    const size_t n = 8192, groups = n / static_cast<size_t>(format.group_size);
    run_both(kernel::group_quantize_program(format),
             {halves(n, 10), Memory(n / 2), Memory(groups * format.scale.bits / 8),
              static_cast<int32_t>(n), 1.0F});
  }
}

/// c[m, n] = a[m, k] . b[n, k]^T, the first three of `buffers`, in f16.
void expect_product(std::vector<Memory>& buffers, int32_t m, int32_t n, int32_t k) {
  for (int32_t i = 0; i < m; ++i) {
    for (int32_t j = 0; j < n; ++j) {
      double sum = 0, magnitude = 0;
      for (int32_t p = 0; p < k; ++p) {
        const double term = numeric::decode(numeric::kF16, buffers[0].as<uint16_t>()[i * k + p]) *
                            numeric::decode(numeric::kF16, buffers[1].as<uint16_t>()[j * k + p]);
        sum += term;
        magnitude += std::abs(term);
      }
      ASSERT_NEAR(numeric::decode(numeric::kF16, buffers[2].as<uint16_t>()[i * n + j]), sum,
                  std::abs(sum) * 0x1p-11 + magnitude * k * 0x1p-24)
          << i << ", " << j;
    }
  }
}

TEST(Kernels, DenseProductOfRaggedSizes) {
  const int32_t m = 17, n = 72, k = 96;
  auto out = run_both(kernel::dense_matmul_program(numeric::kF16, {64, 64, 32, 3, 4}),
                      {halves(static_cast<size_t>(m) * k, 11),
                       halves(static_cast<size_t>(n) * k, 12), Memory(size_t{2} * m * n), m, n, k});
  expect_product(out, m, n, k);
}

TEST(Kernels, WgmmaProductOfRaggedSizes) {
  const int32_t m = 200, n = 72, k = 104, max_ctas = 3;
  const kernel::WgmmaSchedule schedule = {
      .num_consumers = 2, .tile_n = 64, .tile_k = 32, .num_stages = 3, .group_m = 3};
  auto out =
      run_both(kernel::wgmma_matmul_program(numeric::kF16, schedule),
               {halves(static_cast<size_t>(m) * k, 13), halves(static_cast<size_t>(n) * k, 14),
                Memory(size_t{2} * m * n), m, n, k, max_ctas});
  expect_product(out, m, n, k);
}

}  // namespace
}  // namespace anybit::vm::testing

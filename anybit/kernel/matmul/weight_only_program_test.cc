#include "anybit/kernel/matmul/weight_only_program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "anybit/base/philox.h"
#include "anybit/kernel/matmul/random_weight.h"
#include "anybit/kernel/matmul/weight_only_pack.h"
#include "anybit/numeric/packing.h"
#include "anybit/vm/backend/run.h"

namespace anybit::kernel {
namespace {

using numeric::ElementFormat;
using numeric::kBF16;
using numeric::kF16;
using numeric::kF32;
using tensor::QuantizedTensor;
using vm::Backend;

struct Problem {
  std::string scheme;
  int64_t m, n, k;
  ElementFormat activation = kF16;
  ElementFormat output = kF16;
  bool has_bias = false;
  WeightOnlySchedule schedule = {};  // Its tile's depth follows from the format.
};

/// Numbers as codes of `format`, packed.
std::vector<std::byte> encoded(const ElementFormat& format, const std::vector<double>& values) {
  std::vector<uint32_t> codes;
  for (const double value : values) codes.push_back(numeric::encode(format, value));
  std::vector<std::byte> bytes(codes.size() * format.bits / 8);
  numeric::pack_codes(codes, format.bits, bytes);
  return bytes;
}

std::vector<double> decoded(const ElementFormat& format, const std::vector<std::byte>& bytes) {
  std::vector<uint32_t> codes(bytes.size() * 8 / format.bits);
  numeric::unpack_codes(bytes, format.bits, codes);
  std::vector<double> values;
  for (const uint32_t code : codes) values.push_back(numeric::decode(format, code));
  return values;
}

std::vector<double> normal_numbers(const ElementFormat& format, int64_t count, uint64_t seed) {
  const Philox random(seed);
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(numeric::decode(format, numeric::encode(format, random.normal(i))));
  }
  return values;
}

double epsilon(const ElementFormat& format) { return std::ldexp(1.0, -format.mantissa_bits - 1); }

/// Whether every code of the weight becomes a number of the activation's format exactly.
bool is_exact(const WeightOnlyFormat& f) {
  if (f.element.kind == numeric::ElementKind::kCodebook) return false;
  const auto as = decoded_element(f);
  for (uint32_t code = 0; code < f.element.num_codes(); ++code) {
    const double value = numeric::decode(as->element, code);
    if (!std::isfinite(value)) continue;
    if (numeric::decode(f.activation, numeric::encode(f.activation, value)) != value) return false;
  }
  return true;
}

/// A weight, activations, and what must come out within which error.
struct Expected {
  std::vector<double> y, allowed;  // [m, n]
};

Expected expect(const Problem& p, const WeightOnlyFormat& f, const QuantizedTensor& weight,
                const std::vector<double>& a, const std::vector<double>& bias) {
  const std::vector<float> scales = tensor::decode_scales(weight);
  const double cast = is_exact(f) ? 0 : epsilon(f.activation);
  Expected expected;
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      double sum = 0, magnitude = 0;
      for (int64_t q = 0; q < p.k; ++q) {
        const uint32_t code =
            numeric::unpack_code(weight.codes.bytes(), f.element.bits, j * p.k + q);
        const double value = weight.codebook.empty() ? numeric::decode(f.element, code)
                                                     : double{weight.codebook[code]};
        double scale = weight.tensor_scale, zero = 0;
        if (!scales.empty()) {
          const int64_t s = numeric::scale_index(weight.scheme, p.n, p.k, j, q);
          scale *= scales[static_cast<size_t>(s)];
          if (f.has_zero_point) {
            zero = numeric::unpack_code(weight.zero_points.bytes(), f.element.bits, s);
          }
        }
        const double factor = a[static_cast<size_t>(i * p.k + q)] * scale;
        sum += factor * (value - zero);
        magnitude += std::abs(factor) * (std::abs(value) + zero);
      }
      if (f.has_bias) sum += bias[static_cast<size_t>(j)];
      // One rounding of f32 for every product and a few for every group, warp and the epilogue.
      const double roundings = 2.0 * static_cast<double>(p.k) + 40;
      expected.y.push_back(sum);
      expected.allowed.push_back((roundings * 0x1p-24 + cast) * magnitude +
                                 1.01 * epsilon(f.output) * std::abs(sum) +
                                 numeric::min_positive(f.output));
    }
  }
  return expected;
}

void check(Backend backend, Problem p) {
  SCOPED_TRACE(fmt::format("{} m={} n={} k={} {}", p.scheme, p.m, p.n, p.k,
                           numeric::element_name(p.activation)));
  const auto scheme = numeric::parse_scheme(p.scheme);
  ASSERT_TRUE(scheme.has_value()) << scheme.error().message;
  const auto format = weight_only_format(*scheme, p.k, p.activation, p.output, p.has_bias);
  ASSERT_TRUE(format.has_value()) << format.error().message;
  p.schedule.tile = weight_tile(*format, p.schedule.tile.rows);
  const auto weight = random_weight(*scheme, p.n, p.k, 5);
  ASSERT_TRUE(weight.has_value());
  const auto packed = pack_weight_only(*weight, *format, p.schedule.tile, {});
  ASSERT_TRUE(packed.has_value()) << packed.error().message;
  const auto program = weight_only_program(*format, p.schedule);
  ASSERT_TRUE(program.has_value()) << program.error().message;

  const std::vector<double> a = normal_numbers(p.activation, p.m * p.k, 6);
  const std::vector<double> bias = normal_numbers(kF32, p.n, 7);
  std::vector<std::vector<std::byte>> memory = {
      encoded(p.activation, a),
      {packed->codes.bytes().begin(), packed->codes.bytes().end()},
      {packed->scales.bytes().begin(), packed->scales.bytes().end()}};
  if (format->has_zero_point) {
    memory.emplace_back(packed->zero_points.bytes().begin(), packed->zero_points.bytes().end());
  }
  if (!packed->codebook.empty()) {
    memory.push_back(encoded(p.activation, {packed->codebook.begin(), packed->codebook.end()}));
  }
  if (format->has_bias) memory.push_back(encoded(kF32, bias));
  memory.emplace_back(static_cast<size_t>(p.m * p.n * p.output.bits / 8), std::byte{0xff});
  std::vector<vm::LaunchArgument> arguments;
  for (std::vector<std::byte>& bytes : memory) arguments.emplace_back(std::span(bytes));
  for (const int64_t size : {p.m, p.n, p.k}) arguments.emplace_back(static_cast<int32_t>(size));
  arguments.emplace_back(packed->tensor_scale);
  const Status status = vm::run_program(backend, *program, arguments);
  ASSERT_TRUE(status.has_value()) << status.error().message;

  const Expected expected = expect(p, *format, *weight, a, bias);
  const std::vector<double> found = decoded(p.output, memory.back());
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_LE(std::abs(found[i] - expected.y[i]), expected.allowed[i])
        << "element " << i << ": " << found[i] << " instead of " << expected.y[i];
  }
}

WeightOnlySchedule small_schedule(int64_t rows, int64_t tile_m, int64_t warps_n, int64_t warps_k,
                                  int64_t num_stages) {
  WeightOnlySchedule s;
  s.tile.rows = rows;
  s.tile_m = s.activation_rows = tile_m;
  s.warps_n = warps_n;
  s.warps_k = warps_k;
  s.num_stages = num_stages;
  return s;
}

/// Every element of 1 to 8 bits with real values.
std::vector<std::string> elements() {
  std::vector<std::string> names = {"codebook1", "codebook2", "codebook3", "codebook4",
                                    "codebook5", "codebook6", "codebook7", "codebook8"};
  for (const std::string& name : numeric::all_format_names()) {
    const auto format = numeric::parse_element_format(name);
    const bool has_values = format->kind != numeric::ElementKind::kCodebook &&
                            format->kind != numeric::ElementKind::kComplex;
    if (format->bits <= 8 && has_values) names.push_back(name);
  }
  return names;
}

TEST(WeightOnlyProgram, multiplies_every_element_on_the_reference) {
  int multiplied = 0, refused = 0;
  for (const std::string& element : elements()) {
    for (const ElementFormat& activation : {kF16, kBF16}) {
      const std::string scheme = element + "_g64";
      const auto format =
          weight_only_format(*numeric::parse_scheme(scheme), 64, activation, kF32, false);
      if (!format) {
        // Only a range that the activation's format lacks may be refused.
        EXPECT_NE(format.error().message.find("use bf16"), std::string::npos)
            << element << ": " << format.error().message;
        ++refused;
        continue;
      }
      check(Backend::kReference,
            {scheme, 2, 16, 64, activation, kF32, false, small_schedule(16, 8, 1, 1, 1)});
      if (HasFatalFailure()) return;
      ++multiplied;
    }
  }
  EXPECT_GT(multiplied, 400);
  EXPECT_LT(refused, 60);
}

struct Sample {
  const char* scheme;
  int64_t m, n, k;
};

TEST(WeightOnlyProgram, emulation_and_reference_agree_with_double_on_ragged_shapes) {
  constexpr Sample kSamples[] = {
      {"int4_g128", 1, 65, 384},
      {"uint4_g64_asym", 3, 33, 200},
      {"int3_channel", 2, 17, 72},
      {"e2m1_g32_se8m0", 8, 40, 96},
      {"nvfp4", 16, 31, 80},
      {"binary_g32", 1, 64, 64},
      {"uint1_g32_asym", 2, 19, 96},
      {"uint2_channel_asym", 5, 70, 136},
      {"e3m2_g16", 1, 16, 48},
      {"int8_b128x128", 3, 129, 256},
      {"posit6_1_tensor", 2, 48, 64},
      {"nf4", 9, 20, 128},
      {"ternary_g128_sbf16", 1, 100, 96},
      {"int5_g32_sf32", 2, 30, 64},
  };
  bool is_emulated = true;  // Every other one: compiling takes longer than running.
  for (const Sample& sample : kSamples) {
    for (const Backend backend : {Backend::kReference, Backend::kEmulated}) {
      if (backend == Backend::kEmulated) is_emulated = !is_emulated;
      if (backend == Backend::kEmulated && !is_emulated) continue;
      check(backend, {sample.scheme, sample.m, sample.n, sample.k, kF16, kF16, true,
                      small_schedule(32, 8, 1, 2, 2)});
    }
  }
}

TEST(WeightOnlyProgram, schedules_give_the_same_product) {
  const WeightOnlySchedule schedules[] = {
      small_schedule(16, 8, 1, 1, 1), small_schedule(16, 16, 2, 2, 1),
      small_schedule(64, 8, 1, 4, 2), small_schedule(32, 32, 2, 1, 2),
      small_schedule(128, 8, 1, 2, 3)};
  for (const WeightOnlySchedule& schedule : schedules) {
    check(Backend::kReference, {"int4_g64", 17, 130, 200, kBF16, kF32, false, schedule});
    check(Backend::kReference, {"uint6_g32_asym", 2, 50, 96, kF16, kBF16, true, schedule});
  }
}

TEST(WeightOnlyProgram, whole_tiles_need_no_tests) {
  WeightOnlySchedule schedule = small_schedule(32, 8, 1, 2, 2);
  schedule.is_whole = true;
  for (const Backend backend : {Backend::kReference, Backend::kEmulated}) {
    check(backend, {"int4_g128", 8, 64, 1024, kF16, kF16, false, schedule});
  }
}

TEST(WeightOnlyProgram, several_tiles_share_a_scale_and_few_rows_fill_a_tile) {
  for (const int64_t rows : {1, 2, 4, 8}) {
    WeightOnlySchedule schedule = small_schedule(64, 8, 2, 2, 2);
    schedule.activation_rows = rows;
    schedule.tiles_per_stage = 2;
    check(Backend::kReference, {"uint4_g128_asym", 3, 130, 896, kF16, kF32, true, schedule});
    check(Backend::kReference, {"int2_channel", 3, 130, 896, kF16, kF32, true, schedule});
    schedule.is_whole = schedule.is_whole_m = true;
    check(Backend::kReference, {"uint4_g128_asym", 8, 128, 768, kF16, kF16, false, schedule});
    if (rows == 2) {
      check(Backend::kEmulated, {"binary_g128", 8, 128, 768, kF16, kF16, false, schedule});
    }
  }
}

TEST(WeightOnlyProgram, odd_depths_are_read_element_by_element) {
  WeightOnlySchedule schedule = small_schedule(16, 8, 1, 1, 1);
  schedule.has_aligned_k = false;
  check(Backend::kReference, {"int4_channel", 3, 5, 37, kF16, kF16, false, schedule});
}

TEST(WeightOnlyProgram, what_it_cannot_do_is_refused_with_a_reason) {
  WeightOnlyFormat format;
  format.element = numeric::posit_format(8, 2);
  EXPECT_NE(weight_only_program(format, {}).error().message.find("use bf16"), std::string::npos);
  format = {};
  format.has_zero_point = true;
  EXPECT_NE(weight_only_program(format, {}).error().message.find("zero points"), std::string::npos);
  format = {};
  WeightOnlySchedule schedule;
  schedule.warps_k = 3;
  EXPECT_NE(weight_only_program(format, schedule).error().message.find("3 warps"),
            std::string::npos);
}

}  // namespace
}  // namespace anybit::kernel

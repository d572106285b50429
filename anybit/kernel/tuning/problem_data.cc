#include <array>
#include <cmath>
#include <cstring>

#include "anybit/base/check.h"
#include "anybit/base/philox.h"
#include "anybit/kernel/tuning/internal/problem_data.h"

namespace anybit::kernel::internal {

std::vector<std::byte> random_numbers(const numeric::ElementFormat& element, int64_t count,
                                      uint64_t seed) {
  ANYBIT_CHECK(element.bits == 16);
  // Drawn from a pool: that is as random for these purposes, and hundreds of times as fast.
  constexpr size_t kPool = 65536;
  std::vector<uint16_t> pool;
  const Philox normal(7), random(seed);
  for (uint64_t i = 0; i < kPool; ++i) {
    pool.push_back(static_cast<uint16_t>(numeric::encode(element, normal.normal(i))));
  }
  std::vector<std::byte> bytes(static_cast<size_t>(2 * count));
  for (int64_t i = 0; i < count; i += 4) {
    const uint64_t bits = random.bits64(static_cast<uint64_t>(i / 4));
    for (int64_t j = i; j < std::min(i + 4, count); ++j) {
      std::memcpy(bytes.data() + 2 * j, &pool[bits >> (16 * (j - i)) & (kPool - 1)], 2);
    }
  }
  return bytes;
}

std::vector<std::byte> random_bytes(int64_t count, uint64_t seed) {
  std::vector<std::byte> bytes(static_cast<size_t>(count));
  const Philox random(seed);
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = random.bits64(i / 8);
    std::memcpy(bytes.data() + i, &word, std::min<size_t>(8, bytes.size() - i));
  }
  return bytes;
}

vm::TuningArgument buffer_argument(std::vector<std::byte> contents) {
  return {.is_buffer = true, .contents = std::move(contents)};
}

vm::TuningArgument output_argument(int64_t num_bytes) {
  return buffer_argument(std::vector<std::byte>(static_cast<size_t>(num_bytes), std::byte{0xff}));
}

vm::TuningArgument i32_argument(int64_t value) { return {.scalar = {vm::ScalarType::kI32, value}}; }

vm::TuningArgument f32_argument(float value) {
  return {.scalar = {vm::ScalarType::kF32, 0, value}};
}

NumberView::NumberView(const std::vector<std::byte>& bytes, const numeric::ElementFormat& element)
    : bytes_(&bytes) {
  static const std::vector<float> kHalves = numeric::decode_table(numeric::kF16),
                                  kBrains = numeric::decode_table(numeric::kBF16);
  ANYBIT_CHECK(element == numeric::kF16 || element == numeric::kBF16);
  values_ = element == numeric::kF16 ? &kHalves : &kBrains;
}

double NumberView::operator[](int64_t i) const {
  uint16_t code = 0;
  std::memcpy(&code, bytes_->data() + 2 * i, 2);
  return (*values_)[code];
}

std::string first_unwritten(const NumberView& numbers) {
  for (int64_t i = 0; i < numbers.size(); ++i) {
    if (std::isnan(numbers[i])) return fmt::format("element {} was not written", i);
  }
  return "";
}

}  // namespace anybit::kernel::internal

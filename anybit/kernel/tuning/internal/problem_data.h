// Random inputs of tuning problems, and how their results are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "anybit/numeric/element_format.h"
#include "anybit/vm/tuning/kernel_template.h"

namespace anybit::kernel::internal {

/// `count` normal numbers in a format of 16 bits.
std::vector<std::byte> random_numbers(const numeric::ElementFormat& element, int64_t count,
                                      uint64_t seed);
std::vector<std::byte> random_bytes(int64_t count, uint64_t seed);

vm::TuningArgument buffer_argument(std::vector<std::byte> contents);
/// A buffer that is written: bytes 0xff, which are NaN.
vm::TuningArgument output_argument(int64_t num_bytes);
vm::TuningArgument i32_argument(int64_t value);
vm::TuningArgument f32_argument(float value);

/// The numbers of a buffer in a format of 16 bits.
class NumberView {
 public:
  NumberView(const std::vector<std::byte>& bytes, const numeric::ElementFormat& element);
  double operator[](int64_t i) const;
  int64_t size() const { return static_cast<int64_t>(bytes_->size() / 2); }

 private:
  const std::vector<std::byte>* bytes_;
  const std::vector<float>* values_;  // By code.
};

/// "element 17 was not written" for the first NaN; empty: none.
std::string first_unwritten(const NumberView& numbers);

}  // namespace anybit::kernel::internal

#include "anybit/tensor/tensor.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "anybit/numeric/element_format.h"

namespace anybit::tensor {
namespace {

constexpr DataType kAllTypes[] = {
    DataType::kBool, DataType::kU8,     DataType::kI8,     DataType::kU16,
    DataType::kI16,  DataType::kU32,    DataType::kI32,    DataType::kU64,
    DataType::kI64,  DataType::kF16,    DataType::kBF16,   DataType::kF32,
    DataType::kF64,  DataType::kF8E4M3, DataType::kF8E5M2, DataType::kF8E8M0,
};

template <class T>
Tensor tensor_of(DataType type, const std::vector<T>& elements) {
  return {.data_type = type,
          .shape = {static_cast<int64_t>(elements.size())},
          .elements = Buffer::copy_of(std::as_bytes(std::span(elements)))};
}

TEST(DataType, NamesParseBack) {
  for (const DataType type : kAllTypes) EXPECT_EQ(parse_data_type(name(type)).value(), type);
}

TEST(DataType, UnknownNameIsReported) {
  const auto type = parse_data_type("F4");
  ASSERT_FALSE(type);
  EXPECT_EQ(type.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(type.error().message.find("\"F4\""), std::string::npos);
  EXPECT_NE(type.error().message.find("F8_E8M0"), std::string::npos);
}

// Every code of the small floats, against numeric::decode().
void expect_decoded(DataType type, const numeric::ElementFormat& format) {
  std::vector<uint16_t> wide(format.num_codes());
  std::vector<uint8_t> narrow(format.num_codes());
  for (size_t code = 0; code < wide.size(); ++code) {
    wide[code] = static_cast<uint16_t>(code);
    narrow[code] = static_cast<uint8_t>(code);
  }
  const std::vector<float> values =
      to_floats(format.bits == 16 ? tensor_of(type, wide) : tensor_of(type, narrow));
  for (size_t code = 0; code < values.size(); ++code) {
    const double expected = numeric::decode(format, static_cast<uint32_t>(code));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(values[code])) << code;
    } else {
      ASSERT_EQ(std::bit_cast<uint32_t>(values[code]),
                std::bit_cast<uint32_t>(static_cast<float>(expected)))
          << name(type) << " code " << code;
    }
  }
}

TEST(ToFloats, DecodesEveryCodeOfSmallFloats) {
  expect_decoded(DataType::kF16, numeric::kF16);
  expect_decoded(DataType::kBF16, numeric::kBF16);
  expect_decoded(DataType::kF8E4M3, numeric::kE4M3);
  expect_decoded(DataType::kF8E5M2, numeric::kE5M2);
  expect_decoded(DataType::kF8E8M0, numeric::kE8M0);
}

TEST(ToFloats, ConvertsIntegersAndDoubles) {
  using Floats = std::vector<float>;
  EXPECT_EQ(to_floats(tensor_of<uint8_t>(DataType::kBool, {0, 1, 7})), (Floats{0, 1, 1}));
  EXPECT_EQ(to_floats(tensor_of<uint8_t>(DataType::kU8, {0, 255})), (Floats{0, 255}));
  EXPECT_EQ(to_floats(tensor_of<int8_t>(DataType::kI8, {-128, 127})), (Floats{-128, 127}));
  EXPECT_EQ(to_floats(tensor_of<uint16_t>(DataType::kU16, {65535})), (Floats{65535}));
  EXPECT_EQ(to_floats(tensor_of<int16_t>(DataType::kI16, {-32768})), (Floats{-32768}));
  EXPECT_EQ(to_floats(tensor_of<uint32_t>(DataType::kU32, {0xffffffffU})), (Floats{0x1p32F}));
  EXPECT_EQ(to_floats(tensor_of<int32_t>(DataType::kI32, {-(1 << 24)})), (Floats{-0x1p24F}));
  EXPECT_EQ(to_floats(tensor_of<uint64_t>(DataType::kU64, {UINT64_MAX})), (Floats{0x1p64F}));
  EXPECT_EQ(to_floats(tensor_of<int64_t>(DataType::kI64, {INT64_MIN})), (Floats{-0x1p63F}));
  // 2^24 + 1 lies midway between floats: the even one is 2^24.
  EXPECT_EQ(to_floats(tensor_of<int32_t>(DataType::kI32, {(1 << 24) + 1})), (Floats{0x1p24F}));
  EXPECT_EQ(to_floats(tensor_of<double>(DataType::kF64, {0.1, -0.0})), (Floats{0.1F, -0.0F}));
}

TEST(ToFloats, TakesAPartAtAnyAddress) {
  const std::vector<float> values = {1, -2, std::numeric_limits<float>::infinity(), 4};
  Buffer shifted = Buffer::allocate(1 + 16);
  std::memcpy(shifted.writable().data() + 1, values.data(), 16);
  const Tensor tensor{
      .data_type = DataType::kF32, .shape = {2, 2}, .elements = shifted.slice(1, 16)};
  std::vector<float> part(2);
  to_floats(tensor, 1, part);
  EXPECT_EQ(part[0], -2);
  EXPECT_TRUE(std::isinf(part[1]));
  EXPECT_EQ(to_floats(tensor), values);
}

TEST(FromFloats, CopiesValues) {
  const Tensor tensor = from_floats(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(tensor.num_elements(), 6);
  EXPECT_EQ(tensor.data_type, DataType::kF32);
  EXPECT_EQ(to_floats(tensor), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(Tensor, OfNoShapeIsAScalar) {
  EXPECT_EQ(from_floats(std::vector<float>{3}, {}).num_elements(), 1);
  EXPECT_TRUE(to_floats(Tensor{.shape = {0, 4}}).empty());
}

}  // namespace
}  // namespace anybit::tensor

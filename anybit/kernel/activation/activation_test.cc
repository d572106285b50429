#include "anybit/kernel/activation/activation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::kernel {
namespace {

constexpr Activation kAll[] = {Activation::kSilu, Activation::kGeluTanh, Activation::kGelu,
                               Activation::kRelu};
constexpr double kUlp = 0x1p-23;  // The largest relative distance of two f32 neighbours.

/// The error that the header promises at x.
double tolerance(Activation activation, double x, double exact) {
  const double floor = 0x1p-120;
  switch (activation) {
    case Activation::kSilu: return 4 * kUlp * std::abs(exact) + floor;
    case Activation::kGelu: return 8 * kUlp * std::abs(exact) + floor;
    case Activation::kGeluTanh: {
      const double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return (4 + 4 * std::abs(u)) * kUlp * std::abs(exact) + floor;
    }
    case Activation::kRelu: return 0;
  }
  return 0;
}

// Inputs from -100 to 100, denser near 0, each against the function's double value.
TEST(Activation, IsAsAccurateAsPromised) {
  std::vector<float> x;
  for (double v = 0x1p-30; v < 100; v *= 1 + 0x1p-12) {
    x.push_back(static_cast<float>(v));
    x.push_back(static_cast<float>(-v));
  }
  const auto count = static_cast<int64_t>(x.size());
  std::vector<float> y(count), exact(count);
  for (const Activation activation : kAll) {
    const auto reference = activation_variants().back();
    ASSERT_EQ(reference.name, "reference");
    reference.function(activation, x.data(), nullptr, count, exact.data());
    for (const auto& variant : activation_variants()) {
      if (!variant.runs_on(CpuFeatures::host())) continue;
      variant.function(activation, x.data(), nullptr, count, y.data());
      for (int64_t i = 0; i < count; ++i) {
        ASSERT_LE(std::abs(double{y[i]} - exact[i]), tolerance(activation, x[i], exact[i]))
            << variant.name << " " << name(activation) << "(" << x[i] << ") = " << y[i];
      }
    }
  }
}

// The reference itself against values of the definitions, computed with mpmath at 30 digits.
TEST(Activation, ReferenceHasTheDefinitionsValues) {
  struct Case {
    Activation activation;
    float x;
    double value;
  };
  const Case cases[] = {
      {Activation::kSilu, 1, 0.731058578630004879},
      {Activation::kSilu, -3, -0.142277619532700343},
      {Activation::kGelu, 1, 0.841344746068542949},
      {Activation::kGelu, -3, -0.00404969409489028358},
      {Activation::kGeluTanh, 1, 0.841191990608276705},
      {Activation::kGeluTanh, -3, -0.00363739208177301884},
      {Activation::kRelu, -3, 0},
      {Activation::kRelu, 2.5, 2.5},
  };
  for (const Case& c : cases) {
    float y = 0;
    activation_variants().back().function(c.activation, &c.x, nullptr, 1, &y);
    EXPECT_NEAR(y, c.value, kUlp * std::abs(c.value)) << name(c.activation) << "(" << c.x << ")";
  }
}

TEST(Activation, GatedIsTheProductAtEveryLengthStrideAndThreadCount) {
  const Philox random(3);
  for (const Activation activation : kAll) {
    for (const int64_t row_size : {1, 5, 8, 13, 16, 100, 20001}) {
      constexpr int64_t kRows = 3;
      const int64_t stride = 2 * row_size;  // gate and up side by side in one matrix.
      std::vector<float> both(kRows * stride), out(kRows * row_size), again(kRows * row_size);
      for (size_t i = 0; i < both.size(); ++i) both[i] = static_cast<float>(3 * random.normal(i));
      gated_activation(activation, both.data(), both.data() + row_size, kRows, row_size, stride,
                       out.data(), {1});
      gated_activation(activation, both.data(), both.data() + row_size, kRows, row_size, stride,
                       again.data(), {3});
      EXPECT_EQ(out, again) << name(activation) << " " << row_size;
      std::vector<float> alone(both.size());
      apply_activation(activation, both.data(), static_cast<int64_t>(both.size()), alone.data(),
                       {2});
      for (int64_t row = 0; row < kRows; ++row) {
        for (int64_t i = 0; i < row_size; ++i) {
          const int64_t in = row * stride + i;
          ASSERT_EQ(out[row * row_size + i], alone[in] * both[in + row_size])
              << name(activation) << " row " << row << " element " << i;
        }
      }
    }
  }
}

TEST(Activation, NanStaysNanAndZeroStaysZero) {
  const float x[] = {std::nanf(""), 0.0f, std::numeric_limits<float>::infinity()};
  for (const Activation activation : kAll) {
    for (const auto& variant : activation_variants()) {
      if (!variant.runs_on(CpuFeatures::host())) continue;
      float y[3];
      variant.function(activation, x, nullptr, 3, y);
      EXPECT_TRUE(std::isnan(y[0])) << variant.name << " " << name(activation);
      EXPECT_EQ(y[1], 0) << variant.name << " " << name(activation);
      EXPECT_EQ(y[2], x[2]) << variant.name << " " << name(activation);
    }
  }
}

TEST(Activation, NamesParse) {
  for (const Activation activation : kAll) {
    EXPECT_EQ(parse_activation(name(activation)), activation);
  }
  EXPECT_EQ(parse_activation("swish"), Activation::kSilu);
  EXPECT_EQ(parse_activation("gelu_new"), Activation::kGeluTanh);
  const auto unknown = parse_activation("mish");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(unknown.error().message.find("mish"), std::string::npos);
}

}  // namespace
}  // namespace anybit::kernel

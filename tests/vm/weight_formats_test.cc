// c = a . (w * s) for weights of every format of 1 to 8 bits: f16 activations with a ragged number
// of rows, scales by column. The emitted text under emulation gives the interpreter's bits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "anybit/base/philox.h"
#include "anybit/numeric/element_format.h"
#include "anybit/vm/backend/run.h"
#include "anybit/vm/text/parse.h"

namespace anybit::vm::testing {
namespace {

constexpr std::string_view kFormats[] = {
    "int2",  "int3",  "int4",  "int5",  "int6", "int7", "int8", "uint2",  "uint3",    "uint4",
    "uint5", "uint6", "uint7", "uint8", "e1m1", "e2m0", "e2m1", "e1m2",   "e3m1",     "e2m2",
    "e1m3",  "e3m2",  "e2m3",  "e4m1",  "e3m3", "e2m4", "e4m2", "binary", "bipolar3", "posit6_1"};
constexpr int64_t kNumFormats = std::size(kFormats), kRows = 37, kColumns = 16, kK = 16;

std::string kernel_text() {
  std::string text = fmt::format(
      "kernel a16(a: ptr, w: ptr, s: ptr, c: ptr, m: i32) grid [(m + 15) / 16] warps 1 {{\n"
      "  %a = global_view(pointer=a, element=f16, shape=[m, {0}])\n"
      "  %s = global_view(pointer=s, element=f16, shape=[1, {1}])\n"
      "  %c = global_view(pointer=c, element=f32, shape=[{2}, m, {1}])\n"
      "  %ta = load_global(%a, offset=[block.x * 16, 0], shape=[16, {0}])\n"
      "  %ts = load_global(%s, offset=[0, 0], shape=[1, {1}])\n"
      "  %zero = full(element=f32, shape=[16, {1}], value=0.0)\n",
      kK, kColumns, kNumFormats);
  for (int64_t f = 0; f < kNumFormats; ++f) {
    text += fmt::format(
        "  %w{0} = global_view(pointer=w, element={1}, shape=[{2}, {3}])\n"
        "  %t{0} = load_global(%w{0}, offset=[0, 0], shape=[{2}, {3}])\n"
        "  %h{0} = cast(%t{0}, element=f16)\n"
        "  %b{0} = mul(%h{0}, %ts)\n"
        "  %d{0} = dot(%ta, %b{0}, %zero)\n"
        "  store_global(%c, %d{0}, offset=[{0}, block.x * 16, 0])\n",
        f, kFormats[f], kK, kColumns);
  }
  return text + "}\n";
}

template <class Value, int64_t kCount>
struct alignas(16) Array {
  std::array<Value, kCount> values = {};
  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(values)); }
};

TEST(WeightFormats, GiveTheInterpretersBitsUnderEmulation) {
  const Result<Program> program = parse_program(kernel_text());
  ASSERT_TRUE(program.has_value()) << program.error().message;
  Array<uint16_t, kRows * kK> a;
  Array<uint8_t, kK * kColumns> w;
  Array<uint16_t, kColumns> s;
  const auto half = [](double value) {
    return static_cast<uint16_t>(numeric::encode(numeric::kF16, value));
  };
  for (size_t i = 0; i < a.values.size(); ++i) {
    a.values[i] = half(static_cast<double>(Philox(1).bits64(i) % 2048) / 1024 - 1);
  }
  for (size_t i = 0; i < w.values.size(); ++i) {
    w.values[i] = static_cast<uint8_t>(Philox(2).bits64(i));
  }
  for (size_t i = 0; i < s.values.size(); ++i)
    s.values[i] = half(0.25 + static_cast<double>(i) / 16);
  std::array<Array<uint32_t, kNumFormats * kRows * kColumns>, 2> c;
  constexpr Backend kBackends[] = {Backend::kReference, Backend::kEmulated};
  for (size_t i = 0; i < 2; ++i) {
    ScalarValue rows;
    rows.type = ScalarType::kI32;
    rows.integer = kRows;
    const LaunchArgument arguments[] = {LaunchArgument(a.bytes()), LaunchArgument(w.bytes()),
                                        LaunchArgument(s.bytes()), LaunchArgument(c[i].bytes()),
                                        LaunchArgument(rows)};
    const Status status = run_program(kBackends[i], *program, arguments);
    ASSERT_TRUE(status.has_value()) << status.error().message;
  }
  for (int64_t f = 0; f < kNumFormats; ++f) {
    double sum = 0;
    for (int64_t i = f * kRows * kColumns; i < (f + 1) * kRows * kColumns; ++i) {
      const auto at = static_cast<size_t>(i);
      ASSERT_EQ(c[0].values[at], c[1].values[at]) << kFormats[f] << ", element " << i;
      float value = 0;
      std::memcpy(&value, &c[0].values[at], 4);
      sum += std::abs(value);
    }
    EXPECT_GT(sum, 1) << kFormats[f];
  }
}

}  // namespace
}  // namespace anybit::vm::testing

// convert_layout between random layouts, for elements of every width: the emitted text under
// emulation moves the bits that the layouts say, and so does the reference.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "anybit/base/philox.h"
#include "anybit/layout/conversion.h"
#include "anybit/layout/register_layout_text.h"
#include "anybit/numeric/packing.h"
#include "anybit/vm/backend/cuda/emit/emit.h"
#include "anybit/vm/backend/run.h"
#include "anybit/vm/pass/pipeline.h"
#include "anybit/vm/text/parse.h"
#include "tests/support/property.h"

namespace anybit::vm::testing {
namespace {

using anybit::testing::Choices;
using layout::Digit;
using layout::RegisterLayout;

constexpr int64_t kElements = 16 * 8 * 3;

/// A layout of [16, 8, 3]: seven bits and a factor 3, in any order in the lists, most of them
/// where another layout of the tile has them too.
RegisterLayout random_layout(Choices& choices, int num_warps) {
  std::vector<Digit> threads, locals;
  const auto insert = [&choices](std::vector<Digit>& list, const Digit& digit) {
    const int back = choices.below(4) == 0 ? choices.between(0, static_cast<int>(list.size())) : 0;
    list.insert(list.end() - back, digit);
  };
  const Digit three = {3, 2, 1};
  int bits_left = num_warps == 2 ? 6 : 5;
  if (num_warps != 3) insert(locals, three);
  for (int bit = 6; bit >= 0; --bit) {
    const Digit digit = {2, bit < 3 ? 1 : 0, int64_t{1} << (bit < 3 ? bit : bit - 3)};
    const bool is_local = bits_left == 0 || choices.below(5) < 2;
    insert(is_local ? locals : threads, digit);
    bits_left -= is_local ? 0 : 1;
  }
  for (; bits_left > 0; --bits_left) insert(threads, {.extent = 2});
  if (num_warps == 3) threads.insert(threads.begin(), three);
  return RegisterLayout::from_digits(layout::Dims{16, 8, 3}, threads, locals).value();
}

/// In two of three cases makes `to` differ little from `from`, so that warps or threads keep their
/// elements: two digits change places, or a thread's bit is held by both halves of `from`.
void make_alike(Choices& choices, RegisterLayout& from, RegisterLayout& to) {
  std::vector<Digit> threads(from.thread_digits().begin(), from.thread_digits().end());
  std::vector<Digit> locals(from.local_digits().begin(), from.local_digits().end());
  const int variant = choices.below(3);
  Digit& last = threads.back();
  if (variant == 0 || locals.empty() || last.is_replicated()) return;
  if (variant == 1) {
    if (last.extent == 2 && locals.back().extent == 2) std::swap(last, locals.back());
    to = RegisterLayout::from_digits(from.shape(), threads, locals).value();
  } else {
    to = from;
    locals.push_back(last);
    last = {.extent = last.extent};
    from = RegisterLayout::from_digits(to.shape(), threads, locals).value();
  }
}

struct Case {
  std::string element;
  int bits;
};

/// A kernel of `count` conversions; conversion k writes its codes to y[k].
std::string kernel_text(uint64_t seed, int num_warps, int count, std::vector<Case>& cases,
                        std::array<int, 4>& kinds) {
  std::string text =
      fmt::format("kernel convert(x: ptr, y: ptr) grid [1] warps {} {{\n", num_warps);
  text +=
      fmt::format("  %y = global_view(pointer=y, element=int32, shape=[{}, 16, 8, 3])\n", count);
  const Philox random(seed);
  for (int k = 0; k < count; ++k) {
    std::vector<uint8_t> bytes;
    for (uint64_t i = 0; i < 64; ++i) {
      bytes.push_back(static_cast<uint8_t>(random.bits64(static_cast<uint64_t>(k) * 64 + i)));
    }
    Choices choices(std::move(bytes));
    const int bits = k % 17 + 1;
    const Case c = bits == 17 ? Case{"int32", 32} : Case{fmt::format("uint{}", bits), bits};
    RegisterLayout from = random_layout(choices, num_warps), to = random_layout(choices, num_warps);
    make_alike(choices, from, to);
    ++kinds[static_cast<size_t>(layout::plan_conversion(from, to).value().kind)];
    text += fmt::format(
        "  %x{0} = global_view(pointer=x, element={1}, shape=[16, 8, 3])\n"
        "  %a{0}: {1}[16, 8, 3] @ {2} = load_global(%x{0}, offset=[0, 0, 0], shape=[16, 8, 3])\n"
        "  %b{0}: {1}[16, 8, 3] @ {3} = convert_layout(%a{0})\n",
        k, c.element, to_string(from), to_string(to));
    const bool is_wide = c.bits == 32;
    if (!is_wide) text += fmt::format("  %c{0} = cast(%b{0}, element=int32)\n", k);
    text +=
        fmt::format("  store_global(%y, %{}{}, offset=[{}, 0, 0, 0])\n", is_wide ? "b" : "c", k, k);
    cases.push_back(c);
  }
  return text + "}\n";
}

void check(int num_warps, uint64_t seed, std::array<int, 4>& kinds) {
  constexpr int kCount = 17;  // Each width once.
  std::vector<Case> cases;
  const std::string text = kernel_text(seed, num_warps, kCount, cases, kinds);
  const Result<Program> program = parse_program(text);
  ASSERT_TRUE(program.has_value()) << program.error().message << "\n" << text;
  alignas(16) std::array<std::byte, kElements * 4> x;
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::byte>(Philox(7).bits64(i));
  std::vector<Backend> backends = {Backend::kReference, Backend::kEmulated};
  const char* gpu = std::getenv("ANYBIT_GPU_TESTS");
  if (gpu != nullptr && std::strcmp(gpu, "1") == 0) backends = {Backend::kCuda};
  for (const Backend backend : backends) {
    struct alignas(16) Row {
      std::array<uint32_t, kElements> codes;
    };
    std::vector<Row> y(kCount);
    const LaunchArgument arguments[] = {LaunchArgument(std::span<std::byte>(x)),
                                        LaunchArgument(std::as_writable_bytes(std::span(y)))};
    const Status status = run_program(backend, *program, arguments);
    ASSERT_TRUE(status.has_value()) << status.error().message << "\n" << text;
    for (int k = 0; k < kCount; ++k) {
      const Case& c = cases[static_cast<size_t>(k)];
      for (int64_t i = 0; i < kElements; ++i) {
        ASSERT_EQ(y[static_cast<size_t>(k)].codes[static_cast<size_t>(i)],
                  numeric::unpack_code(x, c.bits, i))
            << "conversion " << k << " of " << c.element << ", element " << i << "\n"
            << text;
      }
    }
  }
}

TEST(ConvertLayout, MovesEveryWidthBetweenRandomLayouts) {
  std::array<int, 4> kinds{};
  for (const int num_warps : {1, 2, 3}) check(num_warps, 100 + num_warps, kinds);
  for (const int cases : kinds) EXPECT_GT(cases, 0) << ::testing::PrintToString(kinds);
}

std::vector<std::string> notes_of(const std::string& text) {
  const LoweredProgram lowered = lower(parse_program(text).value(), {.wants_code = true}).value();
  return cuda::emit_cuda(lowered).value().notes;
}

/// A kernel that loads f16 or f32 by one layout and stores by another.
std::string conversion(std::string_view element, std::string_view shape, std::string_view from,
                       std::string_view to, int num_warps = 1) {
  return fmt::format(
      "kernel c(x: ptr, y: ptr) grid [1] warps {4} {{\n"
      "  %x = global_view(pointer=x, element={0}, shape=[{1}])\n"
      "  %y = global_view(pointer=y, element={0}, shape=[{1}])\n"
      "  %a: {0}[{1}] @ {2} = load_global(%x, offset=[0, 0], shape=[{1}])\n"
      "  %b: {0}[{1}] @ {3} = convert_layout(%a)\n"
      "  store_global(%y, %b, offset=[0, 0])\n}}\n",
      element, shape, from, to, num_warps);
}

TEST(ConvertLayout, SaysHowItIsDone) {
  const auto note = [](const std::string& text) { return notes_of(text).at(0); };
  EXPECT_EQ(note(conversion("f16", "16, 16", "spatial(16,2).local(1,8)",
                            "column_local(2,2).spatial(8,4).local(1,2)")),
            "line 5: convert_layout of f16 [16, 16] is 4 shuffles and 16 selects a thread");
  EXPECT_EQ(note(conversion("f32", "2, 32", "local(2,1).spatial(1,32)",
                            "column_local(2,1).spatial(1,32)")),
            "line 5: convert_layout of f32 [2, 32] moves nothing between threads");
  EXPECT_EQ(
      note(conversion("f32", "4, 8", "replicated(4).spatial(1,8).local(4,1)", "spatial(4,8)")),
      "line 5: convert_layout of f32 [4, 8] is 3 selects a thread");
  EXPECT_EQ(
      note(conversion("f32", "32, 32", "spatial(32,1).local(1,32)", "local(32,1).spatial(1,32)")),
      "line 5: convert_layout of f32 [32, 32] goes through 4096 bytes of shared memory, 64 "
      "wavefronts a warp");
}

}  // namespace
}  // namespace anybit::vm::testing

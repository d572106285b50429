// The text of the wgmma functions: one specialization for each N that a kernel calls.
#include <fmt/core.h>

#include <array>
#include <charconv>
#include <set>
#include <tuple>

#include "anybit/vm/backend/cuda/device_source.h"

namespace anybit::vm {
namespace {

struct WgmmaType {
  std::string_view name;  // In the function's name and in PTX.
  int k;
  bool transposable;  // Whether an operand may be MN-major.
};
constexpr std::array<WgmmaType, 4> kTypes = {
    {{"f16", 16, true}, {"bf16", 16, true}, {"e4m3", 32, false}, {"e5m2", 32, false}}};

// (row of kTypes, a from registers, N)
using Variant = std::tuple<size_t, bool, int>;

std::string places(int first, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += fmt::format("{}%{}", i > 0 ? ", " : "", first + i);
  return text + "}";
}

std::string function_text(const Variant& variant) {
  const auto& [row, registers, n] = variant;
  const WgmmaType& type = kTypes[row];
  const int count = n / 2;  // Words of d a thread.
  std::string outputs;
  for (int i = 0; i < count; ++i) {
    outputs += fmt::format("{}\"+r\"(d[{}])", i > 0 ? ", " : "", i);
  }
  const int b = count + (registers ? 4 : 1);
  const std::string a_place = registers ? places(count, 4) : fmt::format("%{}", count);
  const std::string_view a_input =
      registers ? R"("r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))" : R"("l"(a))";
  std::string majors, major_places, major_inputs;
  if (type.transposable) {
    majors = registers ? ", int kBMajor" : ", int kAMajor, int kBMajor";
    major_places =
        registers ? fmt::format(", %{}", b + 2) : fmt::format(", %{}, %{}", b + 2, b + 3);
    major_inputs = registers ? ", \"n\"(kBMajor)" : ", \"n\"(kAMajor), \"n\"(kBMajor)";
  }
  return fmt::format(
      "template <int kN{majors}>\n"
      "AB_FN typename OnlyIf<kN == {n}>::Type wgmma_{name}{suffix}(u32* d, {a_type} a, u64 b,"
      " bool accumulate) {{\n"
      "  asm volatile(\"{{.reg .pred p; setp.ne.b32 p, %{p}, 0; wgmma.mma_async.sync.aligned."
      "m64n{n}k{k}.f32.{name}.{name} {d}, {a}, %{b}, p, 1, 1{major_places};}}\"\n"
      "               : {outputs}\n"
      "               : {a_input}, \"l\"(b), \"r\"(static_cast<u32>(accumulate)){major_inputs});\n"
      "}}\n",
      fmt::arg("majors", majors), fmt::arg("n", n), fmt::arg("name", type.name),
      fmt::arg("suffix", registers ? "_rs" : ""),
      fmt::arg("a_type", registers ? "const u32*" : "u64"), fmt::arg("p", b + 1),
      fmt::arg("k", type.k), fmt::arg("d", places(0, count)), fmt::arg("a", a_place),
      fmt::arg("b", b), fmt::arg("major_places", major_places), fmt::arg("outputs", outputs),
      fmt::arg("a_input", a_input), fmt::arg("major_inputs", major_inputs));
}

std::set<Variant> variants_in(std::string_view kernel) {
  std::set<Variant> found;
  for (size_t row = 0; row < kTypes.size(); ++row) {
    for (const bool registers : {false, true}) {
      const std::string call = fmt::format("wgmma_{}{}<", kTypes[row].name, registers ? "_rs" : "");
      for (size_t at = kernel.find(call); at != std::string_view::npos;
           at = kernel.find(call, at + 1)) {
        int n = 0;
        const char* digits = kernel.data() + at + call.size();
        std::from_chars(digits, kernel.data() + kernel.size(), n);
        if (n >= 8 && n <= 256 && n % 8 == 0) found.insert({row, registers, n});
      }
    }
  }
  return found;
}

}  // namespace

std::string wgmma_source_for(std::string_view kernel) {
  const std::set<Variant> variants = variants_in(kernel);
  if (variants.empty()) return {};
  std::string text =
      "namespace ab {\n"
      "template <bool kHolds>\nstruct OnlyIf {};\n"
      "template <>\nstruct OnlyIf<true> {\n  using Type = void;\n};\n";
  for (const Variant& variant : variants) text += function_text(variant);
  return text + "}  // namespace ab\n";
}

}  // namespace anybit::vm

// Prints kernels around casts, for tools/cast_sass.py: lines "FROM TO ORDER FINITE COUNT" come in
// (ORDER canonical or interleaved, FINITE 0 or 1), one kernel "cast<line>" for each goes out.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "anybit/base/integer.h"
#include "anybit/vm/backend/cuda/cast/emit_cast.h"

namespace {

using namespace anybit;

constexpr const char* kMethods[] = {"affine",   "float",  "conversion", "encoding",
                                    "widening", "lookup", "table",      "element"};

Status print_kernel(int line, const std::string& from_name, const std::string& to_name,
                    const vm::cuda::CastOptions& options, int64_t count) {
  ANYBIT_ASSIGN(const auto from, numeric::parse_element_format(from_name));
  ANYBIT_ASSIGN(const auto to, numeric::parse_element_format(to_name));
  const std::string name = fmt::format("f{}", line);
  const bool is_codebook = from.kind == numeric::ElementKind::kCodebook;
  std::string text, method = "lookup";
  if (is_codebook) {
    ANYBIT_ASSIGN(text, vm::cuda::emit_codebook_cast(from.bits, count, name));
  } else {
    ANYBIT_ASSIGN(const auto code, vm::cuda::emit_cast(from, to, count, name, options));
    text = code.text;
    method = kMethods[static_cast<int>(code.method)];
  }
  const int64_t in_words = ceil_div(from.bits * count, 32),
                out_words = ceil_div(to.bits * count, 32);
  fmt::print("{}// method cast{} {}\n", text, line, method);
  fmt::print(
      "extern \"C\" __global__ void cast{}(const ab::u32* x, ab::u32* y, const ab::u32* book) {{\n",
      line);
  fmt::print("  ab::u32 in[{}], out[{}];\n  x += threadIdx.x;\n  y += threadIdx.x;\n", in_words,
             out_words);
  fmt::print("#pragma unroll\n  for (int i = 0; i < {}; ++i) in[i] = x[32 * i];\n", in_words);
  if (is_codebook && from.bits <= 4) {
    fmt::print("  ab::u32 values[8];\n#pragma unroll\n");
    fmt::print("  for (int i = 0; i < 8; ++i) values[i] = book[i];\n  {}(in, out, values);\n",
               name);
  } else {
    fmt::print("  {}(in, out{});\n", name, is_codebook ? ", book" : "");
  }
  fmt::print("#pragma unroll\n  for (int i = 0; i < {}; ++i) y[32 * i] = out[i];\n}}\n", out_words);
  return {};
}

}  // namespace

int main() {
  std::string from, to, order;
  int is_finite = 0;
  int64_t count = 0;
  for (int line = 0; std::cin >> from >> to >> order >> is_finite >> count; ++line) {
    const vm::cuda::CastOptions options{order == "interleaved" ? vm::cuda::CodeOrder::kInterleaved
                                                               : vm::cuda::CodeOrder::kCanonical,
                                        is_finite != 0};
    if (const Status status = print_kernel(line, from, to, options, count); !status) {
      fmt::print(stderr, "cast_text: {}\n", status.error().message);
      return 1;
    }
  }
  return 0;
}

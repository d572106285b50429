// Answers numeric_formats.py: what our element formats decode and encode. Binary on both ends,
// native byte order.
//
//   dump_formats names                           one format name a line
//   dump_formats decode NAME                     all codes' values as doubles
//   dump_formats encode NAME MODE saturate|special
//                                                (double, uint64 random bits) pairs from standard
//                                                input to uint32 codes
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "anybit/numeric/element_format.h"

namespace {

using namespace anybit::numeric;

struct Query {
  double value;
  uint64_t random;
};

int print_names() {
  for (const std::string& name : all_format_names()) std::puts(name.c_str());
  return 0;
}

int dump_values(const ElementFormat& format) {
  std::vector<double> values(format.num_codes());
  for (uint32_t code = 0; code < values.size(); ++code) values[code] = decode(format, code);
  return std::fwrite(values.data(), sizeof(double), values.size(), stdout) == values.size() ? 0 : 1;
}

int dump_codes(const ElementFormat& format, Rounding rounding) {
  Query query{};
  while (std::fread(&query, sizeof query, 1, stdin) == 1) {
    const uint32_t code = encode(format, query.value, rounding, query.random);
    if (std::fwrite(&code, sizeof code, 1, stdout) != 1) return 1;
  }
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 1 && arguments[0] == "names") return print_names();
  const auto format = arguments.size() > 1
                          ? parse_element_format(arguments[1])
                          : anybit::Result<ElementFormat>(anybit::fail(
                                anybit::ErrorCode::kInvalidArgument, "expected a format name"));
  if (!format) {
    std::fprintf(stderr, "dump_formats: %s\n", format.error().message.c_str());
    return 2;
  }
  if (arguments[0] == "decode" && format->bits <= 16) return dump_values(*format);
  const auto mode = arguments.size() == 4 ? parse_rounding_mode(arguments[2])
                                          : anybit::Result<RoundingMode>(RoundingMode::kUp);
  if (arguments[0] == "encode" && arguments.size() == 4 && mode) {
    const bool is_special = arguments[3] == "special";
    return dump_codes(*format, {*mode, is_special ? Overflow::kSpecial : Overflow::kSaturate});
  }
  std::fprintf(stderr, "usage: dump_formats names | decode NAME | encode NAME MODE OVERFLOW\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) { return run({argv + 1, argv + argc}); }

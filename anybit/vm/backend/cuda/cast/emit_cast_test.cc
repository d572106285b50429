#include "anybit/vm/backend/cuda/cast/emit_cast.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"
#include "anybit/vm/backend/cuda/cast/internal/emulation_for_test.h"
#include "anybit/vm/ir/element.h"

namespace anybit::vm::cuda {
namespace {

using internal::code_of;
using internal::same_code;
using internal::value_of;
using numeric::ElementFormat;
using numeric::ElementKind;

constexpr int64_t kCount = 32;  // Every width's codes begin at every bit of a word they can.

/// Casts compiled into one shared object, called through words.
class Library {
 public:
  using Function = void (*)(const uint32_t*, uint32_t*, const uint32_t*);

  /// Appends a function of `in_words` and `out_words`; its index.
  size_t add(const std::string& text, const std::string& name, int64_t in_words, int64_t out_words,
             bool has_codebook = false) {
    text_ += text;
    text_ += fmt::format(
        "extern \"C\" void call{}(const ab::u32* in, ab::u32* out, const ab::u32* book) {{\n"
        "  ab::u32 i[{}], o[{}];\n  std::memcpy(i, in, sizeof i);\n  {}(i, o{});\n"
        "  (void)book;\n  std::memcpy(out, o, sizeof o);\n}}\n",
        num_functions_, in_words, out_words, name, has_codebook ? ", book" : "");
    return num_functions_++;
  }

  void compile() {
    std::string folder = (std::filesystem::temp_directory_path() / "anybit_cast_XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    const std::string stem = folder + "/casts";
    std::ofstream(stem + ".cc") << internal::kEmulationForTest << text_;
    const std::string command =
        fmt::format("g++ -std=c++20 -O1 -ffp-contract=off -w -shared -fPIC -o {0}.so {0}.cc", stem);
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    library_ = dlopen((stem + ".so").c_str(), RTLD_NOW);
    ASSERT_NE(library_, nullptr) << dlerror();
    std::filesystem::remove_all(folder);
  }

  Function function(size_t index) const {
    return reinterpret_cast<Function>(dlsym(library_, fmt::format("call{}", index).c_str()));
  }

 private:
  std::string text_;
  size_t num_functions_ = 0;
  void* library_ = nullptr;
};

std::vector<uint32_t> pack(const std::vector<uint32_t>& codes, int bits) {
  std::vector<uint32_t> words(
      static_cast<size_t>(internal::num_words(bits, static_cast<int64_t>(codes.size()))));
  for (size_t i = 0; i < codes.size(); ++i) {
    for (size_t b = 0; b < static_cast<size_t>(bits); ++b) {
      const size_t at = i * static_cast<size_t>(bits) + b;
      words[at / 32] |= (codes[i] >> b & 1) << at % 32;
    }
  }
  return words;
}

uint32_t code_at(const std::vector<uint32_t>& words, size_t i, int bits) {
  uint32_t code = 0;
  for (size_t b = 0; b < static_cast<size_t>(bits); ++b) {
    const size_t at = i * static_cast<size_t>(bits) + b;
    code |= (words[at / 32] >> at % 32 & 1) << b;
  }
  return code;
}

/// A cast under test.
struct Case {
  ElementFormat from, to;
  int64_t count = kCount;
  CastOptions options = {};
  size_t index = 0;
  CastMethod method = {};
};

std::string describe(const Case& c) {
  return fmt::format("{} -> {}, {} elements, order {}, finite {}, method {}",
                     numeric::element_name(c.from), numeric::element_name(c.to), c.count,
                     static_cast<int>(c.options.order), c.options.assume_finite,
                     static_cast<int>(c.method));
}

void add_case(Library& library, std::vector<Case>& cases, Case c) {
  const std::string name = fmt::format("cast{}", cases.size());
  const auto code = emit_cast(c.from, c.to, c.count, name, c.options);
  ASSERT_TRUE(code) << code.error().message;
  c.method = code->method;
  c.index = library.add(code->text, name, internal::num_words(c.from.bits, c.count),
                        internal::num_words(c.to.bits, c.count));
  cases.push_back(c);
}

bool is_defined(const Case& c, uint32_t code) {
  if (c.from.kind == ElementKind::kTernary) return code != 2;
  return !c.options.assume_finite || std::isfinite(value_of(c.from, code));
}

/// Runs the case on codes of elements 0, 1, ...; false (and a failure) at the first wrong one.
bool check(const Library& library, const Case& c, const std::vector<uint32_t>& codes) {
  std::vector<uint32_t> placed = codes;
  if (c.options.order == CodeOrder::kInterleaved) {
    const std::vector<int64_t> order = interleaved_order(c.from.bits, c.count);
    for (size_t place = 0; place < order.size(); ++place) {
      placed[place] = codes[static_cast<size_t>(order[place])];
    }
  }
  const std::vector<uint32_t> in = pack(placed, c.from.bits);
  std::vector<uint32_t> out(static_cast<size_t>(internal::num_words(c.to.bits, c.count)));
  library.function(c.index)(in.data(), out.data(), nullptr);
  for (size_t i = 0; i < codes.size(); ++i) {
    if (!is_defined(c, codes[i])) continue;
    const double value = value_of(c.from, codes[i]);
    const uint32_t expected = code_of(c.to, value, cast_rounding(c.to, c.options.saturate));
    const uint32_t found = code_at(out, i, c.to.bits);
    if (same_code(c.to, expected, found)) continue;
    ADD_FAILURE() << describe(c) << ": element " << i << ", code " << codes[i] << ", value "
                  << value << ": expected " << expected << ", found " << found;
    return false;
  }
  return true;
}

/// Every code in every place, with neighbours in order and at random.
void check_all_codes(const Library& library, const Case& c) {
  std::mt19937 random(7);
  const auto mask = static_cast<uint32_t>(c.from.num_codes() - 1);
  std::vector<uint32_t> codes(static_cast<size_t>(c.count));
  for (uint32_t round = 0; round <= mask; ++round) {
    for (const bool is_random : {false, true}) {
      for (size_t i = 0; i < codes.size(); ++i) {
        codes[i] =
            (is_random ? static_cast<uint32_t>(random()) : round + 5 * static_cast<uint32_t>(i)) &
            mask;
      }
      if (!check(library, c, codes)) return;
    }
  }
}

std::vector<ElementFormat> narrow_formats() {
  std::vector<ElementFormat> formats;
  for (const std::string& name : numeric::all_format_names()) {
    const ElementFormat f = *numeric::parse_element_format(name);
    if (f.bits <= 8) formats.push_back(f);
  }
  return formats;
}

constexpr ElementFormat kWide[] = {numeric::kF32, numeric::kF16, numeric::kBF16};

void check_decoding_to(const ElementFormat& to) {
  Library library;
  std::vector<Case> cases;
  for (const ElementFormat& from : narrow_formats()) add_case(library, cases, {from, to});
  library.compile();
  if (testing::Test::HasFatalFailure()) return;
  ASSERT_GT(cases.size(), 280U);
  for (const Case& c : cases) check_all_codes(library, c);
}

TEST(EmitCast, DecodesEveryCodeInEveryPlaceToF16) { check_decoding_to(numeric::kF16); }
TEST(EmitCast, DecodesEveryCodeInEveryPlaceToBF16) { check_decoding_to(numeric::kBF16); }
TEST(EmitCast, DecodesEveryCodeInEveryPlaceToF32) { check_decoding_to(numeric::kF32); }

TEST(EmitCast, DecodesAnyCountOrderAndFinitePromise) {
  Library library;
  std::vector<Case> cases;
  for (const char* name :
       {"binary", "ternary", "int1",     "int2",     "int3",   "int4",     "uint4",
        "int5",   "uint6",   "int7",     "int8",     "uint8",  "bipolar4", "e2m1",
        "e3m2",   "e2m3",    "e3m1",     "e2m2",     "e3m3",   "e4m3",     "e5m2",
        "ue3m2",  "ue4m4",   "posit4_1", "posit8_1", "lns5_2", "e4m3ieee", "e5m1ieee"}) {
    const ElementFormat from = *numeric::parse_element_format(name);
    for (const ElementFormat& to : {numeric::kF16, numeric::kBF16}) {
      for (const int64_t count : {1, 2, 7, 19, 64}) add_case(library, cases, {from, to, count});
      for (const int64_t count : {7, 64}) {
        add_case(library, cases, {from, to, count, {CodeOrder::kInterleaved, false}});
      }
      add_case(library, cases, {from, to, 32, {CodeOrder::kCanonical, true}});
      add_case(library, cases, {from, to, 32, {.saturate = true}});
    }
    add_case(library, cases, {from, numeric::kF32, 32, {.saturate = true}});
  }
  library.compile();
  for (const Case& c : cases) check_all_codes(library, c);
}

TEST(EmitCast, CastsNarrowToNarrow) {
  Library library;
  std::vector<Case> cases;
  const char* names[] = {"int4", "uint3", "int8", "e4m3", "e2m1", "e3m2", "posit8_2", "binary"};
  for (const char* a : names) {
    for (const char* b : names) {
      add_case(library, cases,
               {*numeric::parse_element_format(a), *numeric::parse_element_format(b)});
    }
    for (const ElementFormat& word : {numeric::int_format(32), numeric::uint_format(32)}) {
      add_case(library, cases, {*numeric::parse_element_format(a), word});
    }
  }
  library.compile();
  for (const Case& c : cases) check_all_codes(library, c);
}

/// Codes of `from` around everything at which encoding to `to` changes.
std::vector<uint32_t> interesting_codes(const ElementFormat& from, const ElementFormat& to) {
  std::vector<uint32_t> codes;
  if (from.bits == 16) {
    // All where every narrow target is tested; between wide formats, a share that meets all fields.
    const uint32_t step = to.bits <= 8 ? 1 : 7;
    for (uint32_t code = 0; code < 65536; code += step) codes.push_back(code);
    return codes;
  }
  const auto add = [&](double value) {
    const uint32_t code = code_of(from, value);
    for (const uint32_t c : {code - 1, code, code + 1}) {
      codes.push_back(c);
      if (from == numeric::kF32) codes.push_back(c ^ 0x80000000u);
    }
  };
  if (to.bits <= 16 && to.bits > 0) {
    const uint32_t step = to.bits <= 8 ? 1 : 61;
    std::vector<double> values;
    for (uint32_t code = 0; code < to.num_codes(); code += step) {
      if (std::isfinite(value_of(to, code))) values.push_back(value_of(to, code));
    }
    std::sort(values.begin(), values.end());
    for (size_t i = 0; i < values.size(); ++i) {
      add(values[i]);
      if (i > 0) add(values[i - 1] + (values[i] - values[i - 1]) / 2);
      if (i > 0) add(values[i - 1] + (values[i] - values[i - 1]) * 0.75);
    }
    add(values.back() * 1.25);
  }
  for (const double x : {0.0, -0.0, 0x1p-149, 0x1p-126, 0x1p127, 3.4e38, 1e9, 0x1p31, 0x1p32, 0.5,
                         1.5, 2.5, 65504.0, 65519.0, 65520.0, 8388607.5, 8388608.0, 1e-7}) {
    add(x);
  }
  for (const uint32_t c : {0x7f800000u, 0xff800000u, 0x7fc00000u, 0xffc00001u, 0x7f7fffffu}) {
    codes.push_back(c);
  }
  std::mt19937 random(11);
  for (int i = 0; i < 6000; ++i) codes.push_back(static_cast<uint32_t>(random()));
  for (int i = 0; i < 2000; ++i) codes.push_back(static_cast<uint32_t>(random()) >> (i % 32));
  for (int i = 0; i < 6000; ++i) {  // Around 1, where most formats live.
    codes.push_back(static_cast<uint32_t>(random() & 0x8fffffffu) | 0x38000000u);
  }
  return codes;
}

void check_wide(const Library& library, const Case& c) {
  std::vector<uint32_t> codes = interesting_codes(c.from, c.to);
  while (codes.size() % static_cast<size_t>(c.count) != 0) codes.push_back(0);
  for (size_t at = 0; at < codes.size(); at += static_cast<size_t>(c.count)) {
    const auto begin = codes.begin() + static_cast<int64_t>(at);
    if (!check(library, c, {begin, begin + c.count})) return;
  }
}

void check_encoding_from(const ElementFormat& from) {
  Library library;
  std::vector<Case> cases;
  for (const ElementFormat& to : narrow_formats()) add_case(library, cases, {from, to, 16});
  library.compile();
  if (testing::Test::HasFatalFailure()) return;
  for (const Case& c : cases) check_wide(library, c);
}

TEST(EmitCast, EncodesF32) { check_encoding_from(numeric::kF32); }
TEST(EmitCast, EncodesEveryF16) { check_encoding_from(numeric::kF16); }
TEST(EmitCast, EncodesEveryBF16) { check_encoding_from(numeric::kBF16); }

TEST(EmitCast, CastsWideToWide) {
  Library library;
  std::vector<Case> cases;
  std::vector<ElementFormat> formats(std::begin(kWide), std::end(kWide));
  formats.insert(formats.end(),
                 {numeric::int_format(32), numeric::uint_format(32), numeric::int_format(16),
                  numeric::uint_format(12), *numeric::parse_element_format("e4m7"),
                  *numeric::parse_element_format("e5m4ieee")});
  for (const ElementFormat& from : formats) {
    for (const ElementFormat& to : formats) add_case(library, cases, {from, to, 32});
    for (const char* name : {"int4", "uint8", "e4m3", "e2m1", "posit8_1", "ternary"}) {
      add_case(library, cases, {from, *numeric::parse_element_format(name), 32});
    }
  }
  for (const ElementFormat& from : kWide) {
    for (const ElementFormat& to :
         {numeric::kF16, numeric::kBF16, numeric::kE4M3, numeric::kE5M2}) {
      for (const int64_t count : {1, 3, 6}) add_case(library, cases, {from, to, count});
      add_case(library, cases, {from, to, 8, {CodeOrder::kCanonical, true}});
    }
  }
  for (const ElementFormat& from : formats) {
    for (const ElementFormat& to : formats) {
      add_case(library, cases, {from, to, 32, {.saturate = true}});
    }
  }
  library.compile();
  for (const Case& c : cases) {
    if (c.from.bits <= 16 && c.from.bits != 16) {
      check_all_codes(library, c);
    } else {
      check_wide(library, c);
    }
  }
}

TEST(EmitCast, LooksUpCodebooks) {
  Library library;
  std::vector<size_t> indices;
  for (int bits = 1; bits <= 8; ++bits) {
    const std::string name = fmt::format("book{}", bits);
    const auto text = emit_codebook_cast(bits, kCount, name);
    ASSERT_TRUE(text);
    indices.push_back(
        library.add(*text, name, internal::num_words(bits, kCount), kCount / 2, true));
  }
  library.compile();
  std::mt19937 random(3);
  for (int bits = 1; bits <= 8; ++bits) {
    for (int round = 0; round < 200; ++round) {
      std::vector<uint32_t> book(size_t{1} << bits), codes(kCount);
      for (uint32_t& value : book) value = static_cast<uint32_t>(random()) & 0xffff;
      for (uint32_t& code : codes) code = static_cast<uint32_t>(random()) & ((1u << bits) - 1);
      const std::vector<uint32_t> in = pack(codes, bits), words = pack(book, 16);
      std::vector<uint32_t> out(kCount / 2);
      library.function(indices[static_cast<size_t>(bits - 1)])(in.data(), out.data(), words.data());
      for (size_t i = 0; i < codes.size(); ++i) {
        ASSERT_EQ(code_at(out, i, 16), book[codes[i]]) << bits << " bits, element " << i;
      }
    }
  }
}

TEST(EmitCast, InterleavedOrderIsAPermutation) {
  EXPECT_EQ(interleaved_order(4, 8), (std::vector<int64_t>{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(interleaved_order(8, 6), (std::vector<int64_t>{0, 2, 1, 3, 4, 5}));
  for (int bits = 1; bits <= 8; ++bits) {
    std::vector<int64_t> order = interleaved_order(bits, 77);
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < 77; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  }
}

TEST(EmitCast, RefusesPairsWithoutARule) {
  const ElementFormat codebook = numeric::codebook_format(4);
  for (const auto& [from, to] : {std::pair{codebook, numeric::kF16},
                                 {numeric::kF16, codebook},
                                 {numeric::posit_format(16, 1), numeric::kF16},
                                 {numeric::kF16, numeric::posit_format(16, 1)}}) {
    const auto result = emit_cast_function(from, to, 8, "f");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(result.error().message.find(numeric::element_name(from)), std::string::npos);
    EXPECT_FALSE(is_cast_supported(from, to));
  }
  EXPECT_TRUE(is_cast_supported(numeric::kE3M2, numeric::kF16));
  EXPECT_FALSE(emit_codebook_cast(9, 8, "f"));
}

}  // namespace
}  // namespace anybit::vm::cuda

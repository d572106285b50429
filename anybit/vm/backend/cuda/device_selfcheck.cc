#include "anybit/vm/backend/cuda/device_selfcheck.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "anybit/base/philox.h"
#include "anybit/vm/backend/emulated/emulator.h"

namespace anybit::vm {
namespace {

/// Functions of the words a, b, c of an item; each expression gives a word of output.
struct ScalarCase {
  std::string_view name;
  std::span<const std::string_view> expressions;
};

// x, y, z are a, b, c as floats; i, j are a, b as ints.
constexpr std::string_view kBitsExpressions[] = {"ab::lop3<0xe8>(a, b, c)",
                                                 "ab::lop3<0x1b>(a, b, c)",
                                                 "ab::prmt(a, b, c)",
                                                 "ab::funnel_right(a, b, c)",
                                                 "ab::funnel_left(a, b, c)",
                                                 "ab::bit_extract(a, b, c)",
                                                 "ab::bit_extract(a, b % 40, c % 40)",
                                                 "ab::bit_extract_signed(a, b % 40, c % 40)",
                                                 "ab::bit_insert(a, b, c % 40, b % 40)",
                                                 "ab::popc(a) + 64 * ab::clz(b >> c % 32)",
                                                 "ab::brev(a)",
                                                 "ab::shift_left(a, b % 50)",
                                                 "ab::shift_right(a, b % 50)",
                                                 "ab::shift_right_signed(i, b % 50)",
                                                 "ab::mul_hi(i, j)",
                                                 "ab::mul_hi_u(a, b)",
                                                 "ab::dot4_s8(a, b, i)",
                                                 "ab::dot4_u8(a, b, c)",
                                                 "ab::div_i32(i, j)",
                                                 "ab::rem_i32(i, j % 7)",
                                                 "ab::div_u32(a, b % 3)",
                                                 "ab::rem_u32(a, b)"};
constexpr std::string_view kFloatExpressions[] = {
    "F(ab::add(x, y))",
    "F(ab::sub(x, y))",
    "F(ab::mul(x, y))",
    "F(ab::fma(x, y, z))",
    "F(ab::div(x, y))",
    "F(ab::sqrt(x))",
    "F(ab::rsqrt(x))",
    "F(ab::min(x, y))",
    "F(ab::max(x, y))",
    "F(ab::min_nan(x, y))",
    "F(ab::max_nan(x, y))",
    "F(ab::floor(x))",
    "F(ab::ceil(x))",
    "F(ab::trunc(x))",
    "F(ab::rint(x))",
    "F(ab::f32_to_tf32(x))",
    "ab::f32_to_i32_rz(x)",
    "ab::f32_to_i32_rn(x)",
    "ab::f32_to_u32_rz(x)",
    "ab::f32_to_u32_rn(x)",
    "static_cast<ab::u32>(ab::f32_to_i64_rz(x))",
    "static_cast<ab::u32>(ab::f32_to_i64_rn(x) >> 32)",
    "F(ab::i32_to_f32(i))",
    "F(ab::u32_to_f32(a))",
    "F(ab::i64_to_f32(static_cast<ab::i64>(a) * j))"};
constexpr std::string_view kElementaryExpressions[] = {
    "F(ab::exp2(x))", "F(ab::exp(x))",  "F(ab::log2(x))", "F(ab::log(x))",         "F(ab::sin(x))",
    "F(ab::cos(x))",  "F(ab::tanh(x))", "F(ab::erf(x))",  "F(ab::log(ab::abs(x)))"};
constexpr std::string_view kF16x2Expressions[] = {
    "ab::f16x2_add(a, b)",     "ab::f16x2_sub(a, b)",     "ab::f16x2_mul(a, b)",
    "ab::f16x2_fma(a, b, c)",  "ab::f16x2_min(a, b)",     "ab::f16x2_max(a, b)",
    "ab::f16x2_min_nan(a, b)", "ab::f16x2_max_nan(a, b)", "ab::f16x2_neg(a)",
    "ab::f16x2_abs(a)",        "ab::f16x2_eq(a, b)",      "ab::f16x2_ne(a, b)",
    "ab::f16x2_lt(a, b)",      "ab::f16x2_le(a, b)",      "ab::f16x2_gt(a, b)",
    "ab::f16x2_ge(a, b)",      "F(ab::f16_lo_to_f32(a))", "F(ab::f16_hi_to_f32(a))",
    "ab::f32_to_f16x2(x, y)",  "ab::f32_to_f16(x)",       "ab::f32_to_f16(ab::f16_lo_to_f32(a))"};
constexpr std::string_view kBf16x2Expressions[] = {
    "ab::bf16x2_add(a, b)",     "ab::bf16x2_sub(a, b)",     "ab::bf16x2_mul(a, b)",
    "ab::bf16x2_fma(a, b, c)",  "ab::bf16x2_min(a, b)",     "ab::bf16x2_max(a, b)",
    "ab::bf16x2_min_nan(a, b)", "ab::bf16x2_max_nan(a, b)", "ab::bf16x2_eq(a, b)",
    "ab::bf16x2_ne(a, b)",      "ab::bf16x2_lt(a, b)",      "ab::bf16x2_le(a, b)",
    "ab::bf16x2_gt(a, b)",      "ab::bf16x2_ge(a, b)",      "F(ab::bf16_lo_to_f32(a))",
    "F(ab::bf16_hi_to_f32(a))", "ab::f32_to_bf16x2(x, y)",  "ab::f32_to_bf16(x)"};
constexpr std::string_view kFp8Expressions[] = {
    "ab::e4m3x2_to_f16x2(a & 0xffff)",
    "ab::e5m2x2_to_f16x2(a & 0xffff)",
    "ab::f32_to_e4m3x2(x, y)",
    "ab::f32_to_e5m2x2(x, y)",
    "ab::f32_to_e4m3x2(ab::f16_lo_to_f32(a), ab::f16_hi_to_f32(b))",
    "ab::f32_to_e5m2x2(ab::f16_lo_to_f32(a), ab::f16_hi_to_f32(b))",
    "ab::e4m3x2_to_f16x2_by_bits(a & 0xffff)",
    "ab::e5m2x2_to_f16x2_by_bits(a & 0xffff)",
    "ab::f32_to_e4m3x2_by_bits(x, y)",
    "ab::f32_to_e5m2x2_by_bits(x, y)"};
constexpr std::string_view kWarpExpressions[] = {"ab::shuffle(a, b)",
                                                 "ab::shuffle_xor(a, c_uniform)",
                                                 "ab::shuffle_up(a, c_uniform)",
                                                 "ab::shuffle_down(a, c_uniform)",
                                                 "ab::ballot(a & 1)",
                                                 "ab::any(a % 64 == 0)",
                                                 "ab::all(a % 64 != 0)",
                                                 "ab::elect()",
                                                 "ab::thread() + 100 * ab::lane() + 10000 * "
                                                 "ab::warp()"};

constexpr ScalarCase kScalarCases[] = {
    {"bits", kBitsExpressions},
    {"float", kFloatExpressions},
    {"elementary", kElementaryExpressions},
    {"f16x2", kF16x2Expressions},
    {"bf16x2", kBf16x2Expressions},
    {"fp8", kFp8Expressions},
    {"warp", kWarpExpressions},
};

/// Words that matter: every class of float, halves of every exponent, and random ones.
std::vector<uint32_t> scalar_input(int items) {
  constexpr std::array<uint32_t, 24> kEdges = {
      0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
      0x7fc00001, 0xff812345, 1,          0x80000001, 0x007fffff, 0x00800000,
      0x7f7fffff, 0x4f000000, 0xcf000000, 0x5f000000, 0x7c00fc00, 0x7e017c01,
      0x03ff8001, 0x7fff8000, 0xffffffff, 0x42b17218, 0xc2cff1b5, 0x4b000001};
  std::vector<uint32_t> words(static_cast<size_t>(items) * 3);
  for (size_t i = 0; i < words.size(); ++i) {
    const uint64_t random = Philox(11).bits64(i);
    words[i] = static_cast<uint32_t>(random);
    if (random >> 61 == 0) words[i] = kEdges[(random >> 32) % kEdges.size()];
    // Floats of moderate size, where sums and the elementary functions are not trivial.
    if (random >> 62 == 1) words[i] = (words[i] & 0x83ffffffu) + 0x3c000000u;
  }
  return words;
}

SelfCheckCase scalar_case(const ScalarCase& row) {
  constexpr int kItems = 4096, kThreads = 128;
  std::string calls;
  for (size_t i = 0; i < row.expressions.size(); ++i) {
    calls += fmt::format("    o[{}] = static_cast<ab::u32>({});\n", i, row.expressions[i]);
  }
  std::string source = fmt::format(
      "#define F(value) ab::float_bits(value)\n"
      "AB_KERNEL check(const ab::u32* in, ab::u32* out) {{\n"
      "  for (int n = ab::thread(); n < {0}; n += {1}) {{\n"
      "    const ab::u32 a = in[3 * n], b = in[3 * n + 1], c = in[3 * n + 2];\n"
      "    const ab::u32 c_uniform = in[n / {1}] % 32;\n"
      "    const float x = ab::bits_float(a), y = ab::bits_float(b), z = ab::bits_float(c);\n"
      "    const int i = static_cast<int>(a), j = static_cast<int>(b);\n"
      "    (void)x; (void)y; (void)z; (void)i; (void)j; (void)c_uniform;\n"
      "    ab::u32* o = out + {2} * n;\n{3}  }}\n}}\n",
      kItems, kThreads, row.expressions.size(), calls);
  return {.name = std::string(row.name),
          .source = std::move(source),
          .block_threads = kThreads,
          .input = scalar_input(kItems),
          .output_words = kItems * static_cast<int>(row.expressions.size())};
}

constexpr std::string_view kMemory = R"(
AB_KERNEL check(const ab::u32* in, ab::u32* out) {
  const ab::u32 t = ab::thread(), s = ab::shared_base();
  ab::cp_async<16>(s + 16 * t, in + 4 * t, t % 3 != 1);
  ab::cp_async<4>(s + 2048 + 4 * t, in + t, t % 2 == 0);
  ab::cp_async<8>(s + 2560 + 8 * t, in + 2 * t, true);
  ab::cp_async_commit();
  ab::cp_async_wait<0>();
  ab::sync_cta();
  ab::u32 w[4];
  ab::load_shared<16>(w, s + 16 * (127 - t));
  ab::store_global<16>(out + 4 * t, w);
  ab::load_shared<4>(w, s + 2048 + 4 * (t ^ 1));
  ab::store_global<4>(out + 512 + t, w);
  ab::load_shared<8>(w, s + 2560 + 8 * (t ^ 2));
  ab::store_global<8>(out + 640 + 2 * t, w);
  ab::load_shared<1>(w, s + 2560 + 3 * t);
  ab::load_shared<2>(w + 1, s + 2560 + 2 * t);
  ab::load_global<1, ab::kCacheStream>(w + 2, reinterpret_cast<const ab::u8*>(in) + t);
  ab::load_global<2, ab::kCacheReadOnly>(w + 3, reinterpret_cast<const ab::u16*>(in) + t);
  ab::store_global<16, ab::kCacheStream>(out + 896 + 4 * t, w);
  ab::sync_cta();
  if (t == 0) {
    const ab::u32 zero = 0;
    for (int i = 0; i < 4; ++i) ab::store_shared<4>(s + 4 * i, &zero);
  }
  ab::sync_cta();
  ab::atomic_add_shared(s, in[t]);
  ab::atomic_max_shared(s + 4, static_cast<ab::i32>(in[t] >> 1));
  ab::atomic_add_shared(s + 8, 0.5f);
  ab::atomic_add_f16x2_shared(s + 12, 0x3c004000u);
  ab::sync_cta();
  if (t < 4) {
    ab::load_shared<4>(w, s + 4 * t);
    out[1408 + t] = w[0];
  }
}
)";

constexpr std::string_view kLdmatrix = R"(
AB_KERNEL check(const ab::u32* in, ab::u32* out) {
  const ab::u32 l = ab::lane(), s = ab::shared_base();
  for (ab::u32 i = l; i < 128; i += 32) ab::store_shared<4>(s + 4 * i, in + i);
  ab::sync_cta();
  ab::u32 r[4];
  const ab::u32 row = s + 16 * l;
  ab::ldmatrix_x4(r, row);
  for (int i = 0; i < 4; ++i) out[32 * i + l] = r[i];
  ab::ldmatrix_x4_trans(r, row);
  for (int i = 0; i < 4; ++i) out[128 + 32 * i + l] = r[i];
  ab::ldmatrix_x2(r, row);
  for (int i = 0; i < 2; ++i) out[256 + 32 * i + l] = r[i];
  ab::ldmatrix_x1_trans(r, row);
  out[320 + l] = r[0];
}
)";

constexpr std::string_view kStmatrix = R"(
AB_KERNEL check(const ab::u32* in, ab::u32* out) {
  const ab::u32 l = ab::lane(), s = ab::shared_base();
  const ab::u32 r[4] = {in[l], in[32 + l], in[64 + l], in[96 + l]};
  ab::stmatrix_x4(s + 16 * l, r);
  ab::stmatrix_x4_trans(s + 512 + 16 * l, r);
  ab::sync_cta();
  for (ab::u32 i = l; i < 256; i += 32) ab::load_shared<4>(out + i, s + 4 * i);
}
)";

constexpr std::string_view kBulk = R"(
AB_KERNEL check(const ab::u32* in, ab::u32* out) {
  const ab::u32 t = ab::thread(), full = ab::shared_base() + 1024, empty = full + 8;
  const ab::u32 warp = ab::warp();  // All lanes together: not inside a branch.
  if (t == 0) {
    ab::mbarrier_init(full, 1);
    ab::mbarrier_init(empty, 32);
    ab::fence_barrier_init();
  }
  ab::sync_cta();
  for (ab::u32 step = 0; step < 5; ++step) {
    const ab::u32 parity = step & 1;
    if (t == 0) {
      ab::mbarrier_wait(empty, parity ^ 1);
      ab::mbarrier_arrive_expect_tx(full, 512);
      ab::bulk_copy_g2s(ab::shared_base(), in + 128 * step, 512, full);
    } else if (warp == 1) {
      ab::mbarrier_wait(full, parity);
      for (ab::u32 i = ab::lane(); i < 128; i += 32) {
        ab::load_shared<4>(out + 128 * step + i, ab::shared_base() + 4 * (127 - i));
      }
      ab::mbarrier_arrive(empty);
    }
  }
  ab::sync_cta();
  ab::store_shared<4>(ab::shared_base() + 4 * t, in + t);
  ab::fence_proxy_async();
  ab::sync_cta();
  if (t == 0) {
    ab::bulk_copy_s2g(out + 640, ab::shared_base(), 256);
    ab::bulk_commit();
    ab::bulk_wait<0>();
  }
}
)";

/// Names of mma, the words a lane has of c and d, the operand code of a small integer n.
struct MmaCase {
  std::string_view name, value, code;
  int bits, architecture, result_words;
};
constexpr std::array<MmaCase, 10> kMmaCases = {{
    {"mma_m16n8k16_f16", "float", "ab::f32_to_f16(n)", 16, 80, 4},
    {"mma_m16n8k16_bf16", "float", "ab::f32_to_bf16(n)", 16, 80, 4},
    {"mma_m16n8k8_tf32", "float", "ab::float_bits(n)", 32, 80, 4},
    {"mma_m16n8k32_s8", "ab::i32", "static_cast<int>(n) & 255", 8, 80, 4},
    {"mma_m16n8k32_u8", "ab::i32", "static_cast<int>(n) & 255", 8, 80, 4},
    {"mma_m16n8k32_s8_u8", "ab::i32", "static_cast<int>(n) & 255", 8, 80, 4},
    {"mma_m16n8k32_u8_s8", "ab::i32", "static_cast<int>(n) & 255", 8, 80, 4},
    {"mma_m16n8k32_e4m3", "float", "ab::f32_to_e4m3x2(n, 0.0f) & 255", 8, 89, 4},
    {"mma_m16n8k32_e5m2", "float", "ab::f32_to_e5m2x2(n, 0.0f) & 255", 8, 89, 4},
    {"mma_m16n8k16_f16_f16", "ab::u32", "ab::f32_to_f16(n)", 16, 80, 2},
}};

SelfCheckCase mma_case(const MmaCase& row) {
  std::string source = fmt::format(R"(
AB_KERNEL check(const ab::u32* in, ab::u32* out) {{
  ab::u32 fragments[6];
  for (int r = 0; r < 6; ++r) {{
    ab::u32 w = 0;
    for (int i = 0; i < 32 / {bits}; ++i) {{
      const float n = static_cast<int>(in[ab::lane() * 24 + r * 4 + i] % 9) - 4;
      w |= static_cast<ab::u32>({code}) << {bits} * i;
    }}
    fragments[r] = w;
  }}
  {value} c[4] = {{0, 0, 0, 0}};
  ab::{name}(c, fragments, fragments + 4, c);
  ab::{name}(c, fragments, fragments + 4, c);
  for (int i = 0; i < {words}; ++i) {{
    out[{words} * ab::lane() + i] = *reinterpret_cast<ab::u32*>(&c[i]);
  }}
}}
)",
                                   fmt::arg("bits", row.bits), fmt::arg("code", row.code),
                                   fmt::arg("value", row.value), fmt::arg("name", row.name),
                                   fmt::arg("words", row.result_words));
  return {.name = std::string(row.name),
          .source = std::move(source),
          .architecture = row.architecture,
          .input = scalar_input(256),
          .output_words = 32 * row.result_words};
}

/// wgmma m64n64k16 of small integers in one swizzle mode and pair of majors; a from registers too.
/// Atoms are 8 lines of kChunks 16-byte chunks: lines along the rows (K-major) or k (MN-major).
constexpr std::string_view kWgmma = R"(
AB_FN ab::u32 place(bool mn_major, ab::u32 row, ab::u32 k) {{
  const ab::u32 line = mn_major ? k : row, along = mn_major ? row : k, lines = mn_major ? 16 : 64;
  const ab::u32 chunk = along / 8 % {chunks}, atom = along / 8 / {chunks} * (lines / 8) + line / 8;
  const ab::u32 rotated = chunk ^ (line * {chunks} / 8) % {chunks};
  return atom * {chunks} * 128 + line % 8 * 16 * {chunks} + 16 * rotated + 2 * (along % 8);
}}
AB_FN ab::u64 descriptor(bool mn_major, ab::u32 address) {{
  const ab::u32 atom = {chunks} * 128, along = (mn_major ? 2 : 8) * atom;
  const bool exchanged = mn_major && {chunks} == 1;
  return ab::descriptor_bits(address, exchanged ? atom : along, exchanged ? along : atom,
                             {swizzle});
}}
AB_FN float small(const ab::u32* in, ab::u32 i) {{ return static_cast<int>(in[i] % 9) - 4; }}
AB_KERNEL AB_LAUNCH_BOUNDS(128) check(const ab::u32* in, ab::u32* out) {{
  const ab::u32 t = ab::thread(), s = ab::shared_base();
  for (ab::u32 i = t; i < 1024; i += 128) {{
    const ab::u32 a = ab::f32_to_{type}(small(in, i)), b = ab::f32_to_{type}(small(in, 1024 + i));
    ab::store_shared<2>(s + place({a_major}, i / 16, i % 16), &a);
    ab::store_shared<2>(s + 8192 + place({b_major}, i / 16, i % 16), &b);
  }}
  ab::u32 fragment[4];
  for (ab::u32 r = 0; r < 4; ++r) {{
    const ab::u32 i = (t / 32 * 16 + t % 32 / 4 + r % 2 * 8) * 16 + r / 2 * 8 + t % 4 * 2;
    fragment[r] = ab::f32_to_{type}x2(small(in, i), small(in, i + 1));
  }}
  ab::fence_proxy_async();
  ab::sync_cta();
  ab::u32 d[32], e[32];
  for (int i = 0; i < 32; ++i) d[i] = 0, e[i] = ab::float_bits(1.0f);
  const ab::u64 a = descriptor({a_major}, s), b = descriptor({b_major}, s + 8192);
  ab::wgmma_fence();
  ab::wgmma_{type}<64, {a_major}, {b_major}>(d, a, b, false);
  ab::wgmma_{type}<64, {a_major}, {b_major}>(d, a, b, true);
  ab::wgmma_{type}_rs<64, {b_major}>(e, fragment, b, true);
  ab::wgmma_commit();
  ab::wgmma_wait<0>();
  for (int i = 0; i < 32; ++i) ab::pin(d[i]), ab::pin(e[i]);
  for (int i = 0; i < 32; ++i) {{
    out[64 * t + i] = d[i];
    out[64 * t + 32 + i] = e[i];
  }}
}}
)";

struct WgmmaCase {
  std::string_view name;
  int chunks, swizzle;
};
constexpr std::array<WgmmaCase, 4> kWgmmaCases = {
    {{"none", 1, 0}, {"32", 2, 3}, {"64", 4, 2}, {"128", 8, 1}}};

SelfCheckCase wgmma_case(const WgmmaCase& row, bool mn_major) {
  const std::string_view type = mn_major ? "bf16" : "f16";
  return {.name = fmt::format("wgmma_{}_swizzle_{}_{}", type, row.name, mn_major ? "mn" : "k"),
          .source =
              fmt::format(kWgmma, fmt::arg("chunks", row.chunks), fmt::arg("swizzle", row.swizzle),
                          fmt::arg("type", type), fmt::arg("a_major", mn_major ? 1 : 0),
                          fmt::arg("b_major", mn_major ? 1 : 0)),
          .architecture = 90,
          .block_threads = 128,
          .shared_bytes = 16384,
          .input = scalar_input(1024),
          .output_words = 128 * 64};
}

}  // namespace

std::vector<SelfCheckCase> self_check_cases() {
  std::vector<SelfCheckCase> cases;
  for (const ScalarCase& row : kScalarCases) cases.push_back(scalar_case(row));
  const auto add = [&](const char* name, std::string_view source, int architecture, int threads,
                       int shared_bytes, int output_words) {
    cases.push_back({name, std::string(source), architecture, threads, shared_bytes,
                     scalar_input(512), output_words});
  };
  add("memory", kMemory, 80, 128, 4096, 1412);
  add("ldmatrix", kLdmatrix, 80, 32, 512, 352);
  for (const MmaCase& row : kMmaCases) cases.push_back(mma_case(row));
  add("stmatrix", kStmatrix, 90, 32, 1024, 256);
  add("bulk_copy", kBulk, 90, 64, 1040, 704);
  for (const bool mn_major : {false, true}) {
    for (const WgmmaCase& row : kWgmmaCases) cases.push_back(wgmma_case(row, mn_major));
  }
  return cases;
}

Result<std::vector<uint32_t>> emulated_self_check(const SelfCheckCase& check) {
  ANYBIT_ASSIGN(const EmulatedKernel kernel, compile_emulated(check.source));
  std::vector<uint32_t> output(static_cast<size_t>(check.output_words));
  const uint32_t* in = check.input.data();
  uint32_t* out = output.data();
  std::array<void*, 2> arguments = {&in, &out};
  EmulatedLaunch launch;
  launch.block_threads = check.block_threads;
  launch.shared_bytes = check.shared_bytes;
  launch.global_memory = {std::as_bytes(std::span(check.input)), std::as_bytes(std::span(output))};
  ANYBIT_TRY(kernel.launch(launch, arguments.data()));
  return output;
}

Status compare_self_check(const SelfCheckCase& check, std::span<const uint32_t> expected,
                          std::span<const uint32_t> found) {
  if (expected.size() != found.size()) {
    return fail(ErrorCode::kDeviceError, "{}: {} words of output, {} expected", check.name,
                found.size(), expected.size());
  }
  size_t first = expected.size(), count = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == found[i]) continue;
    first = std::min(first, i);
    ++count;
  }
  if (count == 0) return {};
  return fail(ErrorCode::kDeviceError,
              "{}: {} of {} words differ; word {} is {:#010x}, expected {:#010x}", check.name,
              count, expected.size(), first, found[first], expected[first]);
}

}  // namespace anybit::vm

// Compiles every function of the PTX body with NVRTC for sm_80, sm_89 and sm_90a. Needs no GPU; is
// skipped where there is no NVRTC.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "anybit/vm/backend/cuda/device_selfcheck.h"
#include "anybit/vm/backend/cuda/device_source.h"

namespace anybit::vm {
namespace {

/// The few functions of NVRTC that are needed here.
struct Nvrtc {
  void* library = nullptr;
  int (*create)(void**, const char*, const char*, int, const char* const*, const char* const*);
  int (*compile)(void*, int, const char* const*);
  int (*log_size)(void*, size_t*);
  int (*log)(void*, char*);
  int (*cubin_size)(void*, size_t*);
  int (*destroy)(void**);

  Nvrtc() {
    for (const char* name :
         {"libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so"}) {
      if (library == nullptr) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    if (library == nullptr) return;
    get(create, "nvrtcCreateProgram");
    get(compile, "nvrtcCompileProgram");
    get(log_size, "nvrtcGetProgramLogSize");
    get(log, "nvrtcGetProgramLog");
    get(cubin_size, "nvrtcGetCUBINSize");
    get(destroy, "nvrtcDestroyProgram");
  }
  template <class Function>
  void get(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(library, name));
  }

  /// Empty if the text compiles to a cubin, else the compiler's messages.
  std::string errors(const std::string& text, const std::string& architecture) const {
    void* program = nullptr;
    if (create(&program, text.c_str(), "kernel.cu", 0, nullptr, nullptr) != 0) return "create";
    const std::string option = "--gpu-architecture=" + architecture;
    const std::vector<const char*> options = {option.c_str(), "--std=c++17"};
    const int result = compile(program, static_cast<int>(options.size()), options.data());
    size_t bytes = 0;
    log_size(program, &bytes);
    std::string messages(bytes, '\0');
    log(program, messages.data());
    size_t cubin_bytes = 0;
    cubin_size(program, &cubin_bytes);
    destroy(&program);
    if (result == 0 && cubin_bytes > 0) return {};
    return "failed: " + messages;
  }
};

const Nvrtc& nvrtc() {
  static const Nvrtc loaded;
  return loaded;
}

#define ANYBIT_NEEDS_NVRTC() \
  if (nvrtc().library == nullptr) GTEST_SKIP() << "no libnvrtc on this machine"

// One statement a function, by the types of what it takes: w, v, u are words, x, y, z floats, i, j
// ints, l a long long, p a pointer to words, s a shared address, o the words that go out.
constexpr const char* kScalarCalls = R"(
  w = lop3<0xe8>(w, v, u); w += prmt(w, v, 0x6420); w += funnel_right(w, v, u);
  w += funnel_left(w, v, u); w += bit_extract(w, 3, 5); i += bit_extract_signed(w, v, u);
  w = bit_insert(w, v, 3, 4); i += popc(w) + clz(w); w ^= brev(v);
  w += shift_left(w, u) + shift_right(v, u); i += shift_right_signed(i, u);
  l += shift_left_64(l, u) + shift_right_64(l, u) + shift_right_signed_64(l, u);
  i += mul_hi(i, j); w += mul_hi_u(w, v); i = dot4_s8(w, v, i); w = dot4_u8(w, v, u);
  i = add_wrap(i, j); i = sub_wrap(i, j); i = mul_wrap(i, j);
  l = add_wrap_64(l, i); l = sub_wrap_64(l, j); l = mul_wrap_64(l, j);
  i += div_i32(i, j) + rem_i32(j, i); w += div_u32(w, v) + rem_u32(v, w);
  l += div_i64(l, i) + rem_i64(i, l); i = min_i32(i, j) + max_i32(j, 5) + abs_i32(j);
  w = min_u32(w, v) + max_u32(u, 7);
  { u32 r[4]; philox4x32_10(r, l, w, v); w ^= r[0] ^ r[1] ^ r[2] ^ r[3]; }
  x = add(x, y); x = sub(x, z); x = mul(x, y); x = fma(x, y, z); x = div(x, y); x = sqrt(x);
  x += rsqrt(y) + min(x, y) + max(y, z) + min_nan(x, z) + max_nan(x, y) + floor(x) + ceil(y);
  x += trunc(y) + rint(z) + exp2(x) + log2(y) + exp(z) + log(x) + sin(y) + cos(z) + tanh(x);
  x += erf(y) + abs(z) + neg(y) + f32_to_tf32(x) + bits_float(w); w += float_bits(x);
  i += f32_to_i32_rz(x) + f32_to_i32_rn(y); w += f32_to_u32_rz(x) + f32_to_u32_rn(y);
  l += f32_to_i64_rz(x) + f32_to_i64_rn(z); x += i32_to_f32(i) + u32_to_f32(w) + i64_to_f32(l);
)";
constexpr const char* kHalfCalls = R"(
  w = f16x2_add(w, v); w = f16x2_sub(w, u); w = f16x2_mul(w, v); w = f16x2_fma(w, v, u);
  w = f16x2_min(w, v); w = f16x2_max(w, u); w = f16x2_min_nan(w, v); w = f16x2_max_nan(w, u);
  w = f16x2_neg(w); w ^= f16x2_abs(v);
  w += f16x2_eq(w, v) + f16x2_ne(v, u) + f16x2_lt(w, u) + f16x2_le(v, w) + f16x2_gt(u, w);
  w += f16x2_ge(w, v);
  w = bf16x2_add(w, v); w = bf16x2_sub(w, u); w = bf16x2_mul(w, v); w = bf16x2_fma(w, v, u);
  w = bf16x2_min(w, v); w = bf16x2_max(w, u); w = bf16x2_min_nan(w, v);
  w = bf16x2_max_nan(w, u); w = bf16x2_neg(w); w ^= bf16x2_abs(v);
  w += bf16x2_eq(w, v) + bf16x2_ne(v, u) + bf16x2_lt(w, u) + bf16x2_le(v, w) + bf16x2_gt(u, w);
  w += bf16x2_ge(w, v);
  x += f16_lo_to_f32(w) + f16_hi_to_f32(v) + bf16_lo_to_f32(u) + bf16_hi_to_f32(w);
  w += f32_to_f16x2(x, y) + f32_to_bf16x2(y, z) + f32_to_f16(x) + f32_to_bf16(z);
  w += e4m3x2_to_f16x2(v) + e5m2x2_to_f16x2(u) + f32_to_e4m3x2(x, y) + f32_to_e5m2x2(y, z);
  w += e4m3x2_to_f16x2_by_bits(v) + e5m2x2_to_f16x2_by_bits(u) + f32_to_e4m3x2_by_bits(x, y);
  w += f32_to_e5m2x2_by_bits(y, z);
)";
constexpr const char* kThreadCalls = R"(
  w += thread() + lane() + warp() + block_threads() + block_x() + block_y() + block_z();
  w += grid_x() + grid_y() + grid_z();
  w += shuffle(w, 3) + shuffle_xor(v, 16) + shuffle_up(u, 1) + shuffle_down(w, 2);
  x += shuffle(x, 3) + shuffle_xor(y, 16) + shuffle_up(z, 1) + shuffle_down(x, 2);
  i += shuffle(i, 3) + shuffle_xor(j, 16) + shuffle_up(i, 1) + shuffle_down(j, 2);
  w += ballot(w > v) + any(u == 0) + all(v == 1) + elect();
  sync_cta(); sync_warp(); sync_named(1, 64); arrive_named(2, 64);
  semaphore_acquire(p, 3); semaphore_release(p, 4); print("%u\n", w); if (w == 5) assert_fail(7);
)";
constexpr const char* kMemoryCalls = R"(
  load_shared<1>(o, s); load_shared<2>(o + 1, s); load_shared<4>(o + 2, s); load_shared<8>(o, s);
  load_shared<16>(o, s); store_shared<1>(s, o); store_shared<2>(s, o); store_shared<4>(s, o);
  store_shared<8>(s, o); store_shared<16>(s, o);
  load_global<1>(o, p); load_global<2>(o + 1, p); load_global<4>(o + 2, p);
  load_global<8, kCacheL2>(o, p); load_global<16, kCacheReadOnly>(o, p);
  load_global<1, kCacheStream>(o, p); load_global<2, kCacheStream>(o + 1, p);
  load_global<4, kCacheStream>(o + 2, p); w += o[0] + o[1] + o[2] + o[3];
  load_global<8, kCacheStream>(o, p); w += o[0] + o[1]; load_global<16, kCacheStream>(o, p);
  w += o[0] + o[1] + o[2] + o[3]; load_global<4, kCacheL2>(o, p);
  store_global<1>(p, o); store_global<2, kCacheStream>(p, o); store_global<4, kCacheL2>(p, o);
  store_global<8>(p, o); store_global<16, kCacheStream>(p, o);
  cp_async<4>(s, p, w > 1); cp_async<8>(s, p, true); cp_async<16>(s, p, w > 2);
  cp_async_commit(); cp_async_wait<2>(); cp_async_wait<0>();
  w += atomic_add_global(p, w) + atomic_min_global(p, w) + atomic_max_global(p, v);
  w += atomic_or_global(p, w) + atomic_and_global(p, v) + atomic_exch_global(p, u);
  w += atomic_add_shared(s, w) + atomic_min_shared(s, w) + atomic_max_shared(s, v);
  w += atomic_or_shared(s, w) + atomic_and_shared(s, v) + atomic_exch_shared(s, u);
  i += atomic_add_global((i32*)p, i) + atomic_min_global((i32*)p, i);
  i += atomic_max_global((i32*)p, i) + atomic_add_shared(s, i) + atomic_min_shared(s, j);
  i += atomic_max_shared(s, j); x += atomic_add_global((float*)p, x) + atomic_add_shared(s, y);
  w += atomic_add_f16x2_global(p, w) + atomic_add_f16x2_shared(s, w);
  w += atomic_cas_global(p, w, v) + atomic_cas_shared(s, w, v);
  w += load_acquire(p); store_release(p, w); w += atomic_add_release(p, v); fence_gpu();
)";
constexpr const char* kMatrixCalls = R"(
  ldmatrix_x1(o, s); ldmatrix_x2(o, s + 16); ldmatrix_x4(o, s); w += o[3];
  ldmatrix_x1_trans(o, s); ldmatrix_x2_trans(o, s); w += o[1]; ldmatrix_x4_trans(o, s);
  float f[4] = {x, y, z, x}; i32 n[4] = {i, j, i, j}; u32 h[2] = {w, v};
  mma_m16n8k16_f16(f, o, h, f); mma_m16n8k16_bf16(f, o, h, f); mma_m16n8k8_tf32(f, o, h, f);
  mma_m16n8k32_s8(n, o, h, n); mma_m16n8k32_u8(n, o, h, n); mma_m16n8k32_s8_u8(n, o, h, n);
  mma_m16n8k32_u8_s8(n, o, h, n); mma_m16n8k16_f16_f16(h, o, h, h);
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890
  mma_m16n8k32_e4m3(f, o, h, f); mma_m16n8k32_e5m2(f, o, h, f);
#endif
  x += f[0] + f[1] + f[2] + f[3]; i += n[0] + n[1] + n[2] + n[3]; w += h[0] + h[1];
)";
constexpr const char* kHopperCalls = R"(
  stmatrix_x1(s, o); stmatrix_x2(s, o); stmatrix_x4(s, o);
  stmatrix_x1_trans(s, o); stmatrix_x2_trans(s, o); stmatrix_x4_trans(s, o);
  mbarrier_init(s, 1); fence_barrier_init(); mbarrier_arrive(s); mbarrier_arrive_expect_tx(s, 64);
  mbarrier_expect_tx(s, 32); w += mbarrier_test(s, 0); mbarrier_wait(s, 1); mbarrier_invalidate(s);
  fence_proxy_async(); bulk_copy_g2s(s, p, 64, s); bulk_copy_s2g(p, s, 64);
  tensor_copy_g2s_2d(s, &map, i, j, s); tensor_copy_s2g_2d(&map, i, j, s); tensor_prefetch(&map);
  tensor_copy_g2s_1d(s, &map, i, s); tensor_copy_s2g_1d(&map, i, s);
  tensor_copy_g2s_3d(s, &map, i, j, i, s); tensor_copy_s2g_3d(&map, i, j, i, s);
  tensor_copy_g2s_4d(s, &map, i, j, i, j, s); tensor_copy_s2g_4d(&map, i, j, i, j, s);
  tensor_copy_g2s_5d(s, &map, i, j, i, j, i, s); tensor_copy_s2g_5d(&map, i, j, i, j, i, s);
  bulk_commit(); bulk_wait_read<1>(); bulk_wait<0>(); cluster_arrive(); cluster_wait();
  cluster_sync(); w += cluster_rank() + cluster_blocks(); setmaxnreg_inc<232>();
  setmaxnreg_dec<40>(); pin(x); pin(w);
)";

/// A kernel that makes these calls and writes what they give.
std::string kernel_of(const std::string& name, const std::string& calls) {
  return "AB_KERNEL AB_LAUNCH_BOUNDS(128) " + name +
         R"((u32* p, float* q, i64* r, AB_GRID_CONSTANT const TensorMap map) {
  u32 w = p[0], v = p[1], u = p[2], s = shared_base() + p[3];
  float x = q[0], y = q[1], z = q[2];
  i32 i = p[4], j = p[5];
  i64 l = r[0];
  u32 o[4] = {w, v, u, s};
)" + calls +
         R"(
  p[6] = w; q[3] = x; p[7] = i; r[1] = l; p[8] = o[0] + o[1] + o[2] + o[3];
}
)";
}

/// In namespace ab, for the compiler has functions of its own called sin, ballot, ...
std::string all_kernels(bool hopper) {
  std::string text = "namespace ab {\n";
  text += kernel_of("scalar", kScalarCalls) + kernel_of("half", kHalfCalls) +
          kernel_of("threads", kThreadCalls) + kernel_of("memory", kMemoryCalls) +
          kernel_of("matrix", kMatrixCalls);
  if (hopper) text += kernel_of("hopper", kHopperCalls);
  return text + "}\n";
}

TEST(DeviceCompile, EveryFunctionCompilesForEveryArchitecture) {
  ANYBIT_NEEDS_NVRTC();
  for (const char* architecture : {"sm_80", "sm_89", "sm_90a"}) {
    const bool hopper = std::string(architecture) == "sm_90a";
    const std::string text = std::string(device_header_source()) + all_kernels(hopper);
    EXPECT_EQ(nvrtc().errors(text, architecture), "") << architecture;
  }
}

TEST(DeviceCompile, WgmmaOfEveryNCompiles) {
  ANYBIT_NEEDS_NVRTC();
  std::string kernels;
  for (int n = 8; n <= 256; n += 8) {
    std::string calls = "u32 d[" + std::to_string(n / 2) + "]; wgmma_fence();\n";
    calls += "for (int k = 0; k < " + std::to_string(n / 2) + "; ++k) d[k] = p[k];\n";
    const std::string size = std::to_string(n);
    for (const char* type : {"f16", "bf16"}) {
      calls += "wgmma_" + std::string(type) + "<" + size + ", 0, 1>(d, l, l + 1, true);\n";
      calls += "wgmma_" + std::string(type) + "_rs<" + size + ", 0>(d, o, l, w > 1);\n";
    }
    for (const char* type : {"e4m3", "e5m2"}) {
      calls += "wgmma_" + std::string(type) + "<" + size + ">(d, l, l + 1, true);\n";
      calls += "wgmma_" + std::string(type) + "_rs<" + size + ">(d, o, l, w > 1);\n";
    }
    calls += "wgmma_commit(); wgmma_wait<0>();\n";
    calls += "for (int k = 0; k < " + size + " / 2; ++k) p[k] = d[k];\n";
    if (n % 64 == 8 || n == 256) kernels += kernel_of("wgmma" + size, calls);
  }
  kernels = "namespace ab {\n" + kernels + "}\n";
  const std::string text =
      std::string(device_header_source()) + wgmma_source_for(kernels) + kernels;
  EXPECT_EQ(nvrtc().errors(text, "sm_90a"), "");
}

TEST(DeviceCompile, WgmmaTextHoldsWhatIsCalled) {
  EXPECT_EQ(wgmma_source_for("ab::mma_m16n8k16_f16(d, a, b, c);"), "");
  const std::string text = wgmma_source_for("ab::wgmma_bf16_rs<24, 1>(d, a, b, true);");
  EXPECT_NE(text.find("m64n24k16.f32.bf16.bf16"), std::string::npos);
  EXPECT_EQ(text.find("m64n32k16"), std::string::npos);
  EXPECT_EQ(wgmma_source_for("ab::wgmma_bf16<20, 1, 0>(d, a, b, true);"), "");
}

TEST(DeviceCompile, EverySelfCheckCompiles) {
  ANYBIT_NEEDS_NVRTC();
  for (const SelfCheckCase& check : self_check_cases()) {
    const std::string architecture =
        check.architecture == 90 ? "sm_90a" : "sm_" + std::to_string(check.architecture);
    const std::string text =
        std::string(device_header_source()) + wgmma_source_for(check.source) + check.source;
    EXPECT_EQ(nvrtc().errors(text, architecture), "") << check.name;
  }
}

TEST(DeviceCompile, EmptyKernelCompilesSoon) {
  ANYBIT_NEEDS_NVRTC();
  const std::string text =
      std::string(device_header_source()) + "AB_KERNEL empty(float* x) { x[0] = 1; }\n";
  EXPECT_EQ(nvrtc().errors(text, "sm_90a"), "");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(nvrtc().errors(text, "sm_90a"), "");
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  RecordProperty("milliseconds", static_cast<int>(seconds.count() * 1e3));
  // A bound for a loaded machine; bench numbers are measured apart.
  EXPECT_LT(seconds.count(), 5.0);
}

TEST(DeviceCompile, ErrorsAreReported) {
  ANYBIT_NEEDS_NVRTC();
  EXPECT_NE(nvrtc().errors("AB_NO_SUCH_THING", "sm_80"), "");
}

}  // namespace
}  // namespace anybit::vm

// The device header as text inside the library, so that compiling a kernel needs no files. Made by
// the build from device/ (tools/embed_device_header.py).
#pragma once

#include <string>
#include <string_view>

namespace anybit::vm {

/// The PTX body without wgmma_*. Put before a kernel's text for NVRTC or nvcc (C++17 or later).
std::string_view device_header_source();

/// The wgmma functions that the kernel's text calls: each "wgmma_<type>[_rs]<N" in it with a
/// literal N, <type> one of f16, bf16, e4m3, e5m2. The text to follow device_header_source(), empty
/// if there are none. They are written on demand, for all of them would take long to compile.
/// template <int kN, int kAMajor, int kBMajor> void wgmma_f16(u32* d, u64 a, u64 b, bool acc);
/// template <int kN, int kBMajor> void wgmma_f16_rs(u32* d, const u32* a, u64 b, bool acc);
/// (bf16 alike; e4m3 and e5m2 <int kN>): d[64, kN] = a[64, k] * b[k, kN], + d if acc, in f32 (its
/// words), by four warps; k is 32 bytes. kAMajor, kBMajor: 0 for K-major, 1 for MN-major. a and b
/// are descriptors (descriptor_bits), or a's fragment is in registers, as mma's (row + 16 per
/// warp). d[4j + 2i + c] of thread t is row 16 (t / 32) + (t mod 32) / 4 + 8i, column 8j + 2 (t mod
/// 4) + c. Asynchronous: done after wgmma_wait; until then d's and a's registers are not touched.
/// Errors: N that is not a multiple of 8 in 8..256 gets no function; the compiler then says so.
std::string wgmma_source_for(std::string_view kernel);

/// The emulated body, for the host compiler (backend/emulated/emulator.h puts it in place).
std::string_view emulated_header_source();

}  // namespace anybit::vm

#include "anybit/vm/backend/emulated/emulator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "anybit/base/philox.h"
#include "anybit/vm/backend/cuda/device/device.h"

namespace anybit::vm {
namespace {

using ab::i32;
using ab::u32;
using ab::u64;
using ab::u8;

/// Runs the lambda as every thread of the grid.
Status run(const EmulatedLaunch& launch, const std::function<void()>& body) {
  return run_emulated(
      launch, [](ab::EmulatedHost* host) { ab::host = host; }, body);
}

std::string error_of(const Status& status) { return status ? "" : status.error().message; }

/// Small integers, so that sums of products are exact in any order.
float small(u64 index) { return static_cast<float>(Philox(5).bits64(index) % 9) - 4; }

TEST(Emulator, EveryThreadOfEveryBlockRuns) {
  std::vector<u32> seen(2 * 3 * 64);
  ASSERT_TRUE(run({.grid = {2, 3, 1}, .block_threads = 64}, [&] {
    const u32 block = ab::block_y() * ab::grid_x() + ab::block_x();
    seen[block * ab::block_threads() + ab::thread()] = ab::warp() * 32 + ab::lane() + 1;
  }));
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], i % 64 + 1);
}

TEST(Emulator, RefusesWhatIsNoLaunch) {
  const auto nothing = [] {};
  EXPECT_FALSE(run({.block_threads = 48}, nothing));
  EXPECT_FALSE(run({.block_threads = 2048}, nothing));
  EXPECT_FALSE(run({.grid = {0, 1, 1}}, nothing));
  EXPECT_FALSE(run({.shared_bytes = 1 << 20}, nothing));
}

TEST(Emulator, ShufflesAndVotes) {
  std::vector<std::array<u32, 8>> out(64);
  ASSERT_TRUE(run({.block_threads = 64}, [&] {
    const u32 own = 100 * ab::warp() + ab::lane();
    out[ab::thread()] = {ab::shuffle(own, 5),      ab::shuffle_xor(own, 9),
                         ab::shuffle_up(own, 3),   ab::shuffle_down(own, 4),
                         ab::ballot(own % 2 == 1), ab::any(ab::lane() == 7),
                         ab::all(ab::lane() < 31), ab::elect()};
  }));
  for (u32 t = 0; t < 64; ++t) {
    const u32 base = 100 * (t / 32), l = t % 32;
    const std::array<u32, 8> expected = {base + 5,
                                         base + (l ^ 9),
                                         base + (l < 3 ? l : l - 3),
                                         base + (l > 27 ? l : l + 4),
                                         0xaaaaaaaa,
                                         1,
                                         0,
                                         l == 0};
    EXPECT_EQ(out[t], expected) << t;
  }
}

TEST(Emulator, BarriersOrderSharedMemory) {
  std::vector<u32> out(128);
  ASSERT_TRUE(run({.block_threads = 128, .shared_bytes = 512}, [&] {
    const u32 own = ab::thread() * 3;
    ab::store_shared<4>(ab::shared_base() + 4 * ab::thread(), &own);
    ab::sync_cta();
    ab::load_shared<4>(&out[ab::thread()], ab::shared_base() + 4 * (127 - ab::thread()));
  }));
  for (u32 t = 0; t < 128; ++t) EXPECT_EQ(out[t], (127 - t) * 3);
}

TEST(Emulator, NamedBarriersHandOver) {
  u32 out = 0;
  ASSERT_TRUE(run({.block_threads = 64, .shared_bytes = 4}, [&] {
    if (ab::warp() == 0) {
      const u32 value = 42;
      ab::store_shared<4>(ab::shared_base(), &value);
      ab::arrive_named(1, 64);
    } else {
      ab::sync_named(1, 64);
      ab::load_shared<4>(&out, ab::shared_base());
    }
  }));
  EXPECT_EQ(out, 42);
}

TEST(Emulator, SharedMemoryStartsPoisoned) {
  u32 word = 0;
  ASSERT_TRUE(run({.shared_bytes = 4}, [&] { ab::load_shared<4>(&word, ab::shared_base()); }));
  EXPECT_EQ(word, 0xffffffff);
}

TEST(Emulator, AsynchronousCopiesArriveWhenWaitedFor) {
  alignas(16) const u32 source[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  u32 before[4], first[4], second[4], zero[1];
  ASSERT_TRUE(run({.shared_bytes = 64}, [&] {
    const u32 s = ab::shared_base();
    if (ab::thread() != 0) return;
    ab::cp_async<16>(s, source, true);
    ab::cp_async_commit();
    ab::cp_async<16>(s + 16, source + 4, true);
    ab::cp_async<4>(s + 32, nullptr, false);
    ab::cp_async_commit();
    ab::load_shared<16>(before, s);
    ab::cp_async_wait<1>();
    ab::load_shared<16>(first, s);
    ab::load_shared<4>(zero, s + 32);
    EXPECT_EQ(zero[0], 0xffffffff);
    ab::cp_async_wait<0>();
    ab::load_shared<16>(second, s + 16);
    ab::load_shared<4>(zero, s + 32);
  }));
  EXPECT_EQ(before[0], 0xffffffff);
  for (u32 i = 0; i < 4; ++i) {
    EXPECT_EQ(first[i], source[i]);
    EXPECT_EQ(second[i], source[4 + i]);
  }
  EXPECT_EQ(zero[0], 0);
}

TEST(Emulator, DeadlockSaysWhoWaitsForWhat) {
  const Status status = run({.block_threads = 64}, [] {
    if (ab::warp() == 0) ab::sync_cta();
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kDeviceError);
  EXPECT_NE(error_of(status).find("deadlock: threads 0-31 in sync_cta; threads 32-63 finished; "
                                  "barrier 0 has 32 of 64 arrivals"),
            std::string::npos)
      << error_of(status);
}

TEST(Emulator, PollingForeverIsFound) {
  const u32 never = 0;
  const Status status = run({}, [&] {
    while (ab::load_acquire(&never) == 0) {
    }
  });
  EXPECT_NE(error_of(status).find("only polling: threads 0-31 in load_acquire"), std::string::npos);
}

TEST(Emulator, DivergentWarpOperationsAreFound) {
  const Status status = run({}, [] {
    if (ab::lane() < 16) {
      ab::sync_warp();
    } else {
      ab::ballot(true);
    }
  });
  const std::string message = error_of(status);
  EXPECT_NE(message.find("thread 16: divergent warp: this thread calls ballot in line "),
            std::string::npos)
      << message;
  EXPECT_NE(message.find(", thread 0 calls sync_warp in line "), std::string::npos) << message;
}

TEST(Emulator, WarpFunctionsFromDifferentLinesDiverge) {
  const Status status = run({}, [] {
    const u32 own = ab::lane();
    if (own < 16) {
      ab::shuffle(own, 0);
    } else {
      ab::shuffle(own, 0);
    }
  });
  const std::string message = error_of(status);
  EXPECT_NE(message.find("thread 16: divergent warp: this thread calls shuffle in line "),
            std::string::npos)
      << message;
}

TEST(Emulator, EveryWarpFunctionWaitsForAllLanes) {
  // On a GPU each of these would wait for ever for lane 0.
  u32 r[4] = {};
  const std::pair<const char*, std::function<void()>> kCalls[] = {
      {"warp", [] { ab::warp(); }},
      {"elect", [] { ab::elect(); }},
      {"sync_warp", [] { ab::sync_warp(); }},
      {"ballot", [] { ab::any(true); }},
      {"shuffle", [] { ab::shuffle_xor(1.0f, 1); }},
      {"ldmatrix_x1", [&] { ab::ldmatrix_x1(r, ab::shared_base()); }},
      {"stmatrix_x1", [&] { ab::stmatrix_x1(ab::shared_base(), r); }},
      {"mma_m16n8k8_tf32",
       [&] {
         float d[4] = {};
         ab::mma_m16n8k8_tf32(d, r, r, d);
       }},
  };
  for (const auto& [name, call] : kCalls) {
    const Status status = run({.shared_bytes = 16}, [&] {
      if (ab::lane() != 0) call();
    });
    EXPECT_NE(error_of(status).find(
                  fmt::format("deadlock: warp 0 is divergent, 31 of its 32 threads call {}; "
                              "thread 0 finished; threads 1-31 in {}",
                              name, name)),
              std::string::npos)
        << error_of(status);
  }
}

TEST(Emulator, AccessesOutsideAndMisalignedAreFound) {
  u32 w[4] = {};
  const EmulatedLaunch launch = {.shared_bytes = 64};
  EXPECT_NE(error_of(run(launch, [&] { ab::load_shared<4>(w, ab::shared_base() + 64); }))
                .find("outside the block's 64 bytes"),
            std::string::npos);
  EXPECT_FALSE(run(launch, [&] { ab::load_shared<16>(w, ab::shared_base() + 8); }));
  EXPECT_FALSE(run(launch, [&] { ab::store_shared<4>(0, w); }));
  EXPECT_TRUE(run(launch, [&] { ab::load_shared<8>(w, ab::shared_base() + 56); }));
  alignas(16) u32 global[8] = {};
  EmulatedLaunch declared;
  declared.global_memory = {std::as_bytes(std::span(global, 4))};
  EXPECT_TRUE(run(declared, [&] { ab::load_global<16>(w, global); }));
  EXPECT_NE(error_of(run(declared, [&] { ab::load_global<4>(w, global + 4); }))
                .find("outside the declared memory"),
            std::string::npos);
  EXPECT_FALSE(run(declared, [&] { ab::load_global<8>(w, global + 1); }));
}

TEST(Emulator, AssertionsAndPrints) {
  EXPECT_NE(error_of(run({.grid = {2, 1, 1}},
                         [] {
                           if (ab::block_x() == 1) ab::assert_fail(17);
                         }))
                .find("block (1, 0, 0): thread 0: assertion 17 failed"),
            std::string::npos);
  std::string printed;
  EmulatedLaunch launch;
  launch.printed = &printed;
  ASSERT_TRUE(run(launch, [] {
    if (ab::thread() == 3) ab::print("%u %.1f;", ab::thread(), 2.5);
  }));
  EXPECT_EQ(printed, "3 2.5;");
}

TEST(Emulator, LdmatrixAndStmatrix) {
  std::vector<std::array<u32, 8>> out(32);
  std::vector<u32> stored(128);
  ASSERT_TRUE(run({.shared_bytes = 1024}, [&] {
    const u32 s = ab::shared_base(), l = ab::lane();
    for (u32 i = l; i < 256; i += 32) ab::store_shared<2>(s + 2 * i, &i);
    ab::sync_cta();
    std::array<u32, 8>& own = out[l];
    ab::ldmatrix_x4(own.data(), s + 16 * l);
    ab::ldmatrix_x4_trans(own.data() + 4, s + 16 * l);
    ab::stmatrix_x4(s + 512 + 16 * l, own.data());
    ab::sync_cta();
    for (u32 i = l; i < 128; i += 32) ab::load_shared<4>(&stored[i], s + 512 + 4 * i);
  }));
  for (u32 l = 0; l < 32; ++l) {
    for (u32 m = 0; m < 4; ++m) {
      // PTX ISA, ldmatrix: thread l holds elements (l / 4, 2 (l % 4)) and the next of each matrix.
      const u32 row = l / 4, column = 2 * (l % 4), base = 64 * m;
      EXPECT_EQ(out[l][m], (base + 8 * row + column) | (base + 8 * row + column + 1) << 16);
      EXPECT_EQ(out[l][4 + m], (base + 8 * column + row) | (base + 8 * (column + 1) + row) << 16);
    }
  }
  for (u32 i = 0; i < 128; ++i) EXPECT_EQ(stored[i], 2 * i | (2 * i + 1) << 16);
}

/// a [16, k] and b [k, 8] of small integers; their mma fragments, d against the plain product.
template <class Value, class Word>
void check_mma(u32 k, u32 bits, void (*mma)(Value*, const u32*, const u32*, const Value*, u32),
               Word to_code) {
  const u32 per_word = 32 / bits;
  const auto a = [&](u32 row, u32 i) { return std::abs(small(row * k + i)); };
  const auto b = [&](u32 i, u32 column) { return std::abs(small(5000 + i * 8 + column)); };
  std::vector<std::array<Value, 4>> d(32);
  ASSERT_TRUE(run({}, [&] {
    const u32 group = ab::lane() / 4, t = ab::lane() % 4;
    u32 fa[4] = {}, fb[2] = {};
    for (u32 i = 0; i < per_word; ++i) {
      for (u32 r = 0; r < 4; ++r) {
        const u32 at = (r / 2 * 4 + t) * per_word + i;
        fa[r] |= to_code(a(group + 8 * (r % 2), at)) << (bits * i % 32);
        if (r < 2) fb[r] |= to_code(b((r * 4 + t) * per_word + i, group)) << (bits * i % 32);
      }
    }
    const Value c[4] = {1, 2, 3, 4};
    mma(d[ab::lane()].data(), fa, fb, c, __LINE__);
  }));
  for (u32 l = 0; l < 32; ++l) {
    for (u32 j = 0; j < 4; ++j) {
      float sum = static_cast<float>(j + 1);
      for (u32 i = 0; i < k; ++i) sum += a(l / 4 + j / 2 * 8, i) * b(i, 2 * (l % 4) + j % 2);
      EXPECT_EQ(static_cast<float>(d[l][j]), sum) << l << " " << j;
    }
  }
}

TEST(Emulator, MmaIsTheProduct) {
  const auto f16 = [](float x) { return ab::f32_to_f16(x); };
  const auto bf16 = [](float x) { return ab::f32_to_bf16(x); };
  const auto f32 = [](float x) { return ab::float_bits(x); };
  const auto byte = [](float x) { return static_cast<u32>(static_cast<i32>(x)) & 255; };
  const auto e4m3 = [](float x) { return ab::f32_to_e4m3x2(x, 0); };
  const auto e5m2 = [](float x) { return ab::f32_to_e5m2x2(x, 0); };
  check_mma<float>(16, 16, ab::mma_m16n8k16_f16, f16);
  check_mma<float>(16, 16, ab::mma_m16n8k16_bf16, bf16);
  check_mma<float>(8, 32, ab::mma_m16n8k8_tf32, f32);
  check_mma<i32>(32, 8, ab::mma_m16n8k32_s8, byte);
  check_mma<i32>(32, 8, ab::mma_m16n8k32_u8, byte);
  check_mma<i32>(32, 8, ab::mma_m16n8k32_s8_u8, byte);
  check_mma<i32>(32, 8, ab::mma_m16n8k32_u8_s8, byte);
  check_mma<float>(32, 8, ab::mma_m16n8k32_e4m3, e4m3);
  check_mma<float>(32, 8, ab::mma_m16n8k32_e5m2, e5m2);
}

TEST(Emulator, AtomicsAndSemaphores) {
  u32 counter = 0, order = 0;
  i32 least = 5;
  float sum = 0;
  std::vector<u32> blocks;
  ASSERT_TRUE(run({.grid = {4, 1, 1}, .block_threads = 64}, [&] {
    ab::atomic_add_global(&counter, 1u);
    ab::atomic_min_global(&least, -static_cast<i32>(ab::thread()));
    ab::atomic_add_global(&sum, 0.5f);
    ab::semaphore_acquire(&order, ab::block_x());
    if (ab::thread() == 0) blocks.push_back(ab::block_x());
    ab::semaphore_release(&order, ab::block_x() + 1);
  }));
  EXPECT_EQ(counter, 256u);
  EXPECT_EQ(least, -63);
  EXPECT_EQ(sum, 128.0f);
  EXPECT_EQ(blocks, (std::vector<u32>{0, 1, 2, 3}));
}

TEST(Emulator, MbarriersPingPong) {
  alignas(16) std::array<u32, 64> source;
  std::iota(source.begin(), source.end(), 7u);
  std::vector<u32> out(64);
  ASSERT_TRUE(run({.block_threads = 64, .shared_bytes = 128}, [&] {
    const u32 full = ab::shared_base() + 64, empty = full + 8, warp = ab::warp();
    if (ab::thread() == 0) {
      ab::mbarrier_init(full, 1);
      ab::mbarrier_init(empty, 32);
      ab::fence_barrier_init();
    }
    ab::sync_cta();
    for (u32 step = 0; step < 4; ++step) {
      const u32 parity = step & 1;
      if (ab::thread() == 0) {  // The producer waits for the consumers' last read.
        ab::mbarrier_wait(empty, parity ^ 1);
        ab::mbarrier_arrive_expect_tx(full, 64);
        ab::bulk_copy_g2s(ab::shared_base(), &source[16 * step], 64, full);
      } else if (warp == 1) {
        while (!ab::mbarrier_test(full, parity)) {
        }
        if (ab::lane() < 16) {
          ab::load_shared<4>(&out[16 * step + ab::lane()], ab::shared_base() + 4 * ab::lane());
        }
        ab::mbarrier_arrive(empty);
      }
    }
  }));
  for (u32 i = 0; i < 64; ++i) EXPECT_EQ(out[i], source[i]);
}

TEST(Emulator, MbarrierMistakesAreFound) {
  const EmulatedLaunch launch = {.shared_bytes = 64};
  EXPECT_NE(error_of(run(launch, [] { ab::mbarrier_arrive(ab::shared_base()); }))
                .find("no mbarrier at shared address"),
            std::string::npos);
  const Status waits = run(launch, [] {
    if (ab::thread() == 0) ab::mbarrier_init(ab::shared_base(), 1);
    ab::sync_cta();
    ab::mbarrier_wait(ab::shared_base(), 0);
  });
  EXPECT_NE(error_of(waits).find("mbarrier_wait(1024, parity 0)"), std::string::npos);
}

TEST(Emulator, TensorCopiesSwizzleAndFillWithZeros) {
  alignas(16) std::array<ab::u16, 10 * 64> source;
  std::iota(source.begin(), source.end(), ab::u16{1});
  EmulatedTensorMap map = {.pointer = source.data(),
                           .extents = {10, 64},
                           .stride_bytes = {128, 2},
                           .box = {8, 64},
                           .element_bytes = 2,
                           .swizzle_bytes = 128};
  const Result<ab::TensorMap> encoded = encode_emulated_tensor_map(map);
  ASSERT_TRUE(encoded);
  std::vector<u32> out(8 * 64);
  ASSERT_TRUE(run({.shared_bytes = 2048}, [&] {
    const u32 s = ab::shared_base(), barrier = s + 1024;
    if (ab::thread() == 0) {
      ab::mbarrier_init(barrier, 1);
      ab::mbarrier_arrive_expect_tx(barrier, 1024);
      ab::tensor_copy_g2s_2d(s, &*encoded, 0, 4, barrier);
    }
    ab::sync_cta();
    ab::mbarrier_wait(barrier, 0);
    for (u32 i = ab::lane(); i < 512; i += 32) {
      const u32 row = i / 64, chunk = i % 64 / 8, element = i % 8;
      ab::load_shared<2>(&out[i], s + 128 * row + 16 * (chunk ^ row) + 2 * element);
    }
  }));
  for (u32 i = 0; i < 512; ++i) EXPECT_EQ(out[i], i / 64 + 4 < 10 ? 1 + 256 + i : 0);
  map.box = {8, 128};
  EXPECT_FALSE(encode_emulated_tensor_map(map));
}

/// One m64n64k16 product with both operands in this swizzle and these majors; a from registers
/// if asked. The layouts are written out here, independently of the emulation's.
template <int kAMajor, int kBMajor>
void check_wgmma(int swizzle, bool registers) {
  constexpr u32 kN = 64, kBOffset = 8192;  // Rows of 128 bytes, of which k = 16 uses 32.
  const auto a = [](u32 m, u32 k) { return small(m * 16 + k); };
  const auto b = [](u32 k, u32 n) { return small(9000 + k * kN + n); };
  const u32 chunks = swizzle == ab::kSwizzle128  ? 8
                     : swizzle == ab::kSwizzle64 ? 4
                     : swizzle == ab::kSwizzle32 ? 2
                                                 : 1;
  // Atoms of 8 lines of `chunks` 16-byte chunks: lines along the rows (K-major) or k (MN-major).
  const u32 atom_bytes = 8 * 16 * chunks;
  const auto place = [&](bool mn_major, u32 rows, u32 row, u32 k) {
    const u32 line = mn_major ? k : row, along = mn_major ? row : k;
    const u32 lines = mn_major ? 16 : rows;
    const u32 chunk = along / 8 % chunks, atom = along / 8 / chunks * (lines / 8) + line / 8;
    const u32 rotated = chunks == 8   ? chunk ^ line % 8
                        : chunks == 4 ? chunk ^ line / 2 % 4
                        : chunks == 2 ? chunk ^ line / 4 % 2
                                      : chunk;
    return atom * atom_bytes + line % 8 * 16 * chunks + 16 * rotated + 2 * (along % 8);
  };
  const auto descriptor = [&](bool mn_major, u32 rows, u32 address) {
    const u32 lines = mn_major ? 16 : rows;
    u32 line_stride = atom_bytes, along_stride = lines / 8 * atom_bytes;
    if (mn_major && chunks == 1) std::swap(line_stride, along_stride);
    return ab::descriptor_bits(address, along_stride, line_stride, swizzle);
  };
  std::vector<std::array<u32, kN / 2>> d(128);
  const Status status = run({.block_threads = 128, .shared_bytes = 16384}, [&] {
    const u32 s = ab::shared_base(), t = ab::thread();
    for (u32 i = t; i < 64 * 16; i += 128) {
      const u32 code = ab::f32_to_f16(a(i / 16, i % 16));
      ab::store_shared<2>(s + place(kAMajor, 64, i / 16, i % 16), &code);
    }
    for (u32 i = t; i < kN * 16; i += 128) {
      const u32 code = ab::f32_to_f16(b(i % 16, i / 16));
      ab::store_shared<2>(s + kBOffset + place(kBMajor, kN, i / 16, i % 16), &code);
    }
    ab::fence_proxy_async();
    ab::sync_cta();
    u32* own = d[t].data();
    for (u32 i = 0; i < kN / 2; ++i) own[i] = ab::float_bits(1);
    const u64 da = descriptor(kAMajor, 64, s), db = descriptor(kBMajor, kN, s + kBOffset);
    ab::wgmma_fence();
    if (registers) {
      u32 fragment[4];
      for (u32 r = 0; r < 4; ++r) {
        const u32 row = t / 32 * 16 + t % 32 / 4 + r % 2 * 8, k = r / 2 * 8 + t % 4 * 2;
        fragment[r] = ab::f32_to_f16x2(a(row, k), a(row, k + 1));
      }
      ab::wgmma_f16_rs<kN, kBMajor>(own, fragment, db, true);
    } else {
      ab::wgmma_f16<kN, kAMajor, kBMajor>(own, da, db, true);
    }
    ab::wgmma_commit();
    ab::wgmma_wait<0>();
  });
  ASSERT_TRUE(status) << error_of(status);
  for (u32 t = 0; t < 128; ++t) {
    for (u32 i = 0; i < kN / 2; ++i) {
      const u32 row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8, n = i / 4 * 8 + t % 4 * 2 + i % 2;
      float sum = 1;
      for (u32 k = 0; k < 16; ++k) sum += a(row, k) * b(k, n);
      ASSERT_EQ(ab::bits_float(d[t][i]), sum)
          << "thread " << t << " element " << i << " swizzle " << swizzle;
    }
  }
}

TEST(Emulator, WgmmaIsTheProductInEverySwizzleAndMajor) {
  for (const int swizzle : {ab::kSwizzleNone, ab::kSwizzle32, ab::kSwizzle64, ab::kSwizzle128}) {
    check_wgmma<0, 0>(swizzle, false);
    check_wgmma<0, 0>(swizzle, true);
    check_wgmma<1, 1>(swizzle, false);
    check_wgmma<0, 1>(swizzle, true);
  }
}

constexpr const char* kSaxpy = R"(
AB_KERNEL AB_LAUNCH_BOUNDS(64) saxpy(const float* x, float* y, float a, int n) {
  const int i = ab::block_x() * ab::block_threads() + ab::thread();
  if (i < n) y[i] = ab::fma(a, x[i], y[i]);
}
)";

TEST(EmulatedKernel, CompilesRunsAndIsFoundAgain) {
  for (int round = 0; round < 2; ++round) {
    const Result<EmulatedKernel> kernel = compile_emulated(kSaxpy);
    ASSERT_TRUE(kernel) << kernel.error().message;
    EXPECT_EQ(kernel->name(), "saxpy");
    std::vector<float> x(100, 2), y(100, 1);
    float *px = x.data(), *py = y.data(), a = 3;
    int n = 100;
    void* arguments[] = {&px, &py, &a, &n};
    ASSERT_TRUE(kernel->launch({.grid = {2, 1, 1}, .block_threads = 64}, arguments));
    EXPECT_EQ(y, std::vector<float>(100, 7));
  }
}

TEST(EmulatedKernel, CudaSpellingAndSeveralKernels) {
  const std::string text =
      "extern \"C\" __global__ void __launch_bounds__(32) first(unsigned* x) { x[0] = 1; }\n"
      "extern \"C\" __global__ __launch_bounds__(32) void second(unsigned* x) { x[0] = 2; }\n";
  EXPECT_FALSE(compile_emulated(text));
  const Result<EmulatedKernel> second = compile_emulated(text, {.kernel_name = "second"});
  ASSERT_TRUE(second) << second.error().message;
  u32 word = 0, *p = &word;
  void* arguments[] = {&p};
  ASSERT_TRUE(second->launch({}, arguments));
  EXPECT_EQ(word, 2u);
  EXPECT_FALSE(compile_emulated(text, {.kernel_name = "third"}));
}

TEST(EmulatedKernel, RefusalsCarryTheCompilersMessage) {
  const Result<EmulatedKernel> kernel = compile_emulated("AB_KERNEL bad(int* x) { x = nonsense; }");
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(kernel.error().message.find("kernel:1"), std::string::npos);
  EXPECT_NE(kernel.error().message.find("nonsense"), std::string::npos);
  EXPECT_FALSE(compile_emulated("int x;"));
  const Result<EmulatedKernel> none =
      compile_emulated("AB_KERNEL no_compiler() {}", {.compiler = "no-such-compiler"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace anybit::vm

// Integer arithmetic in plain C++, the same text in both bodies. Every function is total: what C++
// leaves undefined is said here.
#pragma once

#include "anybit/vm/backend/cuda/device/device_types.h"

namespace ab {

/// Sums, differences and products modulo 2^32 and 2^64.
AB_FN i32 add_wrap(i32 a, i32 b) { return static_cast<i32>(static_cast<u32>(a) + b); }
AB_FN i32 sub_wrap(i32 a, i32 b) { return static_cast<i32>(static_cast<u32>(a) - b); }
AB_FN i32 mul_wrap(i32 a, i32 b) { return static_cast<i32>(static_cast<u32>(a) * b); }
AB_FN i64 add_wrap_64(i64 a, i64 b) { return static_cast<i64>(static_cast<u64>(a) + b); }
AB_FN i64 sub_wrap_64(i64 a, i64 b) { return static_cast<i64>(static_cast<u64>(a) - b); }
AB_FN i64 mul_wrap_64(i64 a, i64 b) { return static_cast<i64>(static_cast<u64>(a) * b); }

/// Quotients toward zero and their remainders. By 0: all ones, remainder a. The least number by -1:
/// itself, remainder 0.
AB_FN i32 div_i32(i32 a, i32 b) {
  return b == 0 ? -1 : b == -1 ? static_cast<i32>(0u - static_cast<u32>(a)) : a / b;
}
AB_FN i32 rem_i32(i32 a, i32 b) { return b == 0 ? a : b == -1 ? 0 : a % b; }
AB_FN u32 div_u32(u32 a, u32 b) { return b == 0 ? ~0u : a / b; }
AB_FN u32 rem_u32(u32 a, u32 b) { return b == 0 ? a : a % b; }
AB_FN i64 div_i64(i64 a, i64 b) {
  return b == 0 ? -1 : b == -1 ? static_cast<i64>(0ull - static_cast<u64>(a)) : a / b;
}
AB_FN i64 rem_i64(i64 a, i64 b) { return b == 0 ? a : b == -1 ? 0 : a % b; }

AB_FN i32 min_i32(i32 a, i32 b) { return a < b ? a : b; }
AB_FN i32 max_i32(i32 a, i32 b) { return a < b ? b : a; }
AB_FN u32 min_u32(u32 a, u32 b) { return a < b ? a : b; }
AB_FN u32 max_u32(u32 a, u32 b) { return a < b ? b : a; }
/// |a|; the least number stays itself.
AB_FN i32 abs_i32(i32 a) { return a < 0 ? static_cast<i32>(0u - static_cast<u32>(a)) : a; }

/// Philox4x32-10: the four words of base/philox.h's Philox(seed, stream).words(counter).
AB_FN void philox4x32_10(u32* words, u64 seed, u64 stream, u64 counter) {
  u32 x0 = static_cast<u32>(counter), x1 = static_cast<u32>(counter >> 32);
  u32 x2 = static_cast<u32>(stream), x3 = static_cast<u32>(stream >> 32);
  u32 key0 = static_cast<u32>(seed), key1 = static_cast<u32>(seed >> 32);
  AB_UNROLL
  for (int round = 0; round < 10; ++round) {
    const u64 product0 = u64{0xD2511F53} * x0;
    const u64 product1 = u64{0xCD9E8D57} * x2;
    x0 = static_cast<u32>(product1 >> 32) ^ x1 ^ key0;
    x2 = static_cast<u32>(product0 >> 32) ^ x3 ^ key1;
    x1 = static_cast<u32>(product1);
    x3 = static_cast<u32>(product0);
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  words[0] = x0;
  words[1] = x1;
  words[2] = x2;
  words[3] = x3;
}

}  // namespace ab

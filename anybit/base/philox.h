// Counter-based random numbers: the same (seed, counter) gives the same bits on every machine, in
// any order and on any number of threads.
// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; Philox4x32-10.
#pragma once

#include <array>
#include <cstdint>

namespace anybit {

class Philox {
 public:
  /// A stream of its own for each (seed, stream).
  explicit constexpr Philox(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  /// Four independent uniform 32-bit words for this counter.
  constexpr std::array<uint32_t, 4> words(uint64_t counter) const {
    std::array<uint32_t, 4> x = {low(counter), high(counter), low(stream_), high(stream_)};
    uint32_t key0 = low(seed_), key1 = high(seed_);
    for (int round = 0; round < 10; ++round) {
      const uint64_t product0 = uint64_t{0xD2511F53} * x[0];
      const uint64_t product1 = uint64_t{0xCD9E8D57} * x[2];
      x = {high(product1) ^ x[1] ^ key0, low(product1), high(product0) ^ x[3] ^ key1,
           low(product0)};
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
    return x;
  }

  /// The 64 uniform bits of item `index`.
  constexpr uint64_t bits64(uint64_t index) const {
    const std::array<uint32_t, 4> x = words(index / 2);
    return index % 2 == 0 ? (uint64_t{x[1]} << 32 | x[0]) : (uint64_t{x[3]} << 32 | x[2]);
  }

  /// Item `index` of the uniform distribution on [0, 1), a multiple of 2^-53.
  constexpr double uniform(uint64_t index) const {
    return static_cast<double>(bits64(index) >> 11) * 0x1p-53;
  }

  /// Item `index` of the standard normal distribution (Box-Muller).
  double normal(uint64_t index) const;

 private:
  static constexpr uint32_t low(uint64_t x) { return static_cast<uint32_t>(x); }
  static constexpr uint32_t high(uint64_t x) { return static_cast<uint32_t>(x >> 32); }

  uint64_t seed_;
  uint64_t stream_;
};

}  // namespace anybit

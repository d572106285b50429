#include "anybit/layout/bank_conflicts.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <optional>

#include "anybit/layout/conversion.h"
#include "anybit/layout/register_layout_ops.h"

namespace anybit::layout {
namespace {

constexpr int64_t kNumBanks = 32;
constexpr int64_t kBankBytes = 4;
constexpr int64_t kPhaseBytes = kNumBanks * kBankBytes;
constexpr int kMaxWidth = 16;

/// Lanes that are served together.
int64_t lanes_of_phase(int width_bytes) { return std::min(kNumBanks, kPhaseBytes / width_bytes); }

/// The different words in the busiest bank.
int64_t wavefronts_of_phase(std::span<const int64_t> addresses, int width_bytes) {
  std::vector<int64_t> words;
  for (const int64_t address : addresses) {
    for (int64_t byte = 0; byte < width_bytes; byte += kBankBytes) {
      words.push_back((address + byte) / kBankBytes);
    }
  }
  std::ranges::sort(words);
  words.erase(std::unique(words.begin(), words.end()), words.end());
  std::array<int64_t, kNumBanks> load{};
  for (const int64_t word : words) ++load[static_cast<size_t>(word % kNumBanks)];
  return std::ranges::max(load);
}

bool is_width(int64_t bytes) {
  return bytes >= 1 && bytes <= kMaxWidth && std::has_single_bit(static_cast<uint64_t>(bytes));
}

/// The byte addresses of an access under `swizzle`; nothing if a vector is misaligned.
std::optional<std::vector<int64_t>> addresses_of(std::span<const int64_t> offsets, Swizzle swizzle,
                                                 int element_bits, int width_bytes) {
  std::vector<int64_t> addresses;
  for (const int64_t offset : offsets) {
    const int64_t bit = swizzle.apply(offset) * element_bits;
    if (bit % (8 * width_bytes) != 0) return std::nullopt;
    addresses.push_back(bit / 8);
  }
  return addresses;
}

/// The offsets of an access before the swizzle.
Result<std::vector<int64_t>> linear_offsets(const SharedLayout& layout, int element_bits,
                                            const WarpAccess& access) {
  if (element_bits < 1 || element_bits > 8 * kMaxWidth || !is_width(access.width_bytes)) {
    return fail(ErrorCode::kInvalidArgument, "no access of {} bytes to elements of {} bits",
                access.width_bytes, element_bits);
  }
  std::vector<int64_t> offsets;
  for (const Dims& coords : access.coords) {
    bool is_inside = coords.size() == layout.rank();
    for (int d = 0; is_inside && d < coords.size(); ++d) {
      is_inside = coords[d] >= 0 && coords[d] < layout.shape()[d];
    }
    if (!is_inside) {
      return fail(ErrorCode::kInvalidArgument, "{} is outside the tile {}", to_string(coords),
                  to_string(layout.shape()));
    }
    offsets.push_back(layout.base_offset() + layout.linear_offset(coords));
  }
  return offsets;
}

/// Elements a thread accesses at once under a swizzle that keeps 2^base neighbours together.
int64_t vector_of(const TileTraffic& access, int element_bits, int base) {
  if (access.strides.empty() || access.strides.back() != 1) return 1;
  int64_t run = contiguous_local_run(*access.layout);
  while (run > 1 && (run * element_bits > 8 * kMaxWidth || run > (int64_t{1} << base))) run /= 2;
  return run;
}

/// Adds what one warp pays for a whole tile; its first vectors stand for all.
void add_tile(const TileTraffic& access, int element_bits, SwizzleChoice& choice) {
  const Swizzle& swizzle = choice.swizzle;
  constexpr int kNoSwizzle = 30;
  const int64_t run =
      vector_of(access, element_bits, swizzle.bits == 0 ? kNoSwizzle : swizzle.base);
  std::vector<int64_t> addresses;
  const int64_t lanes = std::min(kWarpSize, access.layout->num_threads());
  int64_t width = run * element_bits / 8;
  for (int64_t t = 0; t < lanes; ++t) {
    const Dims x = access.layout->coordinates(t, 0);
    int64_t linear = 0;
    for (int d = 0; d < x.size(); ++d) linear += x[d] * access.strides[static_cast<size_t>(d)];
    addresses.push_back(swizzle.apply(linear) * element_bits / 8);
    // As wide as every lane's address allows; narrower accesses take more of them.
    width = std::gcd(width, addresses.back());
  }
  const int64_t repeats = access.layout->local_size() * element_bits / 8 / width;
  choice.wavefronts += num_wavefronts(addresses, static_cast<int>(width)) * repeats;
  choice.accesses += repeats;
}

}  // namespace

int64_t num_wavefronts(std::span<const int64_t> addresses, int width_bytes) {
  ANYBIT_CHECK(is_width(width_bytes));
  const auto lanes = static_cast<size_t>(lanes_of_phase(width_bytes));
  int64_t wavefronts = 0;
  for (size_t begin = 0; begin < addresses.size(); begin += lanes) {
    const size_t count = std::min(lanes, addresses.size() - begin);
    wavefronts += wavefronts_of_phase(addresses.subspan(begin, count), width_bytes);
  }
  return wavefronts;
}

int64_t num_bank_conflicts(std::span<const int64_t> addresses, int width_bytes) {
  const int64_t lanes = lanes_of_phase(width_bytes);
  const int64_t phases = (static_cast<int64_t>(addresses.size()) + lanes - 1) / lanes;
  return num_wavefronts(addresses, width_bytes) - phases;
}

Result<int64_t> bank_conflicts(const SharedLayout& layout, int element_bits,
                               const WarpAccess& access) {
  ANYBIT_ASSIGN(const std::vector<int64_t> offsets, linear_offsets(layout, element_bits, access));
  const auto addresses = addresses_of(offsets, layout.swizzle(), element_bits, access.width_bytes);
  if (!addresses) {
    return fail(ErrorCode::kInvalidArgument, "a vector of {} bytes is not aligned to its width",
                access.width_bytes);
  }
  return num_bank_conflicts(*addresses, access.width_bytes);
}

Result<std::vector<WarpAccess>> warp_accesses(const RegisterLayout& layout, int element_bits,
                                              int64_t vector_elements) {
  const bool divides = vector_elements >= 1 && element_bits >= 1 && element_bits <= 8 * kMaxWidth &&
                       contiguous_local_run(layout) % vector_elements == 0;
  const int64_t bits = divides ? vector_elements * element_bits : 0;
  if (bits % 8 != 0 || !is_width(bits / 8)) {
    return fail(ErrorCode::kInvalidArgument,
                "no vectors of {} elements of {} bits: runs are of {}, widths 1 to {} bytes",
                vector_elements, element_bits, contiguous_local_run(layout), kMaxWidth);
  }
  std::vector<WarpAccess> accesses;
  for (int64_t warp = 0; warp < layout.num_threads(); warp += kWarpSize) {
    const int64_t end = std::min(warp + kWarpSize, layout.num_threads());
    for (int64_t local = 0; local < layout.local_size(); local += vector_elements) {
      WarpAccess& access = accesses.emplace_back();
      access.width_bytes = static_cast<int>(bits / 8);
      for (int64_t t = warp; t < end; ++t) access.coords.push_back(layout.coordinates(t, local));
    }
  }
  return accesses;
}

SwizzleChoice with_swizzle(std::span<const TileTraffic> traffic, int element_bits,
                           const Swizzle& swizzle) {
  SwizzleChoice choice{swizzle, 0, 0};
  for (const TileTraffic& access : traffic) add_tile(access, element_bits, choice);
  return choice;
}

SwizzleChoice choose_swizzle(std::span<const TileTraffic> traffic, int element_bits,
                             int64_t num_elements, bool keeps_vectors) {
  if (traffic.empty() || element_bits % 8 != 0) return {};
  SwizzleChoice best = with_swizzle(traffic, element_bits, {});
  constexpr int kBankBits = 5;
  const int top = static_cast<int>(std::bit_width(static_cast<uint64_t>(num_elements))) - 1;
  const int widest = std::countr_zero(static_cast<uint64_t>(8 * kMaxWidth / element_bits));
  for (int bits = 1; bits <= kBankBits; ++bits) {
    for (int base = widest; base >= (keeps_vectors ? widest : 0); --base) {
      for (int shift = bits; base + shift + bits <= top; ++shift) {
        const SwizzleChoice choice = with_swizzle(traffic, element_bits, {base, bits, shift});
        if (std::pair(choice.wavefronts, choice.accesses) <
            std::pair(best.wavefronts, best.accesses)) {
          best = choice;
        }
      }
    }
  }
  return best;
}

}  // namespace anybit::layout

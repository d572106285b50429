// SHA-256, to name things by their content. Not for secrets: it takes no care of timing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace anybit::vm::cuda {

/// Hashes a message given in pieces. Source: FIPS 180-4, section 6.2.
class Sha256 {
 public:
  using Digest = std::array<std::byte, 32>;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);

  /// Appends the length of `text`, then `text`: two different lists of fields never hash alike.
  void update_field(std::string_view text);

  /// The digest of everything given. No update may follow.
  Digest finish();

 private:
  void compress(const std::byte* chunk);

  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> pending_{};
  size_t num_pending_ = 0;
  uint64_t num_bytes_ = 0;
};

/// The digest of one message.
Sha256::Digest sha256(std::span<const std::byte> bytes);

/// The digest in lower-case hexadecimal.
std::string to_hex(const Sha256::Digest& digest);

}  // namespace anybit::vm::cuda

// Numbers out of and into the bytes of files, which are little-endian and need not be aligned.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>

#include "anybit/base/check.h"

namespace anybit::tensor::internal {

static_assert(std::endian::native == std::endian::little, "files are read as memory holds them");

/// The number at the start of `bytes`. Pre: they suffice.
template <class T>
T load_little_endian(std::span<const std::byte> bytes) {
  ANYBIT_CHECK(bytes.size() >= sizeof(T));
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

/// Appends the bytes of `value`.
template <class T>
void append_little_endian(std::string& bytes, T value) {
  const auto old_size = bytes.size();
  bytes.resize(old_size + sizeof(T));
  std::memcpy(bytes.data() + old_size, &value, sizeof(T));
}

}  // namespace anybit::tensor::internal

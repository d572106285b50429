// The byte-level alphabet of GPT-2: a printable character for every byte, so that a vocabulary of
// byte strings can be written as text.
// Source: GPT-2's encoder; the printable bytes 21-7E, A1-AC, AE-FF stand for themselves, the other
// 68 for U+0100 onwards in byte order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace anybit::model::internal {

/// The code point that stands for `byte`.
int32_t byte_to_code_point(uint8_t byte);

/// The byte `code_point` stands for, or nothing.
std::optional<uint8_t> code_point_to_byte(int32_t code_point);

/// The spelling of `bytes` in the alphabet.
std::string bytes_to_alphabet(std::string_view bytes);

/// The bytes `text` spells, or nothing if a character is outside the alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view text);

}  // namespace anybit::model::internal

#include "anybit/model/tokenizer/internal/byte_alphabet.h"

#include <array>

#include "anybit/model/tokenizer/internal/unicode.h"

namespace anybit::model::internal {
namespace {

constexpr int kNumShifted = 68;
constexpr int32_t kFirstShifted = 0x100;

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<uint8_t, kNumShifted> make_shifted_bytes() {
  std::array<uint8_t, kNumShifted> bytes{};
  int count = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (!stands_for_itself(byte)) bytes[count++] = static_cast<uint8_t>(byte);
  }
  return bytes;
}

constexpr std::array<uint8_t, kNumShifted> kShiftedBytes = make_shifted_bytes();

constexpr std::array<int32_t, 256> make_code_points() {
  std::array<int32_t, 256> code_points{};
  for (int byte = 0; byte < 256; ++byte) code_points[byte] = byte;
  for (int i = 0; i < kNumShifted; ++i) code_points[kShiftedBytes[i]] = kFirstShifted + i;
  return code_points;
}

constexpr std::array<int32_t, 256> kCodePoints = make_code_points();

}  // namespace

int32_t byte_to_code_point(uint8_t byte) { return kCodePoints[byte]; }

std::optional<uint8_t> code_point_to_byte(int32_t code_point) {
  if (code_point >= kFirstShifted && code_point < kFirstShifted + kNumShifted) {
    return kShiftedBytes[code_point - kFirstShifted];
  }
  if (code_point < 0 || code_point > 0xFF || !stands_for_itself(code_point)) return std::nullopt;
  return static_cast<uint8_t>(code_point);
}

std::string bytes_to_alphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_utf8(text, byte_to_code_point(static_cast<uint8_t>(byte)));
  return text;
}

std::optional<std::string> alphabet_to_bytes(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t position = 0; position < text.size();) {
    const Character character = decode_utf8(text, position);
    const std::optional<uint8_t> byte = code_point_to_byte(character.code_point);
    if (!byte) return std::nullopt;
    bytes += static_cast<char>(*byte);
    position += static_cast<size_t>(character.size_bytes);
  }
  return bytes;
}

}  // namespace anybit::model::internal

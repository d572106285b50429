#include "anybit/numeric/ggml/internal/iq_codebook.h"

namespace anybit::numeric::ggml {
namespace {

constexpr uint16_t kIq2XxsPoints[] = {
#include "anybit/numeric/ggml/internal/iq2_xxs_codebook.inc"
};
constexpr uint16_t kIq2XsPoints[] = {
#include "anybit/numeric/ggml/internal/iq2_xs_codebook.inc"
};
constexpr uint16_t kIq2SPoints[] = {
#include "anybit/numeric/ggml/internal/iq2_s_codebook.inc"
};
constexpr uint16_t kIq3XxsPoints[] = {
#include "anybit/numeric/ggml/internal/iq3_xxs_codebook.inc"
};
constexpr uint16_t kIq3SPoints[] = {
#include "anybit/numeric/ggml/internal/iq3_s_codebook.inc"
};
constexpr uint16_t kIq1SPoints[] = {
#include "anybit/numeric/ggml/internal/iq1_s_codebook.inc"
};

/// Splits numbers into digits of base `Base`, the lowest first.
template <int Elements, int Base, int Count>
constexpr Codebook<Count, Elements> digits(const uint16_t (&points)[Count]) {
  Codebook<Count, Elements> codebook{};
  for (int point = 0; point < Count; ++point) {
    int rest = points[point];
    for (uint8_t& digit : codebook[point]) {
      digit = static_cast<uint8_t>(rest % Base);
      rest /= Base;
    }
  }
  return codebook;
}

}  // namespace

constexpr Codebook<256, 8> kIq2XxsCodebook = digits<8, 3>(kIq2XxsPoints);
constexpr Codebook<512, 8> kIq2XsCodebook = digits<8, 3>(kIq2XsPoints);
constexpr Codebook<1024, 8> kIq2SCodebook = digits<8, 3>(kIq2SPoints);
constexpr Codebook<256, 4> kIq3XxsCodebook = digits<4, 8>(kIq3XxsPoints);
constexpr Codebook<512, 4> kIq3SCodebook = digits<4, 8>(kIq3SPoints);
constexpr Codebook<2048, 8> kIq1SCodebook = digits<8, 3>(kIq1SPoints);

}  // namespace anybit::numeric::ggml

// The codebooks of the IQ block types, as digits: which level each element of a point takes.
#pragma once

#include <array>
#include <cstdint>

namespace anybit::numeric::ggml {

template <int Count, int Elements>
using Codebook = std::array<std::array<uint8_t, Elements>, Count>;

extern const Codebook<256, 8> kIq2XxsCodebook;  // Digits 0..2: magnitudes 8, 25, 43.
extern const Codebook<512, 8> kIq2XsCodebook;   // As above.
extern const Codebook<1024, 8> kIq2SCodebook;   // As above.
extern const Codebook<256, 4> kIq3XxsCodebook;  // Digits 0..7: magnitudes 4, 12, ..., 52, 62.
extern const Codebook<512, 4> kIq3SCodebook;    // Digits 0..7: magnitudes 1, 3, ..., 15.
extern const Codebook<2048, 8> kIq1SCodebook;   // Digits 0..2: values -1, 0, 1.

}  // namespace anybit::numeric::ggml

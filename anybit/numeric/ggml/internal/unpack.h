// One function a block type: the bits of a block as codes and scales (affine_groups.h).
#pragma once

#include <cstdint>
#include <span>

#include "anybit/numeric/ggml/affine_groups.h"

namespace anybit::numeric::ggml {

/// Where the parts of one block go.
struct BlockGroups {
  uint8_t* codes;       // [block_elements]
  float* super_scales;  // [block_elements / super_size]
  float* super_mins;    // [block_elements / super_size]; untouched where the type has no min.
  int8_t* sub_scales;   // [block_elements / group_size]; untouched where there is none.
  uint8_t* sub_mins;    // [block_elements / group_size]; untouched where the type has no min.
};

using UnpackBlock = void(const uint8_t* block, const BlockGroups& out);

UnpackBlock unpack_q1_0, unpack_q2_0, unpack_q4_0, unpack_q4_1, unpack_q5_0, unpack_q5_1;
UnpackBlock unpack_q8_0, unpack_q8_1, unpack_q8_k, unpack_tq1_0, unpack_tq2_0;
UnpackBlock unpack_mxfp4, unpack_nvfp4, unpack_iq4_nl;
UnpackBlock unpack_q2_k, unpack_q3_k, unpack_q4_k, unpack_q5_k, unpack_q6_k;
UnpackBlock unpack_iq1_s, unpack_iq1_m, unpack_iq2_xxs, unpack_iq2_xs, unpack_iq2_s;
UnpackBlock unpack_iq3_xxs, unpack_iq3_s, unpack_iq4_xs;

/// A row of the table of unpackers.
struct GroupedType {
  GroupFormat format;
  int block_elements;
  int block_bytes;
  UnpackBlock* unpack;
};

/// The row of `type`, or null.
const GroupedType* find_grouped_type(GgmlType type);

/// Unpacks one block whole: what the type has none of becomes 1 (sub_scales) and 0.
void unpack_whole(const GroupedType& type, const uint8_t* block, const BlockGroups& out);

/// The longest block.
inline constexpr int kMaxBlockElements = 256;

/// The scale and min of each of the 8 groups of Q4_K and Q5_K, 6 bits each in 12 bytes.
void unpack_six_bit_pairs(const uint8_t* packed, int8_t* scales, uint8_t* mins);

/// The int8 values of IQ4_NL and IQ4_XS, ascending.
inline constexpr int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};
/// The values of FP4 (e2m1), doubled.
inline constexpr int8_t kFp4Levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace anybit::numeric::ggml

#include "anybit/numeric/ggml/affine_groups.h"

#include <algorithm>
#include <array>

#include "anybit/numeric/ggml/internal/unpack.h"

namespace anybit::numeric {
namespace ggml {
namespace {

using enum GgmlType;

constexpr std::array<int8_t, 256> kRamp = [] {
  std::array<int8_t, 256> ramp{};
  for (int i = 0; i < 256; ++i) ramp[i] = static_cast<int8_t>(i - 128);
  return ramp;
}();

constexpr int8_t kSigns[] = {-1, 1};
constexpr int8_t kIq1Levels[] = {-9, -7, -1, 1, 7, 9};  // Eight times -1.125 ... 1.125.
constexpr int8_t kIq2Levels[] = {-43, -25, -8, 8, 25, 43};
constexpr int8_t kIq3XxsLevels[] = {-62, -52, -44, -36, -28, -20, -12, -4,
                                    4,   12,  20,  28,  36,  44,  52,  62};
constexpr int8_t kIq3SLevels[] = {-15, -13, -11, -9, -7, -5, -3, -1, 1, 3, 5, 7, 9, 11, 13, 15};

/// Which elements share a scale, and a super-scale.
struct Sizes {
  int group;
  int super;
};

enum class SubScale : bool { kNone, kPresent };

constexpr GroupFormat linear(GgmlType type, int bits, int offset, Sizes sizes,
                             SubScale sub_scale = SubScale::kNone) {
  return {type,
          bits,
          sizes.group,
          sizes.super,
          false,
          true,
          offset,
          sub_scale == SubScale::kPresent,
          std::span<const int8_t>(kRamp).subspan(128 - offset, size_t{1} << bits)};
}

constexpr GroupFormat affine(GgmlType type, int bits, Sizes sizes,
                             SubScale sub_scale = SubScale::kNone) {
  return {type,
          bits,
          sizes.group,
          sizes.super,
          true,
          true,
          0,
          sub_scale == SubScale::kPresent,
          std::span<const int8_t>(kRamp).subspan(128, size_t{1} << bits)};
}

constexpr GroupFormat levels(GgmlType type, int bits, std::span<const int8_t> lut, Sizes sizes,
                             SubScale sub_scale = SubScale::kNone) {
  return {type, bits, sizes.group, sizes.super, false, false, 0, sub_scale == SubScale::kPresent,
          lut};
}

constexpr SubScale kSub = SubScale::kPresent;

constexpr GroupedType kGroupedTypes[] = {
    {linear(kQ4_0, 4, 8, {32, 32}), 32, 18, unpack_q4_0},
    {affine(kQ4_1, 4, {32, 32}), 32, 20, unpack_q4_1},
    {linear(kQ5_0, 5, 16, {32, 32}), 32, 22, unpack_q5_0},
    {affine(kQ5_1, 5, {32, 32}), 32, 24, unpack_q5_1},
    {linear(kQ8_0, 8, 128, {32, 32}), 32, 34, unpack_q8_0},
    {linear(kQ8_1, 8, 128, {32, 32}), 32, 36, unpack_q8_1},
    {affine(kQ2_K, 2, {16, 256}, kSub), 256, 84, unpack_q2_k},
    {linear(kQ3_K, 3, 4, {16, 256}, kSub), 256, 110, unpack_q3_k},
    {affine(kQ4_K, 4, {32, 256}, kSub), 256, 144, unpack_q4_k},
    {affine(kQ5_K, 5, {32, 256}, kSub), 256, 176, unpack_q5_k},
    {linear(kQ6_K, 6, 32, {16, 256}, kSub), 256, 210, unpack_q6_k},
    {linear(kQ8_K, 8, 128, {32, 256}), 256, 292, unpack_q8_k},
    {levels(kIQ2_XXS, 3, kIq2Levels, {32, 256}, kSub), 256, 66, unpack_iq2_xxs},
    {levels(kIQ2_XS, 3, kIq2Levels, {16, 256}, kSub), 256, 74, unpack_iq2_xs},
    {levels(kIQ3_XXS, 4, kIq3XxsLevels, {32, 256}, kSub), 256, 98, unpack_iq3_xxs},
    {levels(kIQ1_S, 3, kIq1Levels, {32, 256}, kSub), 256, 50, unpack_iq1_s},
    {levels(kIQ4_NL, 4, kIq4Levels, {32, 32}), 32, 18, unpack_iq4_nl},
    {levels(kIQ3_S, 4, kIq3SLevels, {32, 256}, kSub), 256, 110, unpack_iq3_s},
    {levels(kIQ2_S, 3, kIq2Levels, {16, 256}, kSub), 256, 82, unpack_iq2_s},
    {levels(kIQ4_XS, 4, kIq4Levels, {32, 256}, kSub), 256, 136, unpack_iq4_xs},
    {levels(kIQ1_M, 3, kIq1Levels, {16, 256}, kSub), 256, 56, unpack_iq1_m},
    {linear(kTQ1_0, 2, 1, {32, 256}), 256, 54, unpack_tq1_0},
    {linear(kTQ2_0, 2, 1, {32, 256}), 256, 66, unpack_tq2_0},
    {levels(kMXFP4, 4, kFp4Levels, {32, 32}), 32, 17, unpack_mxfp4},
    {levels(kNVFP4, 4, kFp4Levels, {16, 16}), 64, 36, unpack_nvfp4},
    {levels(kQ1_0, 1, kSigns, {32, 128}), 128, 18, unpack_q1_0},
    {linear(kQ2_0, 2, 1, {32, 64}), 64, 18, unpack_q2_0},
};

}  // namespace

const GroupedType* find_grouped_type(GgmlType type) {
  const auto* row = std::find_if(std::begin(kGroupedTypes), std::end(kGroupedTypes),
                                 [type](const GroupedType& t) { return t.format.type == type; });
  return row == std::end(kGroupedTypes) ? nullptr : row;
}

void unpack_whole(const GroupedType& type, const uint8_t* block, const BlockGroups& out) {
  const GroupFormat& format = type.format;
  if (!format.has_min) {
    std::fill_n(out.super_mins, type.block_elements / format.super_size, 0.0f);
    std::fill_n(out.sub_mins, type.block_elements / format.group_size, uint8_t{0});
  }
  if (!format.has_sub_scale) {
    std::fill_n(out.sub_scales, type.block_elements / format.group_size, int8_t{1});
  }
  type.unpack(block, out);
}

}  // namespace ggml

const GroupFormat* find_group_format(GgmlType type) {
  const ggml::GroupedType* row = ggml::find_grouped_type(type);
  return row == nullptr ? nullptr : &row->format;
}

Status unpack_groups(GgmlType type, std::span<const std::byte> blocks, const GroupSpans& out) {
  const ggml::GroupedType* row = ggml::find_grouped_type(type);
  if (row == nullptr) {
    return fail(ErrorCode::kUnsupported, "ggml type {} is not a block type", int(type));
  }
  const size_t block_bytes = row->block_bytes, block_elements = row->block_elements;
  const size_t num_blocks = blocks.size() / block_bytes;
  const size_t supers = block_elements / row->format.super_size;
  const size_t groups = block_elements / row->format.group_size;
  if (blocks.size() % block_bytes != 0) {
    return fail(ErrorCode::kInvalidArgument, "{} bytes are not whole blocks of {} bytes",
                blocks.size(), block_bytes);
  }
  if (out.codes.size() != num_blocks * block_elements ||
      out.super_scales.size() != num_blocks * supers ||
      out.super_mins.size() != num_blocks * supers ||
      out.sub_scales.size() != num_blocks * groups || out.sub_mins.size() != num_blocks * groups) {
    return fail(ErrorCode::kInvalidArgument,
                "{} blocks need {} codes, {} super scales and {} sub scales; found {}, {} and {}",
                num_blocks, num_blocks * block_elements, num_blocks * supers, num_blocks * groups,
                out.codes.size(), out.super_scales.size(), out.sub_scales.size());
  }
  for (size_t i = 0; i < num_blocks; ++i) {
    ggml::unpack_whole(*row, reinterpret_cast<const uint8_t*>(blocks.data()) + i * block_bytes,
                       {out.codes.data() + i * block_elements, out.super_scales.data() + i * supers,
                        out.super_mins.data() + i * supers, out.sub_scales.data() + i * groups,
                        out.sub_mins.data() + i * groups});
  }
  return {};
}

Result<LutGroups> to_lut_groups(GgmlType type, std::span<const std::byte> blocks) {
  const ggml::GroupedType* row = ggml::find_grouped_type(type);
  if (row == nullptr) {
    return fail(ErrorCode::kUnsupported, "ggml type {} is not a block type", int(type));
  }
  const size_t num_elements = blocks.size() / row->block_bytes * row->block_elements;
  LutGroups groups;
  groups.format = row->format;
  groups.codes.resize(num_elements);
  groups.super_scales.resize(num_elements / row->format.super_size);
  groups.super_mins.resize(num_elements / row->format.super_size);
  groups.sub_scales.resize(num_elements / row->format.group_size);
  groups.sub_mins.resize(num_elements / row->format.group_size);
  ANYBIT_TRY(unpack_groups(
      type, blocks,
      {groups.codes, groups.super_scales, groups.super_mins, groups.sub_scales, groups.sub_mins}));
  return groups;
}

}  // namespace anybit::numeric

#include "anybit/numeric/ggml/block_type.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "anybit/numeric/ggml/affine_groups.h"

namespace anybit::numeric {
namespace {

TEST(BlockType, IdsAndNamesAreUnique) {
  std::set<GgmlType> ids;
  std::set<std::string_view> names;
  for (const GgmlTypeTraits& row : ggml_types()) {
    EXPECT_TRUE(ids.insert(row.type).second) << row.name;
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(find_ggml_type(row.type), &row);
    EXPECT_EQ(find_ggml_type(row.name), &row);
    EXPECT_EQ(row.is_block_quantized, row.block_elements > 1) << row.name;
  }
  EXPECT_EQ(ids.size(), 35u);
}

TEST(BlockType, NamesAreFoundInAnyCase) {
  ASSERT_NE(find_ggml_type("Q4_K"), nullptr);
  EXPECT_EQ(find_ggml_type("Q4_K")->type, GgmlType::kQ4_K);
  EXPECT_EQ(find_ggml_type("iq2_XXS")->type, GgmlType::kIQ2_XXS);
  EXPECT_EQ(find_ggml_type("q4"), nullptr);
  EXPECT_EQ(find_ggml_type("q4_kk"), nullptr);
  EXPECT_EQ(find_ggml_type(""), nullptr);
}

TEST(BlockType, UnknownIdsHaveNoRow) {
  for (const int id : {4, 5, 31, 36, 38, 43, 200, 255}) {
    EXPECT_EQ(find_ggml_type(static_cast<GgmlType>(id)), nullptr) << id;
  }
}

// Bits per weight as ggml's documentation of its types states them.
TEST(BlockType, BitsPerWeight) {
  const std::map<std::string, double> expected = {
      {"q4_0", 4.5},       {"q4_1", 5},        {"q5_0", 5.5},     {"q5_1", 6},
      {"q8_0", 8.5},       {"q8_1", 9},        {"q2_k", 2.625},   {"q3_k", 3.4375},
      {"q4_k", 4.5},       {"q5_k", 5.5},      {"q6_k", 6.5625},  {"q8_k", 9.125},
      {"iq2_xxs", 2.0625}, {"iq2_xs", 2.3125}, {"iq2_s", 2.5625}, {"iq3_xxs", 3.0625},
      {"iq3_s", 3.4375},   {"iq1_s", 1.5625},  {"iq1_m", 1.75},   {"iq4_nl", 4.5},
      {"iq4_xs", 4.25},    {"tq1_0", 1.6875},  {"tq2_0", 2.0625}, {"mxfp4", 4.25},
      {"nvfp4", 4.5},      {"q1_0", 1.125},    {"q2_0", 2.25}};
  size_t num_block_types = 0;
  for (const GgmlTypeTraits& row : ggml_types()) {
    if (!row.is_block_quantized) continue;
    ++num_block_types;
    const auto entry = expected.find(std::string(row.name));
    ASSERT_NE(entry, expected.end()) << row.name;
    EXPECT_EQ(8.0 * row.block_bytes / row.block_elements, entry->second) << row.name;
  }
  EXPECT_EQ(num_block_types, expected.size());
}

}  // namespace
}  // namespace anybit::numeric

#include "anybit/recipe/quantized_weights.h"

#include <gtest/gtest.h>

#include "anybit/model/weights/synthetic.h"

namespace anybit::recipe {
namespace {

QuantizeOptions options_for(std::string_view scheme) {
  QuantizeOptions options;
  options.plan.scheme = *numeric::parse_scheme(scheme);
  options.method = *quant::find_method("rtn");
  return options;
}

std::shared_ptr<const model::WeightSource> source_of(std::string_view name) {
  return *model::synthetic_weights(name, *numeric::parse_scheme("bf16"));
}

std::string scheme_of(const model::WeightSource& weights, const std::string& tensor) {
  const auto matrix = weights.matrix(tensor);
  return matrix ? numeric::scheme_name(matrix->scheme) : matrix.error().message;
}

TEST(QuantizedWeights, MatricesFollowThePlanAndHoldWhatTheMethodGives) {
  const auto source = source_of("tiny-moe");
  const auto weights = quantized_weights(source, options_for("int4_g64"));
  ASSERT_TRUE(weights) << weights.error().message;
  EXPECT_EQ(scheme_of(**weights, "model.embed_tokens.weight"), "int8_g32");
  EXPECT_EQ(scheme_of(**weights, "lm_head.weight"), "int8_g32");
  const std::string layer = "model.layers.3.";
  EXPECT_EQ(scheme_of(**weights, layer + "block_sparse_moe.gate.weight"), "f32");
  EXPECT_EQ(scheme_of(**weights, layer + "block_sparse_moe.experts.7.w2.weight"), "int4_g64");
  const std::string query = layer + "self_attn.q_proj.weight";
  const auto values = tensor::dequantize(*source->matrix(query));
  const auto expected = options_for("int4_g64")
                            .method->quantize({.values = *values, .rows = 256, .cols = 256},
                                              *numeric::parse_scheme("int4_g64"), {});
  const auto found = (*weights)->matrix(query);
  ASSERT_TRUE(found && expected);
  EXPECT_EQ(*tensor::dequantize(*found), *tensor::dequantize(*expected));
  EXPECT_EQ(*(*weights)->floats(query), *tensor::dequantize(*expected));
  const std::string norm = layer + "input_layernorm.weight";
  EXPECT_EQ(*(*weights)->floats(norm), *source->floats(norm));
}

TEST(QuantizedWeights, ARuleThatMatchesNothingIsRefusedAtOnce) {
  QuantizeOptions options = options_for("int4_g64");
  options.plan.keep = {*parse_keep_rule("no_such_proj=int8_g32")};
  const auto weights = quantized_weights(source_of("tiny"), options);
  ASSERT_FALSE(weights);
  EXPECT_NE(weights.error().message.find("no_such_proj"), std::string::npos);
}

}  // namespace
}  // namespace anybit::recipe

#include "anybit/recipe/quantization_plan.h"

#include <gtest/gtest.h>

namespace anybit::recipe {
namespace {

std::vector<TensorSummary> small_model() {
  return {{"model.embed_tokens.weight", {512, 64}, TensorKind::kEmbedding, -1},
          {"model.layers.0.input_layernorm.weight", {64}, TensorKind::kVector, 0},
          {"model.layers.0.self_attn.q_proj.weight", {64, 64}, TensorKind::kLinear, 0},
          {"model.layers.0.mlp.gate.weight", {4, 64}, TensorKind::kRouter, 0},
          {"model.layers.1.mlp.down_proj.weight", {64, 128}, TensorKind::kLinear, 1}};
}

PlanOptions options_for(std::string_view scheme) {
  PlanOptions options;
  options.scheme = *numeric::parse_scheme(scheme);
  return options;
}

std::string scheme_in(const Result<std::vector<PlannedTensor>>& plan, size_t index) {
  const auto& scheme = (*plan)[index].scheme;
  return scheme ? numeric::scheme_name(*scheme) : "as it is";
}

TEST(PlanQuantization, RolesDecide) {
  const auto plan = plan_quantization(small_model(), options_for("int4_g32"));
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(scheme_in(plan, 0), "int8_g32");
  EXPECT_EQ(scheme_in(plan, 1), "as it is");
  EXPECT_EQ(scheme_in(plan, 2), "int4_g32");
  EXPECT_EQ(scheme_in(plan, 3), "as it is");
  EXPECT_EQ(scheme_in(plan, 4), "int4_g32");
}

TEST(PlanQuantization, WideSchemesAndTheOptionReachTheEmbedding) {
  EXPECT_EQ(scheme_in(plan_quantization(small_model(), options_for("int12_g32")), 0), "int12_g32");
  PlanOptions options = options_for("int4_g32");
  options.embedding_scheme = *numeric::parse_scheme("nf4");
  EXPECT_EQ(scheme_in(plan_quantization(small_model(), options), 0), "nf4");
}

TEST(PlanQuantization, TheFirstMatchingRuleDecides) {
  PlanOptions options = options_for("int4_g32");
  options.keep = {*parse_keep_rule("layers\\.1=int8_g32"), *parse_keep_rule("q_proj=keep"),
                  *parse_keep_rule("proj=int2_g32")};
  const auto plan = plan_quantization(small_model(), options);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_EQ(scheme_in(plan, 2), "as it is");
  EXPECT_EQ(scheme_in(plan, 4), "int8_g32");
}

TEST(PlanQuantization, RefusesWhatCannotBeMeant) {
  PlanOptions options = options_for("q4_k");
  const auto unfit = plan_quantization(small_model(), options);
  ASSERT_FALSE(unfit.has_value());
  EXPECT_NE(unfit.error().message.find("q_proj"), std::string::npos) << unfit.error().message;
  EXPECT_NE(unfit.error().message.find("--keep"), std::string::npos);
  options = options_for("int4_g32");
  options.keep = {*parse_keep_rule("nothing_like_it=int8_g32")};
  EXPECT_FALSE(plan_quantization(small_model(), options).has_value());
  options.keep = {*parse_keep_rule("layernorm=int8_g32")};
  EXPECT_FALSE(plan_quantization(small_model(), options).has_value());
  EXPECT_FALSE(parse_keep_rule("int8").has_value());
  EXPECT_FALSE(parse_keep_rule("a=int99_g32").has_value());
  EXPECT_FALSE(parse_keep_rule("(=int8_g32").has_value());
}

}  // namespace
}  // namespace anybit::recipe

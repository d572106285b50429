// Every family's tiny checkpoints against the logits `transformers` computed of them.
#include <gtest/gtest.h>

#include "anybit/model/internal/test_checkpoints.h"
#include "anybit/model/model.h"
#include "anybit/model/reference_forward.h"

namespace anybit::model {
namespace {

using internal::relative_distance;

class Families : public testing::TestWithParam<const char*> {
 protected:
  /// Calls check(source, golden case) for every case, in both forms of its config.
  void for_each_case(const std::function<void(const WeightSource&, const Json&)>& check) const {
    const std::string family = GetParam();
    const Json cases = internal::golden_cases(family);
    ASSERT_FALSE(cases.empty());
    for (const Json& golden : cases) {
      for (const char* form : {"config", "older_config"}) {
        SCOPED_TRACE(family + "/" + golden["name"].get<std::string>() + " " + form);
        const internal::ScratchFolder folder;
        internal::write_checkpoint(folder.path(), family, golden[form]);
        const auto source = internal::open_checkpoint(folder.path());
        ASSERT_NE(source, nullptr);
        check(*source, golden);
      }
    }
  }
};

TEST_P(Families, ReferenceAgreesWithTransformers) {
  for_each_case([](const WeightSource& source, const Json& golden) {
    const auto tokens = golden["tokens"].get<std::vector<int32_t>>();
    const auto logits = reference_forward(source, tokens);
    ASSERT_TRUE(logits) << logits.error().message;
    // That package rounds norms, rope and softmax to f32 and the file to seven digits.
    const double distance = relative_distance(*logits, internal::golden_logits(golden));
    EXPECT_LE(distance, internal::forward_tolerance(source.config()));
    RecordProperty(golden["name"].get<std::string>(), std::to_string(distance * 1e9));
  });
}

TEST_P(Families, ForwardAgreesWithTransformers) {
  for_each_case([](const WeightSource& source, const Json& golden) {
    const auto tokens = golden["tokens"].get<std::vector<int32_t>>();
    const auto model = Model::load(source, {.threads = {2}});
    ASSERT_TRUE(model) << model.error().message;
    auto state = model->start({.kv_element = kernel::KvElement::kF32});
    ASSERT_TRUE(state) << state.error().message;
    const auto logits = model->forward(*state, tokens, LogitsOf::kAllTokens);
    ASSERT_TRUE(logits) << logits.error().message;
    const double distance = relative_distance(*logits, internal::golden_logits(golden));
    EXPECT_LE(distance, internal::forward_tolerance(source.config())) << model->kernel_names();
    RecordProperty(golden["name"].get<std::string>(), std::to_string(distance * 1e9));
  });
}

INSTANTIATE_TEST_SUITE_P(All, Families,
                         testing::Values("llama", "llama_biased", "mistral", "mixtral", "qwen2",
                                         "qwen3", "gemma3"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace anybit::model

// The models trained for this project against figures an independent implementation computed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/kernel/softmax/softmax.h"
#include "anybit/model/model.h"
#include "anybit/model/reference_forward.h"
#include "anybit/model/tokenizer/tokenizer.h"

namespace anybit::model {
namespace {

const std::filesystem::path kSource = ANYBIT_SOURCE_DIR;
const std::filesystem::path kShared = kSource / ".." / "shared";

/// A model folder with a golden.json, or a skipped test where it is absent.
class Golden : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string name = GetParam();
    folder_ = kSource / "models" / name;
    if (!std::filesystem::exists(folder_)) folder_ = kShared / "models" / name;
    if (!std::filesystem::exists(folder_)) GTEST_SKIP() << folder_ << " is absent";
    auto text = read_text_file(folder_ / "golden.json");
    ASSERT_TRUE(text) << text.error().message;
    auto json = parse_json(*text, "golden.json");
    ASSERT_TRUE(json) << json.error().message;
    golden_ = *json;
    auto source = open_folder_weights(folder_);
    ASSERT_TRUE(source) << source.error().message;
    source_ = *source;
  }

  std::vector<int32_t> ids(const char* key) const {
    return golden_[key].get<std::vector<int32_t>>();
  }

  Model load(Threads threads = Threads::all()) const {
    ModelOptions options;
    options.threads = threads;
    auto model = Model::load(*source_, options);
    EXPECT_TRUE(model) << model.error().message;
    return std::move(*model);
  }

  /// Compares with top10_ids and top10_logits. 1e-3: what the file promises of its rounding.
  template <class Float>
  void expect_top10(std::span<const Float> logits) const {
    const std::vector<int32_t> top = ids("top10_ids");
    for (size_t i = 0; i < top.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(logits[top[i]]), golden_["top10_logits"][i].get<double>(),
                  1e-3)
          << "token " << top[i];
    }
    const std::set<int32_t> in_top(top.begin(), top.end());
    const auto tenth = static_cast<double>(logits[top.back()]);
    for (int32_t id = 0; id < static_cast<int32_t>(logits.size()); ++id) {
      if (!in_top.contains(id)) EXPECT_LE(static_cast<double>(logits[id]), tenth) << id;
    }
  }

  std::filesystem::path folder_;
  Json golden_;
  std::shared_ptr<const WeightSource> source_;
};

template <class Float>
int32_t argmax(std::span<const Float> logits) {
  return static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin());
}

TEST_P(Golden, ReferenceGivesTop10LogitsAndGreedyTokens) {
  const std::vector<int32_t> prompt = ids("prompt_ids"), greedy = ids("greedy64_ids");
  std::vector<int32_t> tokens = prompt;
  tokens.insert(tokens.end(), greedy.begin(), greedy.end() - 1);
  // Each token is the largest of the logits before it exactly if greedy decoding appends them all.
  const auto logits = reference_forward(*source_, tokens, static_cast<int64_t>(prompt.size()) - 1);
  ASSERT_TRUE(logits) << logits.error().message;
  const auto vocab_size = static_cast<size_t>(source_->config().vocab_size);
  ASSERT_EQ(logits->size(), greedy.size() * vocab_size);
  const std::span<const double> all(*logits);
  expect_top10(all.first(vocab_size));
  for (size_t i = 0; i < greedy.size(); ++i) {
    EXPECT_EQ(argmax(all.subspan(i * vocab_size, vocab_size)), greedy[i]) << "token " << i;
  }
}

TEST_P(Golden, ForwardGivesTop10LogitsAndGreedyTokens) {
  const Model model = load();
  auto state = model.start({.kv_element = kernel::KvElement::kF32});
  ASSERT_TRUE(state) << state.error().message;
  auto logits = model.forward(*state, ids("prompt_ids"));
  ASSERT_TRUE(logits) << logits.error().message;
  expect_top10(*logits);
  std::vector<int32_t> greedy;
  for (int i = 0; i < 64; ++i) {
    greedy.push_back(argmax(*logits));
    logits = model.forward(*state, std::span(&greedy.back(), 1));
    ASSERT_TRUE(logits) << logits.error().message;
  }
  EXPECT_EQ(greedy, ids("greedy64_ids"));
}

/// Documents split at the separator line with its newlines, each encoded behind id 0.
std::vector<int32_t> encode_documents(const Tokenizer& tokenizer, const std::string& text) {
  const std::string separator = "\n<|endoftext|>\n";
  std::vector<int32_t> ids;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    ids.push_back(0);
    const auto document =
        tokenizer.encode(std::string_view(text).substr(begin, end - begin), {.add_special = false});
    EXPECT_TRUE(document);
    ids.insert(ids.end(), document->begin(), document->end());
    begin = end == text.size() ? end : end + separator.size();
  }
  return ids;
}

TEST_P(Golden, ForwardGivesPerplexityOfValidationText) {
  if (std::string(GetParam()) != "wiki-6m" && std::getenv("ANYBIT_LONG_TESTS") == nullptr) {
    GTEST_SKIP() << "minutes long; set ANYBIT_LONG_TESTS=1 to run it";
  }
  const std::filesystem::path path = kShared / "data" / "text" / "wiki-valid.txt";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  const auto text = read_text_file(path);
  ASSERT_TRUE(text) << text.error().message;
  const auto tokenizer = Tokenizer::load_folder(folder_);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const std::vector<int32_t> ids = encode_documents(*tokenizer, *text);
  const Model model = load();
  const int64_t window = model.config().max_positions, vocab_size = model.config().vocab_size;
  const auto num_windows = (static_cast<int64_t>(ids.size()) - 1) / window;
  EXPECT_EQ(num_windows * window, golden_["valid_tokens"].get<int64_t>());
  auto state = model.start({.capacity = window, .kv_element = kernel::KvElement::kF32});
  ASSERT_TRUE(state) << state.error().message;
  double nll = 0;
  for (int64_t w = 0; w < num_windows; ++w) {
    state->truncate(0);
    const int32_t* first = ids.data() + w * window;
    const auto status = model.visit_logits(
        *state, std::span(first, static_cast<size_t>(window)), 0,
        [&](int64_t index, std::span<const float> logits) -> Status {
          nll += kernel::negative_log_likelihood(logits.data(), vocab_size, first[index + 1]);
          return {};
        });
    ASSERT_TRUE(status) << status.error().message;
  }
  nll /= static_cast<double>(num_windows * window);
  // To four digits after the point, which is what golden.json's readers compare.
  EXPECT_NEAR(std::exp(nll), golden_["valid_ppl_float32"].get<double>(), 5e-5);
  RecordProperty("ppl", std::to_string(std::exp(nll)));
}

INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::Values("wiki-6m", "wiki-28m", "wiki-moe-21m"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace anybit::model

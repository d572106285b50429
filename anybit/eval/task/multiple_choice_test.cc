#include "anybit/eval/task/multiple_choice.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "anybit/base/file.h"
#include "anybit/eval/task/task_data.h"

namespace anybit::eval {
namespace {

// Ids are bytes; the model thinks every next byte equally likely but for one favourite.
constexpr int64_t kVocabSize = 256;

Scorer model_that_likes(char favourite) {
  Scorer scorer;
  scorer.vocab_size = kVocabSize;
  scorer.max_tokens = 64;
  scorer.score = [favourite](std::span<const int32_t> tokens, int64_t first,
                             const LogitsVisitor& visit) -> Status {
    std::vector<float> logits(kVocabSize, 0);
    logits[static_cast<size_t>(favourite)] = 5;
    for (int64_t i = first; i < std::ssize(tokens); ++i) ANYBIT_TRY(visit(i, logits));
    return {};
  };
  return scorer;
}

TextEncoder byte_encoder() {
  return {[](std::string_view text, bool) {
    return Result<std::vector<int32_t>>(std::vector<int32_t>(text.begin(), text.end()));
  }};
}

TEST(RunTask, PicksTheLikeliestContinuation) {
  const std::vector<ChoiceItem> items = {{{"q", "q"}, {" bbbb", " aaaa"}, 1},
                                         {{"q", "q"}, {" aaaa", " bbbb"}, 1}};
  const auto result = run_task(model_that_likes('a'), byte_encoder(), items, {});
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->items, 2);
  EXPECT_EQ(result->accuracy, 0.5);
  EXPECT_NEAR(result->accuracy_stderr, 0.5, 1e-12);
}

TEST(RunTask, NormalizationForgivesLength) {
  // Six favourites cost more in total than one other letter; per byte they cost less.
  const std::vector<ChoiceItem> items = {{{"q", "q"}, {"zaaaaaaaaaaaaaaaaaaa", "z"}, 0}};
  const auto result = run_task(model_that_likes('a'), byte_encoder(), items, {});
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->accuracy, 0);
  EXPECT_EQ(result->accuracy_normalized, 1);
}

TEST(RunTask, LongContextsLoseTheirBeginning) {
  const std::string context(200, 'x');
  const std::vector<ChoiceItem> items = {{{context, context}, {"aa", "bb"}, 0}};
  const auto result = run_task(model_that_likes('a'), byte_encoder(), items, {});
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->accuracy, 1);
  const std::vector<ChoiceItem> too_long = {{{"x"}, {std::string(100, 'a')}, 0}};
  EXPECT_EQ(run_task(model_that_likes('a'), byte_encoder(), too_long, {}).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(TaskData, ParsesEachFormat) {
  const auto arc = parse_arc(
      R"({"question":"Q?","choices":{"text":["x","y"],"label":["1","2"]},"answerKey":"2"})", "f");
  ASSERT_TRUE(arc.has_value());
  EXPECT_EQ((*arc)[0].contexts[0], "Question: Q?\nAnswer:");
  EXPECT_EQ((*arc)[0].continuations[1], " y");
  EXPECT_EQ((*arc)[0].answer, 1);
  const auto winogrande =
      parse_winogrande(R"({"sentence":"A _ b.","option1":"p","option2":"q","answer":"1"})", "f");
  ASSERT_TRUE(winogrande.has_value());
  EXPECT_EQ((*winogrande)[0].contexts[1], "A q");
  EXPECT_EQ((*winogrande)[0].continuations[0], " b.");
  const auto boolq = parse_boolq(R"({"passage":"P","question":"q","answer":true})", "f");
  ASSERT_TRUE(boolq.has_value());
  EXPECT_EQ((*boolq)[0].continuations[static_cast<size_t>((*boolq)[0].answer)], " yes");
  const auto labelled = parse_boolq(R"({"passage":"P","question":"q","label":0})", "f");
  ASSERT_TRUE(labelled.has_value());
  EXPECT_EQ((*labelled)[0].answer, 0);
}

TEST(TaskData, NamesLineAndField) {
  const auto check = [](const auto& result, std::string_view part) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::kCorruptData);
    EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
  };
  check(parse_piqa("{\"goal\":\"g\"}", "f"), "f:1");
  check(parse_piqa("{\"goal\":\"g\"}", "f"), "sol1");
  check(parse_arc("{}\n", "f"), "question");
  check(
      parse_arc(R"({"question":"Q","choices":{"text":["x"],"label":["1"]},"answerKey":"9"})", "f"),
      "answerKey");
  check(parse_hellaswag("a\n7\nb\nc\nd\ne\n", "f"), "f:2");
  check(parse_hellaswag("a\n", "f"), "6 lines");
  check(parse_winogrande(R"({"sentence":"A","option1":"p","option2":"q","answer":"1"})", "f"), "_");
}

TEST(TaskData, ReadsThePublishedFiles) {
  const std::filesystem::path folder = ANYBIT_SOURCE_DIR "/../shared/data/eval";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no " << folder;
  const std::map<std::string, std::pair<std::string, size_t>> files = {
      {"hellaswag", {"hellaswag_val_full.txt", 10042}},
      {"arc_easy", {"arc-easy_test.jsonl", 2376}},
      {"arc_challenge", {"arc-challenge_test.jsonl", 1172}},
      {"piqa", {"piqa_validation.jsonl", 1838}},
      {"winogrande", {"winogrande_xl_validation.jsonl", 1267}},
      {"boolq", {"boolq_validation.jsonl", 3270}}};
  for (const auto& [task, file] : files) {
    const auto format = find_task(task);
    ASSERT_TRUE(format.has_value());
    const auto text = read_text_file(folder / file.first);
    ASSERT_TRUE(text.has_value());
    const auto items = (*format)->parse(*text, file.first);
    ASSERT_TRUE(items.has_value()) << items.error().message;
    EXPECT_EQ(items->size(), file.second) << task;
  }
}

}  // namespace
}  // namespace anybit::eval

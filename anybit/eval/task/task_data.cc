#include "anybit/eval/task/task_data.h"

#include <charconv>
#include <functional>

#include "anybit/base/json.h"

namespace anybit::eval {
namespace {

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

using LineParser = std::function<Result<ChoiceItem>(const Json& object, std::string_view name)>;

Result<std::vector<ChoiceItem>> parse_json_lines(std::string_view text, std::string_view file_name,
                                                 const LineParser& parse_line) {
  std::vector<ChoiceItem> items;
  int64_t number = 0;
  for (const std::string_view line : split_lines(text)) {
    ++number;
    if (line.empty()) continue;
    const std::string name = fmt::format("{}:{}", file_name, number);
    ANYBIT_ASSIGN(const Json object, parse_json(line, name));
    ANYBIT_ASSIGN(ChoiceItem item, parse_line(object, name));
    items.push_back(std::move(item));
  }
  return items;
}

Result<std::vector<std::string>> string_list(const Json& object, std::string_view key,
                                             std::string_view name) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  std::vector<std::string> list;
  const bool is_list = object.is_object() && found != object.end() && found->is_array();
  for (const Json& element : is_list ? *found : Json::array()) {
    if (element.is_string()) list.push_back(element.get<std::string>());
  }
  if (!is_list || list.size() != found->size() || list.empty()) {
    return fail(ErrorCode::kCorruptData, "{}: \"{}\": expected a list of strings", name, key);
  }
  return list;
}

std::string question_prompt(std::string_view question) {
  return fmt::format("Question: {}\nAnswer:", question);
}

Result<ChoiceItem> arc_item(const Json& object, std::string_view name) {
  ANYBIT_ASSIGN(const std::string question, json_member<std::string>(object, "question", name));
  ANYBIT_ASSIGN(const std::string key, json_member<std::string>(object, "answerKey", name));
  const Json choices = object.value("choices", Json());
  ANYBIT_ASSIGN(const auto texts, string_list(choices, "text", name));
  ANYBIT_ASSIGN(const auto labels, string_list(choices, "label", name));
  ChoiceItem item;
  item.answer = -1;
  for (size_t i = 0; i < texts.size(); ++i) {
    item.contexts.push_back(question_prompt(question));
    item.continuations.push_back(" " + texts[i]);
    if (i < labels.size() && labels[i] == key) item.answer = static_cast<int>(i);
  }
  if (labels.size() != texts.size() || item.answer < 0) {
    return fail(ErrorCode::kCorruptData,
                "{}: \"answerKey\": expected one of {} labels, found \"{}\"", name, texts.size(),
                key);
  }
  return item;
}

Result<ChoiceItem> piqa_item(const Json& object, std::string_view name) {
  ANYBIT_ASSIGN(const std::string goal, json_member<std::string>(object, "goal", name));
  ANYBIT_ASSIGN(const std::string first, json_member<std::string>(object, "sol1", name));
  ANYBIT_ASSIGN(const std::string second, json_member<std::string>(object, "sol2", name));
  ANYBIT_ASSIGN(const int64_t label, json_member<int64_t>(object, "label", name));
  if (label != 0 && label != 1) {
    return fail(ErrorCode::kCorruptData, "{}: \"label\": expected 0 or 1, found {}", name, label);
  }
  const std::string prompt = question_prompt(goal);
  return ChoiceItem{{prompt, prompt}, {" " + first, " " + second}, static_cast<int>(label)};
}

Result<ChoiceItem> winogrande_item(const Json& object, std::string_view name) {
  ANYBIT_ASSIGN(const std::string sentence, json_member<std::string>(object, "sentence", name));
  ANYBIT_ASSIGN(const std::string first, json_member<std::string>(object, "option1", name));
  ANYBIT_ASSIGN(const std::string second, json_member<std::string>(object, "option2", name));
  ANYBIT_ASSIGN(const std::string answer, json_member<std::string>(object, "answer", name));
  const size_t gap = sentence.find('_');
  if (gap == std::string::npos) {
    return fail(ErrorCode::kCorruptData, "{}: \"sentence\": expected one _, found none", name);
  }
  if (answer != "1" && answer != "2") {
    return fail(ErrorCode::kCorruptData, "{}: \"answer\": expected \"1\" or \"2\", found \"{}\"",
                name, answer);
  }
  const std::string before = sentence.substr(0, gap), after = sentence.substr(gap + 1);
  return ChoiceItem{{before + first, before + second}, {after, after}, answer == "1" ? 0 : 1};
}

Result<ChoiceItem> boolq_item(const Json& object, std::string_view name) {
  ANYBIT_ASSIGN(const std::string passage, json_member<std::string>(object, "passage", name));
  ANYBIT_ASSIGN(const std::string question, json_member<std::string>(object, "question", name));
  bool answer = false;
  if (object.contains("label")) {
    ANYBIT_ASSIGN(const int64_t label, json_member<int64_t>(object, "label", name));
    if (label != 0 && label != 1) {
      return fail(ErrorCode::kCorruptData, "{}: \"label\": expected 0 or 1, found {}", name, label);
    }
    answer = label == 1;
  } else {
    ANYBIT_ASSIGN(answer, json_member<bool>(object, "answer", name));
  }
  const std::string prompt = fmt::format("{}\nQuestion: {}?\nAnswer:", passage, question);
  return ChoiceItem{{prompt, prompt}, {" no", " yes"}, answer ? 1 : 0};
}

}  // namespace

Result<std::vector<ChoiceItem>> parse_hellaswag(std::string_view text, std::string_view file_name) {
  constexpr size_t kLinesPerItem = 6;
  const std::vector<std::string_view> lines = split_lines(text);
  if (lines.size() % kLinesPerItem != 0) {
    return fail(ErrorCode::kCorruptData, "{}: expected {} lines an item, found {} lines", file_name,
                kLinesPerItem, lines.size());
  }
  std::vector<ChoiceItem> items;
  for (size_t i = 0; i < lines.size(); i += kLinesPerItem) {
    ChoiceItem item;
    const std::string_view label = lines[i + 1];
    const auto parsed = std::from_chars(label.data(), label.data() + label.size(), item.answer);
    if (parsed.ec != std::errc() || item.answer < 0 || item.answer > 3) {
      return fail(ErrorCode::kCorruptData, "{}:{}: expected an index from 0 to 3, found \"{}\"",
                  file_name, i + 2, label);
    }
    for (size_t ending = 2; ending < kLinesPerItem; ++ending) {
      item.contexts.emplace_back(lines[i]);
      item.continuations.push_back(" " + std::string(lines[i + ending]));
    }
    items.push_back(std::move(item));
  }
  return items;
}

Result<std::vector<ChoiceItem>> parse_arc(std::string_view text, std::string_view file_name) {
  return parse_json_lines(text, file_name, arc_item);
}

Result<std::vector<ChoiceItem>> parse_piqa(std::string_view text, std::string_view file_name) {
  return parse_json_lines(text, file_name, piqa_item);
}

Result<std::vector<ChoiceItem>> parse_winogrande(std::string_view text,
                                                 std::string_view file_name) {
  return parse_json_lines(text, file_name, winogrande_item);
}

Result<std::vector<ChoiceItem>> parse_boolq(std::string_view text, std::string_view file_name) {
  return parse_json_lines(text, file_name, boolq_item);
}

}  // namespace anybit::eval

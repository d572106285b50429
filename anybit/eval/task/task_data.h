// Parsers of the data files of multiple-choice tasks, one a task.
#pragma once

#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/eval/task/multiple_choice.h"

namespace anybit::eval {

// Each Errors: kCorruptData naming file, line, field, expected and found.

/// 6 lines an item: context, index of the right ending, four endings.
Result<std::vector<ChoiceItem>> parse_hellaswag(std::string_view text, std::string_view file_name);

/// {"question", "choices": {"text": [...], "label": [...]}, "answerKey"} a line.
Result<std::vector<ChoiceItem>> parse_arc(std::string_view text, std::string_view file_name);

/// {"goal", "sol1", "sol2", "label": 0 or 1} a line.
Result<std::vector<ChoiceItem>> parse_piqa(std::string_view text, std::string_view file_name);

/// {"sentence" with one _, "option1", "option2", "answer": "1" or "2"} a line.
Result<std::vector<ChoiceItem>> parse_winogrande(std::string_view text, std::string_view file_name);

/// {"passage", "question", and "answer": true or false, or SuperGLUE's "label": 0 or 1} a line.
Result<std::vector<ChoiceItem>> parse_boolq(std::string_view text, std::string_view file_name);

}  // namespace anybit::eval

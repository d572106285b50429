// Chat templates: the Jinja text in a model's tokenizer configuration that turns a conversation
// into the text the model was trained on. Renders as transformers does: trim_blocks and
// lstrip_blocks set, loop controls, raise_exception and strftime_now, lists and dicts immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/chat_template/value.h"

namespace anybit::model {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", "tool"
  std::string content;
};

/// What a template may spend: a hostile one fails instead of hanging or filling the memory.
struct TemplateLimits {
  int64_t max_steps = 20'000'000;
  int64_t max_bytes = int64_t{256} << 20;  // Of everything it makes, intermediate texts included.
};

struct ChatTemplateOptions {
  bool add_generation_prompt = true;
  std::string bos_token;
  std::string eos_token;
  TemplateValue tools = TemplateValue::none();  // A list of function descriptions, or none.
  /// Further variables ("enable_thinking"); they win over those above.
  std::vector<std::pair<std::string, TemplateValue>> variables;
  TemplateLimits limits;
  int64_t unix_time = 0;  // What strftime_now takes for now; 0: the clock.
};

class ChatTemplate {
 public:
  /// Parses `text`; `name` ("tokenizer_config.json") opens every error message.
  /// Errors: kCorruptData with the line, what was expected and what was found; kUnsupported for
  /// tags that need other templates.
  static Result<ChatTemplate> parse(std::string_view text, std::string_view name);

  /// The text of a conversation. Variables: messages, tools, documents (none),
  /// add_generation_prompt, bos_token, eos_token, and those of the options.
  /// Errors: kInvalidArgument with name and line: the template raised an error, used an undefined
  /// value, or exceeded a limit.
  Result<std::string> render(std::span<const ChatMessage> messages,
                             const ChatTemplateOptions& options = {}) const;

  /// The same for messages that carry more than text (tool calls, lists of contents).
  /// Pre: none; a template decides what it accepts.
  Result<std::string> render(const TemplateValue& messages,
                             const ChatTemplateOptions& options = {}) const;

  /// The text for exactly these variables, a dict.
  /// Errors: as above; kInvalidArgument if `variables` is not a dict or nested deeper than 150.
  Result<std::string> render_variables(const TemplateValue& variables,
                                       const TemplateLimits& limits = {},
                                       int64_t unix_time = 0) const;

 private:
  struct Program;
  std::shared_ptr<const Program> program_;
};

}  // namespace anybit::model

#include "anybit/model/chat_template/chat_template.h"

#include <chrono>

#include "anybit/model/chat_template/internal/interpreter.h"
#include "anybit/model/chat_template/internal/interpreter_guards.h"
#include "anybit/model/chat_template/internal/parser.h"

namespace anybit::model {

struct ChatTemplate::Program {
  std::string name;
  jinja::Body body;
};

Result<ChatTemplate> ChatTemplate::parse(std::string_view text, std::string_view name) {
  Result<jinja::Body> body = jinja::parse_template(text);
  if (!body) return with_context(std::move(body).error(), name);
  ChatTemplate made;
  made.program_ = std::make_shared<const Program>(Program{std::string(name), *std::move(body)});
  return made;
}

Result<std::string> ChatTemplate::render(std::span<const ChatMessage> messages,
                                         const ChatTemplateOptions& options) const {
  std::vector<TemplateValue> list;
  list.reserve(messages.size());
  for (const ChatMessage& message : messages) {
    list.push_back(TemplateValue::dict({{"role", TemplateValue::string(message.role)},
                                        {"content", TemplateValue::string(message.content)}}));
  }
  return render(TemplateValue::list(std::move(list)), options);
}

Result<std::string> ChatTemplate::render(const TemplateValue& messages,
                                         const ChatTemplateOptions& options) const {
  std::vector<std::pair<std::string, TemplateValue>> variables = {
      {"messages", messages},
      {"tools", options.tools},
      {"documents", TemplateValue::none()},
      {"add_generation_prompt", TemplateValue::boolean(options.add_generation_prompt)},
      {"bos_token", TemplateValue::string(options.bos_token)},
      {"eos_token", TemplateValue::string(options.eos_token)},
  };
  variables.insert(variables.end(), options.variables.begin(), options.variables.end());
  return render_variables(TemplateValue::dict(std::move(variables)), options.limits,
                          options.unix_time);
}

Result<std::string> ChatTemplate::render_variables(const TemplateValue& variables,
                                                   const TemplateLimits& limits,
                                                   int64_t unix_time) const {
  if (!variables.is_dict()) {
    return fail(ErrorCode::kInvalidArgument, "{}: expected a dict of variables, found a {}",
                program_->name, variables.type_name());
  }
  if (variables.depth() > jinja::kMaxValueDepth) {
    return fail(ErrorCode::kInvalidArgument, "{}: the variables are nested deeper than {}",
                program_->name, jinja::kMaxValueDepth);
  }
  if (unix_time == 0) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    unix_time = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  }
  jinja::Interpreter interpreter(variables.as_dict(),
                                 jinja::Budget(limits.max_steps, limits.max_bytes), unix_time);
  Result<std::string> text = interpreter.run(program_->body);
  if (!text) return with_context(std::move(text).error(), program_->name);
  return text;
}

}  // namespace anybit::model

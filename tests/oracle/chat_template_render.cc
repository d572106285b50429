// Renders templates for chat_template_oracle.py. Each line of the input is one case,
// {"template": ..., "variables": {...}, "unix_time": ...}; each line of the output its result,
// {"text": ...} or {"error": ...}.
#include <iostream>
#include <string>

#include "anybit/base/json.h"
#include "anybit/model/chat_template/chat_template.h"

namespace {

using anybit::ErrorCode;
using anybit::OrderedJson;
using anybit::Result;
using anybit::model::ChatTemplate;
using anybit::model::TemplateValue;

Result<std::string> render(const std::string& line) {
  OrderedJson request = OrderedJson::parse(line, nullptr, false);
  if (!request.is_object()) return anybit::fail(ErrorCode::kInvalidArgument, "not a JSON object");
  ANYBIT_ASSIGN(const ChatTemplate parsed,
                ChatTemplate::parse(request["template"].get<std::string>(), "template"));
  ANYBIT_ASSIGN(const TemplateValue variables,
                anybit::model::parse_template_value(request["variables"].dump(), "variables"));
  return parsed.render_variables(variables, {}, request.value("unix_time", int64_t{1}));
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const Result<std::string> text = render(line);
    OrderedJson reply;
    if (text) {
      reply["text"] = *text;
    } else {
      reply["error"] = text.error().message;
    }
    std::cout << reply.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) << '\n';
  }
}

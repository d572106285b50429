// Chat templates: any text is refused with a message, or renders to a text or a message, within the
// limits given.
#include <string_view>
#include <vector>

#include "anybit/model/chat_template/chat_template.h"
#include "tests/fuzz/fuzz_target.h"

ANYBIT_FUZZ_TARGET(fuzz_chat_template, bytes, size) {
  using namespace anybit::model;
  const auto parsed = ChatTemplate::parse({reinterpret_cast<const char*>(bytes), size}, "fuzz");
  if (!parsed) {
    ANYBIT_CHECK(parsed.error().message.starts_with("fuzz: "));
    return 0;
  }
  ChatTemplateOptions options;
  options.limits = {.max_steps = 20000, .max_bytes = 1 << 20};
  options.unix_time = 1;
  options.tools = TemplateValue::list({TemplateValue::dict({{"n", TemplateValue::number(0.5)}})});
  const std::vector<ChatMessage> messages = {
      {"system", "S"}, {"user", "\xC3\xBC \n x\xFF"}, {"assistant", ""}};
  const auto text = parsed->render(messages, options);
  if (text) {
    ANYBIT_CHECK(static_cast<int64_t>(text->size()) <= options.limits.max_bytes);
  } else {
    ANYBIT_CHECK(text.error().message.starts_with("fuzz: "));
  }
  return 0;
}

// Parses and renders arbitrary text as a chat template; nothing may crash, hang or leak.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "anybit/model/chat_template/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace anybit::model;
  constexpr size_t kMaxSize = 4096;
  if (size > kMaxSize) return 0;
  const auto parsed = ChatTemplate::parse({reinterpret_cast<const char*>(bytes), size}, "fuzz");
  if (!parsed) return 0;
  ChatTemplateOptions options;
  options.limits = {20000, 1 << 20};
  options.unix_time = 1;
  options.tools =
      TemplateValue::list({TemplateValue::dict({{"name", TemplateValue::string("f")}})});
  const std::vector<ChatMessage> messages = {{"system", "S"}, {"user", "ü \n x"}, {"tool", ""}};
  (void)parsed->render(messages, options);
  return 0;
}

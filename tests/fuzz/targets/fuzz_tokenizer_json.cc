// tokenizer.json files: any text is refused with a message or gives a tokenizer, whose ids are in
// its vocabulary and decode.
#include <string>
#include <string_view>

#include "anybit/model/tokenizer/tokenizer.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

// Whitespace, digits, marks, byte tokens and bytes that are not UTF-8.
constexpr std::string_view kText =
    " a b\tHello  \xC3\xA9\n\n123 \xE2\x96\x81<0x41><s>it's \xFF\xC3 A\xCC\x81\xF0\x9F\xA6\x99  ";

void check_text(const anybit::model::Tokenizer& tokenizer, std::string_view text) {
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.encode(text, {.parse_special = parse_special});
    if (!ids) {
      ANYBIT_CHECK(!ids.error().message.empty());
      continue;
    }
    for (const int32_t id : *ids) ANYBIT_CHECK(id >= 0 && id < tokenizer.vocab_size());
    ANYBIT_CHECK(tokenizer.decode(*ids).has_value() ||
                 !tokenizer.decode(*ids).error().message.empty());
    if (!ids->empty()) (void)tokenizer.token_bytes(ids->front());
  }
}

}  // namespace

ANYBIT_FUZZ_TARGET(fuzz_tokenizer_json, bytes, size) {
  constexpr size_t kMaxTextBytes = 256;
  const std::string json(reinterpret_cast<const char*>(bytes), size);
  const auto tokenizer = anybit::model::Tokenizer::load_json(json, "tokenizer.json");
  if (!tokenizer) {
    ANYBIT_CHECK(tokenizer.error().message.find("tokenizer.json") != std::string::npos);
    return 0;
  }
  check_text(*tokenizer, kText);
  check_text(*tokenizer, std::string_view(json).substr(0, kMaxTextBytes));
  return 0;
}

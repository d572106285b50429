#include "anybit/engine/chat.h"

#include <utility>

#include "anybit/engine/text_stream.h"

namespace anybit::engine {
namespace {

/// A template writes the beginning of the sequence itself, and special tokens as text.
constexpr model::EncodeOptions kTemplateText = {.add_special = false, .parse_special = true};
constexpr model::DecodeOptions kEverything = {.skip_special = false};

struct TextGeneration {
  ChatReply reply;
  std::vector<int32_t> tokens;
};

Result<TextGeneration> generate_tokens_and_text(Session& session, const model::Tokenizer& tokenizer,
                                                std::span<const int32_t> prompt,
                                                const GenerateOptions& options,
                                                const TextSink& sink) {
  TextGeneration result;
  TextStream stream;
  const auto give = [&](std::string_view piece) {
    result.reply.text += piece;
    return piece.empty() || !sink || sink(piece);
  };
  ANYBIT_ASSIGN(Generation generation, session.generate(prompt, options, [&](int32_t token) {
    if (tokenizer.is_special(token)) return true;
    return give(stream.push(tokenizer.token_bytes(token)));
  }));
  give(stream.finish());
  result.reply.stop_reason = generation.stop_reason;
  result.reply.statistics = generation.statistics;
  result.reply.num_tokens = std::ssize(generation.tokens);
  result.tokens = std::move(generation.tokens);
  return result;
}

}  // namespace

Result<ChatReply> generate_text(Session& session, const model::Tokenizer& tokenizer,
                                std::span<const int32_t> prompt, const GenerateOptions& options,
                                const TextSink& sink) {
  ANYBIT_ASSIGN(TextGeneration result,
                generate_tokens_and_text(session, tokenizer, prompt, options, sink));
  return std::move(result.reply);
}

Chat::Chat(Session& session, const model::Tokenizer& tokenizer,
           const model::ChatTemplate& chat_template, model::ChatTemplateOptions template_options)
    : session_(session),
      tokenizer_(tokenizer),
      chat_template_(chat_template),
      template_options_(std::move(template_options)) {
  template_options_.add_generation_prompt = true;
}

void Chat::add(model::ChatMessage message) { messages_.push_back(std::move(message)); }

void Chat::clear() {
  messages_.clear();
  past_text_.clear();
  past_tokens_.clear();
}

Result<ChatReply> Chat::ask(std::string_view user_message, const GenerateOptions& options,
                            const TextSink& sink) {
  messages_.push_back({"user", std::string(user_message)});
  const auto answer = [&]() -> Result<ChatReply> {
    ANYBIT_ASSIGN(const std::string text, chat_template_.render(messages_, template_options_));
    ANYBIT_ASSIGN(const std::vector<int32_t> prompt, encode(text));
    GenerateOptions with_ends = options;
    const std::span<const int32_t> end_ids = tokenizer_.end_ids();
    with_ends.stop_ids.insert(with_ends.stop_ids.end(), end_ids.begin(), end_ids.end());
    ANYBIT_ASSIGN(TextGeneration result,
                  generate_tokens_and_text(session_, tokenizer_, prompt, with_ends, sink));
    past_text_ = text + result.reply.text;
    past_tokens_ = prompt;
    past_tokens_.insert(past_tokens_.end(), result.tokens.begin(), result.tokens.end());
    return std::move(result.reply);
  };
  Result<ChatReply> reply = answer();
  if (reply) {
    messages_.push_back({"assistant", reply->text});
  } else {
    messages_.pop_back();
  }
  return reply;
}

/// The ids of the whole conversation. An answer's own tokens are kept where the new text goes on
/// from the old: encoding the answer's text again may give others, and the cache would be of no
/// use.
Result<std::vector<int32_t>> Chat::encode(std::string_view text) const {
  ANYBIT_ASSIGN(std::vector<int32_t> whole, tokenizer_.encode(text, kTemplateText));
  if (past_tokens_.empty() || !text.starts_with(past_text_)) return whole;
  ANYBIT_ASSIGN(const std::vector<int32_t> added,
                tokenizer_.encode(text.substr(past_text_.size()), kTemplateText));
  std::vector<int32_t> continued = past_tokens_;
  continued.insert(continued.end(), added.begin(), added.end());
  // Both must stand for the same text: some tokenizers put a space before whatever they encode.
  ANYBIT_ASSIGN(const std::string continued_text, tokenizer_.decode(continued, kEverything));
  ANYBIT_ASSIGN(const std::string whole_text, tokenizer_.decode(whole, kEverything));
  return continued_text == whole_text ? std::move(continued) : std::move(whole);
}

}  // namespace anybit::engine

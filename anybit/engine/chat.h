// Chat: a conversation with a model. Each turn is rendered by the model's chat template, and what
// the cache holds of the turns before is not computed again.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/engine/session.h"
#include "anybit/model/chat_template/chat_template.h"
#include "anybit/model/tokenizer/tokenizer.h"

namespace anybit::engine {

/// An answer and what it took.
struct ChatReply {
  std::string text;        // Valid UTF-8, without special tokens.
  int64_t num_tokens = 0;  // Generated, without a stop id.
  StopReason stop_reason = StopReason::kMaxTokens;
  GenerateStatistics statistics;
};

/// Called with each piece of an answer, valid UTF-8 and not empty, as it is generated; false stops.
/// An empty function is allowed and means nobody listens.
using TextSink = std::function<bool(std::string_view)>;

/// Generates after `prompt` and gives out text: special tokens left out, whole characters only.
/// Errors: those of Session::generate() and Tokenizer::encode().
Result<ChatReply> generate_text(Session& session, const model::Tokenizer& tokenizer,
                                std::span<const int32_t> prompt, const GenerateOptions& options,
                                const TextSink& sink = {});

class Chat {
 public:
  /// All but the template options' add_generation_prompt is used. The references must outlive it.
  Chat(Session& session, const model::Tokenizer& tokenizer,
       const model::ChatTemplate& chat_template, model::ChatTemplateOptions template_options);

  /// Adds a message ("system", "user", "assistant") without asking for an answer.
  void add(model::ChatMessage message);

  /// Adds a user's message and generates the answer, which becomes part of the conversation.
  /// tokenizer.end_ids() stop it beside options.stop_ids.
  /// Errors: those of the template, the tokenizer and Session::generate(); the conversation is then
  /// as before.
  Result<ChatReply> ask(std::string_view user_message, const GenerateOptions& options,
                        const TextSink& sink = {});

  /// The conversation so far.
  std::span<const model::ChatMessage> messages() const { return messages_; }

  /// Forgets the conversation; the cache goes with the next prompt.
  void clear();

 private:
  Result<std::vector<int32_t>> encode(std::string_view text) const;

  Session& session_;
  const model::Tokenizer& tokenizer_;
  const model::ChatTemplate& chat_template_;
  model::ChatTemplateOptions template_options_;
  std::vector<model::ChatMessage> messages_;
  std::string past_text_;             // The last prompt and its answer, as text ...
  std::vector<int32_t> past_tokens_;  // ... and as the very tokens the model read and wrote.
};

}  // namespace anybit::engine

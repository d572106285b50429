#include "anybit/cli/loaded_model.h"

#include <algorithm>
#include <cstdlib>

#include "anybit/model/open.h"

namespace anybit::cli {

model::ModelOptions load_options(Threads threads, const ProgressSink& progress) {
  model::ModelOptions options;
  options.threads = threads;
  options.progress = progress;
  if (const char* kernel = std::getenv("ANYBIT_KERNEL")) options.kernel_name = kernel;
  return options;
}

Result<LoadedModel> load_model(const std::string& name, Threads threads,
                               const ProgressSink& progress) {
  ANYBIT_ASSIGN(const model::OpenedModel opened, model::open_model(name, progress));
  LoadedModel loaded{.name = name};
  ANYBIT_ASSIGN(model::Tokenizer tokenizer, model::load_tokenizer(opened));
  loaded.tokenizer = std::make_unique<model::Tokenizer>(std::move(tokenizer));
  ANYBIT_ASSIGN(loaded.chat_template, model::load_chat_template(opened));
  loaded.end_ids = opened.end_ids;
  for (const int32_t id : loaded.tokenizer->end_ids()) {
    if (std::ranges::find(loaded.end_ids, id) == loaded.end_ids.end()) loaded.end_ids.push_back(id);
  }
  ANYBIT_ASSIGN(model::Model decoder,
                model::Model::load(*opened.weights, load_options(threads, progress)));
  loaded.decoder = std::make_unique<model::Model>(std::move(decoder));
  return loaded;
}

eval::Scorer scorer_for(const LoadedModel& loaded) {
  eval::Scorer scorer;
  scorer.vocab_size = loaded.decoder->config().vocab_size;
  scorer.max_tokens = loaded.decoder->config().max_positions;
  scorer.score = [&loaded](std::span<const int32_t> tokens, int64_t first,
                           const eval::LogitsVisitor& visit) -> Status {
    ANYBIT_ASSIGN(model::ForwardState state,
                  loaded.decoder->start(
                      {.capacity = std::ssize(tokens), .kv_element = kernel::KvElement::kF32}));
    return loaded.decoder->visit_logits(state, tokens, first, visit);
  };
  return scorer;
}

eval::TextEncoder encoder_for(const LoadedModel& loaded) {
  return {[&loaded](std::string_view text, bool add_special) {
    return loaded.tokenizer->encode(text, {.add_special = add_special, .parse_special = false});
  }};
}

}  // namespace anybit::cli

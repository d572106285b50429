// What commands make of a MODEL argument: its weights, tokenizer and chat template.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "anybit/base/progress.h"
#include "anybit/base/result.h"
#include "anybit/eval/scorer.h"
#include "anybit/model/chat_template/chat_template.h"
#include "anybit/model/model.h"
#include "anybit/model/tokenizer/tokenizer.h"

namespace anybit::cli {

/// A model ready to run.
struct LoadedModel {
  std::string name;
  std::unique_ptr<model::Model> decoder;
  std::unique_ptr<model::Tokenizer> tokenizer;
  std::optional<model::ChatTemplate> chat_template;  // Nothing if the model has none.
  std::vector<int32_t> end_ids;                      // Tokens that end a text or a turn.
};

/// Text for the help of every MODEL argument.
inline constexpr const char* kModelHelp =
    "A Hugging Face folder, a .gguf file, or hf:ORG/REPO from the local Hugging Face cache";

/// Opens a model by path or name, packs its weights and loads its tokenizer.
/// Errors: those of the files, naming them.
Result<LoadedModel> load_model(const std::string& name, Threads threads,
                               const ProgressSink& progress);

/// How commands pack weights: ANYBIT_KERNEL in the environment forces the matrix kernel of that
/// name.
model::ModelOptions load_options(Threads threads, const ProgressSink& progress);

/// The model as evaluation sees it. `loaded` must outlive it.
eval::Scorer scorer_for(const LoadedModel& loaded);

/// The tokenizer as evaluation sees it. `loaded` must outlive it.
eval::TextEncoder encoder_for(const LoadedModel& loaded);

}  // namespace anybit::cli

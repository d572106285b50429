// What commands make of a MODEL argument: its weights, tokenizer and chat template.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "anybit/base/progress.h"
#include "anybit/base/result.h"
#include "anybit/eval/scorer.h"
#include "anybit/kernel/kv_cache/kv_cache.h"
#include "anybit/model/chat_template/chat_template.h"
#include "anybit/model/model.h"
#include "anybit/model/tokenizer/tokenizer.h"
#include "anybit/model/weights/weight_source.h"

namespace anybit::cli {

/// A model ready to run.
struct OpenedModel {
  std::string name;
  std::unique_ptr<model::Model> decoder;
  std::unique_ptr<model::Tokenizer> tokenizer;
  std::optional<model::ChatTemplate> chat_template;  // Nothing if the model has none.
};

/// Text for the help of every MODEL argument.
inline constexpr const char* kModelHelp =
    "A Hugging Face folder, a .gguf file, or hf:ORG/REPO from the local Hugging Face cache";

/// Opens a model by path or name, packs its weights and loads its tokenizer. ANYBIT_KERNEL in the
/// environment forces the matrix kernel of that name.
/// Errors: those of the files, naming them.
Result<OpenedModel> open_model(const std::string& path, Threads threads,
                               const ProgressSink& progress);

/// The model as evaluation sees it. `opened` must outlive it.
eval::Scorer scorer_for(const OpenedModel& opened, Threads threads);

/// The tokenizer as evaluation sees it. `opened` must outlive it.
eval::TextEncoder encoder_for(const OpenedModel& opened);

}  // namespace anybit::cli

// Opening a model by what a user calls it: a Hugging Face folder, a GGUF file, or a hub's name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/progress.h"
#include "anybit/base/result.h"
#include "anybit/model/chat_template/chat_template.h"
#include "anybit/model/model.h"
#include "anybit/model/tokenizer/tokenizer.h"
#include "anybit/model/weights/weight_source.h"
#include "anybit/tensor/io/gguf.h"

namespace anybit::model {

/// An open model: files mapped, nothing packed yet.
struct OpenedModel {
  std::string name;                              // As the user gave it.
  std::filesystem::path path;                    // The folder or the GGUF file.
  std::shared_ptr<const tensor::GgufFile> gguf;  // Null for a folder.
  std::shared_ptr<const WeightSource> weights;
  std::vector<int32_t> end_ids;  // Ends of text: of config.json, generation_config.json, metadata.

  const ModelConfig& config() const { return weights->config(); }
};

/// `name`: a folder with config.json, a .gguf file, or hf:<org>/<repo> (see hub/hub.h).
/// `progress` hears of downloads.
/// Errors: kNotFound saying what was looked for; those of the readers.
Result<OpenedModel> open_model(std::string_view name, const ProgressSink& progress = {});

/// The model's tokenizer. Errors: those of Tokenizer::load_folder() and from_gguf_data().
Result<Tokenizer> load_tokenizer(const OpenedModel& model);

/// The text of the model's own chat template, or nothing: chat_template.jinja, else
/// tokenizer_config.json's chat_template (of several: "default"), or tokenizer.chat_template.
/// Errors: kCorruptData; kIo.
Result<std::optional<std::string>> chat_template_text(const OpenedModel& model);

/// The same parsed. Errors: as above; those of ChatTemplate::parse().
Result<std::optional<ChatTemplate>> load_chat_template(const OpenedModel& model);

}  // namespace anybit::model

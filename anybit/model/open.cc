#include "anybit/model/open.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/model/hub/hub.h"
#include "anybit/model/tokenizer/gguf_tokenizer.h"

namespace anybit::model {
namespace {

namespace fs = std::filesystem;

/// A JSON file of a folder; null if it is not there.
Result<Json> optional_json(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return Json();
  ANYBIT_ASSIGN(const std::string text, read_text_file(path));
  return parse_json(text, path.string());
}

void add_end_id(const Json& id, std::vector<int32_t>& end_ids) {
  if (!id.is_number_integer()) return;
  const auto value = id.get<int64_t>();
  if (value < 0 || value > std::numeric_limits<int32_t>::max()) return;
  const auto token = static_cast<int32_t>(value);
  if (std::ranges::find(end_ids, token) == end_ids.end()) end_ids.push_back(token);
}

Result<OpenedModel> open_folder(const fs::path& folder, std::string name) {
  OpenedModel model;
  model.name = std::move(name);
  model.path = folder;
  ANYBIT_ASSIGN(model.weights, open_folder_weights(folder));
  model.end_ids = model.config().eos_ids;
  ANYBIT_ASSIGN(const Json generation, optional_json(folder / "generation_config.json"));
  if (generation.is_object() && generation.contains("eos_token_id")) {
    const Json& eos = generation["eos_token_id"];
    if (eos.is_array()) {
      for (const Json& id : eos) add_end_id(id, model.end_ids);
    } else {
      add_end_id(eos, model.end_ids);
    }
  }
  return model;
}

Result<OpenedModel> open_gguf_model(const fs::path& path, std::string name) {
  OpenedModel model;
  model.name = std::move(name);
  model.path = path;
  ANYBIT_ASSIGN(tensor::GgufFile file, tensor::open_gguf(path));
  model.gguf = std::make_shared<const tensor::GgufFile>(std::move(file));
  ANYBIT_ASSIGN(model.weights, open_gguf_weights(model.gguf, path.string()));
  model.end_ids = model.config().eos_ids;
  return model;
}

Result<std::optional<std::string>> folder_template(const fs::path& folder) {
  std::error_code error;
  const fs::path own = folder / "chat_template.jinja";
  if (fs::exists(own, error)) {
    ANYBIT_ASSIGN(std::string text, read_text_file(own));
    return std::optional(std::move(text));
  }
  for (const char* file : {"tokenizer_config.json", "chat_template.json"}) {
    ANYBIT_ASSIGN(const Json config, optional_json(folder / file));
    if (!config.is_object() || !config.contains("chat_template")) continue;
    const Json& text = config["chat_template"];
    if (text.is_string()) return std::optional(text.get<std::string>());
    if (!text.is_array()) continue;
    for (const Json& entry : text) {
      ANYBIT_ASSIGN(const std::string name, json_member<std::string>(entry, "name", file));
      if (name != "default") continue;
      ANYBIT_ASSIGN(std::string body, json_member<std::string>(entry, "template", file));
      return std::optional(std::move(body));
    }
  }
  return std::optional<std::string>();
}

}  // namespace

Result<OpenedModel> open_model(std::string_view name, const ProgressSink& progress) {
  fs::path path(name);
  if (name.starts_with(kHubScheme)) {
    ANYBIT_ASSIGN(const HubName hub_name, parse_hub_name(name));
    HubOptions options = HubOptions::from_environment();
    options.progress = progress;
    ANYBIT_ASSIGN(path, find_hub_model(hub_name, options));
  }
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (!fs::exists(path / "config.json", error)) {
      return fail(ErrorCode::kNotFound, "{}: expected a model folder with config.json, found none",
                  path.string());
    }
    return open_folder(path, std::string(name));
  }
  if (!fs::exists(path, error)) {
    return fail(ErrorCode::kNotFound,
                "{}: no such file or folder; a model is a Hugging Face folder, a .gguf file, or "
                "hf:<org>/<repo>",
                path.string());
  }
  return open_gguf_model(path, std::string(name));
}

Result<Tokenizer> load_tokenizer(const OpenedModel& model) {
  if (!model.gguf) return Tokenizer::load_folder(model.path);
  ANYBIT_ASSIGN(const TokenizerData data, read_tokenizer_data(model.gguf->metadata));
  return Tokenizer::from_gguf_data(data, model.path.string());
}

Result<std::optional<std::string>> chat_template_text(const OpenedModel& model) {
  if (!model.gguf) return folder_template(model.path);
  if (model.gguf->metadata.find("tokenizer.chat_template") == nullptr) {
    return std::optional<std::string>();
  }
  ANYBIT_ASSIGN(std::string text, model.gguf->metadata.get_string("tokenizer.chat_template"));
  return std::optional(std::move(text));
}

Result<std::optional<ChatTemplate>> load_chat_template(const OpenedModel& model) {
  ANYBIT_ASSIGN(const std::optional<std::string> text, chat_template_text(model));
  if (!text) return std::optional<ChatTemplate>();
  ANYBIT_ASSIGN(ChatTemplate parsed,
                ChatTemplate::parse(*text, model.path.string() + ": chat template"));
  return std::optional(std::move(parsed));
}

}  // namespace anybit::model

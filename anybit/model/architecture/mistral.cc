// Mistral 7B and its kin: Llama whose layers may all attend to a sliding window.
#include "anybit/model/architecture/internal/families.h"

namespace anybit::model::internal {
namespace {

constexpr std::string_view kModelTypes[] = {"mistral"};

Result<ModelConfig> parse_mistral_json(std::string_view config_json, std::string_view file_name) {
  ANYBIT_ASSIGN(const Json object, parse_config_object(config_json, file_name));
  ANYBIT_ASSIGN(ModelConfig config,
                read_json(object, file_name, {.num_kv_heads = 8, .max_positions = 131072}));
  // A file without the field means the 4096 of the first release, null means no window.
  if (object.contains("sliding_window")) {
    ANYBIT_TRY(read_sliding_window(object, file_name, 0, config));
  } else {
    ANYBIT_TRY(read_sliding_window(Json{{"sliding_window", 4096}}, file_name, 0, config));
  }
  return config;
}

Result<ModelConfig> parse_mistral_gguf(const tensor::GgufMetadata&, std::string_view file_name) {
  return fail(ErrorCode::kUnsupported, "{}: GGUF files of this family say \"llama\"", file_name);
}

}  // namespace

Architecture mistral_architecture() {
  return {"mistral",
          "Mistral 7B and others of that shape",
          kModelTypes,
          {},
          folder_names_of_llama(),
          gguf_names_of_llama(),
          parse_mistral_json,
          parse_mistral_gguf};
}

}  // namespace anybit::model::internal

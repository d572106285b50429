#include "anybit/recipe/gguf_contents.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "anybit/base/file.h"
#include "anybit/model/architecture/architecture.h"
#include "anybit/model/tokenizer/tokenizer_to_gguf.h"
#include "anybit/model/weights/weight_source.h"
#include "anybit/recipe/gguf_config.h"
#include "anybit/recipe/tensor_kind.h"
#include "anybit/tensor/io/quantized_folder.h"

namespace anybit::recipe {
namespace {

namespace fs = std::filesystem;
using model::ModelConfig;
using model::ModelTensor;
using model::TensorRole;
using tensor::QuantizedTensor;

// Words, numbers, contractions, runs of white space, scripts and symbols.
constexpr std::string_view kProbe =
    "The quick brown fox's 1234567 jumps, doesn't it?  We'LL see:\n\n\tx = (a+b) * 3.14159;  // "
    "ok\n"
    "   caf\u00e9 na\u00efve stra\u00dfe \u0416\u0443\u043a "
    "\u65e5\u672c\u8a9e \uc548\ub155 \u0627\u0644 \U0001F642 $5.00 e-mail@host.org \n ";

bool is_norm(TensorRole role) {
  return role == TensorRole::kOutputNorm || role == TensorRole::kAttentionNorm ||
         role == TensorRole::kQueryNorm || role == TensorRole::kKeyNorm ||
         role == TensorRole::kPostAttentionNorm || role == TensorRole::kMlpNorm ||
         role == TensorRole::kPostMlpNorm;
}

// The role of the tensor that holds all experts' matrices.
TensorRole stacked_role(TensorRole role) {
  switch (role) {
    case TensorRole::kGate: return TensorRole::kGateExperts;
    case TensorRole::kUp: return TensorRole::kUpExperts;
    case TensorRole::kDown: return TensorRole::kDownExperts;
    default: return role;
  }
}

// A folder's tensors as parts and outputs.
class FolderContents {
 public:
  FolderContents(std::shared_ptr<const model::WeightSource> weights, GgufConfig config)
      : weights_(std::move(weights)), file_(std::move(config)) {}

  /// Lists the tensors.
  Status collect();

  GgufContents& contents() { return contents_; }
  Result<QuantizedTensor> read(size_t part) const;

 private:
  struct Part {
    std::string name;
    TensorRole role;
    std::vector<int64_t> shape;
  };

  Status add(const ModelTensor& tensor);
  void add_rope_divisors();

  std::shared_ptr<const model::WeightSource> weights_;
  GgufConfig file_;
  std::vector<Part> parts_;
  GgufContents contents_;
  std::map<std::string, size_t> output_of_name_;
};

Status FolderContents::add(const ModelTensor& tensor) {
  const ModelConfig& config = weights_->config();
  const bool is_expert = tensor.expert >= 0;
  const TensorRole role = is_expert ? stacked_role(tensor.role) : tensor.role;
  const std::string_view pattern =
      model::architecture(config.family).gguf_names[static_cast<size_t>(role)];
  Part part{model::tensor_name(weights_->name_pattern(tensor.role), tensor.layer, tensor.expert),
            tensor.role, tensor.shape};
  if (pattern.empty() || (is_expert && role == tensor.role)) {
    return fail(ErrorCode::kUnsupported, "{}: GGUF has no name for {}", weights_->name(),
                part.name);
  }
  if (!weights_->contains(part.name)) {
    return fail(ErrorCode::kNotFound, "{}: tensor {} is missing; expected shape [{}]",
                weights_->name(), part.name, fmt::join(part.shape, ", "));
  }
  ANYBIT_ASSIGN(const std::vector<int64_t> found, weights_->shape(part.name));
  if (found != part.shape) {
    return fail(ErrorCode::kCorruptData, "{}: tensor {}: expected shape [{}], found [{}]",
                weights_->name(), part.name, fmt::join(part.shape, ", "), fmt::join(found, ", "));
  }
  const std::string name = model::tensor_name(pattern, tensor.layer);
  const auto [place, is_first] = output_of_name_.emplace(name, contents_.outputs.size());
  if (is_first) {
    GgufOutput output{name, part.shape, {}, 0};
    if (is_expert) output.shape.insert(output.shape.begin(), config.num_experts);
    const bool turns = role == TensorRole::kQuery || role == TensorRole::kKey ||
                       role == TensorRole::kQueryBias || role == TensorRole::kKeyBias;
    if (turns && file_.interleaves_rope) output.interleaved_head_dim = config.head_dim;
    contents_.outputs.push_back(std::move(output));
  }
  contents_.outputs[place->second].parts.push_back(parts_.size());
  contents_.parts.push_back({part.name, part.shape, kind_of(part.role), tensor.layer});
  parts_.push_back(std::move(part));
  return {};
}

void FolderContents::add_rope_divisors() {
  const std::string name(model::architecture(weights_->config().family)
                             .gguf_names[static_cast<size_t>(TensorRole::kRopeDivisors)]);
  const std::vector<int64_t> shape = {std::ssize(file_.rope_divisors)};
  contents_.outputs.push_back({name, shape, {parts_.size()}, 0});
  contents_.parts.push_back({name, shape, TensorKind::kVector, -1});
  parts_.push_back({name, TensorRole::kRopeDivisors, shape});
}

Result<QuantizedTensor> FolderContents::read(size_t index) const {
  const Part& part = parts_[index];
  if (part.role == TensorRole::kRopeDivisors) {
    return tensor::dense_f32(file_.rope_divisors, 1, part.shape[0]);
  }
  if (part.shape.size() == 1) {
    ANYBIT_ASSIGN(std::vector<float> values, weights_->floats(part.name));
    if (is_norm(part.role) && weights_->config().norm_adds_one) {
      for (float& value : values) value += 1;
    }
    return tensor::dense_f32(values, 1, part.shape[0]);
  }
  ANYBIT_ASSIGN(QuantizedTensor stored, weights_->matrix(part.name));
  ANYBIT_TRY(tensor::validate(stored, weights_->name() + ": " + part.name));
  if (part.role != TensorRole::kRouter) return stored;
  ANYBIT_ASSIGN(const std::vector<float> values, tensor::dequantize(stored));
  return tensor::dense_f32(values, stored.rows, stored.cols);
}

Status FolderContents::collect() {
  for (const ModelTensor& tensor : model::model_tensors(weights_->config())) {
    ANYBIT_TRY(add(tensor));
  }
  if (!file_.rope_divisors.empty()) add_rope_divisors();
  contents_.metadata = file_.metadata;
  return {};
}

std::string base_name(std::string_view name) {
  fs::path path = fs::path(name).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  return path.filename().string();
}

Status check_probe(const model::Tokenizer& expected, const model::TokenizerData& data,
                   const std::string& name) {
  ANYBIT_ASSIGN(const model::Tokenizer found, model::Tokenizer::from_gguf_data(data, name));
  ANYBIT_ASSIGN(const std::vector<int32_t> expected_ids, expected.encode(kProbe));
  ANYBIT_ASSIGN(const std::vector<int32_t> found_ids, found.encode(kProbe));
  if (expected_ids == found_ids) return {};
  const auto first = std::ranges::mismatch(expected_ids, found_ids).in1 - expected_ids.begin();
  return fail(ErrorCode::kUnsupported,
              "{}: GGUF cannot hold this tokenizer: as \"{}\" with pre-tokenizer \"{}\" it would "
              "encode a sample text otherwise from token {} on",
              name, data.model, data.pre, first);
}

Status add_tokenizer(const model::OpenedModel& opened, tensor::GgufMetadata& metadata) {
  const fs::path path = opened.path / "tokenizer.json";
  std::error_code error;
  if (!fs::exists(path, error)) {
    metadata.set_string("tokenizer.ggml.model", "none");
    return {};
  }
  ANYBIT_ASSIGN(const model::Tokenizer loaded, model::load_tokenizer(opened));
  ANYBIT_ASSIGN(const std::string json, read_text_file(path));
  ANYBIT_ASSIGN(
      model::TokenizerData data,
      model::tokenizer_data_from_json(json, path.string(), loaded, opened.config().vocab_size));
  ANYBIT_TRY(check_probe(loaded, data, path.string()));
  if (!data.bos_id && opened.config().bos_id) data.bos_id = *opened.config().bos_id;
  if (!data.eos_id && !opened.end_ids.empty()) data.eos_id = opened.end_ids.front();
  ANYBIT_ASSIGN(const std::optional<std::string> chat_template, model::chat_template_text(opened));
  model::write_tokenizer_data(data, chat_template.value_or(""), metadata);
  for (const int32_t id : opened.end_ids) {
    if (id == data.eos_id.value_or(-1) || id >= opened.config().vocab_size) continue;
    if (std::ranges::count(loaded.end_ids(), id) == 0) continue;
    metadata.set_uint32("tokenizer.ggml.eot_token_id", static_cast<uint32_t>(id));
    break;
  }
  return {};
}

Result<GgufContents> folder_contents(const model::OpenedModel& opened) {
  ANYBIT_ASSIGN(GgufConfig config, gguf_config(opened.config(), opened.name));
  const auto folder = std::make_shared<FolderContents>(opened.weights, std::move(config));
  ANYBIT_TRY(folder->collect());
  GgufContents contents = std::move(folder->contents());
  contents.read = [folder](size_t index) { return folder->read(index); };
  contents.metadata.set_string("general.type", "model");
  contents.metadata.set_string("general.name", base_name(opened.name));
  ANYBIT_TRY(add_tokenizer(opened, contents.metadata));
  ANYBIT_ASSIGN(const tensor::QuantizedFolder files, tensor::QuantizedFolder::open(opened.path));
  std::set<std::string> used;
  for (const TensorSummary& part : contents.parts) used.insert(part.name);
  for (const std::string& name : files.names()) {
    if (!used.contains(name)) contents.left_out.push_back(name);
  }
  return contents;
}

// The names that the family gives tensors of a GGUF file.
std::map<std::string, std::pair<TensorKind, int64_t>> known_tensors(
    const model::WeightSource& weights) {
  std::map<std::string, std::pair<TensorKind, int64_t>> known;
  ModelConfig config = weights.config();
  // Only the roles count here, and Llama's folders have no names for experts.
  if (config.family == "llama" && config.is_moe()) config.family = "mixtral";
  for (const ModelTensor& tensor : model::model_tensors(config)) {
    const auto add = [&](TensorRole role) {
      const std::string name =
          model::tensor_name(weights.name_pattern(role), tensor.layer, tensor.expert);
      known[name] = {kind_of(tensor.role), tensor.layer};
    };
    add(tensor.role);
    if (tensor.expert >= 0) add(stacked_role(tensor.role));
  }
  return known;
}

Result<GgufContents> file_contents(const model::OpenedModel& opened) {
  const auto& file = opened.gguf;
  ANYBIT_ASSIGN(const int64_t num_files, file->metadata.get_int_or("split.count", 1));
  if (num_files > 1) {
    return fail(ErrorCode::kUnsupported, "{}: expected a whole model, found one of {} files",
                opened.name, num_files);
  }
  GgufContents contents;
  contents.metadata = file->metadata;
  const auto known = known_tensors(*opened.weights);
  for (const tensor::GgufTensor& tensor : file->tensors) {
    TensorSummary part{tensor.name, tensor.shape, TensorKind::kVector, -1};
    const auto found = known.find(tensor.name);
    if (found != known.end()) {
      part.kind = found->second.first;
      part.layer = found->second.second;
    }
    if (part.kind != TensorKind::kVector && part.shape.size() == 3) {
      part.shape = {part.shape[0] * part.shape[1], part.shape[2]};
    }
    if (part.shape.size() != 2) part.kind = TensorKind::kVector;
    contents.outputs.push_back({tensor.name, tensor.shape, {contents.parts.size()}, 0});
    contents.parts.push_back(std::move(part));
  }
  contents.read = [file](size_t index) { return tensor::as_matrix(file->tensors[index]); };
  return contents;
}

}  // namespace

Result<GgufContents> gguf_contents(const model::OpenedModel& opened) {
  return opened.gguf ? file_contents(opened) : folder_contents(opened);
}

}  // namespace anybit::recipe

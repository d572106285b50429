#include "anybit/tensor/io/quantized_folder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "anybit/base/check.h"
#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/numeric/packing.h"

namespace anybit::tensor {
namespace {

using numeric::GgmlType;
using numeric::Granularity;
using numeric::Scheme;

constexpr std::string_view kQuantMethod = "anybit";
constexpr int64_t kFormatVersion = 1;
constexpr std::string_view kConfigKey = "quantization_config";
constexpr std::string_view kConfigFile = "config.json";
constexpr std::string_view kSuffixes[] = {".codes", ".scales", ".zero_points", ".codebook",
                                          ".tensor_scale"};

// Element formats that safetensors can name.
struct NaturalType {
  numeric::ElementFormat element;
  DataType data_type;
};
constexpr NaturalType kNaturalTypes[] = {
    {numeric::kF32, DataType::kF32},     {numeric::kF16, DataType::kF16},
    {numeric::kBF16, DataType::kBF16},   {numeric::kE4M3, DataType::kF8E4M3},
    {numeric::kE5M2, DataType::kF8E5M2}, {numeric::kE8M0, DataType::kF8E8M0},
};

std::optional<DataType> natural_type(const numeric::ElementFormat& element) {
  const auto* row = std::ranges::find(kNaturalTypes, element, &NaturalType::element);
  if (row == std::end(kNaturalTypes)) return std::nullopt;
  return row->data_type;
}

std::string part_name(std::string_view name, std::string_view suffix) {
  return std::string(name).append(suffix);
}

// The member of `object` that must be a scheme string.
Result<Scheme> scheme_member(const Json& object, std::string_view where) {
  ANYBIT_ASSIGN(const std::string text, json_member<std::string>(object, "scheme", where));
  Result<Scheme> scheme = numeric::parse_scheme(text);
  if (scheme) return scheme;
  return fail(ErrorCode::kCorruptData, "{}: \"scheme\": {}", where, scheme.error().message);
}

Result<StoredMatrix> stored_matrix(const Json& entry, std::string_view where) {
  StoredMatrix matrix;
  ANYBIT_ASSIGN(matrix.scheme, scheme_member(entry, where));
  const auto shape = entry.find("shape");
  const bool is_pair = shape != entry.end() && shape->is_array() && shape->size() == 2 &&
                       std::ranges::all_of(*shape, [](const Json& extent) {
                         return extent.is_number_unsigned() && extent.get<uint64_t>() <= INT64_MAX;
                       });
  if (!is_pair) {
    return fail(ErrorCode::kCorruptData, "{}: \"shape\": expected [rows, cols]", where);
  }
  matrix.rows = (*shape)[0].get<int64_t>();
  matrix.cols = (*shape)[1].get<int64_t>();
  ANYBIT_TRY(part_sizes(matrix.scheme, matrix.rows, matrix.cols, where));
  return matrix;
}

Status check_kind(const Json& config, std::string_view where) {
  ANYBIT_ASSIGN(const std::string method, json_member<std::string>(config, "quant_method", where));
  if (method != kQuantMethod) {
    return fail(ErrorCode::kUnsupported, "{}: \"quant_method\": expected \"{}\", found \"{}\"",
                where, kQuantMethod, method);
  }
  ANYBIT_ASSIGN(const int64_t version, json_member<int64_t>(config, "format_version", where));
  if (version == kFormatVersion) return {};
  return fail(ErrorCode::kUnsupported, "{}: \"format_version\": expected {}, found {}", where,
              kFormatVersion, version);
}

Json to_json(const QuantizationConfig& quantization) {
  Json tensors = Json::object();
  for (const auto& [name, matrix] : quantization.tensors) {
    tensors[name] = {{"scheme", numeric::scheme_name(matrix.scheme)},
                     {"shape", {matrix.rows, matrix.cols}}};
  }
  Json config = {{"quant_method", kQuantMethod},
                 {"format_version", kFormatVersion},
                 {"scheme", numeric::scheme_name(quantization.scheme)},
                 {"tensors", std::move(tensors)}};
  if (!quantization.method.empty()) config["method"] = quantization.method;
  return config;
}

// Codes as a U8 matrix where rows are whole bytes.
std::vector<int64_t> codes_shape(const StoredMatrix& matrix, int64_t codes_bytes) {
  const int64_t row_bits = numeric::num_codes(matrix.scheme, 1, matrix.cols) *
                           static_cast<int64_t>(matrix.scheme.element.bits);
  const bool has_whole_rows = matrix.scheme.ggml != GgmlType::kNone || row_bits % 8 == 0;
  if (!has_whole_rows || matrix.rows == 0) return {codes_bytes};
  return {matrix.rows, codes_bytes / matrix.rows};
}

TensorDescription describe_scales(std::string_view name, const StoredMatrix& matrix,
                                  int64_t scales_bytes) {
  const auto natural = natural_type(matrix.scheme.scale);
  if (!natural) return {part_name(name, ".scales"), DataType::kU8, {scales_bytes}};
  const numeric::ScaleShape grid = numeric::scale_shape(matrix.scheme, matrix.rows, matrix.cols);
  return {part_name(name, ".scales"), *natural, {grid.rows, grid.cols}};
}

bool has_fitted_codebook(const Scheme& scheme) {
  return scheme.ggml == GgmlType::kNone && scheme.element.kind == numeric::ElementKind::kCodebook &&
         scheme.codebook == numeric::StandardCodebook::kFitted;
}

Status check_codebook(std::span<const float> codebook, std::string_view name) {
  const bool is_finite = std::ranges::all_of(codebook, [](float x) { return std::isfinite(x); });
  if (is_finite && std::ranges::is_sorted(codebook)) return {};
  return fail(ErrorCode::kCorruptData, "{}.codebook: expected finite values that ascend", name);
}

}  // namespace

Result<std::optional<QuantizationConfig>> parse_quantization_config(std::string_view config_json,
                                                                    std::string_view file_name) {
  ANYBIT_ASSIGN(const Json root, parse_json(config_json, file_name));
  if (!root.is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: expected an object, found {}", file_name,
                root.type_name());
  }
  const auto config = root.find(kConfigKey);
  if (config == root.end() || config->is_null()) return std::nullopt;
  const std::string where = fmt::format("{}: {}", file_name, kConfigKey);
  ANYBIT_TRY(check_kind(*config, where));
  QuantizationConfig result;
  ANYBIT_ASSIGN(result.scheme, scheme_member(*config, where));
  ANYBIT_ASSIGN(result.method, json_member_or<std::string>(*config, "method", "", where));
  const auto tensors = config->find("tensors");
  if (tensors == config->end() || !tensors->is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: expected the object \"tensors\"", where);
  }
  for (const auto& [name, entry] : tensors->items()) {
    const std::string tensor_where = fmt::format("{}: tensor \"{}\"", where, name);
    ANYBIT_ASSIGN(const StoredMatrix matrix, stored_matrix(entry, tensor_where));
    if (is_plain(matrix.scheme)) {
      return fail(ErrorCode::kCorruptData, "{}: expected a quantized scheme, found {}",
                  tensor_where, numeric::scheme_name(matrix.scheme));
    }
    result.tensors.emplace(name, matrix);
  }
  return result;
}

Result<std::string> with_quantization_config(std::string_view config_json,
                                             const QuantizationConfig& quantization) {
  ANYBIT_ASSIGN(const Json checked, parse_json(config_json, kConfigFile));
  if (!checked.is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: expected an object, found {}", kConfigFile,
                checked.type_name());
  }
  try {
    OrderedJson root = OrderedJson::parse(config_json);
    root[std::string(kConfigKey)] = to_json(quantization);
    return root.dump(2) + "\n";
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kInvalidArgument, "{}: {}: {}", kConfigFile, kConfigKey, error.what());
  }
}

bool is_plain(const Scheme& scheme) {
  return scheme.ggml == GgmlType::kNone && scheme.granularity == Granularity::kNone &&
         natural_type(scheme.element).has_value();
}

Result<std::vector<TensorDescription>> describe_parts(std::string_view name,
                                                      const StoredMatrix& matrix) {
  Result<PartSizes> sizes = part_sizes(matrix.scheme, matrix.rows, matrix.cols, name);
  if (!sizes) return fail(ErrorCode::kInvalidArgument, "{}", sizes.error().message);
  const Scheme& scheme = matrix.scheme;
  if (is_plain(scheme)) {
    return std::vector<TensorDescription>{
        {std::string(name), *natural_type(scheme.element), {matrix.rows, matrix.cols}}};
  }
  std::vector<TensorDescription> parts;
  parts.push_back(
      {part_name(name, ".codes"), DataType::kU8, codes_shape(matrix, sizes->codes_bytes)});
  if (scheme.ggml == GgmlType::kNone && scheme.granularity != Granularity::kNone) {
    parts.push_back(describe_scales(name, matrix, sizes->scales_bytes));
    if (scheme.has_zero_point) {
      parts.push_back({part_name(name, ".zero_points"), DataType::kU8, {sizes->zero_points_bytes}});
    }
  }
  if (has_fitted_codebook(scheme)) {
    parts.push_back({part_name(name, ".codebook"), DataType::kF32, {sizes->codebook_values}});
  }
  if (scheme.has_tensor_scale) {
    parts.push_back({part_name(name, ".tensor_scale"), DataType::kF32, {}});
  }
  return parts;
}

Status write_parts(SafetensorsWriter& writer, std::string_view name,
                   const QuantizedTensor& matrix) {
  return append_parts(writer, name, matrix, true);
}

Status append_parts(SafetensorsWriter& writer, std::string_view name, const QuantizedTensor& slab,
                    bool is_first) {
  ANYBIT_TRY(validate(slab, name));
  const Scheme& scheme = slab.scheme;
  if (is_plain(scheme)) return writer.append(name, slab.codes.bytes());
  ANYBIT_TRY(writer.append(part_name(name, ".codes"), slab.codes.bytes()));
  const bool has_scales =
      scheme.ggml == GgmlType::kNone && scheme.granularity != Granularity::kNone;
  if (has_scales && (is_first || scheme.granularity != Granularity::kTensor)) {
    ANYBIT_TRY(writer.append(part_name(name, ".scales"), slab.scales.bytes()));
    if (scheme.has_zero_point) {
      ANYBIT_TRY(writer.append(part_name(name, ".zero_points"), slab.zero_points.bytes()));
    }
  }
  if (!is_first) return {};
  if (has_fitted_codebook(scheme)) {
    ANYBIT_TRY(check_codebook(slab.codebook, name));
    ANYBIT_TRY(writer.write(part_name(name, ".codebook"), std::as_bytes(std::span(slab.codebook))));
  }
  if (!scheme.has_tensor_scale) return {};
  return writer.write(part_name(name, ".tensor_scale"),
                      std::as_bytes(std::span(&slab.tensor_scale, 1)));
}

Result<QuantizedFolder> QuantizedFolder::open(const std::filesystem::path& folder) {
  ANYBIT_ASSIGN(std::string config_json, read_text_file(folder / kConfigFile));
  ANYBIT_ASSIGN(Safetensors safetensors, Safetensors::open(folder));
  return assemble(std::move(config_json), std::move(safetensors), folder.string());
}

Result<QuantizedFolder> QuantizedFolder::assemble(std::string config_json, Safetensors safetensors,
                                                  std::string_view folder_name) {
  QuantizedFolder folder;
  folder.folder_name_ = folder_name;
  folder.config_json_ = std::move(config_json);
  folder.safetensors_ = std::move(safetensors);
  ANYBIT_ASSIGN(folder.quantization_,
                parse_quantization_config(folder.config_json_,
                                          fmt::format("{}/{}", folder_name, kConfigFile)));
  ANYBIT_TRY(folder.check_and_list());
  return folder;
}

// Every part that a scheme asks for is there in its type and shape, and no other.
Status QuantizedFolder::check_parts(const std::string& name, const StoredMatrix& stored) const {
  ANYBIT_ASSIGN(const std::vector<TensorDescription> parts, describe_parts(name, stored));
  for (const TensorDescription& part : parts) {
    const Tensor* found = safetensors_.find(part.name);
    if (found == nullptr || found->data_type != part.data_type || found->shape != part.shape) {
      return fail(ErrorCode::kCorruptData,
                  "{}: tensor \"{}\": expected {} [{}] for a [{}, {}] matrix of {}, found {}",
                  folder_name_, part.name, tensor::name(part.data_type),
                  fmt::join(part.shape, ", "), stored.rows, stored.cols,
                  numeric::scheme_name(stored.scheme),
                  found == nullptr ? "none"
                                   : fmt::format("{} [{}]", tensor::name(found->data_type),
                                                 fmt::join(found->shape, ", ")));
    }
  }
  for (const std::string_view suffix : kSuffixes) {
    const std::string part = part_name(name, suffix);
    if (safetensors_.find(part) != nullptr &&
        std::ranges::find(parts, part, &TensorDescription::name) == parts.end()) {
      return fail(ErrorCode::kCorruptData, "{}: tensor \"{}\": {} has no such part", folder_name_,
                  part, numeric::scheme_name(stored.scheme));
    }
  }
  if (safetensors_.find(name) == nullptr) return {};
  return fail(ErrorCode::kCorruptData,
              "{}: tensor \"{}\": expected its parts only, found it plain too", folder_name_, name);
}

Status QuantizedFolder::check_and_list() {
  std::set<std::string, std::less<>> parts;
  if (quantization_) {
    for (const auto& [name, stored] : quantization_->tensors) {
      ANYBIT_TRY(check_parts(name, stored));
      for (const std::string_view suffix : kSuffixes) parts.insert(part_name(name, suffix));
      names_.push_back(name);
    }
  }
  for (const NamedTensor& tensor : safetensors_.tensors()) {
    if (!parts.contains(tensor.name)) names_.push_back(tensor.name);
  }
  std::ranges::sort(names_);
  for (const std::string& name : names_) {
    ANYBIT_TRY(check_contents(name));
  }
  return {};
}

const StoredMatrix* QuantizedFolder::find_stored(std::string_view name) const {
  if (!quantization_) return nullptr;
  const auto found = quantization_->tensors.find(std::string(name));
  return found == quantization_->tensors.end() ? nullptr : &found->second;
}

// A codebook that ascends and a second-level scale that is a number.
Status QuantizedFolder::check_contents(const std::string& name) const {
  const StoredMatrix* stored = find_stored(name);
  if (stored == nullptr) return {};
  ANYBIT_ASSIGN(const QuantizedTensor matrix, read_quantized(name, *stored));
  ANYBIT_TRY(check_codebook(matrix.codebook, name));
  if (std::isfinite(matrix.tensor_scale)) return {};
  return fail(ErrorCode::kCorruptData, "{}: {}.tensor_scale: expected a finite number, found {}",
              folder_name_, name, matrix.tensor_scale);
}

bool QuantizedFolder::contains(std::string_view name) const {
  return std::ranges::binary_search(names_, name);
}

Result<QuantizedTensor> QuantizedFolder::read_quantized(std::string_view name,
                                                        const StoredMatrix& stored) const {
  const auto elements = [&](std::string_view suffix) {
    const Tensor* part = safetensors_.find(part_name(name, suffix));
    return part == nullptr ? Buffer() : part->elements;
  };
  QuantizedTensor matrix{.scheme = stored.scheme, .rows = stored.rows, .cols = stored.cols};
  matrix.codes = elements(".codes");
  matrix.scales = elements(".scales");
  matrix.zero_points = elements(".zero_points");
  const Buffer codebook = elements(".codebook");
  matrix.codebook.resize(static_cast<size_t>(codebook.size()) / sizeof(float));
  if (!codebook.empty()) {
    std::memcpy(matrix.codebook.data(), codebook.data(), matrix.codebook.size() * sizeof(float));
  }
  if (stored.scheme.codebook == numeric::StandardCodebook::kNf4) {
    const auto nf4 = numeric::nf4_codebook();
    matrix.codebook.assign(nf4.begin(), nf4.end());
  }
  if (stored.scheme.has_tensor_scale) {
    const Buffer tensor_scale = elements(".tensor_scale");
    ANYBIT_CHECK(tensor_scale.size() == sizeof(float));
    std::memcpy(&matrix.tensor_scale, tensor_scale.data(), sizeof(float));
  }
  ANYBIT_TRY(validate(matrix, fmt::format("{}: tensor \"{}\"", folder_name_, name)));
  return matrix;
}

Result<std::vector<int64_t>> QuantizedFolder::shape(std::string_view name) const {
  if (const StoredMatrix* stored = find_stored(name)) {
    return std::vector<int64_t>{stored->rows, stored->cols};
  }
  ANYBIT_ASSIGN(const Tensor plain, safetensors_.get(name));
  return plain.shape;
}

Result<QuantizedTensor> QuantizedFolder::matrix(std::string_view name) const {
  if (const StoredMatrix* stored = find_stored(name)) return read_quantized(name, *stored);
  ANYBIT_ASSIGN(const Tensor plain, safetensors_.get(name));
  const auto* row = std::ranges::find(kNaturalTypes, plain.data_type, &NaturalType::data_type);
  if (row == std::end(kNaturalTypes) || plain.shape.size() != 2) {
    return fail(ErrorCode::kUnsupported,
                "{}: tensor \"{}\": expected a matrix of F32, F16, BF16 or 8-bit floats, found {} "
                "[{}]",
                folder_name_, name, tensor::name(plain.data_type), fmt::join(plain.shape, ", "));
  }
  QuantizedTensor matrix{.rows = plain.shape[0], .cols = plain.shape[1], .codes = plain.elements};
  matrix.scheme.element = row->element;
  ANYBIT_TRY(validate(matrix, fmt::format("{}: tensor \"{}\"", folder_name_, name)));
  return matrix;
}

Result<Tensor> QuantizedFolder::tensor(std::string_view name) const {
  if (const StoredMatrix* stored = find_stored(name)) {
    return fail(ErrorCode::kUnsupported, "{}: tensor \"{}\": expected a plain tensor, found {}",
                folder_name_, name, numeric::scheme_name(stored->scheme));
  }
  return safetensors_.get(name);
}

}  // namespace anybit::tensor

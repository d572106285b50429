#include "anybit/tensor/io/safetensors_writer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/ranges.h>

#include "anybit/base/integer.h"
#include "anybit/base/json.h"
#include "anybit/tensor/io/internal/little_endian.h"

namespace anybit::tensor {
namespace {

constexpr std::string_view kMetadataKey = "__metadata__";
constexpr int64_t kAlignment = 8;

// JSON's text, or an error where a string is not UTF-8 (tensor names may come from any file).
template <class AnyJson>
Result<std::string> dump(const AnyJson& value, int indent, std::string_view file_name) {
  try {
    return value.dump(indent);
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kInvalidArgument, "{}: cannot write names: {}", file_name, error.what());
  }
}

Result<int64_t> size_of(const TensorDescription& tensor, std::string_view file_name) {
  const std::optional<int64_t> count = checked_num_elements(tensor.shape);
  const auto size = count ? checked_product(*count, size_bytes(tensor.data_type)) : std::nullopt;
  if (size) return *size;
  return fail(ErrorCode::kInvalidArgument,
              "{}: tensor \"{}\": expected extents whose product fits, found [{}]", file_name,
              tensor.name, fmt::join(tensor.shape, ", "));
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(AtomicFile file, std::string name)
    : file_(std::move(file)), file_name_(std::move(name)) {}

Result<SafetensorsWriter> SafetensorsWriter::create(const std::filesystem::path& path,
                                                    std::span<const TensorDescription> tensors,
                                                    const SafetensorsMetadata& metadata) {
  const std::string file_name = path.string();
  std::vector<const TensorDescription*> order;
  for (const TensorDescription& tensor : tensors) order.push_back(&tensor);
  std::ranges::stable_sort(order, std::ranges::greater{}, [](const TensorDescription* tensor) {
    return size_bytes(tensor->data_type);
  });
  std::string text = "{";
  if (!metadata.empty()) {
    ANYBIT_ASSIGN(text, dump(Json{{std::string(kMetadataKey), metadata}}, -1, file_name));
    text.pop_back();
  }
  std::unordered_map<std::string, Place> places;
  int64_t end = 0;
  for (const TensorDescription* tensor : order) {
    ANYBIT_ASSIGN(const int64_t size, size_of(*tensor, file_name));
    const bool is_unique = places.emplace(tensor->name, Place{end, size, false}).second;
    if (!is_unique || tensor->name == kMetadataKey || size > INT64_MAX / 2 - end) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: tensor \"{}\": expected a name given once and a size that fits", file_name,
                  tensor->name);
    }
    const OrderedJson entry = {{"dtype", name(tensor->data_type)},
                               {"shape", tensor->shape},
                               {"data_offsets", {end, end + size}}};
    ANYBIT_ASSIGN(const std::string name_text, dump(Json(tensor->name), -1, file_name));
    text += fmt::format("{}{}:{}", text.size() > 1 ? "," : "", name_text, entry.dump());
    end += size;
  }
  text += '}';
  const auto text_size = static_cast<int64_t>(text.size());
  text.resize(static_cast<size_t>(round_up(text_size, kAlignment)), ' ');
  std::string prefix;
  internal::append_little_endian<uint64_t>(prefix, text.size());
  ANYBIT_ASSIGN(AtomicFile file, AtomicFile::create(path));
  ANYBIT_TRY(file.write(prefix + text));
  SafetensorsWriter writer(std::move(file), file_name);
  for (auto& [name, place] : places) place.offset += writer.file_.position();
  writer.places_ = std::move(places);
  return writer;
}

Status SafetensorsWriter::write(std::string_view name, std::span<const std::byte> elements) {
  const auto found = places_.find(std::string(name));
  if (found == places_.end()) {
    return fail(ErrorCode::kInvalidArgument, "{}: tensor \"{}\" was not announced", file_name_,
                name);
  }
  Place& place = found->second;
  if (place.is_written || static_cast<int64_t>(elements.size()) != place.size_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: tensor \"{}\": expected {} bytes once, found {}{}", file_name_, name,
                place.size_bytes, elements.size(), place.is_written ? " again" : "");
  }
  ANYBIT_TRY(file_.write_at(place.offset, elements));
  place.is_written = true;
  return {};
}

Status SafetensorsWriter::commit() {
  for (const auto& [name, place] : places_) {
    if (!place.is_written) {
      return fail(ErrorCode::kInvalidArgument, "{}: tensor \"{}\" was announced and not written",
                  file_name_, name);
    }
  }
  return file_.commit();
}

Status write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                         const SafetensorsMetadata& metadata) {
  std::vector<TensorDescription> descriptions;
  for (const NamedTensor& named : tensors) {
    descriptions.push_back({named.name, named.tensor.data_type, named.tensor.shape});
  }
  ANYBIT_ASSIGN(SafetensorsWriter writer, SafetensorsWriter::create(path, descriptions, metadata));
  for (const NamedTensor& named : tensors) {
    ANYBIT_TRY(writer.write(named.name, named.tensor.elements.bytes()));
  }
  return writer.commit();
}

Status write_safetensors_index(const std::filesystem::path& path,
                               const std::map<std::string, std::string>& shard_of_tensor,
                               int64_t total_size_bytes) {
  const OrderedJson index = {{"metadata", {{"total_size", total_size_bytes}}},
                             {"weight_map", shard_of_tensor}};
  ANYBIT_ASSIGN(const std::string text, dump(index, 2, path.string()));
  return write_file(path, text + "\n");
}

}  // namespace anybit::tensor

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

// The file up to its data: the size of the header, and the header of at least `least_size` bytes.
Result<std::string> header_text(const SafetensorsMetadata& metadata, std::string_view entries,
                                int64_t least_size, std::string_view file_name) {
  std::string text = "{";
  if (!metadata.empty()) {
    ANYBIT_ASSIGN(text, dump(Json{{std::string(kMetadataKey), metadata}}, -1, file_name));
    text.pop_back();
    if (!entries.empty()) text += ',';
  }
  text += entries;
  text += '}';
  const int64_t size = std::max(least_size, static_cast<int64_t>(text.size()));
  text.resize(static_cast<size_t>(round_up(size, kAlignment)), ' ');
  std::string prefix;
  internal::append_little_endian<uint64_t>(prefix, text.size());
  return prefix + text;
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
  std::string entries;
  std::unordered_map<std::string, Place> places;
  int64_t end = 0;
  for (const TensorDescription* tensor : order) {
    ANYBIT_ASSIGN(const int64_t size, size_of(*tensor, file_name));
    const bool is_unique = places.emplace(tensor->name, Place{end, size, 0, false}).second;
    if (!is_unique || tensor->name == kMetadataKey || size > INT64_MAX / 2 - end) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: tensor \"{}\": expected a name given once and a size that fits", file_name,
                  tensor->name);
    }
    const OrderedJson entry = {{"dtype", name(tensor->data_type)},
                               {"shape", tensor->shape},
                               {"data_offsets", {end, end + size}}};
    ANYBIT_ASSIGN(const std::string name_text, dump(Json(tensor->name), -1, file_name));
    entries += fmt::format("{}{}:{}", entries.empty() ? "" : ",", name_text, entry.dump());
    end += size;
  }
  ANYBIT_ASSIGN(const std::string header, header_text(metadata, entries, 0, file_name));
  ANYBIT_ASSIGN(AtomicFile file, AtomicFile::create(path));
  ANYBIT_TRY(file.write(header));
  SafetensorsWriter writer(std::move(file), file_name);
  writer.entries_ = std::move(entries);
  writer.header_size_ = static_cast<int64_t>(header.size() - sizeof(uint64_t));
  for (auto& [name, place] : places) place.offset += writer.file_.position();
  writer.places_ = std::move(places);
  return writer;
}

Result<SafetensorsWriter::Place*> SafetensorsWriter::find(std::string_view name) {
  const auto found = places_.find(std::string(name));
  if (found != places_.end()) return &found->second;
  return fail(ErrorCode::kInvalidArgument, "{}: tensor \"{}\" was not announced", file_name_, name);
}

Status SafetensorsWriter::write(std::string_view name, std::span<const std::byte> elements) {
  ANYBIT_ASSIGN(const Place* place, find(name));
  if (place->is_begun || static_cast<int64_t>(elements.size()) != place->size_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: tensor \"{}\": expected {} bytes once, found {}{}", file_name_, name,
                place->size_bytes, elements.size(), place->is_begun ? " again" : "");
  }
  return append(name, elements);
}

Status SafetensorsWriter::append(std::string_view name, std::span<const std::byte> elements) {
  ANYBIT_ASSIGN(Place * place, find(name));
  const auto size = static_cast<int64_t>(elements.size());
  if (size > place->size_bytes - place->written_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: tensor \"{}\": expected at most {} more bytes, found {}", file_name_, name,
                place->size_bytes - place->written_bytes, size);
  }
  ANYBIT_TRY(file_.write_at(place->offset + place->written_bytes, elements));
  place->written_bytes += size;
  place->is_begun = true;
  return {};
}

Status SafetensorsWriter::replace_metadata(const SafetensorsMetadata& metadata) {
  ANYBIT_ASSIGN(const std::string header,
                header_text(metadata, entries_, header_size_, file_name_));
  const auto size = static_cast<int64_t>(header.size() - sizeof(uint64_t));
  if (size > header_size_) {
    return fail(ErrorCode::kInvalidArgument, "{}: expected a header of at most {} bytes, found {}",
                file_name_, header_size_, size);
  }
  return file_.write_at(0, std::as_bytes(std::span(header)));
}

Status SafetensorsWriter::commit() {
  for (const auto& [name, place] : places_) {
    if (!place.is_begun || place.written_bytes != place.size_bytes) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: tensor \"{}\" was announced and not written: expected {} bytes, found {}",
                  file_name_, name, place.size_bytes, place.written_bytes);
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

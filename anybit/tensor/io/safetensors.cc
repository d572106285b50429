#include "anybit/tensor/io/safetensors.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "anybit/base/file.h"
#include "anybit/base/integer.h"
#include "anybit/base/json.h"
#include "anybit/tensor/io/internal/little_endian.h"

namespace anybit::tensor {
namespace {

constexpr int64_t kMaxHeaderBytes = 100'000'000;  // The limit of the format's own library.
constexpr int64_t kPrefixBytes = 8;
constexpr std::string_view kMetadataKey = "__metadata__";
constexpr std::string_view kIndexFile = "model.safetensors.index.json";
constexpr std::string_view kSingleFile = "model.safetensors";

// A tensor as the header describes it; offsets count from the start of the data.
struct Entry {
  std::string name;
  DataType data_type;
  std::vector<int64_t> shape;
  int64_t begin;
  int64_t end;
};

// parse_json() keeps the last of two equal keys; here the second is an error.
Status check_unique_keys(std::string_view text, std::string_view file_name) {
  std::set<std::string, std::less<>> seen;
  std::optional<std::string> repeated;
  const Json::parser_callback_t on_key = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1) {
      if (!seen.insert(parsed.get<std::string>()).second) repeated = parsed.get<std::string>();
    }
    return depth == 0;  // Nothing below the top is kept.
  };
  try {
    const Json ignored = Json::parse(text, on_key);
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kCorruptData, "{}: header: {}", file_name, error.what());
  }
  if (!repeated) return {};
  return fail(ErrorCode::kCorruptData, "{}: header: expected each name once, found \"{}\" twice",
              file_name, *repeated);
}

Result<Json> read_header(const Buffer& file, std::string_view file_name) {
  if (file.size() < kPrefixBytes) {
    return fail(ErrorCode::kCorruptData, "{}: expected at least {} bytes, found {}", file_name,
                kPrefixBytes, file.size());
  }
  const auto header_bytes = internal::load_little_endian<uint64_t>(file.bytes());
  const auto available = static_cast<uint64_t>(file.size() - kPrefixBytes);
  if (header_bytes > static_cast<uint64_t>(kMaxHeaderBytes) || header_bytes > available) {
    return fail(ErrorCode::kCorruptData,
                "{}: header size: expected at most {} bytes (of {} in the file), found {}",
                file_name, kMaxHeaderBytes, available, header_bytes);
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kPrefixBytes,
                              header_bytes);
  if (text.empty() || text.front() != '{') {
    return fail(ErrorCode::kCorruptData, "{}: header: expected a JSON object that starts with '{{'",
                file_name);
  }
  ANYBIT_ASSIGN(Json header, parse_json(text, file_name));
  ANYBIT_TRY(check_unique_keys(text, file_name));
  return header;
}

// The member of `tensor` that must be an array of non-negative integers.
Result<std::vector<int64_t>> sizes_of(const Json& tensor, std::string_view key,
                                      std::string_view where) {
  const auto found = tensor.find(key);
  if (found == tensor.end() || !found->is_array()) {
    return fail(ErrorCode::kCorruptData, "{}: expected the array \"{}\"", where, key);
  }
  std::vector<int64_t> sizes;
  sizes.reserve(found->size());
  for (const Json& item : *found) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > INT64_MAX) {
      return fail(ErrorCode::kCorruptData, "{}: \"{}\": expected non-negative integers, found {}",
                  where, key, item.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    sizes.push_back(item.get<int64_t>());
  }
  return sizes;
}

Result<Entry> read_entry(const std::string& name, const Json& tensor, int64_t data_bytes,
                         std::string_view file_name) {
  const std::string where = fmt::format("{}: tensor \"{}\"", file_name, name);
  ANYBIT_ASSIGN(const std::string type_name, json_member<std::string>(tensor, "dtype", where));
  const Result<DataType> data_type = parse_data_type(type_name);
  if (!data_type) return with_context(data_type.error(), where);
  ANYBIT_ASSIGN(std::vector<int64_t> shape, sizes_of(tensor, "shape", where));
  ANYBIT_ASSIGN(const std::vector<int64_t> range, sizes_of(tensor, "data_offsets", where));
  if (range.size() != 2 || range[0] > range[1] || range[1] > data_bytes) {
    return fail(ErrorCode::kCorruptData,
                "{}: data_offsets: expected a range within {} bytes of data, found [{}]", where,
                data_bytes, fmt::join(range, ", "));
  }
  const std::optional<int64_t> count = checked_num_elements(shape);
  const auto size = count ? checked_product(*count, size_bytes(*data_type)) : std::nullopt;
  if (!size || *size != range[1] - range[0]) {
    return fail(ErrorCode::kCorruptData, "{}: {} [{}]: expected {} bytes, found {}", where,
                type_name, fmt::join(shape, ", "), size ? std::to_string(*size) : "fewer than 2^63",
                range[1] - range[0]);
  }
  return Entry{name, *data_type, std::move(shape), range[0], range[1]};
}

// Sorted by their bytes, which must cover the data exactly once.
Status sort_and_check_cover(std::vector<Entry>& entries, int64_t data_bytes,
                            std::string_view file_name) {
  std::ranges::sort(entries, {}, [](const Entry& e) { return std::tuple(e.begin, e.end, e.name); });
  int64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != covered) {
      return fail(ErrorCode::kCorruptData,
                  "{}: tensor \"{}\": expected its data at offset {} ({}), found them at {}",
                  file_name, entry.name, covered,
                  entry.begin > covered ? "no holes" : "no overlaps", entry.begin);
    }
    covered = entry.end;
  }
  if (covered == data_bytes) return {};
  return fail(ErrorCode::kCorruptData, "{}: expected {} bytes of data as the header says, found {}",
              file_name, covered, data_bytes);
}

Result<std::map<std::string, std::string>> read_metadata(const Json& header,
                                                         std::string_view file_name) {
  std::map<std::string, std::string> metadata;
  const auto found = header.find(kMetadataKey);
  if (found == header.end()) return metadata;
  if (!found->is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: {}: expected an object, found {}", file_name,
                kMetadataKey, found->type_name());
  }
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) {
      return fail(ErrorCode::kCorruptData, "{}: {}: \"{}\": expected a string, found {}", file_name,
                  kMetadataKey, key, value.type_name());
    }
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

Buffer aligned(Buffer elements, DataType data_type) {
  const auto address = reinterpret_cast<uintptr_t>(elements.data());
  if (address % static_cast<uintptr_t>(size_bytes(data_type)) == 0) return elements;
  return Buffer::copy_of(elements.bytes());
}

// The weight_map of an index: tensor to shard.
Result<std::map<std::string, std::string>> read_weight_map(const std::filesystem::path& path) {
  ANYBIT_ASSIGN(const std::string text, read_text_file(path, kMaxHeaderBytes));
  const std::string file_name = path.string();
  ANYBIT_ASSIGN(const Json index, parse_json(text, file_name));
  const auto found = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || found == index.end() || !found->is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: expected an object holding the object \"weight_map\"",
                file_name);
  }
  std::map<std::string, std::string> shard_of_tensor;
  for (const auto& [name, shard] : found->items()) {
    const std::string shard_name = shard.is_string() ? shard.get<std::string>() : "";
    const bool is_plain_name =
        !shard_name.empty() && shard_name.front() != '.' &&
        shard_name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
    if (!is_plain_name) {
      return fail(ErrorCode::kCorruptData,
                  "{}: weight_map: \"{}\": expected the name of a file beside the index, found {}",
                  file_name, name, shard.dump(-1, ' ', true, Json::error_handler_t::replace));
    }
    shard_of_tensor.emplace(name, shard_name);
  }
  return shard_of_tensor;
}

}  // namespace

Result<Safetensors> Safetensors::parse(const Buffer& file, std::string_view file_name) {
  ANYBIT_ASSIGN(const Json header, read_header(file, file_name));
  const auto data_start =
      static_cast<int64_t>(kPrefixBytes + internal::load_little_endian<uint64_t>(file.bytes()));
  const int64_t data_bytes = file.size() - data_start;
  Safetensors result;
  result.source_ = file_name;
  ANYBIT_ASSIGN(result.metadata_, read_metadata(header, file_name));
  std::vector<Entry> entries;
  for (const auto& [name, tensor] : header.items()) {
    if (name == kMetadataKey) continue;
    ANYBIT_ASSIGN(Entry entry, read_entry(name, tensor, data_bytes, file_name));
    entries.push_back(std::move(entry));
  }
  ANYBIT_TRY(sort_and_check_cover(entries, data_bytes, file_name));
  for (Entry& entry : entries) {
    Buffer elements = file.slice(data_start + entry.begin, entry.end - entry.begin);
    result.tensors_.push_back({std::move(entry.name),
                               {.data_type = entry.data_type,
                                .shape = std::move(entry.shape),
                                .elements = aligned(std::move(elements), entry.data_type)}});
  }
  result.index_names();
  return result;
}

Result<Safetensors> Safetensors::open_index(const std::filesystem::path& index_path) {
  ANYBIT_ASSIGN(const auto shard_of_tensor, read_weight_map(index_path));
  std::set<std::string> shards;
  for (const auto& [name, shard] : shard_of_tensor) shards.insert(shard);
  Safetensors result;
  result.source_ = index_path.string();
  for (const std::string& shard : shards) {
    ANYBIT_ASSIGN(Safetensors part, open(index_path.parent_path() / shard));
    if (result.tensors_.empty()) result.metadata_ = part.metadata_;
    for (const auto& [name, its_shard] : shard_of_tensor) {
      if (its_shard == shard && part.find(name) == nullptr) {
        return fail(ErrorCode::kCorruptData, "{}: expected tensor \"{}\" in {}, found none",
                    result.source_, name, shard);
      }
    }
    for (NamedTensor& tensor : part.tensors_) {
      const auto mapped = shard_of_tensor.find(tensor.name);
      if (mapped == shard_of_tensor.end() || mapped->second != shard) {
        return fail(ErrorCode::kCorruptData, "{}: weight_map: expected \"{}\" of {}, found {}",
                    result.source_, tensor.name, shard,
                    mapped == shard_of_tensor.end() ? "nothing" : mapped->second);
      }
      result.tensors_.push_back(std::move(tensor));
    }
  }
  result.index_names();
  return result;
}

Result<Safetensors> Safetensors::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    if (std::filesystem::exists(path / kIndexFile, ignored)) return open_index(path / kIndexFile);
    if (std::filesystem::exists(path / kSingleFile, ignored)) return open(path / kSingleFile);
    return fail(ErrorCode::kNotFound, "{}: expected {} or {}, found neither", path.string(),
                kIndexFile, kSingleFile);
  }
  if (path.extension() == ".json") return open_index(path);
  ANYBIT_ASSIGN(const Buffer file, map_file(path));
  return parse(file, path.string());
}

void Safetensors::index_names() {
  for (size_t i = 0; i < tensors_.size(); ++i) index_of_name_.emplace(tensors_[i].name, i);
}

const Tensor* Safetensors::find(std::string_view name) const {
  const auto found = index_of_name_.find(std::string(name));
  return found == index_of_name_.end() ? nullptr : &tensors_[found->second].tensor;
}

Result<Tensor> Safetensors::get(std::string_view name) const {
  if (const Tensor* tensor = find(name)) return *tensor;
  return fail(ErrorCode::kNotFound, "{}: no tensor \"{}\"", source_, name);
}

}  // namespace anybit::tensor

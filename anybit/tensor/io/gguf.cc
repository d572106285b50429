#include "anybit/tensor/io/gguf.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "anybit/base/file.h"
#include "anybit/base/integer.h"
#include "anybit/tensor/io/internal/little_endian.h"

namespace anybit::tensor {
namespace {

using numeric::GgmlType;

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr int kMaxDepth = 8;             // Of arrays in arrays.
constexpr int64_t kMaxExtents = 4;
constexpr int64_t kDefaultAlignment = 32;
// What the shortest pair, tensor and array in a file take: counts above that many are lies.
constexpr int64_t kLeastPairBytes = 8 + 4 + 1;
constexpr int64_t kLeastTensorBytes = 8 + 4 + 4 + 8;
constexpr int64_t kLeastStringBytes = 8;
constexpr int64_t kLeastArrayBytes = 4 + 8;

// Reads the header front to back; every read is checked against the end of the file.
class HeaderReader {
 public:
  HeaderReader(const Buffer& file, std::string_view file_name)
      : file_(file), file_name_(file_name) {}

  int64_t position() const { return at_; }
  std::string_view file_name() const { return file_name_; }

  template <class T>
  Result<T> number(std::string_view field) {
    ANYBIT_TRY(need(sizeof(T), field));
    const T value =
        internal::load_little_endian<T>(file_.bytes().subspan(static_cast<size_t>(at_)));
    at_ += int64_t{sizeof(T)};
    return value;
  }

  /// A u64 that counts things of at least `least_bytes` bytes each.
  Result<int64_t> count(int64_t least_bytes, std::string_view field) {
    ANYBIT_ASSIGN(const uint64_t found, number<uint64_t>(field));
    const int64_t most = (file_.size() - at_) / least_bytes;
    if (found > static_cast<uint64_t>(most)) {
      return fail(ErrorCode::kCorruptData,
                  "{}: {}: expected at most {}, which the {} bytes left can hold, found {}",
                  file_name_, field, most, file_.size() - at_, found);
    }
    return static_cast<int64_t>(found);
  }

  Result<std::string> string(std::string_view field) {
    ANYBIT_ASSIGN(const int64_t size, count(1, field));
    std::string text(reinterpret_cast<const char*>(file_.data() + at_), static_cast<size_t>(size));
    at_ += size;
    return text;
  }

  Result<Buffer> bytes(int64_t size, std::string_view field) {
    ANYBIT_TRY(need(size, field));
    Buffer part = file_.slice(at_, size);
    at_ += size;
    return part;
  }

  template <class... Args>
  tl::unexpected<Error> corrupt(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(ErrorCode::kCorruptData, "{}: {}", file_name_,
                fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  Status need(int64_t size, std::string_view field) const {
    if (size <= file_.size() - at_) return {};
    return corrupt("{}: expected {} bytes at {}, found {}", field, size, at_, file_.size() - at_);
  }

  const Buffer& file_;
  std::string_view file_name_;
  int64_t at_ = 0;
};

Result<int> read_version(HeaderReader& reader) {
  ANYBIT_ASSIGN(const auto magic, reader.number<uint32_t>("magic"));
  if (magic != kMagic) {
    return reader.corrupt("expected the magic GGUF, found the bytes {:08x}",
                          __builtin_bswap32(magic));
  }
  ANYBIT_ASSIGN(const auto version, reader.number<uint32_t>("version"));
  if (version == 2 || version == 3) return static_cast<int>(version);
  const bool is_big_endian = version != 0 && (version & 0xffffU) == 0;
  return fail(
      ErrorCode::kUnsupported, "{}: expected GGUF version 2 or 3, found {}", reader.file_name(),
      is_big_endian ? "a big-endian file (convert it to little-endian)" : std::to_string(version));
}

Result<GgufValueType> read_value_type(HeaderReader& reader, std::string_view field) {
  ANYBIT_ASSIGN(const auto id, reader.number<uint32_t>(field));
  if (id <= static_cast<uint32_t>(GgufValueType::kFloat64)) return static_cast<GgufValueType>(id);
  return fail(ErrorCode::kUnsupported, "{}: {}: expected a value type of 0..12, found {}",
              reader.file_name(), field, id);
}

Status check_bools(const HeaderReader& reader, const Buffer& bools, std::string_view field) {
  const auto bad =
      std::ranges::find_if(bools.bytes(), [](std::byte b) { return b > std::byte{1}; });
  if (bad == bools.bytes().end()) return {};
  return reader.corrupt("{}: expected bools of 0 or 1, found {}", field, static_cast<int>(*bad));
}

Result<GgufArray> read_array(HeaderReader& reader, std::string_view field, int depth) {
  if (depth > kMaxDepth)
    return reader.corrupt("{}: arrays nested deeper than {}", field, kMaxDepth);
  GgufArray array;
  ANYBIT_ASSIGN(array.element_type, read_value_type(reader, field));
  switch (array.element_type) {
    case GgufValueType::kString: {
      ANYBIT_ASSIGN(const int64_t size, reader.count(kLeastStringBytes, field));
      array.strings.reserve(static_cast<size_t>(size));
      for (int64_t i = 0; i < size; ++i) {
        ANYBIT_ASSIGN(std::string text, reader.string(field));
        array.strings.push_back(std::move(text));
      }
      return array;
    }
    case GgufValueType::kArray: {
      ANYBIT_ASSIGN(const int64_t size, reader.count(kLeastArrayBytes, field));
      for (int64_t i = 0; i < size; ++i) {
        ANYBIT_ASSIGN(GgufArray inner, read_array(reader, field, depth + 1));
        array.arrays.push_back(std::move(inner));
      }
      return array;
    }
    default: {
      const int64_t element_bytes = size_bytes(array.element_type);
      ANYBIT_ASSIGN(const int64_t size, reader.count(element_bytes, field));
      ANYBIT_ASSIGN(array.scalars, reader.bytes(size * element_bytes, field));
      if (array.element_type == GgufValueType::kBool) {
        ANYBIT_TRY(check_bools(reader, array.scalars, field));
      }
      return array;
    }
  }
}

// A scalar of file type T, held as Held.
template <class T, class Held>
Result<GgufValue> read_scalar(HeaderReader& reader, GgufValueType type, std::string_view field) {
  ANYBIT_ASSIGN(const T value, reader.number<T>(field));
  return GgufValue{type, static_cast<Held>(value)};
}

Result<GgufValue> read_value(HeaderReader& reader, std::string_view field) {
  ANYBIT_ASSIGN(const GgufValueType type, read_value_type(reader, field));
  switch (type) {
    case GgufValueType::kUint8: return read_scalar<uint8_t, uint64_t>(reader, type, field);
    case GgufValueType::kInt8: return read_scalar<int8_t, int64_t>(reader, type, field);
    case GgufValueType::kUint16: return read_scalar<uint16_t, uint64_t>(reader, type, field);
    case GgufValueType::kInt16: return read_scalar<int16_t, int64_t>(reader, type, field);
    case GgufValueType::kUint32: return read_scalar<uint32_t, uint64_t>(reader, type, field);
    case GgufValueType::kInt32: return read_scalar<int32_t, int64_t>(reader, type, field);
    case GgufValueType::kUint64: return read_scalar<uint64_t, uint64_t>(reader, type, field);
    case GgufValueType::kInt64: return read_scalar<int64_t, int64_t>(reader, type, field);
    case GgufValueType::kFloat32: return read_scalar<float, float>(reader, type, field);
    case GgufValueType::kFloat64: return read_scalar<double, double>(reader, type, field);
    case GgufValueType::kBool: {
      ANYBIT_ASSIGN(const Buffer flag, reader.bytes(1, field));
      ANYBIT_TRY(check_bools(reader, flag, field));
      return GgufValue{type, flag.bytes()[0] == std::byte{1}};
    }
    case GgufValueType::kString: {
      ANYBIT_ASSIGN(std::string text, reader.string(field));
      return GgufValue{type, std::move(text)};
    }
    case GgufValueType::kArray: {
      ANYBIT_ASSIGN(GgufArray array, read_array(reader, field, 1));
      return GgufValue{type, std::move(array)};
    }
  }
  return reader.corrupt("{}: no such value type", field);
}

Result<GgufMetadata> read_metadata(HeaderReader& reader, int64_t num_pairs) {
  GgufMetadata metadata{std::string(reader.file_name())};
  for (int64_t i = 0; i < num_pairs; ++i) {
    ANYBIT_ASSIGN(std::string key, reader.string(fmt::format("key {} of {}", i, num_pairs)));
    ANYBIT_ASSIGN(GgufValue value, read_value(reader, fmt::format("\"{}\"", key)));
    ANYBIT_TRY(metadata.add(std::move(key), std::move(value)));
  }
  return metadata;
}

Result<int64_t> read_alignment(const GgufMetadata& metadata, std::string_view file_name) {
  ANYBIT_ASSIGN(const int64_t alignment,
                metadata.get_int_or("general.alignment", kDefaultAlignment));
  if (alignment > 0 && alignment <= UINT32_MAX && std::has_single_bit(uint64_t(alignment))) {
    return alignment;
  }
  return fail(ErrorCode::kCorruptData,
              "{}: general.alignment: expected a power of two below 2^32, found {}", file_name,
              alignment);
}

// A tensor before its data are looked up.
struct Entry {
  GgufTensor tensor;
  uint64_t offset;
  int64_t size_bytes;
};

Result<Entry> read_entry(HeaderReader& reader, int64_t index, int64_t num_tensors) {
  Entry entry;
  GgufTensor& tensor = entry.tensor;
  ANYBIT_ASSIGN(tensor.name,
                reader.string(fmt::format("name of tensor {} of {}", index, num_tensors)));
  const std::string field = fmt::format("tensor \"{}\"", tensor.name);
  ANYBIT_ASSIGN(const auto num_extents, reader.number<uint32_t>(field));
  if (num_extents > kMaxExtents) {
    return reader.corrupt("{}: expected at most {} dimensions, found {}", field, kMaxExtents,
                          num_extents);
  }
  for (uint32_t i = 0; i < num_extents; ++i) {
    ANYBIT_ASSIGN(const auto extent, reader.number<uint64_t>(field));
    if (extent > INT64_MAX) {
      return reader.corrupt("{}: expected extents below 2^63, found {}", field, extent);
    }
    tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(extent));
  }
  ANYBIT_ASSIGN(const auto type_id, reader.number<uint32_t>(field));
  tensor.type = type_id < 255 ? static_cast<GgmlType>(type_id) : GgmlType::kNone;
  if (numeric::find_ggml_type(tensor.type) == nullptr) {
    return fail(ErrorCode::kUnsupported, "{}: {}: no known ggml type has the id {}",
                reader.file_name(), field, type_id);
  }
  Result<int64_t> size = ggml_size_bytes(tensor.type, tensor.shape);
  if (!size) return reader.corrupt("{}: {}", field, size.error().message);
  entry.size_bytes = *size;
  ANYBIT_ASSIGN(entry.offset, reader.number<uint64_t>(field));
  return entry;
}

Status check_overlaps(const std::vector<Entry>& entries, std::string_view file_name) {
  std::vector<const Entry*> order;
  for (const Entry& entry : entries) {
    if (entry.size_bytes > 0) order.push_back(&entry);
  }
  std::ranges::sort(order, {}, &Entry::offset);
  for (size_t i = 1; i < order.size(); ++i) {
    const uint64_t end = order[i - 1]->offset + static_cast<uint64_t>(order[i - 1]->size_bytes);
    if (order[i]->offset < end) {
      return fail(
          ErrorCode::kCorruptData,
          "{}: tensor \"{}\": expected an offset of at least {}, where \"{}\" ends, found {}",
          file_name, order[i]->tensor.name, end, order[i - 1]->tensor.name, order[i]->offset);
    }
  }
  return {};
}

// Points the tensors at their data.
Status attach(std::vector<Entry>& entries, const Buffer& file, int64_t data_start,
              std::string_view file_name, GgufFile& result) {
  const int64_t data_bytes = std::max<int64_t>(0, file.size() - data_start);
  for (Entry& entry : entries) {
    GgufTensor& tensor = entry.tensor;
    const bool fits = entry.size_bytes <= data_bytes &&
                      entry.offset <= static_cast<uint64_t>(data_bytes - entry.size_bytes);
    if (!fits || entry.offset % static_cast<uint64_t>(result.alignment) != 0) {
      return fail(
          ErrorCode::kCorruptData,
          "{}: tensor \"{}\": expected {} bytes at a multiple of {} within {} bytes of data, "
          "found the offset {}",
          file_name, tensor.name, entry.size_bytes, result.alignment, data_bytes, entry.offset);
    }
    if (entry.size_bytes > 0) {
      tensor.blocks = file.slice(data_start + static_cast<int64_t>(entry.offset), entry.size_bytes);
    }
    if (!result.index_of_tensor.emplace(tensor.name, result.tensors.size()).second) {
      return fail(ErrorCode::kCorruptData, "{}: expected each tensor once, found \"{}\" twice",
                  file_name, tensor.name);
    }
    result.tensors.push_back(std::move(tensor));
  }
  return {};
}

}  // namespace

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = index_of_tensor.find(std::string(name));
  return found == index_of_tensor.end() ? nullptr : &tensors[found->second];
}

Result<GgufFile> parse_gguf(const Buffer& file, std::string_view file_name) {
  HeaderReader reader(file, file_name);
  GgufFile result;
  ANYBIT_ASSIGN(result.version, read_version(reader));
  ANYBIT_ASSIGN(const int64_t num_tensors, reader.count(kLeastTensorBytes, "tensor count"));
  ANYBIT_ASSIGN(const int64_t num_pairs, reader.count(kLeastPairBytes, "metadata count"));
  ANYBIT_ASSIGN(result.metadata, read_metadata(reader, num_pairs));
  ANYBIT_ASSIGN(result.alignment, read_alignment(result.metadata, file_name));
  std::vector<Entry> entries;
  for (int64_t i = 0; i < num_tensors; ++i) {
    ANYBIT_ASSIGN(Entry entry, read_entry(reader, i, num_tensors));
    entries.push_back(std::move(entry));
  }
  const int64_t data_start = round_up(reader.position(), result.alignment);
  ANYBIT_TRY(check_overlaps(entries, file_name));
  ANYBIT_TRY(attach(entries, file, data_start, file_name, result));
  return result;
}

Result<GgufFile> open_gguf(const std::filesystem::path& path) {
  ANYBIT_ASSIGN(const Buffer file, map_file(path));
  return parse_gguf(file, path.string());
}

Result<int64_t> ggml_size_bytes(GgmlType type, std::span<const int64_t> shape) {
  const numeric::GgmlTypeTraits* traits = numeric::find_ggml_type(type);
  if (traits == nullptr) {
    return fail(ErrorCode::kUnsupported, "no known ggml type has the id {}",
                static_cast<int>(type));
  }
  const int64_t row_elements = shape.empty() ? 1 : shape.back();
  const std::optional<int64_t> count = checked_num_elements(shape);
  if (!count || row_elements % traits->block_elements != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "expected extents whose product fits, the last a multiple of {} for {}; found [{}]",
                traits->block_elements, traits->name, fmt::join(shape, ", "));
  }
  const auto size = checked_product(*count / traits->block_elements, traits->block_bytes);
  if (size) return *size;
  return fail(ErrorCode::kInvalidArgument, "expected fewer than 2^63 bytes, found [{}] of {}",
              fmt::join(shape, ", "), traits->name);
}

Result<QuantizedTensor> as_matrix(const GgufTensor& tensor) {
  QuantizedTensor matrix{.rows = 1, .cols = tensor.shape.empty() ? 1 : tensor.shape.back()};
  for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) matrix.rows *= tensor.shape[i];
  switch (tensor.type) {
    case GgmlType::kF32: matrix.scheme.element = numeric::kF32; break;
    case GgmlType::kF16: matrix.scheme.element = numeric::kF16; break;
    case GgmlType::kBF16: matrix.scheme.element = numeric::kBF16; break;
    default: matrix.scheme.ggml = tensor.type; break;
  }
  matrix.codes = tensor.blocks;
  ANYBIT_TRY(validate(matrix, tensor.name));
  return matrix;
}

}  // namespace anybit::tensor

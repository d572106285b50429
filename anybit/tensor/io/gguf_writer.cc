#include "anybit/tensor/io/gguf_writer.h"

#include <bit>
#include <utility>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"
#include "anybit/tensor/io/gguf.h"
#include "anybit/tensor/io/internal/little_endian.h"

namespace anybit::tensor {
namespace {

using internal::append_little_endian;

constexpr size_t kMaxExtents = 4;
constexpr int64_t kDefaultAlignment = 32;

void append_string(std::string& bytes, std::string_view text) {
  append_little_endian<uint64_t>(bytes, text.size());
  bytes += text;
}

void append_array(std::string& bytes, const GgufArray& array) {
  append_little_endian(bytes, static_cast<uint32_t>(array.element_type));
  append_little_endian(bytes, static_cast<uint64_t>(array.size()));
  for (const std::string& text : array.strings) append_string(bytes, text);
  for (const GgufArray& inner : array.arrays) append_array(bytes, inner);
  bytes.append(reinterpret_cast<const char*>(array.scalars.data()),
               static_cast<size_t>(array.scalars.size()));
}

// Narrows a held integer to its type in the file: the low bytes, as two's complement.
void append_integer(std::string& bytes, uint64_t value, int64_t size) {
  std::string all;
  append_little_endian(all, value);
  bytes.append(all, 0, static_cast<size_t>(size));
}

struct ValueAppender {
  std::string& bytes;
  GgufValueType type;

  void operator()(uint64_t value) const { append_integer(bytes, value, size_bytes(type)); }
  void operator()(int64_t value) const {
    append_integer(bytes, static_cast<uint64_t>(value), size_bytes(type));
  }
  void operator()(float value) const { append_little_endian(bytes, value); }
  void operator()(double value) const { append_little_endian(bytes, value); }
  void operator()(bool value) const { append_little_endian(bytes, static_cast<uint8_t>(value)); }
  void operator()(const std::string& text) const { append_string(bytes, text); }
  void operator()(const GgufArray& array) const { append_array(bytes, array); }
};

Result<int64_t> alignment_of(const GgufMetadata& metadata, std::string_view file_name) {
  ANYBIT_ASSIGN(const int64_t alignment,
                metadata.get_int_or("general.alignment", kDefaultAlignment));
  const GgufValue* value = metadata.find("general.alignment");
  const bool has_right_type = value == nullptr || value->type == GgufValueType::kUint32;
  if (has_right_type && alignment >= 8 && std::has_single_bit(uint64_t(alignment))) {
    return alignment;
  }
  return fail(ErrorCode::kInvalidArgument,
              "{}: general.alignment: expected a power of two of at least 8, as u32; found {}",
              file_name, alignment);
}

}  // namespace

GgufWriter::GgufWriter(AtomicFile file, std::string name)
    : file_(std::move(file)), file_name_(std::move(name)) {}

Result<GgufWriter> GgufWriter::create(const std::filesystem::path& path,
                                      const GgufMetadata& metadata,
                                      std::span<const GgufTensorDescription> tensors, int version) {
  const std::string file_name = path.string();
  if (version != 2 && version != 3) {
    return fail(ErrorCode::kInvalidArgument, "{}: expected GGUF version 2 or 3, found {}",
                file_name, version);
  }
  ANYBIT_ASSIGN(const int64_t alignment, alignment_of(metadata, file_name));
  std::string header = "GGUF";
  append_little_endian(header, static_cast<uint32_t>(version));
  append_little_endian<uint64_t>(header, tensors.size());
  append_little_endian<uint64_t>(header, metadata.entries().size());
  for (const auto& [key, value] : metadata.entries()) {
    append_string(header, key);
    append_little_endian(header, static_cast<uint32_t>(value.type));
    std::visit(ValueAppender{header, value.type}, value.value);
  }
  std::unordered_map<std::string, Place> places;
  int64_t end = 0;  // Of the data.
  for (const GgufTensorDescription& tensor : tensors) {
    Result<int64_t> size = ggml_size_bytes(tensor.type, tensor.shape);
    if (!size) {
      return with_context(std::move(size).error(),
                          fmt::format("{}: tensor \"{}\"", file_name, tensor.name));
    }
    const bool is_unique = places.emplace(tensor.name, Place{end, *size, 0, false}).second;
    if (!is_unique || tensor.shape.size() > kMaxExtents || *size > INT64_MAX / 4 - end) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: tensor \"{}\": expected a name given once, at most {} extents and a size "
                  "that fits; found {} extents",
                  file_name, tensor.name, kMaxExtents, tensor.shape.size());
    }
    append_string(header, tensor.name);
    append_little_endian(header, static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;) {
      append_little_endian(header, static_cast<uint64_t>(tensor.shape[i]));
    }
    append_little_endian(header, static_cast<uint32_t>(tensor.type));
    append_little_endian(header, static_cast<uint64_t>(end));
    end = round_up(end + *size, alignment);
  }
  header.resize(static_cast<size_t>(round_up(static_cast<int64_t>(header.size()), alignment)));
  ANYBIT_ASSIGN(AtomicFile file, AtomicFile::create(path));
  ANYBIT_TRY(file.write(header));
  GgufWriter writer(std::move(file), file_name);
  for (auto& [name, place] : places) place.offset += writer.file_.position();
  writer.end_ = writer.file_.position() + end;
  writer.places_ = std::move(places);
  return writer;
}

Result<GgufWriter::Place*> GgufWriter::find(std::string_view name) {
  const auto found = places_.find(std::string(name));
  if (found != places_.end()) return &found->second;
  return fail(ErrorCode::kInvalidArgument, "{}: tensor \"{}\" was not announced", file_name_, name);
}

Status GgufWriter::write(std::string_view name, std::span<const std::byte> blocks) {
  ANYBIT_ASSIGN(const Place* place, find(name));
  if (place->is_begun || static_cast<int64_t>(blocks.size()) != place->size_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: tensor \"{}\": expected {} bytes once, found {}{}", file_name_, name,
                place->size_bytes, blocks.size(), place->is_begun ? " again" : "");
  }
  return append(name, blocks);
}

Status GgufWriter::append(std::string_view name, std::span<const std::byte> blocks) {
  ANYBIT_ASSIGN(Place * place, find(name));
  const auto size = static_cast<int64_t>(blocks.size());
  if (size > place->size_bytes - place->written_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: tensor \"{}\": expected at most {} more bytes, found {}", file_name_, name,
                place->size_bytes - place->written_bytes, size);
  }
  ANYBIT_TRY(file_.write_at(place->offset + place->written_bytes, blocks));
  place->written_bytes += size;
  place->is_begun = true;
  return {};
}

Status GgufWriter::commit() {
  int64_t last_byte_written = file_.position();
  for (const auto& [name, place] : places_) {
    if (!place.is_begun || place.written_bytes != place.size_bytes) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: tensor \"{}\" was announced and not written: expected {} bytes, found {}",
                  file_name_, name, place.size_bytes, place.written_bytes);
    }
    last_byte_written = std::max(last_byte_written, place.offset + place.size_bytes);
  }
  const std::string padding(static_cast<size_t>(end_ - last_byte_written), '\0');
  ANYBIT_TRY(file_.write_at(last_byte_written, std::as_bytes(std::span(padding))));
  return file_.commit();
}

}  // namespace anybit::tensor

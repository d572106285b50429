#include "anybit/tensor/io/npy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "anybit/base/file.h"
#include "anybit/base/integer.h"
#include "anybit/tensor/io/internal/little_endian.h"

namespace anybit::tensor {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr int64_t kPreludeBytes = 8;  // Magic and version; the size of the header follows.
constexpr int64_t kAlignment = 64;
constexpr size_t kMaxExtents = 64;  // NumPy's own limit.

struct NpyType {
  std::string_view code;  // Without the byte order.
  DataType data_type;
};
constexpr NpyType kTypes[] = {
    {"b1", DataType::kBool}, {"u1", DataType::kU8},  {"i1", DataType::kI8},  {"u2", DataType::kU16},
    {"i2", DataType::kI16},  {"u4", DataType::kU32}, {"i4", DataType::kI32}, {"u8", DataType::kU64},
    {"i8", DataType::kI64},  {"f2", DataType::kF16}, {"f4", DataType::kF32}, {"f8", DataType::kF64},
};

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// Reads the header, a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view file_name)
      : text_(text), file_name_(file_name) {}

  Result<NpyHeader> parse() {
    NpyHeader header;
    if (!take("{")) return expected("{");
    while (!take("}")) {
      ANYBIT_ASSIGN(const std::string key, string_literal());
      if (!take(":")) return expected(":");
      ANYBIT_TRY(read_value(key, header));
      if (!take(",")) {
        if (!take("}")) return expected(", or }");
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) return expected("the end of the header");
    if (keys_.size() != 3) {
      return fail(ErrorCode::kCorruptData,
                  "{}: header: expected the keys descr, fortran_order and shape, found: {}",
                  file_name_, text_);
    }
    return header;
  }

 private:
  Status read_value(const std::string& key, NpyHeader& header) {
    if (!keys_.insert(key).second) return expected("each key once");
    if (key == "descr") {
      ANYBIT_ASSIGN(header.descr, string_literal());
      return {};
    }
    if (key == "fortran_order") {
      header.fortran_order = take("True");
      if (!header.fortran_order && !take("False")) return expected("True or False");
      return {};
    }
    if (key == "shape") {
      ANYBIT_ASSIGN(header.shape, tuple());
      return {};
    }
    return fail(ErrorCode::kCorruptData,
                "{}: header: expected the keys descr, fortran_order and shape, found \"{}\"",
                file_name_, key);
  }

  Result<std::string> string_literal() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') return expected("a string (structured types are not read)");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return expected("a string that ends");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }

  // (), (3,), (3, 4): Python 2 wrote 3L.
  Result<std::vector<int64_t>> tuple() {
    if (!take("(")) return expected("(");
    std::vector<int64_t> extents;
    while (!take(")")) {
      skip_space();
      int64_t extent = 0;
      const char* begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0 || extents.size() == kMaxExtents) {
        return expected("at most 64 extents of at most 2^63 - 1");
      }
      at_ += static_cast<size_t>(end - begin);
      take("L");
      extents.push_back(extent);
      if (!take(",")) {
        if (!take(")")) return expected(", or )");
        break;
      }
    }
    return extents;
  }

  void skip_space() {
    while (at_ < text_.size() &&
           std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  bool take(std::string_view token) {
    skip_space();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  tl::unexpected<Error> expected(std::string_view what) const {
    constexpr size_t kShown = 24;
    return fail(ErrorCode::kCorruptData, "{}: header: expected {} at byte {}, found \"{}\"",
                file_name_, what, at_, text_.substr(at_, kShown));
  }

  std::string_view text_;
  std::string_view file_name_;
  size_t at_ = 0;
  std::set<std::string> keys_;
};

Result<DataType> parse_descr(std::string_view descr, std::string_view file_name) {
  const char order = descr.empty() ? '\0' : descr.front();
  const std::string_view code = descr.substr(descr.empty() ? 0 : 1);
  const auto* row = std::ranges::find(kTypes, code, &NpyType::code);
  const bool is_known =
      row != std::end(kTypes) && std::string_view("<>|=").find(order) != std::string_view::npos;
  const bool is_one_byte = is_known && size_bytes(row->data_type) == 1;
  if (is_known && (order == '<' || is_one_byte)) return row->data_type;
  return fail(ErrorCode::kUnsupported,
              "{}: descr: expected '|' or '<' (little-endian) and one of b1, u1..u8, i1..i8, f2, "
              "f4, f8; found \"{}\"",
              file_name, descr);
}

// The elements of a column-major array in row-major order. Pre: no extent is 0.
Buffer transposed(const Buffer& source, std::span<const int64_t> shape, int64_t element_bytes) {
  Buffer result = Buffer::allocate(source.size());
  std::vector<int64_t> strides;  // Of the source, in bytes.
  int64_t stride = element_bytes;
  for (const int64_t extent : shape) {
    strides.push_back(stride);
    stride *= extent;
  }
  std::vector<int64_t> index(shape.size(), 0);
  int64_t from = 0;
  for (int64_t to = 0; to < source.size(); to += element_bytes) {
    std::memcpy(result.writable().data() + to, source.data() + from,
                static_cast<size_t>(element_bytes));
    for (size_t axis = shape.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

// Where the header text lies in the file.
struct HeaderRange {
  int64_t begin;
  int64_t size;
};

Result<HeaderRange> find_header(const Buffer& file, std::string_view file_name) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()),
                              static_cast<size_t>(file.size()));
  if (file.size() < kPreludeBytes || text.substr(0, kMagic.size()) != kMagic) {
    return fail(ErrorCode::kCorruptData,
                "{}: expected the magic \\x93NUMPY and a version, found {}", file_name,
                file.size() < kPreludeBytes ? "too few bytes" : "other bytes");
  }
  const int version = static_cast<unsigned char>(text[kMagic.size()]);
  if (version < 1 || version > 3) {
    return fail(ErrorCode::kUnsupported, "{}: expected version 1, 2 or 3, found {}", file_name,
                version);
  }
  const int64_t begin = kPreludeBytes + (version == 1 ? 2 : 4);
  if (file.size() < begin) {
    return fail(ErrorCode::kCorruptData, "{}: expected at least {} bytes, found {}", file_name,
                begin, file.size());
  }
  const auto size_field = file.bytes().subspan(kPreludeBytes);
  const int64_t size = version == 1 ? internal::load_little_endian<uint16_t>(size_field)
                                    : internal::load_little_endian<uint32_t>(size_field);
  if (size > file.size() - begin) {
    return fail(ErrorCode::kCorruptData, "{}: header size: expected at most {} bytes, found {}",
                file_name, file.size() - begin, size);
  }
  return HeaderRange{begin, size};
}

}  // namespace

Result<Tensor> parse_npy(const Buffer& file, std::string_view file_name) {
  ANYBIT_ASSIGN(const HeaderRange range, find_header(file, file_name));
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + range.begin,
                              static_cast<size_t>(range.size));
  ANYBIT_ASSIGN(NpyHeader header, HeaderParser(text, file_name).parse());
  Tensor tensor;
  ANYBIT_ASSIGN(tensor.data_type, parse_descr(header.descr, file_name));
  tensor.shape = std::move(header.shape);
  const int64_t element_bytes = size_bytes(tensor.data_type);
  const int64_t data_start = range.begin + range.size;
  const std::optional<int64_t> count = checked_num_elements(tensor.shape);
  const auto size = count ? checked_product(*count, element_bytes) : std::nullopt;
  if (!size || *size != file.size() - data_start) {
    return fail(ErrorCode::kCorruptData, "{}: {} ({}): expected {} bytes of data, found {}",
                file_name, header.descr, fmt::join(tensor.shape, ", "),
                size ? std::to_string(*size) : "fewer than 2^63", file.size() - data_start);
  }
  tensor.elements = file.slice(data_start, *size);
  const auto address = reinterpret_cast<uintptr_t>(tensor.elements.data());
  if (header.fortran_order && tensor.shape.size() > 1 && *size > 0) {
    tensor.elements = transposed(tensor.elements, tensor.shape, element_bytes);
  } else if (address % static_cast<uintptr_t>(element_bytes) != 0) {
    tensor.elements = Buffer::copy_of(tensor.elements.bytes());
  }
  return tensor;
}

Result<Tensor> read_npy(const std::filesystem::path& path) {
  ANYBIT_ASSIGN(const Buffer file, map_file(path));
  return parse_npy(file, path.string());
}

Status write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  const auto* row = std::ranges::find(kTypes, tensor.data_type, &NpyType::data_type);
  if (row == std::end(kTypes) || tensor.shape.size() > kMaxExtents) {
    return fail(ErrorCode::kUnsupported,
                "{}: npy holds no {} of {} extents; convert it to F32 (at most {} extents)",
                path.string(), name(tensor.data_type), tensor.shape.size(), kMaxExtents);
  }
  ANYBIT_CHECK(tensor.num_elements() * size_bytes(tensor.data_type) == tensor.elements.size());
  const bool is_one_byte = size_bytes(tensor.data_type) == 1;
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                 is_one_byte ? '|' : '<', row->code, fmt::join(tensor.shape, ", "),
                                 tensor.shape.size() == 1 ? "," : "");
  // The data start at a multiple of 64; a line feed ends the header. At most 64 extents of 20
  // characters fit the 16-bit size of version 1.
  const int64_t prefix_bytes = kPreludeBytes + 2;
  const int64_t end = round_up(prefix_bytes + static_cast<int64_t>(text.size()) + 1, kAlignment);
  text.resize(static_cast<size_t>(end - prefix_bytes - 1), ' ');
  text += '\n';
  std::string prefix(kMagic);
  prefix += '\x01';
  prefix += '\0';
  internal::append_little_endian(prefix, static_cast<uint16_t>(text.size()));
  ANYBIT_ASSIGN(AtomicFile file, AtomicFile::create(path));
  ANYBIT_TRY(file.write(prefix + text));
  ANYBIT_TRY(file.write(tensor.elements.bytes()));
  return file.commit();
}

}  // namespace anybit::tensor

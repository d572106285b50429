// The typed key-value pairs of a GGUF file. The file around them: gguf.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "anybit/base/buffer.h"
#include "anybit/base/result.h"

namespace anybit::tensor {

/// Ids as in the file. Source: ggml's docs/gguf.md.
enum class GgufValueType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

/// "u8", "str", "arr", ...: the names of the GGUF specification's tools; "?" for an unknown id.
std::string_view name(GgufValueType type);

/// Bytes of a scalar in the file; 0 for strings, arrays and unknown ids.
int64_t size_bytes(GgufValueType type);

/// Elements of one type. Exactly one of the three holders is used.
struct GgufArray {
  GgufValueType element_type = GgufValueType::kUint8;
  Buffer scalars;                    // Little-endian, as in the file; bools are bytes 0 and 1.
  std::vector<std::string> strings;  // kString.
  std::vector<GgufArray> arrays;     // kArray.

  int64_t size() const;
  friend bool operator==(const GgufArray& a, const GgufArray& b);
};

/// One value. The integer and float types are held widened, `type` says what the file has.
struct GgufValue {
  GgufValueType type = GgufValueType::kUint8;
  std::variant<uint64_t, int64_t, float, double, bool, std::string, GgufArray> value;
  friend bool operator==(const GgufValue&, const GgufValue&) = default;
};

/// Key-value pairs in the order of the file, keys unique.
class GgufMetadata {
 public:
  GgufMetadata() = default;
  /// `source` opens error messages.
  explicit GgufMetadata(std::string source) : source_(std::move(source)) {}

  const std::vector<std::pair<std::string, GgufValue>>& entries() const { return entries_; }

  /// The value of `key`, or null.
  const GgufValue* find(std::string_view key) const;

  /// Adds a pair. Errors: kCorruptData if the key is there already.
  Status add(std::string key, GgufValue value);

  /// Sets a pair, replacing the value where the key exists.
  void set(std::string key, GgufValue value);

  // Setters for the types that model files use.
  void set_string(std::string key, std::string value);
  void set_uint32(std::string key, uint32_t value);
  void set_uint64(std::string key, uint64_t value);
  void set_int32(std::string key, int32_t value);
  void set_float32(std::string key, float value);
  void set_bool(std::string key, bool value);
  void set_strings(std::string key, std::vector<std::string> values);
  void set_int32s(std::string key, const std::vector<int32_t>& values);
  void set_float32s(std::string key, const std::vector<float>& values);

  /// The value of `key`: any integer type (get_int, get_ints), any number (get_float,
  /// get_floats), a string, a bool, or an array of these.
  /// Errors: kNotFound if absent; kCorruptData naming key, expected and found type, or an integer
  /// beyond int64_t.
  Result<int64_t> get_int(std::string_view key) const;
  Result<double> get_float(std::string_view key) const;
  Result<bool> get_bool(std::string_view key) const;
  Result<std::string> get_string(std::string_view key) const;
  Result<std::vector<int64_t>> get_ints(std::string_view key) const;
  Result<std::vector<float>> get_floats(std::string_view key) const;
  Result<std::vector<std::string>> get_strings(std::string_view key) const;

  /// The same, or `fallback` where the key is absent. Errors: kCorruptData as above.
  Result<int64_t> get_int_or(std::string_view key, int64_t fallback) const;
  Result<double> get_float_or(std::string_view key, double fallback) const;
  Result<bool> get_bool_or(std::string_view key, bool fallback) const;
  Result<std::string> get_string_or(std::string_view key, std::string fallback) const;

 private:
  Result<const GgufValue*> expect(std::string_view key) const;
  Result<const GgufArray*> expect_array(std::string_view key, std::string_view expected) const;
  tl::unexpected<Error> wrong_type(std::string_view key, std::string_view expected,
                                   const GgufValue& found) const;

  std::string source_ = "GGUF metadata";
  std::vector<std::pair<std::string, GgufValue>> entries_;
  std::unordered_map<std::string, size_t> index_of_key_;
};

}  // namespace anybit::tensor

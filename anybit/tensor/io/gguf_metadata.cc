#include "anybit/tensor/io/gguf_metadata.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "anybit/base/check.h"
#include "anybit/tensor/io/internal/little_endian.h"

namespace anybit::tensor {
namespace {

using enum GgufValueType;

struct ValueTypeRow {
  std::string_view name;
  int64_t size_bytes;  // Of a scalar; 0: not one.
};

// Indexed by id.
constexpr ValueTypeRow kRows[] = {
    {"u8", 1},   {"i8", 1},  {"u16", 2}, {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"str", 0}, {"arr", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};

// Calls visit(value) with each scalar of `array` in its own type. Pre: size_bytes(type) > 0.
template <class T, class Visit>
void for_each(const GgufArray& array, const Visit& visit) {
  const std::span<const std::byte> bytes = array.scalars.bytes();
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    visit(internal::load_little_endian<T>(bytes.subspan(at)));
  }
}

template <class Visit>
bool for_each_integer(const GgufArray& array, const Visit& visit) {
  switch (array.element_type) {
    case kUint8: for_each<uint8_t>(array, visit); return true;
    case kInt8: for_each<int8_t>(array, visit); return true;
    case kUint16: for_each<uint16_t>(array, visit); return true;
    case kInt16: for_each<int16_t>(array, visit); return true;
    case kUint32: for_each<uint32_t>(array, visit); return true;
    case kInt32: for_each<int32_t>(array, visit); return true;
    case kUint64: for_each<uint64_t>(array, visit); return true;
    case kInt64: for_each<int64_t>(array, visit); return true;
    default: return false;
  }
}

template <class Visit>
bool for_each_number(const GgufArray& array, const Visit& visit) {
  switch (array.element_type) {
    case kFloat32: for_each<float>(array, visit); return true;
    case kFloat64: for_each<double>(array, visit); return true;
    default: return for_each_integer(array, visit);
  }
}

template <class T>
GgufValue array_of(GgufValueType type, const std::vector<T>& values) {
  return {kArray, GgufArray{.element_type = type,
                            .scalars = Buffer::copy_of(std::as_bytes(std::span(values)))}};
}

}  // namespace

std::string_view name(GgufValueType type) {
  const auto id = static_cast<size_t>(type);
  return id < std::size(kRows) ? kRows[id].name : "?";
}

int64_t size_bytes(GgufValueType type) {
  const auto id = static_cast<size_t>(type);
  return id < std::size(kRows) ? kRows[id].size_bytes : 0;
}

int64_t GgufArray::size() const {
  if (element_type == kString) return std::ssize(strings);
  if (element_type == kArray) return std::ssize(arrays);
  const int64_t scalar_bytes = size_bytes(element_type);
  return scalar_bytes == 0 ? 0 : scalars.size() / scalar_bytes;
}

bool operator==(const GgufArray& a, const GgufArray& b) {
  return a.element_type == b.element_type &&
         std::ranges::equal(a.scalars.bytes(), b.scalars.bytes()) && a.strings == b.strings &&
         a.arrays == b.arrays;
}

const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto found = index_of_key_.find(std::string(key));
  return found == index_of_key_.end() ? nullptr : &entries_[found->second].second;
}

Status GgufMetadata::add(std::string key, GgufValue value) {
  if (!index_of_key_.emplace(key, entries_.size()).second) {
    return fail(ErrorCode::kCorruptData, "{}: expected each key once, found \"{}\" twice", source_,
                key);
  }
  entries_.emplace_back(std::move(key), std::move(value));
  return {};
}

void GgufMetadata::set(std::string key, GgufValue value) {
  const auto [place, is_added] = index_of_key_.emplace(key, entries_.size());
  if (is_added) {
    entries_.emplace_back(std::move(key), std::move(value));
  } else {
    entries_[place->second].second = std::move(value);
  }
}

void GgufMetadata::set_string(std::string key, std::string value) {
  set(std::move(key), {kString, std::move(value)});
}
void GgufMetadata::set_uint32(std::string key, uint32_t value) {
  set(std::move(key), {kUint32, uint64_t{value}});
}
void GgufMetadata::set_uint64(std::string key, uint64_t value) {
  set(std::move(key), {kUint64, value});
}
void GgufMetadata::set_int32(std::string key, int32_t value) {
  set(std::move(key), {kInt32, int64_t{value}});
}
void GgufMetadata::set_float32(std::string key, float value) {
  set(std::move(key), {kFloat32, value});
}
void GgufMetadata::set_bool(std::string key, bool value) { set(std::move(key), {kBool, value}); }
void GgufMetadata::set_strings(std::string key, std::vector<std::string> values) {
  set(std::move(key), {kArray, GgufArray{.element_type = kString, .strings = std::move(values)}});
}
void GgufMetadata::set_int32s(std::string key, const std::vector<int32_t>& values) {
  set(std::move(key), array_of(kInt32, values));
}
void GgufMetadata::set_float32s(std::string key, const std::vector<float>& values) {
  set(std::move(key), array_of(kFloat32, values));
}

Result<const GgufValue*> GgufMetadata::expect(std::string_view key) const {
  if (const GgufValue* value = find(key)) return value;
  return fail(ErrorCode::kNotFound, "{}: expected the key \"{}\", found none", source_, key);
}

tl::unexpected<Error> GgufMetadata::wrong_type(std::string_view key, std::string_view expected,
                                               const GgufValue& found) const {
  const auto* array = std::get_if<GgufArray>(&found.value);
  return fail(ErrorCode::kCorruptData, "{}: \"{}\": expected {}, found {}{}", source_, key,
              expected, array != nullptr ? "an array of " : "",
              name(array != nullptr ? array->element_type : found.type));
}

Result<const GgufArray*> GgufMetadata::expect_array(std::string_view key,
                                                    std::string_view expected) const {
  ANYBIT_ASSIGN(const GgufValue* value, expect(key));
  if (const auto* array = std::get_if<GgufArray>(&value->value)) return array;
  return wrong_type(key, expected, *value);
}

Result<int64_t> GgufMetadata::get_int(std::string_view key) const {
  ANYBIT_ASSIGN(const GgufValue* value, expect(key));
  if (const auto* number = std::get_if<int64_t>(&value->value)) return *number;
  const auto* number = std::get_if<uint64_t>(&value->value);
  if (number == nullptr || *number > INT64_MAX) {
    return wrong_type(key, "an integer below 2^63", *value);
  }
  return static_cast<int64_t>(*number);
}

Result<double> GgufMetadata::get_float(std::string_view key) const {
  ANYBIT_ASSIGN(const GgufValue* value, expect(key));
  if (const auto* number = std::get_if<float>(&value->value)) return *number;
  if (const auto* number = std::get_if<double>(&value->value)) return *number;
  if (const auto* number = std::get_if<int64_t>(&value->value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<uint64_t>(&value->value)) {
    return static_cast<double>(*number);
  }
  return wrong_type(key, "a number", *value);
}

Result<bool> GgufMetadata::get_bool(std::string_view key) const {
  ANYBIT_ASSIGN(const GgufValue* value, expect(key));
  if (const auto* flag = std::get_if<bool>(&value->value)) return *flag;
  return wrong_type(key, "a bool", *value);
}

Result<std::string> GgufMetadata::get_string(std::string_view key) const {
  ANYBIT_ASSIGN(const GgufValue* value, expect(key));
  if (const auto* text = std::get_if<std::string>(&value->value)) return *text;
  return wrong_type(key, "a string", *value);
}

Result<std::vector<int64_t>> GgufMetadata::get_ints(std::string_view key) const {
  ANYBIT_ASSIGN(const GgufArray* array, expect_array(key, "an array of integers"));
  std::vector<int64_t> values;
  values.reserve(static_cast<size_t>(array->size()));
  bool fits = true;
  const bool are_integers = for_each_integer(*array, [&](auto x) {
    fits = fits && std::in_range<int64_t>(x);
    values.push_back(static_cast<int64_t>(x));
  });
  if (!are_integers || !fits) return wrong_type(key, "an array of integers below 2^63", *find(key));
  return values;
}

Result<std::vector<float>> GgufMetadata::get_floats(std::string_view key) const {
  ANYBIT_ASSIGN(const GgufArray* array, expect_array(key, "an array of numbers"));
  std::vector<float> values;
  values.reserve(static_cast<size_t>(array->size()));
  const bool are_numbers =
      for_each_number(*array, [&](auto x) { values.push_back(static_cast<float>(x)); });
  if (!are_numbers) return wrong_type(key, "an array of numbers", *find(key));
  return values;
}

Result<std::vector<std::string>> GgufMetadata::get_strings(std::string_view key) const {
  ANYBIT_ASSIGN(const GgufArray* array, expect_array(key, "an array of strings"));
  if (array->element_type != kString) return wrong_type(key, "an array of strings", *find(key));
  return array->strings;
}

Result<int64_t> GgufMetadata::get_int_or(std::string_view key, int64_t fallback) const {
  return find(key) == nullptr ? Result<int64_t>(fallback) : get_int(key);
}
Result<double> GgufMetadata::get_float_or(std::string_view key, double fallback) const {
  return find(key) == nullptr ? Result<double>(fallback) : get_float(key);
}
Result<bool> GgufMetadata::get_bool_or(std::string_view key, bool fallback) const {
  return find(key) == nullptr ? Result<bool>(fallback) : get_bool(key);
}
Result<std::string> GgufMetadata::get_string_or(std::string_view key, std::string fallback) const {
  return find(key) == nullptr ? Result<std::string>(std::move(fallback)) : get_string(key);
}

}  // namespace anybit::tensor

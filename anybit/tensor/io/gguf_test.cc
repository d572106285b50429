#include "anybit/tensor/io/gguf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "anybit/base/file.h"
#include "anybit/tensor/io/gguf_writer.h"
#include "anybit/tensor/io/internal/little_endian.h"
#include "tests/support/temporary_folder.h"

namespace anybit::tensor {
namespace {

using anybit::testing::TemporaryFolder;
using internal::append_little_endian;
using numeric::GgmlType;

Buffer buffer_of(std::string_view bytes) {
  return Buffer::copy_of(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

// Builds files byte by byte, lies included.
class Bytes {
 public:
  template <class T>
  Bytes& add(T value) {
    append_little_endian(text_, value);
    return *this;
  }
  Bytes& u32(uint32_t value) { return add(value); }
  Bytes& u64(uint64_t value) { return add(value); }
  Bytes& string(std::string_view text) {
    u64(text.size());
    text_ += text;
    return *this;
  }
  Bytes& raw(std::string_view text) {
    text_ += text;
    return *this;
  }
  Bytes& header(uint64_t num_tensors, uint64_t num_pairs, uint32_t version = 3) {
    return raw("GGUF").u32(version).u64(num_tensors).u64(num_pairs);
  }
  // Dimensions fastest first, as in the file.
  Bytes& tensor(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                uint64_t offset) {
    string(name).u32(static_cast<uint32_t>(dimensions.size()));
    for (const uint64_t extent : dimensions) u64(extent);
    return u32(type).u64(offset);
  }
  Bytes& pad(size_t alignment = 32) {
    text_.resize((text_.size() + alignment - 1) / alignment * alignment, '\0');
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Result<GgufFile> parse(const Bytes& bytes) { return parse_gguf(buffer_of(bytes.text()), "x.gguf"); }

void expect_refused(const Bytes& bytes, std::string_view said,
                    ErrorCode code = ErrorCode::kCorruptData) {
  const auto result = parse(bytes);
  ASSERT_FALSE(result) << "expected a complaint about " << said;
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_NE(result.error().message.find(said), std::string::npos)
      << "said: " << result.error().message << "\nexpected: " << said;
  EXPECT_EQ(result.error().message.find("x.gguf"), 0U) << result.error().message;
}

TEST(ParseGguf, ReadsTensorsWithReversedDimensions) {
  for (const uint32_t version : {2U, 3U}) {
    Bytes bytes;
    bytes.header(2, 1, version).string("general.name").u32(8).string("tiny");
    bytes.tensor("w", {32, 2}, 8, 0).tensor("b", {3}, 0, 96).pad();
    bytes.raw(std::string(68, '\1')).pad().add(1.0F).add(2.0F).add(3.0F);
    const auto file = parse(bytes);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->version, static_cast<int>(version));
    EXPECT_EQ(file->metadata.get_string("general.name").value(), "tiny");
    ASSERT_EQ(file->tensors.size(), 2U);
    EXPECT_EQ(file->find("w")->shape, (std::vector<int64_t>{2, 32}));
    EXPECT_EQ(file->find("w")->type, GgmlType::kQ8_0);
    EXPECT_EQ(file->find("w")->blocks.size(), 68);
    EXPECT_EQ(file->find("b")->blocks.as<float>()[2], 3.0F);
    EXPECT_EQ(file->find("none"), nullptr);
    const QuantizedTensor bias = as_matrix(*file->find("b")).value();
    EXPECT_EQ(bias.rows, 1);
    EXPECT_EQ(dequantize(bias).value(), (std::vector<float>{1, 2, 3}));
    EXPECT_EQ(as_matrix(*file->find("w"))->scheme.ggml, GgmlType::kQ8_0);
  }
}

TEST(ParseGguf, OfNothingIsValid) {
  const auto file = parse(Bytes().header(0, 0));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->alignment, 32);
}

TEST(ParseGguf, HonoursTheAlignmentKey) {
  Bytes bytes;
  bytes.header(1, 1).string("general.alignment").u32(4).u32(8);
  bytes.tensor("a", {1}, 0, 8).pad(8).u64(0).add(4.5F);
  const auto file = parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->find("a")->blocks.as<float>()[0], 4.5F);
}

TEST(ParseGguf, RefusesOtherFiles) {
  expect_refused(Bytes().raw(""), "magic: expected 4 bytes at 0, found 0");
  expect_refused(Bytes().raw("GGML").u32(3).u64(0).u64(0), "expected the magic GGUF");
  for (const uint32_t version : {0U, 1U, 4U, 0xffffffffU}) {
    expect_refused(Bytes().header(0, 0, version), std::to_string(version), ErrorCode::kUnsupported);
  }
  expect_refused(Bytes().raw("GGUF").u32(0x03000000).u64(0).u64(0), "big-endian",
                 ErrorCode::kUnsupported);
}

TEST(ParseGguf, RefusesCountsThatLie) {
  for (const uint64_t huge : {uint64_t{2}, uint64_t{1} << 40, UINT64_MAX}) {
    expect_refused(Bytes().header(huge, 0), "tensor count");
    expect_refused(Bytes().header(0, huge), "metadata count");
    expect_refused(Bytes().header(0, 1).u64(huge + 64).u32(0).u32(0), "key 0 of 1");
    expect_refused(Bytes().header(0, 1).string("k").u32(8).u64(huge).raw("a"), "\"k\"");
    for (uint32_t type = 0; type <= 12; ++type) {
      expect_refused(Bytes().header(0, 1).string("k").u32(9).u32(type).u64(huge), "\"k\"");
    }
    expect_refused(Bytes().header(1, 0).u64(huge + 64).raw(std::string(32, 'a')), "name of tensor");
  }
}

TEST(ParseGguf, RefusesUnknownTypesByTheirId) {
  expect_refused(Bytes().header(0, 1).string("k").u32(13).u64(0), "found 13",
                 ErrorCode::kUnsupported);
  expect_refused(Bytes().header(0, 1).string("k").u32(9).u32(4294967295U).u64(0),
                 "found 4294967295", ErrorCode::kUnsupported);
  for (const uint32_t id : {4U, 5U, 31U, 255U, 256U, 1000U, 4294967295U}) {
    expect_refused(Bytes().header(1, 0).tensor("a", {1}, id, 0).pad().u32(0),
                   "id " + std::to_string(id), ErrorCode::kUnsupported);
  }
}

TEST(ParseGguf, RefusesKeysAndTensorsGivenTwice) {
  Bytes keys;
  for (int i = 0; i < 2; ++i) {
    if (i == 0) keys.header(0, 2);
    keys.string("k").u32(0).add(uint8_t{1});
  }
  expect_refused(keys, "\"k\" twice");
  expect_refused(Bytes().header(2, 0).tensor("a", {0}, 0, 0).tensor("a", {0}, 0, 0).pad(),
                 "\"a\" twice");
}

TEST(ParseGguf, RefusesShapesAndOffsetsThatLie) {
  const auto with = [](const std::vector<uint64_t>& dimensions, uint32_t type, uint64_t offset) {
    return Bytes()
        .header(1, 0)
        .tensor("a", dimensions, type, offset)
        .pad()
        .raw(std::string(64, '\0'));
  };
  ASSERT_TRUE(parse(with({16}, 0, 0)));
  expect_refused(with({1, 1, 1, 1, 1}, 0, 0), "at most 4 dimensions, found 5");
  expect_refused(with({17}, 0, 0), "68 bytes");
  expect_refused(with({16}, 0, 32), "offset 32");
  expect_refused(with({4}, 0, 4), "multiple of 32");
  expect_refused(with({16}, 0, UINT64_MAX - 31), "offset");
  expect_refused(with({31}, 2, 0), "multiple of 32 for q4_0");
  expect_refused(with({uint64_t{1} << 63}, 0, 0), "below 2^63");
  expect_refused(with({uint64_t{1} << 62}, 0, 0), "2^63");
  expect_refused(with({uint64_t{1} << 32, uint64_t{1} << 32}, 0, 0), "product fits");
  expect_refused(Bytes()
                     .header(2, 0)
                     .tensor("a", {12}, 0, 0)
                     .tensor("b", {8}, 0, 32)
                     .pad()
                     .raw(std::string(96, '\0')),
                 "where \"a\" ends");
}

TEST(ParseGguf, RefusesBadAlignments) {
  for (const uint32_t alignment : {0U, 3U, 33U}) {
    expect_refused(Bytes().header(0, 1).string("general.alignment").u32(4).u32(alignment),
                   "power of two");
  }
  expect_refused(Bytes().header(0, 1).string("general.alignment").u32(8).string("32"),
                 "expected an integer");
}

TEST(ParseGguf, RefusesDeepArraysAndOddBools) {
  Bytes deep;
  deep.header(0, 1).string("k").u32(9);
  for (int i = 0; i < 100; ++i) deep.u32(9).u64(1);
  deep.u32(0).u64(0);
  expect_refused(deep, "deeper than 8");
  expect_refused(Bytes().header(0, 1).string("k").u32(7).add(uint8_t{2}), "found 2");
  expect_refused(Bytes().header(0, 1).string("k").u32(9).u32(7).u64(2).raw("\1\3"), "found 3");
}

// Metadata of every type, arrays in arrays included.
GgufMetadata every_type() {
  GgufMetadata all;
  all.set("u8", {GgufValueType::kUint8, uint64_t{255}});
  all.set("i8", {GgufValueType::kInt8, int64_t{-128}});
  all.set("u16", {GgufValueType::kUint16, uint64_t{65535}});
  all.set("i16", {GgufValueType::kInt16, int64_t{-32768}});
  all.set_uint32("u32", UINT32_MAX);
  all.set_int32("i32", INT32_MIN);
  all.set_uint64("u64", UINT64_MAX);
  all.set("i64", {GgufValueType::kInt64, int64_t{INT64_MIN}});
  all.set_float32("f32", 0.1F);
  all.set("f64", {GgufValueType::kFloat64, 0.1});
  all.set_bool("bool", true);
  all.set_string("str", "é\n");
  all.set_strings("strs", {"", "a", "bc"});
  all.set_int32s("i32s", {-1, 0, 1});
  all.set_float32s("f32s", {0.5F, std::numeric_limits<float>::infinity()});
  GgufArray nested{.element_type = GgufValueType::kArray};
  nested.arrays.push_back({.element_type = GgufValueType::kUint8, .scalars = buffer_of("\1\2")});
  nested.arrays.push_back({.element_type = GgufValueType::kString, .strings = {"x"}});
  nested.arrays.push_back({.element_type = GgufValueType::kArray});
  all.set("nested", {GgufValueType::kArray, nested});
  return all;
}

TEST(GgufWriter, WritesWhatIsReadBack) {
  const TemporaryFolder folder;
  for (const int64_t alignment : {8, 32, 4096}) {
    GgufMetadata metadata = every_type();
    metadata.set_uint32("general.alignment", static_cast<uint32_t>(alignment));
    const std::vector<GgufTensorDescription> tensors = {{"a", {3, 64}, GgmlType::kQ4_0},
                                                        {"none", {0, 256}, GgmlType::kQ4_K},
                                                        {"b", {1, 2, 3}, GgmlType::kF32},
                                                        {"c", {}, GgmlType::kF64}};
    auto writer = GgufWriter::create(folder / "x.gguf", metadata, tensors, 2);
    ASSERT_TRUE(writer) << writer.error().message;
    for (size_t i = tensors.size(); i-- > 0;) {  // Any order will do.
      Buffer blocks = Buffer::allocate(ggml_size_bytes(tensors[i].type, tensors[i].shape).value());
      for (std::byte& b : blocks.writable()) b = std::byte(i + 1);
      ASSERT_TRUE(writer->write(tensors[i].name, blocks.bytes()));
    }
    ASSERT_TRUE(writer->commit());
    const auto file = open_gguf(folder / "x.gguf");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->version, 2);
    EXPECT_EQ(file->alignment, alignment);
    EXPECT_EQ(file->metadata.entries(), metadata.entries());
    ASSERT_EQ(file->tensors.size(), tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      EXPECT_EQ(file->tensors[i].name, tensors[i].name);
      EXPECT_EQ(file->tensors[i].shape, tensors[i].shape);
      EXPECT_EQ(file->tensors[i].type, tensors[i].type);
      for (const std::byte b : file->tensors[i].blocks.bytes()) EXPECT_EQ(b, std::byte(i + 1));
    }
  }
}

TEST(ParseGguf, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  const GgufTensorDescription tensors[] = {{"a", {2, 32}, GgmlType::kQ8_0}};
  auto writer = GgufWriter::create(folder / "x.gguf", every_type(), tensors).value();
  ASSERT_TRUE(writer.write("a", Buffer::allocate(68).bytes()));
  ASSERT_TRUE(writer.commit());
  const std::string whole = read_text_file(folder / "x.gguf").value();
  const size_t end_of_data = whole.size() - (96 - 68);  // Padding at the end may be missing.
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(parse_gguf(buffer_of(whole.substr(0, size)), "x.gguf").has_value(),
              size >= end_of_data)
        << size;
  }
}

TEST(GgufWriter, TakesEachTensorOnce) {
  const TemporaryFolder folder;
  const GgufTensorDescription tensors[] = {{"a", {2}, GgmlType::kI8}};
  auto writer = GgufWriter::create(folder / "x.gguf", {}, tensors).value();
  const std::byte bytes[3] = {};
  EXPECT_EQ(writer.write("b", bytes).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.write("a", bytes).error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(writer.commit().error().message.find("\"a\""), std::string::npos);
  ASSERT_TRUE(writer.write("a", std::span(bytes).first(2)));
  EXPECT_EQ(writer.write("a", std::span(bytes).first(2)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(folder / "x.gguf"));
  ASSERT_TRUE(writer.commit());
  EXPECT_EQ(folder.num_entries(), 1);
}

TEST(GgufWriter, TakesATensorInPieces) {
  const TemporaryFolder folder;
  const GgufTensorDescription tensors[] = {{"a", {3}, GgmlType::kI8}};
  auto writer = GgufWriter::create(folder / "x.gguf", {}, tensors).value();
  const std::byte bytes[3] = {std::byte{1}, std::byte{2}, std::byte{3}};
  ASSERT_TRUE(writer.append("a", std::span(bytes).first(1)));
  EXPECT_EQ(writer.append("a", bytes).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.write("a", bytes).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.append("b", {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(writer.commit().error().message.find("expected 3 bytes, found 1"), std::string::npos);
  ASSERT_TRUE(writer.append("a", std::span(bytes).subspan(1)));
  ASSERT_TRUE(writer.commit());
  const auto file = open_gguf(folder / "x.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(std::ranges::equal(file->find("a")->blocks.bytes(), bytes));
}

TEST(GgufWriter, RefusesWhatCannotBeWritten) {
  const TemporaryFolder folder;
  const std::vector<std::vector<GgufTensorDescription>> refused = {
      {{"a", {1}, GgmlType::kF32}, {"a", {1}, GgmlType::kF32}},
      {{"a", {1, 1, 1, 1, 1}, GgmlType::kF32}},
      {{"a", {33}, GgmlType::kQ4_0}},
      {{"a", {-1}, GgmlType::kF32}},
      {{"a", {INT64_MAX}, GgmlType::kF32}},
      {{"a", {INT64_MAX}, GgmlType::kI8}},
  };
  for (const auto& tensors : refused) {
    const auto writer = GgufWriter::create(folder / "x.gguf", {}, tensors);
    ASSERT_FALSE(writer) << tensors.size();
    EXPECT_EQ(writer.error().code, ErrorCode::kInvalidArgument);
  }
  const GgufTensorDescription unknown[] = {{"a", {32}, GgmlType::kNone}};
  EXPECT_EQ(GgufWriter::create(folder / "x.gguf", {}, unknown).error().code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(GgufWriter::create(folder / "x.gguf", {}, {}, 1).error().code,
            ErrorCode::kInvalidArgument);
  GgufMetadata odd;
  odd.set_uint32("general.alignment", 24);
  EXPECT_EQ(GgufWriter::create(folder / "x.gguf", odd, {}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(folder.num_entries(), 0);
}

TEST(GgufMetadata, GettersWidenAndRefuse) {
  const GgufMetadata all = every_type();
  EXPECT_EQ(all.get_int("u8").value(), 255);
  EXPECT_EQ(all.get_int("i8").value(), -128);
  EXPECT_EQ(all.get_int("i64").value(), INT64_MIN);
  EXPECT_EQ(all.get_float("f32").value(), double{0.1F});
  EXPECT_EQ(all.get_float("f64").value(), 0.1);
  EXPECT_EQ(all.get_float("i32").value(), -0x1p31);
  EXPECT_TRUE(all.get_bool("bool").value());
  EXPECT_EQ(all.get_string("str").value(), "é\n");
  EXPECT_EQ(all.get_ints("i32s").value(), (std::vector<int64_t>{-1, 0, 1}));
  EXPECT_EQ(all.get_floats("i32s").value(), (std::vector<float>{-1, 0, 1}));
  EXPECT_EQ(all.get_strings("strs").value(), (std::vector<std::string>{"", "a", "bc"}));
  const auto wrong = all.get_int("strs");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kCorruptData);
  EXPECT_NE(wrong.error().message.find("\"strs\": expected an integer"), std::string::npos);
  EXPECT_NE(wrong.error().message.find("an array of str"), std::string::npos);
  EXPECT_FALSE(all.get_int("u64"));
  EXPECT_FALSE(all.get_int("f32"));
  EXPECT_FALSE(all.get_float("str"));
  EXPECT_FALSE(all.get_bool("u8"));
  EXPECT_FALSE(all.get_string("bool"));
  EXPECT_FALSE(all.get_ints("f32s"));
  EXPECT_FALSE(all.get_ints("u8"));
  EXPECT_FALSE(all.get_floats("strs"));
  EXPECT_FALSE(all.get_strings("nested"));
  EXPECT_EQ(all.get_int("absent").error().code, ErrorCode::kNotFound);
}

TEST(GgufMetadata, FallsBackOnlyWhereAbsent) {
  const GgufMetadata all = every_type();
  EXPECT_EQ(all.get_int_or("absent", 5).value(), 5);
  EXPECT_EQ(all.get_float_or("absent", 0.5).value(), 0.5);
  EXPECT_TRUE(all.get_bool_or("absent", true).value());
  EXPECT_EQ(all.get_string_or("absent", "x").value(), "x");
  EXPECT_EQ(all.get_int_or("u8", 5).value(), 255);
  EXPECT_FALSE(all.get_int_or("str", 5));
}

TEST(GgufMetadata, SetReplacesAndAddRefuses) {
  GgufMetadata metadata;
  metadata.set_uint32("k", 1);
  metadata.set_uint32("k", 2);
  EXPECT_EQ(metadata.entries().size(), 1U);
  EXPECT_EQ(metadata.get_int("k").value(), 2);
  EXPECT_FALSE(metadata.add("k", {GgufValueType::kBool, true}));
}

TEST(GgmlSizeBytes, CountsBlocks) {
  EXPECT_EQ(ggml_size_bytes(GgmlType::kQ4_K, std::vector<int64_t>{2, 3, 512}).value(), 12 * 144);
  EXPECT_EQ(ggml_size_bytes(GgmlType::kF32, {}).value(), 4);
}

}  // namespace
}  // namespace anybit::tensor

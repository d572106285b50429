#include "anybit/tensor/io/safetensors.h"

#include <gtest/gtest.h>

#include <string>

#include "anybit/base/file.h"
#include "anybit/tensor/io/internal/little_endian.h"
#include "anybit/tensor/io/safetensors_writer.h"
#include "tests/support/temporary_folder.h"

namespace anybit::tensor {
namespace {

using anybit::testing::TemporaryFolder;

Buffer buffer_of(std::string_view bytes) {
  return Buffer::copy_of(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

std::string file_of(std::string_view header, std::string_view data) {
  std::string file;
  internal::append_little_endian<uint64_t>(file, header.size());
  return file.append(header).append(data);
}

Result<Safetensors> parse(std::string_view header, std::string_view data) {
  return Safetensors::parse(buffer_of(file_of(header, data)), "x.safetensors");
}

void expect_refused(const Result<Safetensors>& result, std::string_view said,
                    ErrorCode code = ErrorCode::kCorruptData) {
  ASSERT_FALSE(result) << "expected a complaint about " << said;
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_NE(result.error().message.find(said), std::string::npos)
      << "said: " << result.error().message << "\nexpected: " << said;
  EXPECT_NE(result.error().message.find("x.safetensors"), std::string::npos);
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirBytes) {
  const auto file = parse(R"({"__metadata__":{"format":"pt"},)"
                          R"("b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},)"
                          R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},)"
                          R"("a":{"dtype":"I16","shape":[1,2],"data_offsets":[0,4]}}   )",
                          std::string_view("\1\0\2\0\3\4", 6));
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 3U);
  EXPECT_EQ(file->tensors()[0].name, "a");
  EXPECT_EQ(file->tensors()[1].name, "none");
  EXPECT_EQ(file->tensors()[2].name, "b");
  EXPECT_EQ(to_floats(*file->find("a")), (std::vector<float>{1, 2}));
  EXPECT_EQ(to_floats(*file->find("b")), (std::vector<float>{3, 4}));
  EXPECT_EQ(file->find("none")->shape, (std::vector<int64_t>{0, 7}));
  EXPECT_EQ(file->metadata().at("format"), "pt");
  EXPECT_EQ(file->find("c"), nullptr);
  const auto missing = file->get("c");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find("\"c\""), std::string::npos);
}

TEST(Safetensors, ViewsTheFileWithoutCopying) {
  const Buffer file =
      buffer_of(file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", "abcd"));
  const auto parsed = Safetensors::parse(file, "x.safetensors");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->find("a")->elements.data(), file.data() + file.size() - 4);
}

TEST(Safetensors, CopiesMisalignedTensors) {
  const auto file = parse(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                          R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                          std::string_view("\7\0\0\x80\x3f", 5));
  ASSERT_TRUE(file);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->find("b")->elements.data()) % 4, 0U);
  EXPECT_EQ(to_floats(*file->find("b")), (std::vector<float>{1}));
}

TEST(Safetensors, OfNoTensorsIsValid) { EXPECT_TRUE(parse("{}", "")); }

TEST(Safetensors, RefusesBadHeaderSizes) {
  expect_refused(Safetensors::parse(Buffer(), "x.safetensors"), "at least 8 bytes, found 0");
  for (const uint64_t size : {uint64_t{3}, uint64_t{100'000'001}, uint64_t{1} << 63, UINT64_MAX}) {
    std::string file;
    internal::append_little_endian(file, size);
    file += "{}";
    expect_refused(Safetensors::parse(buffer_of(file), "x.safetensors"), std::to_string(size));
  }
}

TEST(Safetensors, RefusesHeadersThatLie) {
  struct Case {
    std::string_view header;
    std::string_view said;
  };
  constexpr Case kCases[] = {
      {"", "starts with '{'"},
      {" {}", "starts with '{'"},
      {"[]", "starts with '{'"},
      {"{", "not JSON"},
      {"{}x", "not JSON"},
      {"{\"\xff\":1}", "not JSON"},
      {R"({"a":1})", "expected an object"},
      {R"({"a":{}})", "\"dtype\""},
      {R"({"a":{"dtype":1,"shape":[4],"data_offsets":[0,4]}})", "expected a string"},
      {R"({"a":{"dtype":"U8","data_offsets":[0,4]}})", "array \"shape\""},
      {R"({"a":{"dtype":"U8","shape":4,"data_offsets":[0,4]}})", "array \"shape\""},
      {R"({"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}})", "found -4"},
      {R"({"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}})", "found 4.0"},
      {R"({"a":{"dtype":"U8","shape":[1e30],"data_offsets":[0,4]}})", "1e+30"},
      {R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,4]}})", "1844674"},
      {R"({"a":{"dtype":"U8","shape":[4]}})", "array \"data_offsets\""},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0]}})", "[0]"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,8]}})", "[0, 4, 8]"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", "[4, 0]"},
      {R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}})", "within 4 bytes"},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,4]}})", "expected 3 bytes, found 4"},
      {R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,3]}})", "expected 4 bytes, found 3"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}})", "2^63"},
      {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", "2^63"},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", "expected 3 bytes of data"},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})", "no holes"},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
       R"("b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
       "no overlaps"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
       R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
       "\"a\" twice"},
      {R"({"__metadata__":[]})", "__metadata__"},
      {R"({"__metadata__":{"a":1}})", "expected a string"},
  };
  for (const Case& c : kCases) expect_refused(parse(c.header, "\1\2\3\4"), c.said);
  expect_refused(parse(R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,4]}})", "\1\2\3\4"),
                 "\"F4\"", ErrorCode::kUnsupported);
}

TEST(Safetensors, RefusesEveryTruncation) {
  const std::string whole =
      file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "12345678");
  ASSERT_TRUE(Safetensors::parse(buffer_of(whole), "x.safetensors"));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(Safetensors::parse(buffer_of(whole.substr(0, size)), "x.safetensors")) << size;
  }
  EXPECT_FALSE(Safetensors::parse(buffer_of(whole + "9"), "x.safetensors"));
}

std::vector<NamedTensor> some_tensors() {
  std::vector<NamedTensor> tensors;
  for (const DataType type : {DataType::kU8, DataType::kF32, DataType::kF8E8M0, DataType::kBF16,
                              DataType::kI64, DataType::kBool}) {
    Tensor tensor{
        .data_type = type, .shape = {3, 1}, .elements = Buffer::allocate(3 * size_bytes(type))};
    for (std::byte& b : tensor.elements.writable()) b = std::byte{1};
    tensors.push_back({std::string("t.").append(name(type)), tensor});
  }
  tensors.push_back({"none", {.data_type = DataType::kF16, .shape = {0}}});
  tensors.push_back({"é\"\\\n", from_floats(std::vector<float>{2.5F}, {})});
  return tensors;
}

void expect_equal(const Safetensors& file, const std::vector<NamedTensor>& expected) {
  EXPECT_EQ(file.tensors().size(), expected.size());
  for (const NamedTensor& tensor : expected) {
    const Tensor* found = file.find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->data_type, tensor.tensor.data_type);
    EXPECT_EQ(found->shape, tensor.tensor.shape);
    EXPECT_TRUE(std::ranges::equal(found->elements.bytes(), tensor.tensor.elements.bytes()));
  }
}

TEST(SafetensorsWriter, WritesWhatIsReadBackAligned) {
  const TemporaryFolder folder;
  const auto tensors = some_tensors();
  ASSERT_TRUE(write_safetensors(folder / "x.safetensors", tensors, {{"format", "pt"}}));
  const Buffer map = map_file(folder / "x.safetensors").value();
  EXPECT_EQ(internal::load_little_endian<uint64_t>(map.bytes()) % 8, 0U);
  const auto file = Safetensors::open(folder / "x.safetensors");
  ASSERT_TRUE(file) << file.error().message;
  expect_equal(*file, tensors);
  EXPECT_EQ(file->metadata().at("format"), "pt");
  const Safetensors from_map = Safetensors::parse(map, "x").value();
  for (const NamedTensor& tensor : from_map.tensors()) {  // In the map: none had to be copied.
    const std::byte* at = tensor.tensor.elements.data();
    EXPECT_TRUE(tensor.tensor.elements.empty() ||
                (at >= map.data() && at < map.data() + map.size()));
  }
}

TEST(SafetensorsWriter, TakesTensorsInAnyOrderAndOnlyOnce) {
  const TemporaryFolder folder;
  const TensorDescription descriptions[] = {{"a", DataType::kU8, {2}}, {"b", DataType::kU8, {1}}};
  auto writer = SafetensorsWriter::create(folder / "x.safetensors", descriptions).value();
  const std::byte bytes[2] = {std::byte{1}, std::byte{2}};
  ASSERT_TRUE(writer.write("b", std::span(bytes).subspan(1)));
  EXPECT_EQ(writer.write("b", std::span(bytes).subspan(1)).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.write("c", bytes).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.write("a", std::span(bytes).subspan(1)).error().code,
            ErrorCode::kInvalidArgument);
  const Status early = writer.commit();
  ASSERT_FALSE(early);
  EXPECT_NE(early.error().message.find("\"a\""), std::string::npos);
  ASSERT_TRUE(writer.write("a", bytes));
  ASSERT_TRUE(writer.commit());
  const auto file = Safetensors::open(folder / "x.safetensors").value();
  EXPECT_EQ(to_floats(*file.find("a")), (std::vector<float>{1, 2}));
  EXPECT_EQ(to_floats(*file.find("b")), (std::vector<float>{2}));
}

TEST(SafetensorsWriter, TakesATensorInPieces) {
  const TemporaryFolder folder;
  const TensorDescription descriptions[] = {{"a", DataType::kU8, {3}}, {"b", DataType::kU8, {0}}};
  auto writer = SafetensorsWriter::create(folder / "x.safetensors", descriptions).value();
  const std::byte bytes[3] = {std::byte{1}, std::byte{2}, std::byte{3}};
  ASSERT_TRUE(writer.append("a", std::span(bytes).first(2)));
  EXPECT_EQ(writer.append("a", std::span(bytes).first(2)).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.write("a", bytes).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.append("c", {}).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(writer.append("b", {}));
  EXPECT_NE(writer.commit().error().message.find("expected 3 bytes, found 2"), std::string::npos);
  ASSERT_TRUE(writer.append("a", std::span(bytes).subspan(2)));
  ASSERT_TRUE(writer.commit());
  const auto file = Safetensors::open(folder / "x.safetensors").value();
  EXPECT_EQ(to_floats(*file.find("a")), (std::vector<float>{1, 2, 3}));
}

TEST(SafetensorsWriter, ReplacesMetadataThatAreNotLonger) {
  const TemporaryFolder folder;
  const TensorDescription descriptions[] = {{"a", DataType::kU8, {1}}};
  auto writer = SafetensorsWriter::create(folder / "x.safetensors", descriptions,
                                          {{"k", std::string(40, 'x')}})
                    .value();
  const std::byte byte{7};
  ASSERT_TRUE(writer.write("a", {&byte, 1}));
  EXPECT_EQ(writer.replace_metadata({{"k", std::string(60, 'x')}}).error().code,
            ErrorCode::kInvalidArgument);
  ASSERT_TRUE(writer.replace_metadata({{"other", "y"}}));
  ASSERT_TRUE(writer.commit());
  const auto file = Safetensors::open(folder / "x.safetensors");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->metadata().size(), 1U);
  EXPECT_EQ(file->metadata().at("other"), "y");
  EXPECT_EQ(to_floats(*file->find("a")), (std::vector<float>{7}));
}

TEST(SafetensorsWriter, LeavesNothingWhenAbandoned) {
  const TemporaryFolder folder;
  const TensorDescription descriptions[] = {{"a", DataType::kU8, {2}}};
  { const auto writer = SafetensorsWriter::create(folder / "x.safetensors", descriptions).value(); }
  EXPECT_EQ(folder.num_entries(), 0);
}

TEST(SafetensorsWriter, RefusesWhatCannotBeWritten) {
  const TemporaryFolder folder;
  const std::vector<std::vector<TensorDescription>> refused = {
      {{"a", DataType::kU8, {1}}, {"a", DataType::kU8, {1}}},
      {{"__metadata__", DataType::kU8, {1}}},
      {{"\xff", DataType::kU8, {1}}},
      {{"a", DataType::kU8, {-1}}},
      {{"a", DataType::kF32, {INT64_MAX}}},
      {{"a", DataType::kU8, {INT64_MAX}}, {"b", DataType::kU8, {INT64_MAX}}},
  };
  for (const auto& tensors : refused) {
    const auto writer = SafetensorsWriter::create(folder / "x.safetensors", tensors);
    ASSERT_FALSE(writer) << tensors[0].name;
    EXPECT_EQ(writer.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(SafetensorsWriter::create(folder / "none" / "x", {}).error().code, ErrorCode::kIo);
  EXPECT_EQ(folder.num_entries(), 0);
}

class ShardedSet : public ::testing::Test {
 protected:
  void SetUp() override {
    tensors_ = some_tensors();
    const std::span<const NamedTensor> all(tensors_);
    ASSERT_TRUE(write_safetensors(folder_ / "s-1.safetensors", all.first(3), {{"format", "pt"}}));
    ASSERT_TRUE(write_safetensors(folder_ / "s-2.safetensors", all.subspan(3)));
    for (size_t i = 0; i < tensors_.size(); ++i) {
      shard_of_tensor_[tensors_[i].name] = i < 3 ? "s-1.safetensors" : "s-2.safetensors";
    }
  }

  Result<Safetensors> open_with_index() {
    EXPECT_TRUE(write_safetensors_index(index_path(), shard_of_tensor_, 100));
    return Safetensors::open(folder_.path());
  }

  std::filesystem::path index_path() const { return folder_ / "model.safetensors.index.json"; }

  TemporaryFolder folder_;
  std::vector<NamedTensor> tensors_;
  std::map<std::string, std::string> shard_of_tensor_;
};

TEST_F(ShardedSet, OpensByFolderAndByIndex) {
  const auto by_folder = open_with_index();
  ASSERT_TRUE(by_folder) << by_folder.error().message;
  expect_equal(*by_folder, tensors_);
  EXPECT_EQ(by_folder->metadata().at("format"), "pt");
  expect_equal(Safetensors::open(index_path()).value(), tensors_);
}

TEST_F(ShardedSet, RefusesAMapThatLies) {
  const auto good = shard_of_tensor_;
  shard_of_tensor_["ghost"] = "s-1.safetensors";
  EXPECT_EQ(open_with_index().error().code, ErrorCode::kCorruptData);
  shard_of_tensor_ = good;
  shard_of_tensor_["none"] = "s-1.safetensors";
  EXPECT_EQ(open_with_index().error().code, ErrorCode::kCorruptData);
  shard_of_tensor_ = good;
  shard_of_tensor_.erase("none");
  EXPECT_EQ(open_with_index().error().code, ErrorCode::kCorruptData);
  shard_of_tensor_ = good;
  std::filesystem::remove(folder_ / "s-2.safetensors");
  EXPECT_EQ(open_with_index().error().code, ErrorCode::kNotFound);
}

TEST_F(ShardedSet, StaysInsideTheFolder) {
  for (const char* shard : {"../s-1.safetensors", "/etc/passwd", "", ".", "..", "a/b", "a\\b"}) {
    shard_of_tensor_["none"] = shard;
    const auto refused = open_with_index();
    ASSERT_FALSE(refused) << shard;
    EXPECT_NE(refused.error().message.find("beside the index"), std::string::npos);
  }
}

TEST_F(ShardedSet, RefusesAnIndexOfAnotherForm) {
  for (const char* text : {"", "[]", "{}", R"({"weight_map":1})", R"({"weight_map":{"a":1}})",
                           R"({"weight_map":{"a":null}})"}) {
    ASSERT_TRUE(write_file(index_path(), text));
    const auto refused = Safetensors::open(folder_.path());
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, ErrorCode::kCorruptData);
    EXPECT_NE(refused.error().message.find("index.json"), std::string::npos);
  }
}

TEST(SafetensorsFolder, PrefersTheIndexElseTheSingleFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(Safetensors::open(folder.path()).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(write_safetensors(folder / "model.safetensors", some_tensors()));
  expect_equal(Safetensors::open(folder.path()).value(), some_tensors());
}

TEST(SafetensorsFolder, OpensTheModelsOfTheProject) {
  const std::filesystem::path models = ANYBIT_SOURCE_DIR "/../shared/models";
  if (!std::filesystem::exists(models)) GTEST_SKIP() << "no ../shared/models beside the sources";
  for (const char* model : {"wiki-6m", "wiki-28m", "wiki-moe-21m"}) {
    const auto file = Safetensors::open(models / model);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_NE(file->find("model.embed_tokens.weight"), nullptr);
  }
}

}  // namespace
}  // namespace anybit::tensor

#include "anybit/tensor/io/npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <string>

#include "anybit/base/file.h"
#include "anybit/tensor/io/internal/little_endian.h"
#include "tests/support/temporary_folder.h"

namespace anybit::tensor {
namespace {

using anybit::testing::TemporaryFolder;

Buffer buffer_of(std::string_view bytes) {
  return Buffer::copy_of(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

std::string file_of(int version, std::string_view header, std::string_view data) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  if (version == 1) {
    internal::append_little_endian(file, static_cast<uint16_t>(header.size()));
  } else {
    internal::append_little_endian(file, static_cast<uint32_t>(header.size()));
  }
  return file.append(header).append(data);
}

Result<Tensor> parse(std::string_view header, std::string_view data, int version = 1) {
  return parse_npy(buffer_of(file_of(version, header, data)), "x.npy");
}

TEST(ParseNpy, ReadsEveryVersionAndSpelling) {
  constexpr std::string_view kHeaders[] = {
      "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }          \n",
      "{\"shape\":(2,2,),\"descr\":\"<u1\",\"fortran_order\":False}",
      " { 'descr':'|u1','fortran_order':False,'shape':( 2L , 2L ) } ",
  };
  for (const int version : {1, 2, 3}) {
    for (const std::string_view header : kHeaders) {
      const auto tensor = parse(header, "\1\2\3\4", version);
      ASSERT_TRUE(tensor) << tensor.error().message;
      EXPECT_EQ(tensor->shape, (std::vector<int64_t>{2, 2}));
      EXPECT_EQ(to_floats(*tensor), (std::vector<float>{1, 2, 3, 4}));
    }
  }
}

TEST(ParseNpy, ReadsScalarsAndNothing) {
  EXPECT_TRUE(
      parse("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", "\1")->shape.empty());
  EXPECT_EQ(parse("{'descr': '<f4', 'fortran_order': True, 'shape': (0, 3), }", "")->num_elements(),
            0);
}

TEST(ParseNpy, TransposesFortranOrder) {
  // Column-major [2, 3, 2]: element (i, j, k) is at i + 2 j + 6 k.
  std::string data;
  for (int i = 0; i < 12; ++i) internal::append_little_endian(data, static_cast<uint16_t>(i));
  const auto tensor = parse("{'descr': '<u2', 'fortran_order': True, 'shape': (2, 3, 2), }", data);
  ASSERT_TRUE(tensor);
  const std::vector<float> values = to_floats(*tensor);
  for (size_t i = 0; i < 2; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      for (size_t k = 0; k < 2; ++k) {
        EXPECT_EQ(values[(i * 3 + j) * 2 + k], static_cast<float>(i + 2 * j + 6 * k));
      }
    }
  }
}

TEST(ParseNpy, RefusesHeadersThatLie) {
  struct Case {
    std::string_view header;
    std::string_view said;
  };
  constexpr Case kCases[] = {
      {"", "expected {"},
      {"{}", "keys descr"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,)", ", or }"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,)} x", "the end"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "expected 3 bytes"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }", "expected 5 bytes"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (-4,), }", "extents"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,), }", "extents"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "2^63"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,), }", "2^63"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': 4, }", "expected ("},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (4 4), }", ", or )"},
      {"{'descr': '|u1', 'fortran_order': 0, 'shape': (4,), }", "True or False"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "a string"},
      {"{'descr': '|u1, 'fortran_order': False, 'shape': (4,), }", "header"},
      {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", "once"},
      {"{'other': '|u1', 'fortran_order': False, 'shape': (4,), }", "\"other\""},
      {"{'descr': '|u1'", ", or }"},
      {"{'descr", "a string that ends"},
  };
  for (const Case& c : kCases) {
    const auto tensor = parse(c.header, "\1\2\3\4");
    ASSERT_FALSE(tensor) << c.header;
    EXPECT_EQ(tensor.error().code, ErrorCode::kCorruptData) << tensor.error().message;
    EXPECT_NE(tensor.error().message.find(c.said), std::string::npos) << tensor.error().message;
    EXPECT_EQ(tensor.error().message.find("x.npy"), 0U);
  }
}

TEST(ParseNpy, RefusesOtherElementTypes) {
  for (const char* descr :
       {">f4", "=f4", "<f16", "<c8", "|O", "<U4", "|V2", "", "<", "f4", "!u1"}) {
    const auto tensor = parse(
        std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': (1,), }", "1234");
    ASSERT_FALSE(tensor) << descr;
    EXPECT_EQ(tensor.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(tensor.error().message.find(std::string("\"") + descr + "\""), std::string::npos);
  }
}

TEST(ParseNpy, RefusesOtherVersionsAndEveryTruncation) {
  constexpr std::string_view kHeader = "{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }";
  for (const int version : {0, 4, 255}) {
    EXPECT_EQ(parse(kHeader, "1234", version).error().code, ErrorCode::kUnsupported);
  }
  for (const int version : {1, 2}) {
    const std::string whole = file_of(version, kHeader, "1234");
    ASSERT_TRUE(parse_npy(buffer_of(whole), "x.npy"));
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(parse_npy(buffer_of(whole.substr(0, size)), "x.npy")) << size;
    }
  }
  EXPECT_FALSE(parse_npy(buffer_of("\x93NUMPX\1\0aaaaaaaa"), "x.npy"));
}

TEST(WriteNpy, WritesWhatIsReadBack) {
  const TemporaryFolder folder;
  for (const DataType type : {DataType::kBool, DataType::kU8, DataType::kI8, DataType::kU16,
                              DataType::kI16, DataType::kU32, DataType::kI32, DataType::kU64,
                              DataType::kI64, DataType::kF16, DataType::kF32, DataType::kF64}) {
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{}, {5}, {2, 3}, {1, 0, 4}, {2, 1, 2, 1, 2}}) {
      Tensor tensor{.data_type = type, .shape = shape};
      tensor.elements = Buffer::allocate(tensor.num_elements() * size_bytes(type));
      for (std::byte& b : tensor.elements.writable()) b = std::byte{1};
      ASSERT_TRUE(write_npy(folder / "x.npy", tensor));
      const auto found = read_npy(folder / "x.npy");
      ASSERT_TRUE(found) << found.error().message;
      EXPECT_EQ(found->data_type, type);
      EXPECT_EQ(found->shape, shape);
      EXPECT_TRUE(std::ranges::equal(found->elements.bytes(), tensor.elements.bytes()));
    }
  }
}

TEST(WriteNpy, StartsTheDataAtAMultipleOf64) {
  const TemporaryFolder folder;
  const Tensor tensor = from_floats(std::vector<float>{1, 2, 3}, {3});
  ASSERT_TRUE(write_npy(folder / "x.npy", tensor));
  EXPECT_EQ((std::filesystem::file_size(folder / "x.npy") - 12) % 64, 0U);
}

TEST(WriteNpy, RefusesTypesThatNumpyLacks) {
  const TemporaryFolder folder;
  const Tensor tensor{.data_type = DataType::kBF16, .shape = {0}};
  EXPECT_EQ(write_npy(folder / "x.npy", tensor).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(folder.num_entries(), 0);
}

TEST(ReadNpy, ReportsAMissingFile) {
  EXPECT_EQ(read_npy("/nonexistent/x.npy").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace anybit::tensor

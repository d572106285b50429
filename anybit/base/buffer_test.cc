#include "anybit/base/buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>

namespace anybit {
namespace {

TEST(Buffer, AllocatesZeroedAlignedBytes) {
  for (const int64_t size : {1, 63, 64, 65, 4096}) {
    const Buffer buffer = Buffer::allocate(size);
    ASSERT_EQ(buffer.size(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0U);
    for (const std::byte b : buffer.bytes()) EXPECT_EQ(b, std::byte{0});
  }
}

TEST(Buffer, OfNoBytesIsEmptyAndWritable) {
  Buffer buffer = Buffer::allocate(0);
  EXPECT_TRUE(buffer.empty());
  EXPECT_TRUE(buffer.writable().empty());
  EXPECT_TRUE(Buffer::copy_of({}).empty());
  EXPECT_EQ(buffer.slice(0, 0).size(), 0);
}

TEST(Buffer, CopiesShareBytes) {
  Buffer first = Buffer::allocate(8);
  first.writable_as<int32_t>()[1] = 7;
  const Buffer second = first;
  EXPECT_EQ(second.data(), first.data());
  EXPECT_EQ(second.as<int32_t>()[1], 7);
}

TEST(Buffer, CopyOfDoesNotShare) {
  const std::array<std::byte, 3> bytes = {std::byte{1}, std::byte{2}, std::byte{3}};
  Buffer buffer = Buffer::copy_of(bytes);
  buffer.writable()[0] = std::byte{9};
  EXPECT_EQ(bytes[0], std::byte{1});
  EXPECT_EQ(buffer.bytes()[2], std::byte{3});
}

TEST(Buffer, SliceKeepsTheOwnerAlive) {
  auto owner = std::make_shared<std::array<std::byte, 4>>();
  (*owner)[2] = std::byte{5};
  const std::weak_ptr<std::array<std::byte, 4>> watch = owner;
  Buffer slice = Buffer::view(owner, *owner).slice(2, 1);
  owner.reset();
  ASSERT_FALSE(watch.expired());
  EXPECT_EQ(slice.bytes()[0], std::byte{5});
  slice = Buffer();
  EXPECT_TRUE(watch.expired());
}

TEST(Buffer, ReleasingPagesOfOwnMemoryKeepsTheBytes) {
  Buffer buffer = Buffer::allocate(1 << 16);
  std::ranges::fill(buffer.writable(), std::byte{7});
  buffer.release_pages();
  buffer.slice(4096, 8192).release_pages();
  EXPECT_EQ(std::ranges::count(buffer.bytes(), std::byte{7}), buffer.size());
}

TEST(BufferDeathTest, RefusesSlicesOutsideAndWritingViews) {
  const Buffer buffer = Buffer::allocate(4);
  EXPECT_DEATH((void)buffer.slice(2, 3), "check failed");
  EXPECT_DEATH((void)buffer.slice(-1, 1), "check failed");
  EXPECT_DEATH((void)buffer.slice(1, INT64_MAX), "check failed");
  EXPECT_DEATH((void)buffer.slice(0, 4).writable(), "check failed");
}

}  // namespace
}  // namespace anybit

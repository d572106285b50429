// TokenTable and MergeTable: the look-ups a tokenizer makes for every word, as flat hash tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace anybit::model::internal {

/// A hash of `bytes`; the same within a process, nothing more.
uint64_t hash_bytes(std::string_view bytes);

/// Byte strings to ids. The last insertion of a string wins.
class TokenTable {
 public:
  TokenTable() : slots_(16, 0) {}

  /// Pre: id >= 0.
  void insert(std::string_view bytes, int32_t id);

  /// The id of `bytes`, or -1.
  int32_t find(std::string_view bytes) const;

  /// The length of the longest string inserted.
  size_t max_token_bytes() const { return max_token_bytes_; }

  int64_t size() const { return static_cast<int64_t>(entries_.size()); }

 private:
  static constexpr uint64_t kTagMask = 0xFFFFFFFF00000000ULL;

  struct Entry {
    uint64_t hash;
    uint64_t begin;
    uint32_t size_bytes;
    int32_t id;
  };

  size_t find_slot(uint64_t hash, std::string_view bytes) const;
  void grow();
  size_t entry_at(size_t slot) const { return (slots_[slot] & ~kTagMask) - 1; }
  std::string_view bytes_of(const Entry& entry) const {
    return std::string_view(bytes_).substr(entry.begin, entry.size_bytes);
  }

  std::string bytes_;
  std::vector<Entry> entries_;
  // 0, or the hash's upper half and 1 + an index into entries_; a power of two of them. The half
  // hash spares most misses a look at the entry.
  std::vector<uint64_t> slots_;
  size_t max_token_bytes_ = 0;
};

/// A merge: how early it applies (0 first) and the token it makes.
struct Merge {
  int32_t rank;
  int32_t merged_id;
};

/// Pairs of ids to merges. The last insertion of a pair wins.
class MergeTable {
 public:
  MergeTable() : keys_(16, kEmpty), merges_(16) {}

  /// Pre: both ids >= 0.
  void insert(int32_t left, int32_t right, Merge merge);

  /// The merge of the pair; rank is kNoMerge if there is none.
  Merge find(int32_t left, int32_t right) const {
    const uint64_t key = make_key(left, right);
    const size_t slot = find_slot(key);
    return keys_[slot] == key ? merges_[slot] : Merge{kNoMerge, -1};
  }

  static constexpr int32_t kNoMerge = INT32_MAX;

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;

  static uint64_t make_key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t find_slot(uint64_t key) const {
    const size_t mask = keys_.size() - 1;
    size_t slot = (key * 0x9E3779B97F4A7C15ULL >> 20) & mask;
    while (keys_[slot] != kEmpty && keys_[slot] != key) slot = (slot + 1) & mask;
    return slot;
  }
  void grow();

  std::vector<uint64_t> keys_;
  std::vector<Merge> merges_;
  size_t count_ = 0;
};

}  // namespace anybit::model::internal

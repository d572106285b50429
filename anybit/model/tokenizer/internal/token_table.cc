#include "anybit/model/tokenizer/internal/token_table.h"

#include <algorithm>
#include <cstring>

namespace anybit::model::internal {
namespace {

constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15ULL;
constexpr uint64_t kSecondMultiplier = 0xD6E8FEB86659FD93ULL;

// Tables are at most half full.
constexpr size_t kSlotsPerEntry = 2;

uint64_t mix(uint64_t a, uint64_t b) {
  const unsigned __int128 product =
      static_cast<unsigned __int128>(a ^ kMultiplier) * (b ^ kSecondMultiplier);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t load_up_to_8(const char* bytes, size_t size_bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, size_bytes);
  return word;
}

}  // namespace

uint64_t hash_bytes(std::string_view bytes) {
  uint64_t hash = bytes.size();
  while (bytes.size() > 16) {
    hash = mix(hash ^ load_up_to_8(bytes.data(), 8), load_up_to_8(bytes.data() + 8, 8));
    bytes.remove_prefix(16);
  }
  const size_t head = std::min<size_t>(bytes.size(), 8);
  return mix(hash ^ load_up_to_8(bytes.data(), head),
             load_up_to_8(bytes.data() + head, bytes.size() - head));
}

size_t TokenTable::find_slot(uint64_t hash, std::string_view bytes) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  while (slots_[slot] != 0) {
    if (((slots_[slot] ^ hash) & kTagMask) == 0 && bytes_of(entries_[entry_at(slot)]) == bytes)
      break;
    slot = (slot + 1) & mask;
  }
  return slot;
}

int32_t TokenTable::find(std::string_view bytes) const {
  if (bytes.empty() || bytes.size() > max_token_bytes_) return -1;
  const size_t slot = find_slot(hash_bytes(bytes), bytes);
  return slots_[slot] == 0 ? -1 : entries_[entry_at(slot)].id;
}

void TokenTable::insert(std::string_view bytes, int32_t id) {
  if ((entries_.size() + 1) * kSlotsPerEntry > slots_.size()) grow();
  const uint64_t hash = hash_bytes(bytes);
  const size_t slot = find_slot(hash, bytes);
  if (slots_[slot] != 0) {
    entries_[entry_at(slot)].id = id;
    return;
  }
  entries_.push_back({hash, bytes_.size(), static_cast<uint32_t>(bytes.size()), id});
  bytes_ += bytes;
  slots_[slot] = (hash & kTagMask) | entries_.size();
  max_token_bytes_ = std::max(max_token_bytes_, bytes.size());
}

void TokenTable::grow() {
  slots_.assign(slots_.size() * 2, 0);
  const size_t mask = slots_.size() - 1;
  for (size_t i = 0; i < entries_.size(); ++i) {
    size_t slot = entries_[i].hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = (entries_[i].hash & kTagMask) | (i + 1);
  }
}

void MergeTable::insert(int32_t left, int32_t right, Merge merge) {
  if ((count_ + 1) * kSlotsPerEntry > keys_.size()) grow();
  const uint64_t key = make_key(left, right);
  const size_t slot = find_slot(key);
  if (keys_[slot] == kEmpty) ++count_;
  keys_[slot] = key;
  merges_[slot] = merge;
}

void MergeTable::grow() {
  std::vector<uint64_t> keys(keys_.size() * 2, kEmpty);
  std::vector<Merge> merges(keys.size());
  keys_.swap(keys);
  merges_.swap(merges);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] == kEmpty) continue;
    const size_t slot = find_slot(keys[i]);
    keys_[slot] = keys[i];
    merges_[slot] = merges[i];
  }
}

}  // namespace anybit::model::internal

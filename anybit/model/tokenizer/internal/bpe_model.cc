#include "anybit/model/tokenizer/internal/bpe_model.h"

#include <algorithm>
#include <functional>

#include "anybit/base/check.h"
#include "anybit/model/tokenizer/internal/byte_alphabet.h"
#include "anybit/model/tokenizer/internal/unicode.h"

namespace anybit::model::internal {
namespace {

// Up to here scanning for the best pair beats keeping a heap.
constexpr size_t kMaxShortWord = 32;

void append_symbol(int32_t id, std::vector<Symbol>& symbols) {
  symbols.push_back({id, 0, 1, -1, -1});
}

}  // namespace

std::array<int32_t, 256> find_fallback_ids(const TokenTable& spellings) {
  std::array<int32_t, 256> ids;
  for (int byte = 0; byte < 256; ++byte)
    ids[byte] = spellings.find(fmt::format("<0x{:02X}>", byte));
  return ids;
}

BpeModel::BpeModel(BpeOptions options, const TokenTable& spellings, TokenTable words,
                   MergeTable merges, int32_t unknown_id, int64_t vocab_size,
                   const MetaspaceCuts& cuts)
    : options_(options),
      words_(std::move(words)),
      merges_(std::move(merges)),
      unknown_id_(unknown_id),
      cuts_(options.ignore_merges ? MetaspaceCuts() : cuts),
      fallback_ids_(find_fallback_ids(spellings)),
      reach_(std::make_unique<std::atomic<uint8_t>[]>(static_cast<size_t>(vocab_size))) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids_[byte] = words_.find(std::string_view(&c, 1));
  }
}

bool BpeModel::append_fallback(std::string_view unit, std::vector<Symbol>& symbols) const {
  const std::string spelled = options_.is_byte_level ? bytes_to_alphabet(unit) : std::string(unit);
  for (const char c : spelled) {
    if (fallback_ids_[static_cast<uint8_t>(c)] < 0) return false;
  }
  for (const char c : spelled) append_symbol(fallback_ids_[static_cast<uint8_t>(c)], symbols);
  return true;
}

// A pending unknown token is written when the next known character or the end of the word comes;
// fallback bytes overtake it. That is the order of the `tokenizers` package.
Status BpeModel::append_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
  bool unknown_pending = false;
  for (size_t position = 0; position < word.size();) {
    size_t size_bytes = 1;
    if (!options_.is_byte_level) size_bytes = decode_utf8(word, position).size_bytes;
    const std::string_view unit = word.substr(position, size_bytes);
    position += size_bytes;
    const int32_t id =
        size_bytes == 1 ? byte_ids_[static_cast<uint8_t>(unit.front())] : words_.find(unit);
    if (id >= 0) {
      if (unknown_pending) append_symbol(unknown_id_, symbols);
      unknown_pending = false;
      append_symbol(id, symbols);
      continue;
    }
    if (options_.byte_fallback && append_fallback(unit, symbols)) continue;
    if (unknown_id_ == kNoUnknown) continue;
    if (unknown_id_ == kMissingUnknown) {
      return fail(
          ErrorCode::kCorruptData,
          "model.unk_token: expected a token of model.vocab, found none, and the text has a "
          "character outside the vocabulary");
    }
    if (unknown_pending && !options_.fuse_unknown) append_symbol(unknown_id_, symbols);
    unknown_pending = true;
  }
  if (unknown_pending) append_symbol(unknown_id_, symbols);
  return {};
}

void BpeModel::merge_short(std::vector<Symbol>& symbols) const {
  Merge pairs[kMaxShortWord];
  size_t count = symbols.size();
  for (size_t i = 0; i + 1 < count; ++i) pairs[i] = merges_.find(symbols[i].id, symbols[i + 1].id);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (pairs[i].rank < pairs[best].rank) best = i;
    }
    if (pairs[best].rank == MergeTable::kNoMerge) break;
    symbols[best].id = pairs[best].merged_id;
    --count;
    for (size_t i = best + 1; i < count; ++i) {
      symbols[i].id = symbols[i + 1].id;
      pairs[i - 1] = pairs[i];
    }
    if (best > 0) pairs[best - 1] = merges_.find(symbols[best - 1].id, symbols[best].id);
    if (best + 1 < count) pairs[best] = merges_.find(symbols[best].id, symbols[best + 1].id);
  }
  symbols.resize(count);
}

void BpeModel::push_pair(const std::vector<Symbol>& symbols, int32_t left,
                         std::vector<uint64_t>& heap) const {
  if (left < 0 || symbols[left].next < 0) return;
  const Merge merge = merges_.find(symbols[left].id, symbols[symbols[left].next].id);
  if (merge.rank == MergeTable::kNoMerge) return;
  heap.push_back(static_cast<uint64_t>(merge.rank) << 32 | static_cast<uint32_t>(left));
}

void BpeModel::merge_long(WordScratch& scratch) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  std::vector<uint64_t>& heap = scratch.ranked_pairs;
  const auto count = static_cast<int32_t>(symbols.size());
  for (int32_t i = 0; i < count; ++i) {
    symbols[i].previous = i - 1;
    symbols[i].next = i + 1 < count ? i + 1 : -1;
  }
  heap.clear();
  for (int32_t i = 0; i < count; ++i) push_pair(symbols, i, heap);
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    const uint64_t top = heap.front();
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
    Symbol& left = symbols[static_cast<uint32_t>(top)];
    if (left.size_bytes == 0 || left.next < 0) continue;
    Symbol& right = symbols[left.next];
    const Merge merge = merges_.find(left.id, right.id);
    if (static_cast<uint64_t>(merge.rank) != top >> 32) continue;  // The pair has changed since.
    left.id = merge.merged_id;
    right.size_bytes = 0;
    left.next = right.next;
    const auto left_index = static_cast<int32_t>(static_cast<uint32_t>(top));
    if (left.next >= 0) symbols[left.next].previous = left_index;
    for (const int32_t first : {left.previous, left_index}) {
      const size_t before = heap.size();
      push_pair(symbols, first, heap);
      if (heap.size() > before) std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.size_bytes == 0; });
}

Status BpeModel::encode_word(std::string_view word, WordScratch& scratch,
                             std::vector<int32_t>& ids) const {
  const int32_t whole = words_.find(word);
  if (whole >= 0 &&
      (options_.ignore_merges || reach_[whole].load(std::memory_order_relaxed) == kReachable)) {
    ids.push_back(whole);
    return {};
  }
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  ANYBIT_TRY(append_symbols(word, symbols));
  if (symbols.size() <= kMaxShortWord) {
    merge_short(symbols);
  } else {
    merge_long(scratch);
  }
  if (whole >= 0) {
    const bool reachable = symbols.size() == 1 && symbols[0].id == whole;
    reach_[whole].store(reachable ? kReachable : kUnreachable, std::memory_order_relaxed);
  }
  for (const Symbol& symbol : symbols) ids.push_back(symbol.id);
  return {};
}

}  // namespace anybit::model::internal

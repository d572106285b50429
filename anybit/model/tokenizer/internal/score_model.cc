#include "anybit/model/tokenizer/internal/score_model.h"

#include <algorithm>

#include "anybit/model/tokenizer/internal/unicode.h"

namespace anybit::model::internal {
namespace {

using ScoredPair = WordScratch::ScoredPair;

// A heap's order: the highest score on top, the leftmost of equal ones.
bool is_below(const ScoredPair& a, const ScoredPair& b) {
  return a.score < b.score || (a.score == b.score && a.left > b.left);
}

}  // namespace

ScoreModel::ScoreModel(TokenTable words, std::vector<ScoredPiece> pieces,
                       std::array<int32_t, 256> fallback_ids, int32_t unknown_id,
                       const MetaspaceCuts& cuts)
    : words_(std::move(words)),
      pieces_(std::move(pieces)),
      fallback_ids_(fallback_ids),
      unknown_id_(unknown_id),
      cuts_(cuts) {}

void ScoreModel::push_pair(std::string_view word, WordScratch& scratch, int32_t left,
                           SplitPoints& split_points) const {
  if (left < 0 || scratch.symbols[left].next < 0) return;
  const Symbol& first = scratch.symbols[left];
  const int32_t size_bytes = first.size_bytes + scratch.symbols[first.next].size_bytes;
  const int32_t id = words_.find(word.substr(first.begin, size_bytes));
  if (id < 0) return;
  if (pieces_[id].is_unused) split_points[id] = first.size_bytes;
  scratch.scored_pairs.push_back({pieces_[id].score, left, size_bytes, id});
}

void ScoreModel::merge(std::string_view word, WordScratch& scratch,
                       SplitPoints& split_points) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  std::vector<ScoredPair>& heap = scratch.scored_pairs;
  heap.clear();
  for (size_t i = 0; i < symbols.size(); ++i) {
    push_pair(word, scratch, static_cast<int32_t>(i), split_points);
  }
  std::make_heap(heap.begin(), heap.end(), is_below);
  while (!heap.empty()) {
    const ScoredPair top = heap.front();
    std::pop_heap(heap.begin(), heap.end(), is_below);
    heap.pop_back();
    Symbol& left = symbols[top.left];
    if (left.size_bytes == 0 || left.next < 0) continue;
    Symbol& right = symbols[left.next];
    if (left.size_bytes + right.size_bytes != top.size_bytes) continue;  // Changed since.
    left.size_bytes = top.size_bytes;
    right.size_bytes = 0;
    left.next = right.next;
    if (left.next >= 0) symbols[left.next].previous = top.left;
    for (const int32_t first : {left.previous, top.left}) {
      const size_t before = heap.size();
      push_pair(word, scratch, first, split_points);
      if (heap.size() > before) std::push_heap(heap.begin(), heap.end(), is_below);
    }
  }
}

Status ScoreModel::append_ids(std::string_view piece, const SplitPoints& split_points,
                              std::vector<int32_t>& ids) const {
  std::vector<std::string_view> pending = {piece};
  while (!pending.empty()) {
    const std::string_view part = pending.back();
    pending.pop_back();
    const int32_t id = words_.find(part);
    const auto split =
        id >= 0 && pieces_[id].is_unused ? split_points.find(id) : split_points.end();
    if (split != split_points.end()) {
      pending.push_back(part.substr(split->second));
      pending.push_back(part.substr(0, split->second));
      continue;
    }
    if (id >= 0) {
      ids.push_back(id);
      continue;
    }
    const bool has_bytes = std::all_of(part.begin(), part.end(), [&](char c) {
      return fallback_ids_[static_cast<uint8_t>(c)] >= 0;
    });
    if (!has_bytes && unknown_id_ < 0) {
      return fail(
          ErrorCode::kCorruptData,
          "vocabulary: expected byte tokens or an unknown token for a character outside the "
          "vocabulary, found neither");
    }
    if (!has_bytes) {
      ids.push_back(unknown_id_);
      continue;
    }
    for (const char c : part) ids.push_back(fallback_ids_[static_cast<uint8_t>(c)]);
  }
  return {};
}

Status ScoreModel::encode_word(std::string_view word, WordScratch& scratch,
                               std::vector<int32_t>& ids) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  for (size_t position = 0; position < word.size();) {
    const int32_t size_bytes = decode_utf8(word, position).size_bytes;
    const auto index = static_cast<int32_t>(symbols.size());
    const size_t end = position + static_cast<size_t>(size_bytes);
    symbols.push_back({-1, static_cast<int32_t>(position), size_bytes, index - 1,
                       end < word.size() ? index + 1 : -1});
    position = end;
  }
  SplitPoints split_points;
  merge(word, scratch, split_points);
  for (const Symbol& symbol : symbols) {
    if (symbol.size_bytes == 0) continue;
    ANYBIT_TRY(append_ids(word.substr(symbol.begin, symbol.size_bytes), split_points, ids));
  }
  return {};
}

}  // namespace anybit::model::internal

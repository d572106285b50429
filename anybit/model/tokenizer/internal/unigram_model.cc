#include "anybit/model/tokenizer/internal/unigram_model.h"

#include <algorithm>
#include <limits>

#include "anybit/model/tokenizer/internal/bpe_model.h"
#include "anybit/model/tokenizer/internal/unicode.h"

namespace anybit::model::internal {
namespace {

constexpr double kUnknownPenalty = 10.0;

}  // namespace

UnigramModel::UnigramModel(TokenTable words, ByteTrie pieces, std::vector<double> scores,
                           int32_t unknown_id, bool byte_fallback)
    : words_(std::move(words)),
      pieces_(std::move(pieces)),
      scores_(std::move(scores)),
      fallback_ids_(find_fallback_ids(words_)),
      unknown_score_(std::numeric_limits<double>::infinity()),
      unknown_id_(unknown_id),
      byte_fallback_(byte_fallback) {
  for (const double score : scores_) unknown_score_ = std::min(unknown_score_, score);
  unknown_score_ -= kUnknownPenalty;
}

Status UnigramModel::find_best(std::string_view word, std::vector<Best>& best) const {
  best.assign(word.size() + 1, {0.0, -1, -1});
  for (size_t begin = 0; begin < word.size();) {
    const auto character_bytes = static_cast<size_t>(decode_utf8(word, begin).size_bytes);
    const double score_here = best[begin].score;
    bool has_character = false;
    const auto offer = [&](size_t end, double score, int32_t id) {
      Best& target = best[end];
      if (target.begin >= 0 && score <= target.score) return;
      target = {score, static_cast<int32_t>(begin), id};
    };
    int32_t node = ByteTrie::kRoot;
    for (size_t end = begin; end < word.size();) {
      node = pieces_.child(node, static_cast<uint8_t>(word[end]));
      if (node < 0) break;
      ++end;
      const int32_t id = pieces_.value(node);
      if (id < 0) continue;
      has_character = has_character || end - begin == character_bytes;
      offer(end, score_here + scores_[id], id);
    }
    if (!has_character) {
      if (unknown_id_ < 0) {
        return fail(ErrorCode::kCorruptData,
                    "model.unk_id: expected the id of an unknown token, found none, and the text "
                    "has a character outside the vocabulary");
      }
      offer(begin + character_bytes, score_here + unknown_score_, unknown_id_);
    }
    begin += character_bytes;
  }
  return {};
}

void UnigramModel::append_unknown(std::string_view run, std::vector<int32_t>& ids) const {
  const int32_t whole = words_.find(run);
  const bool has_bytes = byte_fallback_ && std::all_of(run.begin(), run.end(), [&](char c) {
                           return fallback_ids_[static_cast<uint8_t>(c)] >= 0;
                         });
  if (whole >= 0 || !has_bytes) {
    ids.push_back(whole >= 0 ? whole : unknown_id_);
    return;
  }
  for (const char c : run) ids.push_back(fallback_ids_[static_cast<uint8_t>(c)]);
}

Status UnigramModel::encode_word(std::string_view word, WordScratch& /*scratch*/,
                                 std::vector<int32_t>& ids) const {
  std::vector<Best> best;
  ANYBIT_TRY(find_best(word, best));
  std::vector<int32_t> ends;
  for (auto end = static_cast<int32_t>(word.size()); end > 0; end = best[end].begin) {
    ends.push_back(end);
  }
  int32_t unknown_begin = -1;
  for (size_t i = ends.size(); i-- > 0;) {
    const Best& piece = best[ends[i]];
    if (piece.id == unknown_id_) {
      if (unknown_begin < 0) unknown_begin = piece.begin;
      continue;
    }
    if (unknown_begin >= 0) {
      append_unknown(word.substr(unknown_begin, piece.begin - unknown_begin), ids);
      unknown_begin = -1;
    }
    ids.push_back(piece.id);
  }
  if (unknown_begin >= 0) append_unknown(word.substr(unknown_begin), ids);
  return {};
}

}  // namespace anybit::model::internal

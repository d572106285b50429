#include <algorithm>
#include <bit>
#include <optional>

#include "anybit/model/tokenizer/internal/byte_alphabet.h"
#include "anybit/model/tokenizer/internal/pipeline.h"
#include "anybit/model/tokenizer/internal/unicode.h"

namespace anybit::model::internal {
namespace {

// Words longer than this are rare enough not to be worth remembering.
constexpr size_t kMaxCachedWordBytes = 128;
constexpr size_t kMinCacheSlots = 1024;
constexpr size_t kMaxCacheSlots = 16384;
constexpr size_t kTextBytesPerSlot = 16;
// A shorter text repeats too few words to pay for the cache.
constexpr size_t kMinCachedTextBytes = 2048;

// Remembers where in the output the ids of a word are, so that its next occurrence copies them.
// Holds views into texts: they must outlive it.
class WordCache {
 public:
  explicit WordCache(size_t text_bytes)
      : slots_(text_bytes < kMinCachedTextBytes
                   ? 0
                   : std::clamp(std::bit_ceil(text_bytes / kTextBytesPerSlot), kMinCacheSlots,
                                kMaxCacheSlots)) {}

  struct Slot {
    std::string_view word;
    uint32_t begin = 0;
    uint32_t count = 0;
  };

  Slot* slot_of(std::string_view word) {
    if (slots_.empty() || word.size() > kMaxCachedWordBytes) return nullptr;
    return &slots_[hash_bytes(word) & (slots_.size() - 1)];
  }

 private:
  std::vector<Slot> slots_;
};

class Encoder {
 public:
  Encoder(const Pipeline& pipeline, size_t text_bytes) : pipeline_(pipeline), cache_(text_bytes) {}

  Result<std::vector<int32_t>> encode(std::string_view text, bool parse_special) {
    std::vector<AddedTokenSpan> parts;
    pipeline_.raw_tokens.split(text, parse_special, parts);
    for (const AddedTokenSpan& part : parts) {
      if (part.id >= 0) {
        ids_.push_back(part.id);
        continue;
      }
      const std::string_view raw = text.substr(part.begin, part.end - part.begin);
      ANYBIT_TRY(encode_raw(raw, part.begin == 0, parse_special));
    }
    return std::move(ids_);
  }

 private:
  Status encode_raw(std::string_view raw, bool at_start, bool parse_special) {
    NormalizedText normalized{{}, at_start};
    std::string_view text = raw;
    if (!pipeline_.normalizers.empty()) {
      ANYBIT_ASSIGN(normalized, normalize(pipeline_.normalizers, raw, at_start, regex_scratch_));
      text = store_.emplace_back(std::move(normalized.text));
    }
    if (pipeline_.normalized_tokens.empty()) return encode_normalized({text, normalized.at_start});
    std::vector<AddedTokenSpan> parts;
    pipeline_.normalized_tokens.split(text, parse_special, parts);
    for (const AddedTokenSpan& part : parts) {
      if (part.id >= 0) {
        ids_.push_back(part.id);
        continue;
      }
      const Piece piece{text.substr(part.begin, part.end - part.begin),
                        normalized.at_start && part.begin == 0};
      ANYBIT_TRY(encode_normalized(piece));
    }
    return {};
  }

  Status encode_normalized(Piece text) {
    if (pipeline_.pre_tokenizers.empty()) return encode_piece(text.text);
    ANYBIT_ASSIGN(const std::vector<Piece> pieces,
                  pre_tokenize(pipeline_.pre_tokenizers, text, store_, regex_scratch_));
    for (const Piece& piece : pieces) ANYBIT_TRY(encode_piece(piece.text));
    return {};
  }

  Status encode_piece(std::string_view piece) {
    if (pipeline_.pieces_are_spelled) {
      std::optional<std::string> bytes = alphabet_to_bytes(piece);
      if (!bytes) {
        return fail(ErrorCode::kCorruptData,
                    "pre_tokenizer: expected byte-level characters, found \"{}\"", piece);
      }
      piece = store_.emplace_back(std::move(*bytes));
    }
    const MetaspaceCuts* cuts =
        std::visit([](const auto& m) { return m.cuts(); }, *pipeline_.model);
    if (cuts == nullptr) return encode_word(piece);
    size_t begin = 0;
    while (begin < piece.size()) {
      const size_t end = cuts->next(piece, begin);
      ANYBIT_TRY(encode_word(piece.substr(begin, end - begin)));
      begin = end;
    }
    return {};
  }

  Status encode_word(std::string_view word) {
    WordCache::Slot* slot = cache_.slot_of(word);
    if (slot != nullptr && slot->word == word) {
      for (uint32_t i = 0; i < slot->count; ++i) {
        const int32_t id = ids_[slot->begin + i];
        ids_.push_back(id);
      }
      return {};
    }
    const size_t begin = ids_.size();
    ANYBIT_TRY(std::visit([&](const auto& m) { return m.encode_word(word, word_scratch_, ids_); },
                          *pipeline_.model));
    if (slot != nullptr) {
      *slot = {word, static_cast<uint32_t>(begin), static_cast<uint32_t>(ids_.size() - begin)};
    }
    return {};
  }

  const Pipeline& pipeline_;
  std::vector<int32_t> ids_;
  TextStore store_;
  RegexScratch regex_scratch_;
  WordScratch word_scratch_;
  WordCache cache_;
};

}  // namespace

Result<std::vector<int32_t>> encode_text(const Pipeline& pipeline, std::string_view text,
                                         bool parse_special) {
  return Encoder(pipeline, text.size()).encode(text, parse_special);
}

}  // namespace anybit::model::internal

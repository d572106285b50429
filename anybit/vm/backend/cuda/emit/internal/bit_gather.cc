#include "anybit/vm/backend/cuda/emit/internal/bit_gather.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace anybit::vm::cuda {
namespace {

using Source = std::function<std::string(int64_t)>;

/// Moves within one word of the result, sorted; neighbours that move alike are one.
std::vector<std::vector<BitMove>> moves_of_words(std::span<const BitMove> moves,
                                                 int64_t num_words) {
  std::vector<std::vector<BitMove>> words(static_cast<size_t>(num_words));
  for (BitMove move : moves) {
    while (move.count > 0) {
      const int64_t count = std::min(move.count, 32 - move.to % 32);
      words[static_cast<size_t>(move.to / 32)].push_back({move.to % 32, move.from, count});
      move = {move.to + count, move.from + count, move.count - count};
    }
  }
  for (std::vector<BitMove>& word : words) {
    std::ranges::sort(word, {}, &BitMove::to);
    std::vector<BitMove> merged;
    for (const BitMove& move : word) {
      if (!merged.empty() && merged.back().to + merged.back().count == move.to &&
          merged.back().from + merged.back().count == move.from) {
        merged.back().count += move.count;
      } else {
        merged.push_back(move);
      }
    }
    word = std::move(merged);
  }
  return words;
}

/// The word by byte permutations, each of two words.
std::string permuted_bytes(const std::vector<BitMove>& moves, const Source& source,
                           int64_t& instructions) {
  constexpr int kZero = -1;
  int64_t word_of[4] = {kZero, kZero, kZero, kZero}, byte_of[4] = {};
  std::vector<int64_t> words;
  for (const BitMove& move : moves) {
    for (int64_t bit = 0; bit < move.count; bit += 8) {
      const int64_t to = (move.to + bit) / 8, from = (move.from + bit) / 8;
      word_of[to] = from / 4;
      byte_of[to] = from % 4;
      if (std::ranges::find(words, from / 4) == words.end()) words.push_back(from / 4);
    }
  }
  if (std::ranges::find(word_of, int64_t{kZero}) != std::end(word_of)) words.push_back(kZero);
  const auto text_of = [&](int64_t word) { return word == kZero ? "0u" : source(word); };
  // The first two words, then each further one into its bytes.
  std::string text = text_of(words[0]);
  for (size_t next = 1; next <= std::max<size_t>(1, words.size() - 1); ++next) {
    const int64_t other = next < words.size() ? words[next] : words[0];
    int selector = 0;
    for (int to = 0; to < 4; ++to) {
      const bool is_other = next < words.size() && word_of[to] == other;
      const bool is_first = next == 1 && word_of[to] == words[0];
      const int64_t byte = is_other ? 4 + byte_of[to] : is_first ? byte_of[to] : to;
      selector |= static_cast<int>(byte) << (4 * to);
    }
    text = fmt::format("ab::prmt({}, {}, {:#06x})", text, text_of(other), selector);
    ++instructions;
  }
  return text;
}

/// The word by shifts and masks: of one source word, what shifts alike goes together.
std::string shifted_bits(const std::vector<BitMove>& moves, const Source& source,
                         int64_t& instructions) {
  std::map<std::pair<int64_t, int64_t>, uint32_t> masks;  // By word and shift to the right.
  for (BitMove move : moves) {
    while (move.count > 0) {
      const int64_t position = move.from % 32, count = std::min(move.count, 32 - position);
      const auto ones = static_cast<uint32_t>((uint64_t{1} << count) - 1);
      masks[{move.from / 32, position - move.to}] |= ones << move.to;
      move = {move.to + count, move.from + count, move.count - count};
    }
  }
  std::string text;
  for (const auto& [key, mask] : masks) {
    const auto& [word, shift] = key;
    std::string part = source(word);
    if (shift > 0) part = fmt::format("({} >> {})", part, shift);
    if (shift < 0) part = fmt::format("({} << {})", part, -shift);
    // A shift brings zeros in: they need no mask.
    const uint32_t rest = shift >= 0 ? 0xffffffffu >> shift : 0xffffffffu << -shift;
    if (mask != rest) part = fmt::format("({} & {:#x}u)", part, mask);
    text += (text.empty() ? "" : " | ") + part;
    instructions += 1 + (shift != 0 ? 1 : 0);
  }
  return text.empty() ? "0u" : text;
}

}  // namespace

std::vector<BitMove> code_moves(std::span<const int64_t> places, int bits) {
  std::vector<BitMove> moves;
  for (size_t i = 0; i < places.size(); ++i) {
    moves.push_back({static_cast<int64_t>(i) * bits, places[i] * bits, bits});
  }
  return moves;
}

GatheredWords gather_bits(std::span<const BitMove> moves, int64_t num_words, const Source& source) {
  GatheredWords gathered;
  for (const std::vector<BitMove>& word : moves_of_words(moves, num_words)) {
    const bool is_run = word.size() == 1 && word[0].count == 32;
    const bool has_bytes = std::ranges::all_of(word, [](const BitMove& move) {
      return move.to % 8 == 0 && move.from % 8 == 0 && move.count % 8 == 0;
    });
    if (is_run && word[0].from % 32 == 0) {
      gathered.words.push_back(source(word[0].from / 32));
    } else if (is_run) {
      const int64_t first = word[0].from / 32;
      gathered.words.push_back(fmt::format("ab::funnel_right({}, {}, {})", source(first),
                                           source(first + 1), word[0].from % 32));
      ++gathered.num_instructions;
    } else if (has_bytes && word.size() > 1) {
      gathered.words.push_back(permuted_bytes(word, source, gathered.num_instructions));
    } else {
      gathered.words.push_back(shifted_bits(word, source, gathered.num_instructions));
    }
  }
  return gathered;
}

}  // namespace anybit::vm::cuda

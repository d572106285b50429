// Words put together from bits of other words: how register tiles are rearranged within a thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace anybit::vm::cuda {

/// Bits [to, to + count) of the result are bits [from, from + count) of the source.
struct BitMove {
  int64_t to = 0;
  int64_t from = 0;
  int64_t count = 0;
};

/// Words as expressions, and about how many instructions they take.
struct GatheredWords {
  std::vector<std::string> words;
  int64_t num_instructions = 0;
};

/// The moves that make code i of a packed result code places[i] of a packed source.
std::vector<BitMove> code_moves(std::span<const int64_t> places, int bits);

/// `num_words` words of 32 bits that the moves fill; bits that nothing fills are 0. Whole words are
/// taken as they are, bytes are permuted, other bits shifted and masked, those together that move
/// alike. `source(i)` is word i of the source, an expression without side effects.
GatheredWords gather_bits(std::span<const BitMove> moves, int64_t num_words,
                          const std::function<std::string(int64_t)>& source);

}  // namespace anybit::vm::cuda

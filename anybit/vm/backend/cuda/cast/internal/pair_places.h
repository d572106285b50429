// Finding a word whose two 16-bit lanes hold the codes of two elements at wanted places.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "anybit/vm/backend/cuda/cast/internal/cast_text.h"

namespace anybit::vm::cuda::internal {

/// A word and where in its lanes the two codes begin. Everything around them is garbage.
struct PlacedPair {
  std::string word;
  std::array<int, 2> shift;  // Of the lower and the upper lane's code.
};

/// Places pairs of codes so that they begin at allowed shifts in their lanes. One prmt picks any
/// two bytes for each lane out of two neighbouring words, so that a code straddling bytes or words
/// costs nothing more; where a code's bits modulo 8 do not suit, a shifted window of the string is
/// made first and used for as many pairs as it suits. Words that serve several pairs are kept.
class PairPlaces {
 public:
  /// allowed[s]: a code may begin at bit s of its lane.
  PairPlaces(CastText& out, std::array<bool, 16> allowed) : out_(out), allowed_(allowed) {}

  /// The codes that begin at bits `lo` and `hi` of the string.
  PlacedPair place(int64_t lo, int64_t hi);

 private:
  struct Lanes {
    std::string word;
    int64_t lo, hi;  // The string's bit at bit 0 of each lane.
    int64_t end;     // Behind the last bit of the string in it.
  };
  bool suits(int64_t begin, int64_t lane_begin) const;
  bool suits_bytes(int64_t begin, int64_t window) const;
  PlacedPair pick(const std::string& low_word, const std::string& high_word, int64_t window,
                  int64_t end, int64_t lo, int64_t hi);

  CastText& out_;
  std::array<bool, 16> allowed_;
  std::vector<Lanes> kept_;
  std::vector<int64_t> windows_;
};

}  // namespace anybit::vm::cuda::internal

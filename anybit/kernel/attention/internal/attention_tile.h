// The part of attention that differs between processors: a few rows of queries against one block of
// keys and values. attention_blocked.cc does everything around it.
//
// A row is one query head of one token. Keys are cut into blocks of kKeysPerBlock by absolute
// position and blocks into chunks of kKeysPerChunk; a row's partial result over a chunk starts
// empty, takes the chunk's blocks in order, and partial results are merged in order. So a row's
// arithmetic depends only on its position, whoever computes it and with whatever other rows.
#pragma once

#include <cstdint>

#include "anybit/kernel/attention/attention.h"
#include "anybit/kernel/kv_cache/internal/kv_rows.h"

namespace anybit::kernel::internal {

inline constexpr int64_t kKeysPerBlock = 64;
inline constexpr int64_t kKeysPerChunk = 256;
inline constexpr int64_t kPaddedDimMultiple = 16;  // Rows of tiles are padded with zeros to it.

/// The keys of a block that a row sees: [begin, end), relative to the block; empty: begin >= end.
struct VisibleKeys {
  int64_t begin = 0;
  int64_t end = 0;
};

/// Softmax-weighted sums of values over some keys, not yet divided: for each row, with m the
/// largest score, sum_j exp(score_j - m) and sum_j exp(score_j - m) v_j.
struct AttentionPartial {
  float* largest = nullptr;   // [num_rows], -inf for no keys
  float* sum = nullptr;       // [num_rows]
  float* weighted = nullptr;  // [num_rows, padded_dim]
};

struct AttentionBlock {
  int64_t num_rows = 0;
  int64_t num_keys = 0;  // At most kKeysPerBlock; tiles hold zeros up to the next multiple of 4.
  int64_t padded_dim = 0;
  const float* q = nullptr;              // [num_rows, padded_dim], scaled
  const float* keys = nullptr;           // [num_keys, padded_dim]
  const float* values = nullptr;         // [num_keys, padded_dim]
  const VisibleKeys* visible = nullptr;  // [num_rows]
  float soft_cap = 0;
  float* scores = nullptr;  // [num_rows, kKeysPerBlock], scratch
};

/// What an instruction set provides.
struct AttentionTile {
  DecodeRows* decode_rows;
  /// Adds the block's keys to `partial`.
  void (*attend)(const AttentionBlock& block, const AttentionPartial& partial);
  /// Adds row `from_row` of `from` to row `row` of `into`.
  void (*merge)(const AttentionPartial& from, int64_t from_row, const AttentionPartial& into,
                int64_t row, int64_t padded_dim);
  /// out[i] = weighted[i] / sum for i in [0, head_dim).
  void (*finish)(const float* weighted, float sum, int64_t head_dim, float* out);
};

extern const AttentionTile kAttentionTileAvx2;
extern const AttentionTile kAttentionTileAvx512;

/// Attention with the given tile functions.
void attention_blocked(const AttentionTile& tile, const AttentionQueries& queries,
                       const KvLayer& kv, const AttentionParameters& parameters, float* out,
                       Threads threads);

AttentionFunction attention_reference;

/// The first position that the query at `position` sees.
inline int64_t first_visible(int64_t position, int64_t window) {
  return window > 0 && position + 1 > window ? position + 1 - window : 0;
}

}  // namespace anybit::kernel::internal

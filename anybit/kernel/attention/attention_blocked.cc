#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "anybit/base/integer.h"
#include "anybit/kernel/attention/internal/attention_tile.h"

namespace anybit::kernel::internal {
namespace {

/// Memory of an AttentionPartial.
class PartialStore {
 public:
  PartialStore(int64_t num_rows, int64_t padded_dim)
      : num_rows_(num_rows),
        padded_dim_(padded_dim),
        floats_(new float[num_rows * (padded_dim + 2)]) {}

  AttentionPartial rows_from(int64_t row) const {
    float* weighted = floats_.get() + 2 * num_rows_;
    return {floats_.get() + row, floats_.get() + num_rows_ + row, weighted + row * padded_dim_};
  }

 private:
  int64_t num_rows_;
  int64_t padded_dim_;
  std::unique_ptr<float[]> floats_;  // Not zeroed: clear() prepares what is used.
};

void clear(const AttentionPartial& partial, int64_t num_rows, int64_t padded_dim) {
  std::fill_n(partial.largest, num_rows, -std::numeric_limits<float>::infinity());
  std::fill_n(partial.sum, num_rows, 0.0f);
  std::fill_n(partial.weighted, num_rows * padded_dim, 0.0f);
}

/// The whole computation, cut into pieces: for one KV head, a run of tokens with all the query
/// heads that read it.
class BlockedAttention {
 public:
  BlockedAttention(const AttentionTile& tile, const AttentionQueries& queries, const KvLayer& kv,
                   const AttentionParameters& parameters, float* out)
      : tile_(tile),
        queries_(queries),
        kv_(kv),
        parameters_(parameters),
        out_(out),
        group_size_(parameters.num_q_heads / kv.shape().num_kv_heads),
        padded_dim_(round_up(kv.shape().head_dim, kPaddedDimMultiple)),
        tokens_per_piece_(std::max<int64_t>(1, kRowsPerPiece / group_size_)),
        pieces_per_head_(ceil_div(queries.num_tokens, tokens_per_piece_)),
        num_chunks_(ceil_div(kv.length(), kKeysPerChunk)) {}

  void run(Threads threads);

 private:
  static constexpr int64_t kRowsPerPiece = 32;

  /// What one thread needs.
  struct Scratch {
    explicit Scratch(int64_t num_rows, int64_t padded_dim)
        : q(new float[num_rows * padded_dim]),
          keys(new float[kKeysPerBlock * padded_dim]),
          values(new float[kKeysPerBlock * padded_dim]),
          scores(new float[num_rows * kKeysPerBlock]),
          visible(num_rows),
          chunk(num_rows, padded_dim),
          total(num_rows, padded_dim) {}

    std::unique_ptr<float[]> q, keys, values, scores;
    std::vector<VisibleKeys> visible;
    PartialStore chunk, total;
  };

  struct Piece {
    int64_t kv_head = 0;
    int64_t first_token = 0;
    int64_t num_tokens = 0;
    int64_t first_key = 0;  // The piece sees keys in [first_key, last_key].
    int64_t last_key = 0;
  };

  Piece piece(int64_t index) const;
  int64_t rows(const Piece& piece) const { return piece.num_tokens * group_size_; }
  int64_t position(int64_t token) const { return kv_.length() - queries_.num_tokens + token; }

  void load_queries(const Piece& piece, Scratch& scratch) const;
  bool find_visible(const Piece& piece, int64_t first_key, int64_t num_keys,
                    std::vector<VisibleKeys>& visible) const;
  void attend_chunk(const Piece& piece, int64_t chunk, Scratch& scratch,
                    const AttentionPartial& partial) const;
  void merge_chunk(const Piece& piece, int64_t chunk, const AttentionPartial& from,
                   const AttentionPartial& into) const;
  void write(const Piece& piece, const AttentionPartial& total) const;
  Threads worthwhile(Threads threads) const;
  void run_pieces(Threads threads) const;
  void run_chunks(Threads threads) const;
  void for_each_task(Threads threads, int64_t num_tasks,
                     const std::function<void(int64_t, Scratch&)>& body) const;

  const AttentionTile& tile_;
  const AttentionQueries& queries_;
  const KvLayer& kv_;
  const AttentionParameters& parameters_;
  float* out_;
  int64_t group_size_;
  int64_t padded_dim_;
  int64_t tokens_per_piece_;
  int64_t pieces_per_head_;
  int64_t num_chunks_;
};

BlockedAttention::Piece BlockedAttention::piece(int64_t index) const {
  Piece piece;
  piece.kv_head = index % kv_.shape().num_kv_heads;
  // Late tokens see most keys: they go first, so that threads end together.
  const int64_t run = pieces_per_head_ - 1 - index / kv_.shape().num_kv_heads;
  piece.first_token = run * tokens_per_piece_;
  piece.num_tokens = std::min(tokens_per_piece_, queries_.num_tokens - piece.first_token);
  piece.first_key = first_visible(position(piece.first_token), parameters_.window);
  piece.last_key = position(piece.first_token + piece.num_tokens - 1);
  return piece;
}

void BlockedAttention::load_queries(const Piece& piece, Scratch& scratch) const {
  const int64_t head_dim = kv_.shape().head_dim;
  float* row = scratch.q.get();
  for (int64_t token = piece.first_token; token < piece.first_token + piece.num_tokens; ++token) {
    const float* q =
        queries_.q + token * queries_.token_stride + piece.kv_head * group_size_ * head_dim;
    for (int64_t head = 0; head < group_size_; ++head, q += head_dim, row += padded_dim_) {
      for (int64_t d = 0; d < head_dim; ++d) row[d] = q[d] * parameters_.scale;
      std::fill(row + head_dim, row + padded_dim_, 0.0f);
    }
  }
}

/// Which of the keys [first_key, first_key + num_keys) each row sees; false if none sees any.
bool BlockedAttention::find_visible(const Piece& piece, int64_t first_key, int64_t num_keys,
                                    std::vector<VisibleKeys>& visible) const {
  bool is_any_visible = false;
  for (int64_t token = 0; token < piece.num_tokens; ++token) {
    const int64_t own = position(piece.first_token + token);
    const VisibleKeys keys = {
        std::max<int64_t>(0, first_visible(own, parameters_.window) - first_key),
        std::min(num_keys, own + 1 - first_key)};
    std::fill_n(visible.begin() + token * group_size_, group_size_, keys);
    is_any_visible = is_any_visible || keys.begin < keys.end;
  }
  return is_any_visible;
}

void BlockedAttention::attend_chunk(const Piece& piece, int64_t chunk, Scratch& scratch,
                                    const AttentionPartial& partial) const {
  clear(partial, rows(piece), padded_dim_);
  const int64_t chunk_end = std::min((chunk + 1) * kKeysPerChunk, piece.last_key + 1);
  for (int64_t key = chunk * kKeysPerChunk; key < chunk_end; key += kKeysPerBlock) {
    const int64_t num_keys = std::min(kKeysPerBlock, chunk_end - key);
    if (!find_visible(piece, key, num_keys, scratch.visible)) continue;
    const KvLayerShape& shape = kv_.shape();
    tile_.decode_rows(rows_of(kv_.keys(), shape, piece.kv_head, key), num_keys, padded_dim_,
                      scratch.keys.get());
    tile_.decode_rows(rows_of(kv_.values(), shape, piece.kv_head, key), num_keys, padded_dim_,
                      scratch.values.get());
    std::fill(scratch.keys.get() + num_keys * padded_dim_,
              scratch.keys.get() + round_up(num_keys, 4) * padded_dim_, 0.0f);
    tile_.attend({.num_rows = rows(piece),
                  .num_keys = num_keys,
                  .padded_dim = padded_dim_,
                  .q = scratch.q.get(),
                  .keys = scratch.keys.get(),
                  .values = scratch.values.get(),
                  .visible = scratch.visible.data(),
                  .soft_cap = parameters_.soft_cap,
                  .scores = scratch.scores.get()},
                 partial);
  }
}

/// Merges the rows that see any of the chunk's keys: whether a chunk is merged must not depend on
/// the other rows of the piece.
void BlockedAttention::merge_chunk(const Piece& piece, int64_t chunk, const AttentionPartial& from,
                                   const AttentionPartial& into) const {
  for (int64_t token = 0; token < piece.num_tokens; ++token) {
    const int64_t own = position(piece.first_token + token);
    const bool sees_chunk = chunk * kKeysPerChunk <= own &&
                            first_visible(own, parameters_.window) < (chunk + 1) * kKeysPerChunk;
    if (!sees_chunk) continue;
    for (int64_t row = token * group_size_; row < (token + 1) * group_size_; ++row) {
      tile_.merge(from, row, into, row, padded_dim_);
    }
  }
}

void BlockedAttention::write(const Piece& piece, const AttentionPartial& total) const {
  const int64_t head_dim = kv_.shape().head_dim;
  for (int64_t row = 0; row < rows(piece); ++row) {
    const int64_t token = piece.first_token + row / group_size_;
    const int64_t head = piece.kv_head * group_size_ + row % group_size_;
    tile_.finish(total.weighted + row * padded_dim_, total.sum[row], head_dim,
                 out_ + (token * parameters_.num_q_heads + head) * head_dim);
  }
}

/// Calls body for every task on whichever thread is free.
void BlockedAttention::for_each_task(Threads threads, int64_t num_tasks,
                                     const std::function<void(int64_t, Scratch&)>& body) const {
  std::atomic<int64_t> next = 0;
  const auto used = static_cast<int>(std::min<int64_t>(threads.count, num_tasks));
  parallel_run({used}, [&](int, int) {
    Scratch scratch(std::min(tokens_per_piece_, queries_.num_tokens) * group_size_, padded_dim_);
    for (int64_t task = next++; task < num_tasks; task = next++) body(task, scratch);
  });
}

/// A task is a piece over all its keys.
void BlockedAttention::run_pieces(Threads threads) const {
  for_each_task(threads, pieces_per_head_ * kv_.shape().num_kv_heads,
                [&](int64_t task, Scratch& scratch) {
                  const Piece piece = this->piece(task);
                  const AttentionPartial total = scratch.total.rows_from(0);
                  const AttentionPartial part = scratch.chunk.rows_from(0);
                  load_queries(piece, scratch);
                  clear(total, rows(piece), padded_dim_);
                  for (int64_t chunk = piece.first_key / kKeysPerChunk;
                       chunk <= piece.last_key / kKeysPerChunk; ++chunk) {
                    attend_chunk(piece, chunk, scratch, part);
                    merge_chunk(piece, chunk, part, total);
                  }
                  write(piece, total);
                });
}

/// A task is a piece over one chunk of keys; a second round merges the chunks. For few tokens over
/// many keys, where pieces alone would leave threads idle.
void BlockedAttention::run_chunks(Threads threads) const {
  const int64_t num_pieces = pieces_per_head_ * kv_.shape().num_kv_heads;
  const int64_t rows_per_piece = tokens_per_piece_ * group_size_;
  const PartialStore parts(num_pieces * num_chunks_ * rows_per_piece, padded_dim_);
  const auto part_of = [&](int64_t index, int64_t chunk) {
    return parts.rows_from((index * num_chunks_ + chunk) * rows_per_piece);
  };
  for_each_task(threads, num_pieces * num_chunks_, [&](int64_t task, Scratch& scratch) {
    const int64_t index = task / num_chunks_, chunk = task % num_chunks_;
    const Piece piece = this->piece(index);
    if (chunk < piece.first_key / kKeysPerChunk || chunk > piece.last_key / kKeysPerChunk) return;
    load_queries(piece, scratch);
    attend_chunk(piece, chunk, scratch, part_of(index, chunk));
  });
  for_each_task({1}, num_pieces, [&](int64_t index, Scratch& scratch) {
    const Piece piece = this->piece(index);
    const AttentionPartial total = scratch.total.rows_from(0);
    clear(total, rows(piece), padded_dim_);
    for (int64_t chunk = piece.first_key / kKeysPerChunk; chunk <= piece.last_key / kKeysPerChunk;
         ++chunk) {
      merge_chunk(piece, chunk, part_of(index, chunk), total);
    }
    write(piece, total);
  });
}

/// Threads that the work is worth: starting one costs some microseconds.
Threads BlockedAttention::worthwhile(Threads threads) const {
  constexpr int64_t kOperationsPerThread = 500'000;  // About 10 microseconds.
  const int64_t keys =
      parameters_.window > 0 ? std::min(parameters_.window, kv_.length()) : kv_.length();
  const int64_t rows = queries_.num_tokens * parameters_.num_q_heads;
  const int64_t operations = 4 * rows * keys * kv_.shape().head_dim;
  return {
      static_cast<int>(std::clamp<int64_t>(operations / kOperationsPerThread, 1, threads.count))};
}

void BlockedAttention::run(Threads threads) {
  constexpr int64_t kPiecesPerThread = 4;  // Enough for threads to end at about the same time.
  const Threads used = worthwhile(threads);
  const int64_t num_pieces = pieces_per_head_ * kv_.shape().num_kv_heads;
  const bool has_many_pieces = num_pieces >= kPiecesPerThread * used.count;
  if (used.count == 1 || has_many_pieces || num_chunks_ == 1) return run_pieces(used);
  run_chunks(used);
}

}  // namespace

void attention_blocked(const AttentionTile& tile, const AttentionQueries& queries,
                       const KvLayer& kv, const AttentionParameters& parameters, float* out,
                       Threads threads) {
  if (queries.num_tokens == 0) return;
  BlockedAttention(tile, queries, kv, parameters, out).run(threads);
}

}  // namespace anybit::kernel::internal

// The tile functions of attention for whatever FloatVector is in the including file.
#pragma once

#include "anybit/kernel/attention/internal/attention_tile.h"
#include "anybit/kernel/internal/float_vector.h"
#include "anybit/kernel/kv_cache/internal/kv_rows_vector.h"

namespace anybit::kernel {
namespace {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Scores of Rows rows against Keys keys. Each is one chain of fused additions over the dimension
/// in every lane, then a tree over the lanes, whatever Rows and Keys are.
template <int Rows, int Keys>
void score_tile(const internal::AttentionBlock& block, int64_t row, int64_t key) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  const float* q = block.q + row * block.padded_dim;
  const float* k = block.keys + key * block.padded_dim;
  FloatVector sums[Rows][Keys];
  for (int r = 0; r < Rows; ++r) {
    for (int j = 0; j < Keys; ++j) sums[r][j] = FloatVector::all(0);
  }
  for (int64_t d = 0; d < block.padded_dim; d += kLanes) {
    FloatVector parts[Rows];
    for (int r = 0; r < Rows; ++r) parts[r] = FloatVector::load(q + r * block.padded_dim + d);
    for (int j = 0; j < Keys; ++j) {
      const FloatVector part = FloatVector::load(k + j * block.padded_dim + d);
      for (int r = 0; r < Rows; ++r) sums[r][j] = fma(parts[r], part, sums[r][j]);
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int j = 0; j < Keys; j += 4) {
      const __m128 four = sums_of_four(sums[r][j], sums[r][j + 1], sums[r][j + 2], sums[r][j + 3]);
      _mm_storeu_ps(block.scores + (row + r) * internal::kKeysPerBlock + key + j, four);
    }
  }
}

inline void score(const internal::AttentionBlock& block) {
  int64_t row = 0;
  for (; row + 2 <= block.num_rows; row += 2) {
    for (int64_t key = 0; key < block.num_keys; key += 4) score_tile<2, 4>(block, row, key);
  }
  if (row == block.num_rows) return;
  int64_t key = 0;
  for (; key + 8 <= block.num_keys; key += 8) score_tile<1, 8>(block, row, key);
  for (; key < block.num_keys; key += 4) score_tile<1, 4>(block, row, key);
}

/// Turns a row's scores into exp(score - largest), zero outside the visible keys, and brings the
/// partial sums to the new largest score.
inline void weigh(const internal::AttentionBlock& block, int64_t row,
                  const internal::AttentionPartial& partial) {
  constexpr int64_t kLanes = FloatVector::kLanes, kKeys = internal::kKeysPerBlock;
  const internal::VisibleKeys visible = block.visible[row];
  float* scores = block.scores + row * kKeys;
  if (block.soft_cap > 0) {
    const FloatVector cap = FloatVector::all(block.soft_cap);
    for (int64_t j = 0; j < kKeys; j += kLanes) {
      (cap * hyperbolic_tangent(FloatVector::load(scores + j) / cap)).store(scores + j);
    }
  }
  for (int64_t j = 0; j < visible.begin; ++j) scores[j] = -kInfinity;
  for (int64_t j = visible.end; j < kKeys; ++j) scores[j] = -kInfinity;
  FloatVector m = FloatVector::all(partial.largest[row]);
  for (int64_t j = 0; j < kKeys; j += kLanes) m = max(FloatVector::load(scores + j), m);
  const float largest_score = largest(m);
  // All scores -inf so far: any finite shift keeps the weights at zero.
  const float shift = largest_score == -kInfinity ? 0 : largest_score;
  FloatVector sums = FloatVector::all(0);
  for (int64_t j = 0; j < kKeys; j += kLanes) {
    const FloatVector weight = exponential(FloatVector::load(scores + j) - FloatVector::all(shift));
    sums = sums + weight;
    weight.store(scores + j);
  }
  const FloatVector correction = exponential(FloatVector::all(partial.largest[row] - shift));
  float correction_lanes[kLanes];
  correction.store(correction_lanes);
  partial.sum[row] = __builtin_fmaf(partial.sum[row], correction_lanes[0], sum(sums));
  partial.largest[row] = largest_score;
  float* weighted = partial.weighted + row * block.padded_dim;
  for (int64_t d = 0; d < block.padded_dim; d += kLanes) {
    (FloatVector::load(weighted + d) * correction).store(weighted + d);
  }
}

/// weighted += weights . values for Rows rows that see the same keys; one chain of fused additions
/// over the keys for each element.
template <int Rows, int Vectors>
void accumulate_columns(const internal::AttentionBlock& block, int64_t row, int64_t d,
                        const internal::AttentionPartial& partial) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  const internal::VisibleKeys visible = block.visible[row];
  const float* weights = block.scores + row * internal::kKeysPerBlock;
  float* weighted = partial.weighted + row * block.padded_dim + d;
  FloatVector sums[Rows][Vectors];
  for (int r = 0; r < Rows; ++r) {
    for (int c = 0; c < Vectors; ++c) {
      sums[r][c] = FloatVector::load(weighted + r * block.padded_dim + c * kLanes);
    }
  }
  for (int64_t j = visible.begin; j < visible.end; ++j) {
    FloatVector parts[Vectors];
    for (int c = 0; c < Vectors; ++c) {
      parts[c] = FloatVector::load(block.values + j * block.padded_dim + d + c * kLanes);
    }
    for (int r = 0; r < Rows; ++r) {
      const FloatVector weight = FloatVector::all(weights[r * internal::kKeysPerBlock + j]);
      for (int c = 0; c < Vectors; ++c) sums[r][c] = fma(weight, parts[c], sums[r][c]);
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int c = 0; c < Vectors; ++c) {
      sums[r][c].store(weighted + r * block.padded_dim + c * kLanes);
    }
  }
}

template <int Rows, int Vectors>
void accumulate_rows(const internal::AttentionBlock& block, int64_t row,
                     const internal::AttentionPartial& partial) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  int64_t d = 0;
  for (; d + Vectors * kLanes <= block.padded_dim; d += Vectors * kLanes) {
    accumulate_columns<Rows, Vectors>(block, row, d, partial);
  }
  for (; d < block.padded_dim; d += kLanes) accumulate_columns<Rows, 1>(block, row, d, partial);
}

inline bool sees_same(const internal::VisibleKeys& a, const internal::VisibleKeys& b) {
  return a.begin == b.begin && a.end == b.end;
}

inline void attend_vector(const internal::AttentionBlock& block,
                          const internal::AttentionPartial& partial) {
  score(block);
  const internal::VisibleKeys* visible = block.visible;
  for (int64_t row = 0; row < block.num_rows; ++row) {
    if (visible[row].begin < visible[row].end) weigh(block, row, partial);
  }
  for (int64_t row = 0; row < block.num_rows;) {
    if (visible[row].begin >= visible[row].end) {
      ++row;
    } else if (row + 4 <= block.num_rows && sees_same(visible[row], visible[row + 1]) &&
               sees_same(visible[row], visible[row + 2]) &&
               sees_same(visible[row], visible[row + 3])) {
      accumulate_rows<4, 2>(block, row, partial);
      row += 4;
    } else {
      accumulate_rows<1, 8>(block, row, partial);
      ++row;
    }
  }
}

inline void merge_vector(const internal::AttentionPartial& from, int64_t from_row,
                         const internal::AttentionPartial& into, int64_t row, int64_t padded_dim) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  const float old_largest = into.largest[row], added_largest = from.largest[from_row];
  const float largest_score = old_largest > added_largest ? old_largest : added_largest;
  const float shift = largest_score == -kInfinity ? 0 : largest_score;
  const FloatVector keep = exponential(FloatVector::all(old_largest - shift));
  const FloatVector add = exponential(FloatVector::all(added_largest - shift));
  float* sums = into.weighted + row * padded_dim;
  const float* added = from.weighted + from_row * padded_dim;
  for (int64_t d = 0; d < padded_dim; d += kLanes) {
    fma(FloatVector::load(sums + d), keep, FloatVector::load(added + d) * add).store(sums + d);
  }
  float keep_lanes[kLanes], add_lanes[kLanes];
  keep.store(keep_lanes);
  add.store(add_lanes);
  into.sum[row] = __builtin_fmaf(into.sum[row], keep_lanes[0], from.sum[from_row] * add_lanes[0]);
  into.largest[row] = largest_score;
}

inline void finish_vector(const float* weighted, float sum, int64_t head_dim, float* out) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  const FloatVector inv_sum = FloatVector::all(1 / sum);
  int64_t d = 0;
  for (; d + kLanes <= head_dim; d += kLanes) {
    (FloatVector::load(weighted + d) * inv_sum).store(out + d);
  }
  if (d == head_dim) return;
  const int64_t rest = head_dim - d;
  (FloatVector::load_first(weighted + d, rest) * inv_sum).store_first(out + d, rest);
}

}  // namespace
}  // namespace anybit::kernel

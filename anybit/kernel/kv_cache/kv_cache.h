// KvCache: the keys and values of one sequence, one KvLayer a layer, each a contiguous store of
// fixed capacity. Attention (attention.h) reads it; paging and sharing between sequences belong to
// the engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"

namespace anybit::kernel {

/// How keys and values are stored.
enum class KvElement : uint8_t {
  kF32,
  kF16,   // Nearest even; overflow becomes infinity.
  kBf16,  // Nearest even.
  kInt8,  // One f32 scale a token and head: amax / 127. Nearest even.
  kInt4,  // One f16 scale a group of 32 elements of a head: the largest element (with its sign) is
          // code -8. Nearest even. A scale beyond f16 saturates.
};

/// "f32", "f16", "bf16", "int8", "int4".
std::string_view name(KvElement element);
/// Errors: kNotFound for another word, listing the five.
Result<KvElement> parse_kv_element(std::string_view text);

/// The extents of one layer's store.
struct KvLayerShape {
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t capacity = 0;  // Tokens.
  KvElement element = KvElement::kF16;
};

/// Elements in an int4 group; the last group of a head may be shorter.
inline constexpr int64_t kKvGroupSize = 32;

/// Half of a KvLayer, as kernels read it: the keys, or the values.
struct KvPlane {
  const std::byte* codes = nullptr;   // [num_kv_heads, capacity, row_bytes]
  const std::byte* scales = nullptr;  // [num_kv_heads, capacity, scale_row_bytes]: f32 or f16.
  int64_t row_bytes = 0;
  int64_t scale_row_bytes = 0;  // 0 for floats.
};

/// The keys and values of one layer.
class KvLayer {
 public:
  /// An empty store. Memory is reserved whole, and touched as tokens come.
  /// Errors: kInvalidArgument naming an extent that is not positive; kOutOfMemory with the bytes.
  static Result<KvLayer> create(const KvLayerShape& shape);

  /// Stores tokens length(), length() + 1, ...
  /// Shapes: keys, values [num_tokens, num_kv_heads, head_dim] with `token_stride` floats from a
  /// token to the next. A group with a NaN or infinity decodes to NaN as int8 and int4.
  /// Errors: kOutOfMemory, and nothing stored, if fewer than num_tokens places are left.
  Status append(const float* keys, const float* values, int64_t num_tokens, int64_t token_stride);

  /// Forgets all but the first `length` tokens. Pre: 0 <= length <= this->length().
  void truncate(int64_t length);

  const KvLayerShape& shape() const { return shape_; }
  int64_t length() const { return length_; }  // Tokens stored.
  /// Bytes of codes and scales reserved, for all of capacity.
  int64_t size_bytes() const;

  KvPlane keys() const { return plane(0); }
  KvPlane values() const { return plane(1); }

  /// The stored value of one token and head, decoded by the plain definition. For tests and tools.
  /// Pre: 0 <= token < length().
  void decode_key(int64_t head, int64_t token, std::span<float> out) const;    // [head_dim]
  void decode_value(int64_t head, int64_t token, std::span<float> out) const;  // [head_dim]

 private:
  struct Release {
    void operator()(std::byte* bytes) const;
  };

  KvLayer() = default;
  KvPlane plane(int index) const;

  KvLayerShape shape_;
  int64_t length_ = 0;
  std::unique_ptr<std::byte[], Release> memory_;  // Key codes, value codes, key and value scales.
};

/// The layers of one sequence.
class KvCache {
 public:
  /// One layer a shape. Errors: those of KvLayer::create, naming the layer.
  static Result<KvCache> create(std::span<const KvLayerShape> shapes);

  /// Equal layers. Errors: as above; kInvalidArgument if num_layers < 1.
  static Result<KvCache> create(int64_t num_layers, const KvLayerShape& shape);

  int64_t num_layers() const { return static_cast<int64_t>(layers_.size()); }
  KvLayer& layer(int64_t index) { return layers_[index]; }
  const KvLayer& layer(int64_t index) const { return layers_[index]; }

  /// Tokens every layer holds: the smallest length (a failed pass may leave layers unequal).
  int64_t length() const;
  /// The smallest capacity.
  int64_t capacity() const;
  /// Forgets all but the first `length` tokens in every layer. Pre: 0 <= length <= this->length().
  void truncate(int64_t length);
  int64_t size_bytes() const;

 private:
  std::vector<KvLayer> layers_;
};

}  // namespace anybit::kernel

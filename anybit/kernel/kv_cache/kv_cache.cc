#include "anybit/kernel/kv_cache/kv_cache.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"
#include "anybit/kernel/kv_cache/internal/kv_rows.h"

namespace anybit::kernel {
namespace {

struct ElementName {
  std::string_view name;
  KvElement element;
};

constexpr ElementName kElementNames[] = {{"f32", KvElement::kF32},
                                         {"f16", KvElement::kF16},
                                         {"bf16", KvElement::kBf16},
                                         {"int8", KvElement::kInt8},
                                         {"int4", KvElement::kInt4}};

constexpr std::align_val_t kAlignment{64};
constexpr int64_t kSlackBytes = 64;  // Vector loads may pass the end of the last row.

int64_t plane_rows(const KvLayerShape& shape) { return shape.num_kv_heads * shape.capacity; }

/// Bytes of one plane.
struct PlaneBytes {
  int64_t codes = 0;
  int64_t scales = 0;
};

/// Nothing where the bytes of a layer would overflow.
std::optional<PlaneBytes> plane_bytes(const KvLayerShape& shape) {
  constexpr int64_t kMaxHeadDim = 1 << 20;
  if (shape.head_dim > kMaxHeadDim) return std::nullopt;
  const std::optional<int64_t> rows = checked_product(shape.num_kv_heads, shape.capacity);
  // A row has at most 4 head_dim bytes of codes and fewer of scales: 16 leaves room for all four.
  if (!rows || !checked_product(*rows, 16 * shape.head_dim)) return std::nullopt;
  const int64_t code_bytes = internal::row_code_bytes(shape.element, shape.head_dim);
  const int64_t scale_bytes = internal::row_scale_bytes(shape.element, shape.head_dim);
  return PlaneBytes{*rows * code_bytes, *rows * scale_bytes};
}

}  // namespace

std::string_view name(KvElement element) {
  for (const ElementName& row : kElementNames) {
    if (row.element == element) return row.name;
  }
  return "unknown";
}

Result<KvElement> parse_kv_element(std::string_view text) {
  for (const ElementName& row : kElementNames) {
    if (row.name == text) return row.element;
  }
  return fail(ErrorCode::kNotFound, "KV element \"{}\": expected f32, f16, bf16, int8 or int4",
              text);
}

void KvLayer::Release::operator()(std::byte* bytes) const { ::operator delete(bytes, kAlignment); }

Result<KvLayer> KvLayer::create(const KvLayerShape& shape) {
  const std::pair<std::string_view, int64_t> extents[] = {{"num_kv_heads", shape.num_kv_heads},
                                                          {"head_dim", shape.head_dim},
                                                          {"capacity", shape.capacity}};
  for (const auto& [field, extent] : extents) {
    if (extent <= 0) {
      return fail(ErrorCode::kInvalidArgument, "KV cache: {} is {}, expected at least 1", field,
                  extent);
    }
  }
  const std::optional<PlaneBytes> bytes = plane_bytes(shape);
  if (!bytes) {
    return fail(ErrorCode::kOutOfMemory,
                "KV cache: {} heads of {} elements for {} tokens exceed the address space",
                shape.num_kv_heads, shape.head_dim, shape.capacity);
  }
  KvLayer layer;
  layer.shape_ = shape;
  const int64_t total = 2 * (bytes->codes + bytes->scales) + kSlackBytes;
  layer.memory_.reset(static_cast<std::byte*>(::operator new(total, kAlignment, std::nothrow)));
  if (!layer.memory_) {
    return fail(ErrorCode::kOutOfMemory, "KV cache: no memory for a layer of {} bytes", total);
  }
  return layer;
}

int64_t KvLayer::size_bytes() const {
  return 2 * plane_rows(shape_) *
         (internal::row_code_bytes(shape_.element, shape_.head_dim) +
          internal::row_scale_bytes(shape_.element, shape_.head_dim));
}

KvPlane KvLayer::plane(int index) const {
  KvPlane plane;
  plane.row_bytes = internal::row_code_bytes(shape_.element, shape_.head_dim);
  plane.scale_row_bytes = internal::row_scale_bytes(shape_.element, shape_.head_dim);
  const int64_t code_bytes = plane_rows(shape_) * plane.row_bytes;
  const int64_t scale_bytes = plane_rows(shape_) * plane.scale_row_bytes;
  // Scales come first: they need the alignment, and codes may be read past their end.
  plane.scales = memory_.get() + index * scale_bytes;
  plane.codes = memory_.get() + 2 * scale_bytes + index * code_bytes;
  return plane;
}

Status KvLayer::append(const float* keys, const float* values, int64_t num_tokens,
                       int64_t token_stride) {
  ANYBIT_CHECK(num_tokens >= 0 && token_stride >= shape_.num_kv_heads * shape_.head_dim);
  if (num_tokens > shape_.capacity - length_) {
    return fail(ErrorCode::kOutOfMemory,
                "KV cache: {} tokens after {} exceed the capacity of {} tokens", num_tokens,
                length_, shape_.capacity);
  }
  const float* const sources[] = {keys, values};
  for (int index = 0; index < 2; ++index) {
    const KvPlane target = plane(index);
    for (int64_t head = 0; head < shape_.num_kv_heads; ++head) {
      for (int64_t token = 0; token < num_tokens; ++token) {
        const internal::KvRows row = internal::rows_of(target, shape_, head, length_ + token);
        internal::encode_row(
            shape_.element, sources[index] + token * token_stride + head * shape_.head_dim,
            shape_.head_dim, const_cast<std::byte*>(row.codes), const_cast<std::byte*>(row.scales));
      }
    }
  }
  length_ += num_tokens;
  return {};
}

void KvLayer::truncate(int64_t length) {
  ANYBIT_CHECK(length >= 0 && length <= length_);
  length_ = length;
}

void KvLayer::decode_key(int64_t head, int64_t token, std::span<float> out) const {
  ANYBIT_CHECK(head >= 0 && head < shape_.num_kv_heads && token >= 0 && token < length_);
  ANYBIT_CHECK(static_cast<int64_t>(out.size()) == shape_.head_dim);
  internal::decode_rows_reference(internal::rows_of(keys(), shape_, head, token), 1,
                                  shape_.head_dim, out.data());
}

void KvLayer::decode_value(int64_t head, int64_t token, std::span<float> out) const {
  ANYBIT_CHECK(head >= 0 && head < shape_.num_kv_heads && token >= 0 && token < length_);
  ANYBIT_CHECK(static_cast<int64_t>(out.size()) == shape_.head_dim);
  internal::decode_rows_reference(internal::rows_of(values(), shape_, head, token), 1,
                                  shape_.head_dim, out.data());
}

Result<KvCache> KvCache::create(std::span<const KvLayerShape> shapes) {
  if (shapes.empty()) {
    return fail(ErrorCode::kInvalidArgument, "KV cache: num_layers is 0, expected at least 1");
  }
  KvCache cache;
  cache.layers_.reserve(shapes.size());
  for (const KvLayerShape& shape : shapes) {
    Result<KvLayer> layer = KvLayer::create(shape);
    if (!layer) {
      return with_context(std::move(layer).error(), fmt::format("layer {}", cache.num_layers()));
    }
    cache.layers_.push_back(std::move(*layer));
  }
  return cache;
}

Result<KvCache> KvCache::create(int64_t num_layers, const KvLayerShape& shape) {
  constexpr int64_t kMaxLayers = 1 << 16;
  if (num_layers < 1 || num_layers > kMaxLayers) {
    return fail(ErrorCode::kInvalidArgument, "KV cache: num_layers is {}, expected 1 to {}",
                num_layers, kMaxLayers);
  }
  return create(std::vector<KvLayerShape>(num_layers, shape));
}

int64_t KvCache::length() const {
  int64_t length = layers_.front().length();
  for (const KvLayer& layer : layers_) length = std::min(length, layer.length());
  return length;
}

int64_t KvCache::capacity() const {
  int64_t capacity = layers_.front().shape().capacity;
  for (const KvLayer& layer : layers_) capacity = std::min(capacity, layer.shape().capacity);
  return capacity;
}

void KvCache::truncate(int64_t length) {
  ANYBIT_CHECK(length >= 0 && length <= this->length());
  for (KvLayer& layer : layers_) layer.truncate(length);
}

int64_t KvCache::size_bytes() const {
  int64_t total = 0;
  for (const KvLayer& layer : layers_) total += layer.size_bytes();
  return total;
}

}  // namespace anybit::kernel

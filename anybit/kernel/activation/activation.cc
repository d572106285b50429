#include "anybit/kernel/activation/activation.h"

#include "anybit/base/check.h"
#include "anybit/kernel/activation/internal/activation_functions.h"

namespace anybit::kernel {
namespace {

constexpr Variant<GatedActivation> kVariants[] = {
    {"avx512", needs_avx512, internal::gated_activation_avx512},
    {"avx2", needs_avx2, internal::gated_activation_avx2},
    {"reference", needs_nothing, internal::gated_activation_reference},
};

struct ActivationName {
  std::string_view name;
  Activation activation;
};

// The first name of each activation is the one that name() gives.
constexpr ActivationName kNames[] = {
    {"silu", Activation::kSilu},          {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"gelu", Activation::kGelu},          {"relu", Activation::kRelu},
    {"swish", Activation::kSilu},         {"gelu_new", Activation::kGeluTanh},
    {"gelu_tanh", Activation::kGeluTanh},
};

constexpr int64_t kGrain = 8192;  // Elements worth a thread: about 4 microseconds.

}  // namespace

std::span<const Variant<GatedActivation>> activation_variants() { return kVariants; }

std::string_view name(Activation activation) {
  for (const ActivationName& row : kNames) {
    if (row.activation == activation) return row.name;
  }
  return "unknown";
}

Result<Activation> parse_activation(std::string_view text) {
  for (const ActivationName& row : kNames) {
    if (row.name == text) return row.activation;
  }
  return fail(ErrorCode::kUnsupported,
              "activation \"{}\": expected silu, gelu, gelu_pytorch_tanh or relu", text);
}

void gated_activation(Activation activation, const float* gate, const float* up, int64_t num_rows,
                      int64_t row_size, int64_t row_stride, float* out, Threads threads) {
  ANYBIT_CHECK(num_rows >= 0 && row_size > 0 && row_stride >= row_size);
  GatedActivation* const function = best_variant(activation_variants(), CpuFeatures::host());
  // Pieces of rows of at most kGrain elements, so that one long row too may use several threads.
  const int64_t pieces_per_row = (row_size + kGrain - 1) / kGrain;
  const int64_t pieces_per_grain = row_size < kGrain ? kGrain / row_size : 1;
  parallel_for(threads, num_rows * pieces_per_row, pieces_per_grain,
               [&](int64_t begin, int64_t end) {
                 for (int64_t piece = begin; piece < end; ++piece) {
                   const int64_t row = piece / pieces_per_row;
                   const int64_t first = piece % pieces_per_row * kGrain;
                   const int64_t count = row_size - first < kGrain ? row_size - first : kGrain;
                   const int64_t in = row * row_stride + first;
                   function(activation, gate + in, up + in, count, out + row * row_size + first);
                 }
               });
}

void apply_activation(Activation activation, const float* x, int64_t count, float* out,
                      Threads threads) {
  ANYBIT_CHECK(count >= 0);
  GatedActivation* const function = best_variant(activation_variants(), CpuFeatures::host());
  parallel_for(threads, count, kGrain, [&](int64_t begin, int64_t end) {
    function(activation, x + begin, nullptr, end - begin, out + begin);
  });
}

}  // namespace anybit::kernel

// Quantizing a model into a GGUF file, which every program that reads the format can run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/open.h"
#include "anybit/numeric/scheme.h"
#include "anybit/recipe/quantize_model.h"

namespace anybit::recipe {

struct GgufReport {
  QuantizeReport quantization;        // By the names of the source's tensors.
  std::vector<std::string> left_out;  // Tensors of the source that no GGUF file has a name for.
};

/// The scheme as GGUF has it: f32, f16, bf16 and ggml's block types are themselves, mxfp4 and nvfp4
/// become the block types of that name.
/// Errors: kInvalidArgument naming the scheme and those that can be written.
Result<numeric::Scheme> gguf_scheme(const numeric::Scheme& scheme);

/// Writes `opened` quantized to the file `out`, as gguf_contents() describes it; what the plan
/// leaves alone is copied bit for bit. Vectors are f32.
///
/// One tensor is in memory at a time (of stacked experts: their blocks, and one expert as floats).
/// The file appears whole or not at all. Without options.plan.embedding_scheme, embedding and
/// output get `scheme` if it takes 8 bits a weight or more, else q8_0. Errors: those of
/// gguf_scheme() for every scheme of the plan, of gguf_contents(), plan_quantization() and the
/// method; kInvalidArgument if `out` exists and overwrite is off, if stacked experts have different
/// schemes, or for a matrix left in a scheme that GGUF cannot hold; kIo.
Result<GgufReport> write_gguf(const model::OpenedModel& opened, const std::filesystem::path& out,
                              const QuantizeOptions& options);

}  // namespace anybit::recipe

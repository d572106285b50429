// The quantization report as JSON, and back: for quantization_report.json and for resuming.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/recipe/quantize_model.h"

namespace anybit::recipe {

/// One JSON array. Post: parse_tensor_reports() gives the reports back.
std::string tensor_reports_to_json(const std::vector<TensorReport>& reports);

/// Errors: kCorruptData naming `name` and the member.
Result<std::vector<TensorReport>> parse_tensor_reports(std::string_view text,
                                                       std::string_view name);

/// {"bits_per_weight", "size_bytes", "num_parameters", "relative_error", "resumed_shards",
/// "tensors"}
std::string report_to_json(const QuantizeReport& report);

/// An error whose text in tensor_reports_to_json() is at least as long as any other's.
quant::TensorError longest_error();

}  // namespace anybit::recipe

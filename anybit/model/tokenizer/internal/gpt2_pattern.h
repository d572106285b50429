// The split pattern of GPT-2, which many later tokenizers use as one of their steps.
#pragma once

#include <string_view>

namespace anybit::model::internal {

/// Source: GPT-2's encoder.
inline constexpr std::string_view kGpt2Pattern =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace anybit::model::internal

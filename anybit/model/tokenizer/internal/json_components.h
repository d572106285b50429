// Reads the components of a tokenizer.json into the steps that run them. `where` is the file and
// the component's path in it; it opens every error message.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/json.h"
#include "anybit/base/result.h"
#include "anybit/model/tokenizer/internal/pipeline.h"

namespace anybit::model::internal {

/// The string "type" of a component.
/// Errors: kCorruptData.
Result<std::string> component_type(const Json& component, std::string_view where);

/// Calls read(element, its path) for each element of the array `key`.
/// Errors: kCorruptData if it is missing or no array; those of `read`.
template <class Read>
Status for_each_component(const Json& component, std::string_view key, std::string_view where,
                          Read read) {
  const auto array = component.find(key);
  if (array == component.end() || !array->is_array()) {
    return fail(ErrorCode::kCorruptData, "{}: \"{}\": expected an array, found {}", where, key,
                array == component.end() ? "none" : array->type_name());
  }
  for (size_t i = 0; i < array->size(); ++i) {
    ANYBIT_TRY(read((*array)[i], fmt::format("{}.{}[{}]", where, key, i)));
  }
  return {};
}

/// A {"String": ...} or {"Regex": ...} under "pattern".
/// Errors: kCorruptData; those of Regex::compile().
Result<Pattern> read_pattern(const Json& component, std::string_view where);

/// Appends the steps of a normalizer; none for null.
/// Errors: kCorruptData; kUnsupported naming the type.
Status read_normalizer(const Json& component, std::string_view where,
                       std::vector<NormalizerStep>& steps);

/// Appends the steps of a pre-tokenizer; none for null.
/// Errors: kCorruptData; kUnsupported naming the type.
Status read_pre_tokenizer(const Json& component, std::string_view where,
                          std::vector<PreTokenizerStep>& steps);

/// Appends the steps of a decoder. Pre: component is not null.
/// Errors: kCorruptData; kUnsupported naming the type.
Status read_decoder(const Json& component, std::string_view where, std::vector<DecoderStep>& steps);

/// Puts the tokens a post-processor adds around the pipeline's.
/// Errors: kCorruptData; kUnsupported naming the type.
Status read_post_processor(const Json& component, std::string_view where, Pipeline& pipeline);

/// Fills the pipeline's model, vocabulary and spellings.
/// Errors: kCorruptData; kUnsupported naming the type or option.
Status read_model(const Json& component, std::string_view where, bool is_byte_level,
                  Pipeline& pipeline);

}  // namespace anybit::model::internal

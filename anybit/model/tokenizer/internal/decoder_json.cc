#include "anybit/model/tokenizer/internal/json_components.h"

namespace anybit::model::internal {
namespace {

using Steps = std::vector<DecoderStep>;

Status read_sequence(const Json& component, std::string_view where, Steps& steps) {
  return for_each_component(component, "decoders", where,
                            [&](const Json& element, std::string_view element_where) {
                              return read_decoder(element, element_where, steps);
                            });
}

Status read_replace(const Json& component, std::string_view where, Steps& steps) {
  ANYBIT_ASSIGN(Pattern pattern, read_pattern(component, where));
  ANYBIT_ASSIGN(std::string content, json_member<std::string>(component, "content", where));
  steps.emplace_back(ReplaceStep{std::move(pattern), std::move(content)});
  return {};
}

Status read_strip(const Json& component, std::string_view where, Steps& steps) {
  ANYBIT_ASSIGN(std::string character, json_member<std::string>(component, "content", where));
  ANYBIT_ASSIGN(const int64_t start, json_member<int64_t>(component, "start", where));
  ANYBIT_ASSIGN(const int64_t stop, json_member<int64_t>(component, "stop", where));
  if (character.empty() || start < 0 || stop < 0) {
    return fail(ErrorCode::kCorruptData,
                "{}: expected a character and two counts, found \"{}\", {} and {}", where,
                character, start, stop);
  }
  steps.emplace_back(StripTokenStep{std::move(character), start, stop});
  return {};
}

Status read_metaspace(const Json& component, std::string_view where, Steps& steps) {
  std::vector<PreTokenizerStep> parsed;
  ANYBIT_TRY(read_pre_tokenizer(component, where, parsed));
  const auto& step = std::get<MetaspaceStep>(parsed.front());
  steps.emplace_back(
      MetaspaceDecodeStep{step.replacement, step.prepend_scheme != PrependScheme::kNever});
  return {};
}

template <class Step>
Status read_plain(const Json&, std::string_view, Steps& steps) {
  steps.emplace_back(Step{});
  return {};
}

struct ReaderRow {
  std::string_view type;
  Status (*read)(const Json&, std::string_view, Steps&);
};

constexpr ReaderRow kReaders[] = {
    {"Sequence", read_sequence},
    {"ByteLevel", read_plain<ByteLevelDecodeStep>},
    {"ByteFallback", read_plain<ByteFallbackStep>},
    {"Fuse", read_plain<FuseStep>},
    {"Replace", read_replace},
    {"Strip", read_strip},
    {"Metaspace", read_metaspace},
};

}  // namespace

Status read_decoder(const Json& component, std::string_view where, Steps& steps) {
  ANYBIT_ASSIGN(const std::string type, component_type(component, where));
  for (const ReaderRow& row : kReaders) {
    if (row.type == type) return row.read(component, where, steps);
  }
  return fail(ErrorCode::kUnsupported, "{}: the decoder \"{}\" is not supported", where, type);
}

}  // namespace anybit::model::internal

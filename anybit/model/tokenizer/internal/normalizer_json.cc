#include "anybit/model/tokenizer/internal/json_components.h"

namespace anybit::model::internal {

Result<std::string> component_type(const Json& component, std::string_view where) {
  return json_member<std::string>(component, "type", where);
}

Result<Pattern> read_pattern(const Json& component, std::string_view where) {
  const auto pattern = component.find("pattern");
  if (pattern == component.end() || !pattern->is_object() || pattern->size() != 1) {
    return fail(ErrorCode::kCorruptData,
                "{}: \"pattern\": expected {{\"String\": ...}} or {{\"Regex\": ...}}, found {}",
                where, pattern == component.end() ? "none" : pattern->type_name());
  }
  const std::string pattern_where = fmt::format("{}.pattern", where);
  if (pattern->contains("String")) {
    ANYBIT_ASSIGN(std::string literal, json_member<std::string>(*pattern, "String", pattern_where));
    return Pattern{std::move(literal), std::nullopt};
  }
  ANYBIT_ASSIGN(const std::string text, json_member<std::string>(*pattern, "Regex", pattern_where));
  ANYBIT_ASSIGN(Regex regex, Regex::compile(text, pattern_where));
  return Pattern{{}, std::move(regex)};
}

namespace {

Status read_strip(const Json& component, std::string_view where,
                  std::vector<NormalizerStep>& steps) {
  ANYBIT_ASSIGN(const bool left, json_member<bool>(component, "strip_left", where));
  ANYBIT_ASSIGN(const bool right, json_member<bool>(component, "strip_right", where));
  steps.emplace_back(StripStep{left, right});
  return {};
}

Status read_replace(const Json& component, std::string_view where,
                    std::vector<NormalizerStep>& steps) {
  ANYBIT_ASSIGN(Pattern pattern, read_pattern(component, where));
  ANYBIT_ASSIGN(std::string content, json_member<std::string>(component, "content", where));
  steps.emplace_back(ReplaceStep{std::move(pattern), std::move(content)});
  return {};
}

Status read_prepend(const Json& component, std::string_view where,
                    std::vector<NormalizerStep>& steps) {
  ANYBIT_ASSIGN(std::string text, json_member<std::string>(component, "prepend", where));
  steps.emplace_back(PrependStep{std::move(text)});
  return {};
}

Status read_sequence(const Json& component, std::string_view where,
                     std::vector<NormalizerStep>& steps) {
  return for_each_component(component, "normalizers", where,
                            [&](const Json& element, std::string_view element_where) {
                              return read_normalizer(element, element_where, steps);
                            });
}

using Reader = Status (*)(const Json&, std::string_view, std::vector<NormalizerStep>&);

template <class Step>
Status read_plain(const Json&, std::string_view, std::vector<NormalizerStep>& steps) {
  steps.emplace_back(Step{});
  return {};
}

template <NormalForm kForm>
Status read_form(const Json&, std::string_view, std::vector<NormalizerStep>& steps) {
  steps.emplace_back(NormalFormStep{kForm});
  return {};
}

struct ReaderRow {
  std::string_view type;
  Reader read;
};

constexpr ReaderRow kReaders[] = {
    {"Sequence", read_sequence},
    {"Prepend", read_prepend},
    {"Replace", read_replace},
    {"Strip", read_strip},
    {"NFC", read_form<NormalForm::kNfc>},
    {"NFD", read_form<NormalForm::kNfd>},
    {"NFKC", read_form<NormalForm::kNfkc>},
    {"NFKD", read_form<NormalForm::kNfkd>},
    {"Lowercase", read_plain<LowercaseStep>},
    {"StripAccents", read_plain<StripAccentsStep>},
    {"ByteLevel", read_plain<ByteAlphabetStep>},
};

}  // namespace

Status read_normalizer(const Json& component, std::string_view where,
                       std::vector<NormalizerStep>& steps) {
  if (component.is_null()) return {};
  ANYBIT_ASSIGN(const std::string type, component_type(component, where));
  for (const ReaderRow& row : kReaders) {
    if (row.type == type) return row.read(component, where, steps);
  }
  return fail(ErrorCode::kUnsupported, "{}: the normalizer \"{}\" is not supported", where, type);
}

}  // namespace anybit::model::internal

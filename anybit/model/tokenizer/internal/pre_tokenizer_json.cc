#include "anybit/model/tokenizer/internal/gpt2_pattern.h"
#include "anybit/model/tokenizer/internal/json_components.h"

namespace anybit::model::internal {
namespace {

struct BehaviorRow {
  std::string_view name;
  SplitBehavior behavior;
};

constexpr BehaviorRow kBehaviors[] = {
    {"Removed", SplitBehavior::kRemoved},
    {"Isolated", SplitBehavior::kIsolated},
    {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
    {"MergedWithNext", SplitBehavior::kMergedWithNext},
    {"Contiguous", SplitBehavior::kContiguous},
};

using Steps = std::vector<PreTokenizerStep>;

Result<SplitBehavior> read_behavior(const Json& component, std::string_view where,
                                    std::string fallback) {
  ANYBIT_ASSIGN(const std::string name,
                json_member_or<std::string>(component, "behavior", std::move(fallback), where));
  for (const BehaviorRow& row : kBehaviors) {
    if (row.name == name) return row.behavior;
  }
  return fail(ErrorCode::kCorruptData,
              "{}: \"behavior\": expected Removed, Isolated, MergedWithPrevious, MergedWithNext or "
              "Contiguous, found \"{}\"",
              where, name);
}

Status read_sequence(const Json& component, std::string_view where, Steps& steps) {
  return for_each_component(component, "pretokenizers", where,
                            [&](const Json& element, std::string_view element_where) {
                              return read_pre_tokenizer(element, element_where, steps);
                            });
}

Status read_split(const Json& component, std::string_view where, Steps& steps) {
  ANYBIT_ASSIGN(Pattern pattern, read_pattern(component, where));
  ANYBIT_ASSIGN(const SplitBehavior behavior, read_behavior(component, where, ""));
  ANYBIT_ASSIGN(const bool invert, json_member_or<bool>(component, "invert", false, where));
  steps.emplace_back(SplitStep{std::move(pattern), behavior, invert});
  return {};
}

Status read_byte_level(const Json& component, std::string_view where, Steps& steps) {
  ANYBIT_ASSIGN(const bool add_prefix_space,
                json_member<bool>(component, "add_prefix_space", where));
  ANYBIT_ASSIGN(const bool use_regex, json_member_or<bool>(component, "use_regex", true, where));
  ByteLevelStep step{add_prefix_space, std::nullopt, false};
  if (use_regex) {
    ANYBIT_ASSIGN(Regex regex, Regex::compile(kGpt2Pattern, where));
    step.pattern = std::move(regex);
  }
  steps.emplace_back(std::move(step));
  return {};
}

Status read_digits(const Json& component, std::string_view where, Steps& steps) {
  ANYBIT_ASSIGN(const bool individual, json_member<bool>(component, "individual_digits", where));
  steps.emplace_back(CharacterSplitStep{
      CharacterSet::kNumeric, individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous});
  return {};
}

Status read_punctuation(const Json& component, std::string_view where, Steps& steps) {
  ANYBIT_ASSIGN(const SplitBehavior behavior, read_behavior(component, where, "Isolated"));
  steps.emplace_back(CharacterSplitStep{CharacterSet::kPunctuation, behavior});
  return {};
}

Status read_whitespace_split(const Json&, std::string_view, Steps& steps) {
  steps.emplace_back(CharacterSplitStep{CharacterSet::kWhitespace, SplitBehavior::kRemoved});
  return {};
}

Status read_whitespace(const Json&, std::string_view where, Steps& steps) {
  ANYBIT_ASSIGN(Regex regex, Regex::compile(R"(\w+|[^\w\s]+)", where));
  steps.emplace_back(SplitStep{{{}, std::move(regex)}, SplitBehavior::kRemoved, true});
  return {};
}

Status read_bert(const Json&, std::string_view, Steps& steps) {
  steps.emplace_back(CharacterSplitStep{CharacterSet::kWhitespace, SplitBehavior::kRemoved});
  steps.emplace_back(CharacterSplitStep{CharacterSet::kPunctuation, SplitBehavior::kIsolated});
  return {};
}

Result<PrependScheme> read_prepend_scheme(const Json& component, std::string_view where) {
  ANYBIT_ASSIGN(const std::string name,
                json_member_or<std::string>(component, "prepend_scheme", "always", where));
  ANYBIT_ASSIGN(const bool add_prefix_space,
                json_member_or<bool>(component, "add_prefix_space", true, where));
  if (name != "always" && name != "first" && name != "never") {
    return fail(ErrorCode::kCorruptData,
                "{}: \"prepend_scheme\": expected always, first or never, found \"{}\"", where,
                name);
  }
  if (!add_prefix_space && name != "never") {
    return fail(ErrorCode::kCorruptData,
                "{}: \"prepend_scheme\": expected never, as \"add_prefix_space\" is false, found "
                "\"{}\"",
                where, name);
  }
  if (name == "first") return PrependScheme::kFirst;
  return name == "never" ? PrependScheme::kNever : PrependScheme::kAlways;
}

Status read_metaspace(const Json& component, std::string_view where, Steps& steps) {
  ANYBIT_ASSIGN(std::string replacement, json_member<std::string>(component, "replacement", where));
  if (replacement.empty() ||
      static_cast<size_t>(decode_utf8(replacement, 0).size_bytes) != replacement.size()) {
    return fail(ErrorCode::kCorruptData,
                "{}: \"replacement\": expected one character, found \"{}\"", where, replacement);
  }
  ANYBIT_ASSIGN(const PrependScheme scheme, read_prepend_scheme(component, where));
  ANYBIT_ASSIGN(const bool split, json_member_or<bool>(component, "split", true, where));
  steps.emplace_back(MetaspaceStep{std::move(replacement), scheme, split});
  return {};
}

Status read_delimiter(const Json& component, std::string_view where, Steps& steps) {
  ANYBIT_ASSIGN(std::string delimiter, json_member<std::string>(component, "delimiter", where));
  steps.emplace_back(
      SplitStep{{std::move(delimiter), std::nullopt}, SplitBehavior::kRemoved, false});
  return {};
}

struct ReaderRow {
  std::string_view type;
  Status (*read)(const Json&, std::string_view, Steps&);
};

constexpr ReaderRow kReaders[] = {
    {"Sequence", read_sequence},       {"Split", read_split},
    {"ByteLevel", read_byte_level},    {"Digits", read_digits},
    {"Punctuation", read_punctuation}, {"Metaspace", read_metaspace},
    {"Whitespace", read_whitespace},   {"WhitespaceSplit", read_whitespace_split},
    {"BertPreTokenizer", read_bert},   {"CharDelimiterSplit", read_delimiter},
};

}  // namespace

Status read_pre_tokenizer(const Json& component, std::string_view where, Steps& steps) {
  if (component.is_null()) return {};
  ANYBIT_ASSIGN(const std::string type, component_type(component, where));
  for (const ReaderRow& row : kReaders) {
    if (row.type == type) return row.read(component, where, steps);
  }
  return fail(ErrorCode::kUnsupported, "{}: the pre-tokenizer \"{}\" is not supported", where,
              type);
}

}  // namespace anybit::model::internal

#include "anybit/model/tokenizer/internal/json_components.h"

namespace anybit::model::internal {
namespace {

Result<int32_t> check_id(const Json& id, std::string_view where, const Pipeline& pipeline) {
  const auto vocab_size = static_cast<int64_t>(pipeline.vocabulary.size());
  if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= vocab_size) {
    return fail(ErrorCode::kCorruptData, "{}: expected an id below {}, found {}", where, vocab_size,
                id.dump());
  }
  return static_cast<int32_t>(id.get<int64_t>());
}

// The ids that the template's "special_tokens" gives the name.
Result<std::vector<int32_t>> ids_of(const Json& component, const std::string& token,
                                    std::string_view where, const Pipeline& pipeline) {
  const Json* found = nullptr;
  const auto map = component.find("special_tokens");
  if (map != component.end() && map->is_object()) {
    const auto entry = map->find(token);
    if (entry != map->end() && entry->is_object() && entry->contains("ids")) {
      found = &(*entry)["ids"];
    }
  }
  if (found == nullptr || !found->is_array()) {
    return fail(ErrorCode::kCorruptData,
                "{}: \"special_tokens\": expected ids for the token \"{}\" of \"single\", found "
                "none",
                where, token);
  }
  std::vector<int32_t> ids;
  for (const Json& id : *found) {
    ANYBIT_ASSIGN(const int32_t checked,
                  check_id(id, fmt::format("{}.special_tokens", where), pipeline));
    ids.push_back(checked);
  }
  return ids;
}

Status read_template(const Json& component, std::string_view where, Pipeline& pipeline) {
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;
  int num_sequences = 0;
  ANYBIT_TRY(for_each_component(
      component, "single", where, [&](const Json& piece, std::string_view at) -> Status {
        if (piece.is_object() && piece.contains("Sequence")) {
          ++num_sequences;
          return {};
        }
        if (!piece.is_object() || !piece.contains("SpecialToken")) {
          return fail(ErrorCode::kCorruptData, "{}: expected Sequence or SpecialToken, found {}",
                      at, piece.dump());
        }
        ANYBIT_ASSIGN(const std::string token,
                      json_member<std::string>(piece["SpecialToken"], "id", at));
        ANYBIT_ASSIGN(const std::vector<int32_t> ids, ids_of(component, token, where, pipeline));
        std::vector<int32_t>& side = num_sequences == 0 ? prefix : suffix;
        side.insert(side.end(), ids.begin(), ids.end());
        return {};
      }));
  if (num_sequences != 1) {
    return fail(ErrorCode::kUnsupported,
                "{}: \"single\": a template that holds the text {} times is not supported", where,
                num_sequences);
  }
  pipeline.prefix_ids.insert(pipeline.prefix_ids.begin(), prefix.begin(), prefix.end());
  pipeline.suffix_ids.insert(pipeline.suffix_ids.end(), suffix.begin(), suffix.end());
  return {};
}

// BERT's and RoBERTa's: one token before the text and one after, each written [text, id].
Status read_cls_sep(const Json& component, std::string_view where, Pipeline& pipeline) {
  int32_t ids[2] = {};
  constexpr std::string_view kKeys[2] = {"cls", "sep"};
  for (int i = 0; i < 2; ++i) {
    const auto pair = component.find(kKeys[i]);
    if (pair == component.end() || !pair->is_array() || pair->size() != 2) {
      return fail(ErrorCode::kCorruptData, "{}: \"{}\": expected [text, id], found {}", where,
                  kKeys[i], pair == component.end() ? "none" : pair->dump());
    }
    ANYBIT_ASSIGN(ids[i], check_id((*pair)[1], fmt::format("{}.{}", where, kKeys[i]), pipeline));
  }
  pipeline.prefix_ids.insert(pipeline.prefix_ids.begin(), ids[0]);
  pipeline.suffix_ids.push_back(ids[1]);
  return {};
}

Status read_sequence(const Json& component, std::string_view where, Pipeline& pipeline) {
  return for_each_component(component, "processors", where,
                            [&](const Json& element, std::string_view element_where) {
                              return read_post_processor(element, element_where, pipeline);
                            });
}

// It only trims offsets.
Status read_byte_level(const Json&, std::string_view, Pipeline&) { return {}; }

struct ReaderRow {
  std::string_view type;
  Status (*read)(const Json&, std::string_view, Pipeline&);
};

constexpr ReaderRow kReaders[] = {
    {"TemplateProcessing", read_template}, {"Sequence", read_sequence},
    {"ByteLevel", read_byte_level},        {"BertProcessing", read_cls_sep},
    {"RobertaProcessing", read_cls_sep},
};

}  // namespace

Status read_post_processor(const Json& component, std::string_view where, Pipeline& pipeline) {
  if (component.is_null()) return {};
  ANYBIT_ASSIGN(const std::string type, component_type(component, where));
  for (const ReaderRow& row : kReaders) {
    if (row.type == type) return row.read(component, where, pipeline);
  }
  return fail(ErrorCode::kUnsupported, "{}: the post-processor \"{}\" is not supported", where,
              type);
}

}  // namespace anybit::model::internal

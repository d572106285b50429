#include <algorithm>
#include <unordered_set>

#include "anybit/model/tokenizer/internal/byte_alphabet.h"
#include "anybit/model/tokenizer/internal/json_components.h"

namespace anybit::model::internal {
namespace {

Status add_entry(std::string_view token, const Json& id, std::string_view where,
                 Pipeline& pipeline) {
  const bool fits =
      id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() < kMaxVocabSize;
  if (!fits) {
    return fail(ErrorCode::kCorruptData, "{}.vocab[\"{}\"]: expected an id below {}, found {}",
                where, token, kMaxVocabSize, id.dump());
  }
  const auto index = static_cast<size_t>(id.get<int64_t>());
  if (pipeline.vocabulary.size() <= index) pipeline.vocabulary.resize(index + 1);
  if (!pipeline.vocabulary[index].spelling.empty()) {
    return fail(ErrorCode::kCorruptData,
                "{}.vocab[\"{}\"]: expected an id of its own, found {}, which is also \"{}\"",
                where, token, index, pipeline.vocabulary[index].spelling);
  }
  if (token.empty()) return {};
  pipeline.vocabulary[index].spelling = token;
  pipeline.spellings.insert(token, static_cast<int32_t>(index));
  return {};
}

Status read_vocabulary(const Json& model, std::string_view where, Pipeline& pipeline) {
  const auto vocab = model.find("vocab");
  if (vocab == model.end() || !vocab->is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: \"vocab\": expected an object, found {}", where,
                vocab == model.end() ? "none" : vocab->type_name());
  }
  for (const auto& [token, id] : vocab->items()) {
    ANYBIT_TRY(add_entry(token, id, where, pipeline));
  }
  return {};
}

struct MergePair {
  std::string_view left;
  std::string_view right;
};

// A merge is "left right" or ["left", "right"].
Result<MergePair> read_merge(const Json& merge, std::string_view where, size_t index) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return MergePair{merge[0].get_ref<const std::string&>(),
                     merge[1].get_ref<const std::string&>()};
  }
  if (merge.is_string()) {
    const std::string_view text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
      return MergePair{text.substr(0, space), text.substr(space + 1)};
    }
  }
  return fail(ErrorCode::kCorruptData, "{}.merges[{}]: expected two tokens, found {}", where, index,
              merge.dump());
}

struct Merges {
  MergeTable table;
  MetaspaceCuts cuts;
};

Result<Merges> read_merges(const Json& model, std::string_view where, const TokenTable& spellings) {
  const auto array = model.find("merges");
  if (array == model.end() || !array->is_array()) {
    return fail(ErrorCode::kCorruptData, "{}: \"merges\": expected an array, found {}", where,
                array == model.end() ? "none" : array->type_name());
  }
  Merges merges;
  std::string joined;
  int32_t rank = 0;
  for (size_t i = 0; i < array->size(); ++i) {
    const Json& merge = (*array)[i];
    if (merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version")) continue;
    ANYBIT_ASSIGN(const MergePair pair, read_merge(merge, where, i));
    joined.assign(pair.left).append(pair.right);
    const int32_t ids[3] = {spellings.find(pair.left), spellings.find(pair.right),
                            spellings.find(joined)};
    const std::string_view parts[3] = {pair.left, pair.right, joined};
    for (int part = 0; part < 3; ++part) {
      if (ids[part] >= 0) continue;
      return fail(ErrorCode::kCorruptData,
                  "{}.merges[{}]: expected tokens of the vocabulary, found \"{}\"", where, i,
                  parts[part]);
    }
    merges.table.insert(ids[0], ids[1], {rank++, ids[2]});
    merges.cuts.add_piece(joined);
  }
  return merges;
}

// Options that change the result and that no model family here uses.
Status refuse_options(const Json& model, std::string_view where) {
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    ANYBIT_ASSIGN(const std::string value, json_member_or<std::string>(model, key, "", where));
    if (!value.empty()) {
      return fail(ErrorCode::kUnsupported, "{}: \"{}\" \"{}\" is not supported", where, key, value);
    }
  }
  ANYBIT_ASSIGN(const double dropout, json_member_or<double>(model, "dropout", 0.0, where));
  if (dropout != 0.0) {
    return fail(ErrorCode::kUnsupported, "{}: \"dropout\" {} is not supported", where, dropout);
  }
  return {};
}

// What encode_word() is given: bytes if byte-level, else the vocabulary's spelling.
TokenTable make_words(const Pipeline& pipeline, bool is_byte_level) {
  if (!is_byte_level) return pipeline.spellings;
  TokenTable words;
  for (size_t id = 0; id < pipeline.vocabulary.size(); ++id) {
    const std::string& spelling = pipeline.vocabulary[id].spelling;
    if (spelling.empty()) continue;
    const std::optional<std::string> bytes = alphabet_to_bytes(spelling);
    if (bytes) words.insert(*bytes, static_cast<int32_t>(id));
  }
  return words;
}

Status read_bpe(const Json& model, std::string_view where, bool is_byte_level, Pipeline& pipeline) {
  ANYBIT_TRY(refuse_options(model, where));
  BpeOptions options;
  options.is_byte_level = is_byte_level;
  ANYBIT_ASSIGN(options.ignore_merges, json_member_or<bool>(model, "ignore_merges", false, where));
  ANYBIT_ASSIGN(options.byte_fallback, json_member_or<bool>(model, "byte_fallback", false, where));
  ANYBIT_ASSIGN(options.fuse_unknown, json_member_or<bool>(model, "fuse_unk", false, where));
  ANYBIT_TRY(read_vocabulary(model, where, pipeline));
  ANYBIT_ASSIGN(Merges merges, read_merges(model, where, pipeline.spellings));
  int32_t unknown_id = BpeModel::kNoUnknown;
  if (const auto unknown = model.find("unk_token"); unknown != model.end() && !unknown->is_null()) {
    ANYBIT_ASSIGN(const std::string token, json_member<std::string>(model, "unk_token", where));
    unknown_id = pipeline.spellings.find(token);
    if (unknown_id >= 0) pipeline.roles.unknown = unknown_id;
    if (unknown_id < 0) unknown_id = BpeModel::kMissingUnknown;
  }
  if (!is_byte_level && pipeline.spellings.find(kMetaspaceText) >= 0) merges.cuts.enable();
  pipeline.model.emplace(BpeModel(options, pipeline.spellings, make_words(pipeline, is_byte_level),
                                  std::move(merges.table), unknown_id,
                                  static_cast<int64_t>(pipeline.vocabulary.size()), merges.cuts));
  return {};
}

// A vocabulary of [token, score] pairs; the index is the id. A repeated token keeps the last id.
Status read_unigram(const Json& model, std::string_view where, bool is_byte_level,
                    Pipeline& pipeline) {
  if (is_byte_level) {
    return fail(ErrorCode::kUnsupported, "{}: Unigram over bytes is not supported", where);
  }
  std::vector<double> scores;
  ByteTrie pieces;
  ANYBIT_TRY(for_each_component(
      model, "vocab", where, [&](const Json& pair, std::string_view at) -> Status {
        const bool is_pair =
            pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_number();
        if (!is_pair || static_cast<int64_t>(scores.size()) >= kMaxVocabSize) {
          return fail(ErrorCode::kCorruptData,
                      "{}: expected one of at most {} pairs [token, score], found {}", at,
                      kMaxVocabSize, pair.dump());
        }
        const auto id = static_cast<int32_t>(scores.size());
        const std::string& token = pair[0].get_ref<const std::string&>();
        scores.push_back(pair[1].get<double>());
        pipeline.vocabulary.emplace_back().spelling = token;
        if (token.empty()) return {};
        pipeline.spellings.insert(token, id);
        pieces.insert(token, id);
        return {};
      }));
  ANYBIT_ASSIGN(const int64_t unknown_id, json_member_or<int64_t>(model, "unk_id", -1, where));
  if (unknown_id < -1 || unknown_id >= static_cast<int64_t>(scores.size())) {
    return fail(ErrorCode::kCorruptData, "{}: \"unk_id\": expected an id below {}, found {}", where,
                scores.size(), unknown_id);
  }
  ANYBIT_ASSIGN(const bool byte_fallback,
                json_member_or<bool>(model, "byte_fallback", false, where));
  if (unknown_id >= 0) pipeline.roles.unknown = static_cast<int32_t>(unknown_id);
  pipeline.model.emplace(UnigramModel(pipeline.spellings, std::move(pieces), std::move(scores),
                                      static_cast<int32_t>(unknown_id), byte_fallback));
  return {};
}

}  // namespace

Status read_model(const Json& component, std::string_view where, bool is_byte_level,
                  Pipeline& pipeline) {
  if (!component.is_object()) {
    return fail(ErrorCode::kCorruptData, "{}: expected an object, found {}", where,
                component.type_name());
  }
  // Files older than the key "type" hold BPE.
  const std::string fallback = component.contains("merges") ? "BPE" : "";
  ANYBIT_ASSIGN(const std::string type,
                json_member_or<std::string>(component, "type", fallback, where));
  if (type == "BPE") return read_bpe(component, where, is_byte_level, pipeline);
  if (type == "Unigram") return read_unigram(component, where, is_byte_level, pipeline);
  return fail(ErrorCode::kUnsupported, "{}: the model \"{}\" is not supported", where, type);
}

}  // namespace anybit::model::internal

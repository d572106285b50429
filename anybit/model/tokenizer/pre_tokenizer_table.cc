#include "anybit/model/tokenizer/pre_tokenizer_table.h"

#include "anybit/model/tokenizer/internal/gpt2_pattern.h"

namespace anybit::model {
namespace {

#define ANYBIT_CONTRACTIONS R"('(?i:[sdmt]|ll|ve|re))"
// Words, numbers and punctuation as Llama 3 splits them, but for the number of digits.
#define ANYBIT_WORDS R"([^\r\n\p{L}\p{N}]?\p{L}+)"
#define ANYBIT_REST R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"
// Words that end where lower case turns to upper, as GPT-4o and Tekken split them.
#define ANYBIT_UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define ANYBIT_LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define ANYBIT_CASED_REST R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"

constexpr std::string_view kGpt2[] = {internal::kGpt2Pattern};

constexpr std::string_view kDefault[] = {R"([\p{P}\$\+<=>\^~\|]+)", internal::kGpt2Pattern,
                                         R"(\p{N}+)", "[0-9][0-9][0-9]"};

constexpr std::string_view kFalcon[] = {R"([\p{P}\$\+<=>\^~\|`]+)", internal::kGpt2Pattern,
                                        "[0-9][0-9][0-9]"};

constexpr std::string_view kSingleDigits[] = {R"(\p{N})", internal::kGpt2Pattern};

constexpr std::string_view kLlama3[] = {ANYBIT_CONTRACTIONS "|" ANYBIT_WORDS
                                                            R"(|\p{N}{1,3}|)" ANYBIT_REST};

constexpr std::string_view kQwen2[] = {ANYBIT_CONTRACTIONS "|" ANYBIT_WORDS
                                                           R"(|\p{N}|)" ANYBIT_REST};

constexpr std::string_view kTekken[] = {R"([^\r\n\p{L}\p{N}]?)" ANYBIT_UPPER "*" ANYBIT_LOWER
                                        R"(+|[^\r\n\p{L}\p{N}]?)" ANYBIT_UPPER "+" ANYBIT_LOWER
                                        R"(*|\p{N}|)" ANYBIT_CASED_REST};

constexpr std::string_view kGpt4o[] = {
    R"([^\r\n\p{L}\p{N}]?)" ANYBIT_UPPER "*" ANYBIT_LOWER "+(?:" ANYBIT_CONTRACTIONS
    R"()?|[^\r\n\p{L}\p{N}]?)" ANYBIT_UPPER "+" ANYBIT_LOWER "*(?:" ANYBIT_CONTRACTIONS
    R"()?|\p{N}{1,3}|)" ANYBIT_CASED_REST};

constexpr std::string_view kBloom[] = {" ?[^(\\s|.,!?…。，、।۔،)]+"};
constexpr std::string_view kViking[] = {" ?[^(\\s|.,!?…。，、।۔،)]+", R"(\p{N})"};

constexpr std::string_view kDeepseek3[] = {
    R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
    R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

#undef ANYBIT_CONTRACTIONS
#undef ANYBIT_WORDS
#undef ANYBIT_REST
#undef ANYBIT_UPPER
#undef ANYBIT_LOWER
#undef ANYBIT_CASED_REST

constexpr PreTokenizerRow kRows[] = {
    {"default", kDefault, false, false},
    {"gpt-2", kGpt2, false, false},
    {"phi-2", kGpt2, false, false},
    {"mpt", kGpt2, false, false},
    {"olmo", kGpt2, false, false},
    {"jais", kGpt2, false, false},
    {"gigachat", kGpt2, false, false},
    {"a.x-4.0", kGpt2, false, false},
    {"mellum", kGpt2, false, false},
    {"exaone4", kGpt2, false, false},
    {"starcoder", kSingleDigits, false, false},
    {"smollm", kSingleDigits, false, false},
    {"refact", kSingleDigits, false, false},
    {"command-r", kSingleDigits, false, false},
    {"codeshell", kSingleDigits, false, false},
    {"exaone", kSingleDigits, false, false},
    {"minerva-7b", kSingleDigits, false, false},
    {"falcon", kFalcon, false, false},
    {"llama3", kLlama3, true, true},
    {"llama-v3", kLlama3, true, true},
    {"llama-bpe", kLlama3, true, true},
    {"falcon3", kLlama3, true, true},
    {"falcon-h1", kLlama3, true, true},
    {"pixtral", kLlama3, true, true},
    {"midm-2.0", kLlama3, true, true},
    {"lfm2", kLlama3, true, true},
    {"dbrx", kLlama3, false, false},
    {"smaug-bpe", kLlama3, false, false},
    {"glm4", kLlama3, false, false},
    {"chatglm-bpe", kLlama3, false, false},
    {"qwen2", kQwen2, false, false},
    {"deepseek-r1-qwen", kQwen2, false, false},
    {"megrez", kQwen2, false, false},
    {"stablelm2", kQwen2, false, false},
    {"tekken", kTekken, true, true},
    {"gpt-4o", kGpt4o, false, false},
    {"llama4", kGpt4o, false, false},
    {"bloom", kBloom, false, false},
    {"poro-chat", kBloom, false, false},
    {"gpt3-finnish", kBloom, false, false},
    {"viking", kViking, false, false},
    {"deepseek-v3", kDeepseek3, false, false},
};

}  // namespace

std::span<const PreTokenizerRow> pre_tokenizer_table() { return kRows; }

const PreTokenizerRow* find_pre_tokenizer(std::string_view name) {
  for (const PreTokenizerRow& row : kRows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace anybit::model

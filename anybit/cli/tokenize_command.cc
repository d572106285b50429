#include "anybit/cli/tokenize_command.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <filesystem>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/cli/command.h"
#include "anybit/cli/progress_bar.h"
#include "anybit/model/open.h"
#include "anybit/model/tokenizer/tokenizer.h"

namespace anybit::cli {
namespace {

constexpr std::string_view kExamples =
    "  printf 'Hello, world' | anybit tokenize model.gguf\n"
    "  anybit tokenize models/wiki-6m --pieces < text.txt\n"
    "  echo 15496 11 995 | anybit tokenize model.gguf --decode";

struct TokenizeArguments {
  std::string model;
  bool decode = false, pieces = false, no_special = false, keep_special = false;
  CommonOptions common;
};

Result<std::string> read_standard_input() {
  std::string text;
  char chunk[1 << 16];
  while (const size_t count = std::fread(chunk, 1, sizeof(chunk), stdin)) text.append(chunk, count);
  if (std::ferror(stdin) != 0) return fail(ErrorCode::kIo, "standard input: cannot read");
  return text;
}

/// The tokenizer alone: a model's weights need not be there.
Result<model::Tokenizer> find_tokenizer(const std::string& name) {
  const std::filesystem::path path = name;
  std::error_code ignored;
  if (std::filesystem::exists(path / "tokenizer.json", ignored)) {
    return model::Tokenizer::load_folder(path);
  }
  if (path.extension() == ".json") {
    ANYBIT_ASSIGN(const std::string text, read_text_file(path));
    return model::Tokenizer::load_json(text, name);
  }
  ANYBIT_ASSIGN(const model::OpenedModel opened, model::open_model(name, progress_bar()));
  return model::load_tokenizer(opened);
}

/// Ids separated by white space or commas, also "[1, 2]" as JSON and Python print them.
Result<std::vector<int32_t>> parse_ids(std::string_view text) {
  constexpr std::string_view kSeparators = " \t\r\n,[]";
  std::vector<int32_t> ids;
  for (size_t begin = text.find_first_not_of(kSeparators); begin != text.npos;
       begin = text.find_first_not_of(kSeparators, begin)) {
    const std::string_view word =
        text.substr(begin, text.find_first_of(kSeparators, begin) - begin);
    int32_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size()) {
      return fail(ErrorCode::kInvalidArgument,
                  "standard input: expected a token id at byte {}, found \"{}\"", begin,
                  word.substr(0, 40));
    }
    ids.push_back(id);
    begin += word.size();
  }
  return ids;
}

/// Bytes of the text that are not UTF-8 become U+FFFD, as JSON cannot hold them.
void print_json(const OrderedJson& object) {
  fmt::print("{}\n", object.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
}

Status decode(const TokenizeArguments& arguments, const model::Tokenizer& tokenizer,
              std::string_view input) {
  ANYBIT_ASSIGN(const std::vector<int32_t> ids, parse_ids(input));
  ANYBIT_ASSIGN(const std::string text,
                tokenizer.decode(ids, {.skip_special = !arguments.keep_special}));
  if (arguments.common.json) {
    print_json({{"text", text}, {"count", ids.size()}});
  } else {
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  return {};
}

Status encode(const TokenizeArguments& arguments, const model::Tokenizer& tokenizer,
              std::string_view input) {
  ANYBIT_ASSIGN(const std::vector<int32_t> ids,
                tokenizer.encode(input, {.add_special = !arguments.no_special,
                                         .parse_special = !arguments.no_special}));
  if (arguments.common.json) {
    OrderedJson object = {{"ids", ids}, {"count", ids.size()}};
    if (arguments.pieces) {
      for (const int32_t id : ids) object["pieces"].push_back(tokenizer.token_text(id));
    }
    print_json(object);
  } else if (arguments.pieces) {
    for (const int32_t id : ids) fmt::print("{:>8}  {}\n", id, tokenizer.token_text(id));
  } else {
    fmt::print("{}\n", fmt::join(ids, " "));
  }
  return {};
}

Status tokenize(const TokenizeArguments& arguments) {
  ANYBIT_ASSIGN(const model::Tokenizer tokenizer, find_tokenizer(arguments.model));
  ANYBIT_ASSIGN(const std::string input, read_standard_input());
  return arguments.decode ? decode(arguments, tokenizer, input)
                          : encode(arguments, tokenizer, input);
}

}  // namespace

int tokenize_command(int argc, const char* const* argv) {
  TokenizeArguments arguments;
  Arguments parser("tokenize",
                   "Turns text on stdin into token ids, all of it, its last line end included; or "
                   "ids into text.",
                   kExamples);
  parser.positional("MODEL", &arguments.model,
                    "A Hugging Face folder, a .gguf file, a tokenizer.json, or hf:ORG/REPO");
  parser.flag("--decode", &arguments.decode, "Read ids, write text");
  parser.flag("--pieces", &arguments.pieces, "One id a line, with its spelling in the vocabulary");
  parser.flag("--no-special", &arguments.no_special,
              "Add no special tokens, and read none in the text");
  parser.flag("--keep-special", &arguments.keep_special, "With --decode, write special tokens too");
  parser.common(&arguments.common);
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  return finish("tokenize", tokenize(arguments));
}

}  // namespace anybit::cli

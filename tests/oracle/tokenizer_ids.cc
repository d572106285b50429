// tokenizer_ids PATH [add_special] [parse_special]: the tokenizer as a filter, for comparison with
// other implementations. PATH is a tokenizer.json, a model folder or a .gguf file.
// stdin: texts, each as its length in bytes, a newline and the bytes. stdout: a line a text: the
// ids, a '|' and the decoded bytes in hexadecimal; or "error: " and the message.
// With the option `time` instead, encodes stdin as one text and prints bytes, tokens and CPU
// seconds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "anybit/base/file.h"
#include "anybit/model/tokenizer/gguf_tokenizer.h"
#include "anybit/model/tokenizer/tokenizer.h"
#include "anybit/tensor/io/gguf.h"

namespace {

using anybit::Result;
using anybit::model::Tokenizer;

Result<Tokenizer> open_tokenizer(const std::string& path) {
  if (path.ends_with(".gguf")) {
    ANYBIT_ASSIGN(const auto file, anybit::tensor::open_gguf(path));
    ANYBIT_ASSIGN(const auto data, anybit::model::read_tokenizer_data(file.metadata));
    return Tokenizer::from_gguf_data(data, path);
  }
  if (!path.ends_with(".json")) return Tokenizer::load_folder(path);
  ANYBIT_ASSIGN(const std::string json, anybit::read_text_file(path));
  return Tokenizer::load_json(json, path);
}

void print_ids(const Tokenizer& tokenizer, const std::string& text,
               anybit::model::EncodeOptions options) {
  const auto ids = tokenizer.encode(text, options);
  if (!ids) {
    fmt::print("error: {}\n", ids.error().message);
    return;
  }
  for (const int32_t id : *ids) fmt::print("{} ", id);
  const auto bytes = tokenizer.decode(*ids, {.skip_special = false});
  fmt::print("|");
  for (const char c : bytes.value_or("")) fmt::print("{:02x}", static_cast<unsigned char>(c));
  fmt::print("\n");
}

int print_time(const Tokenizer& tokenizer) {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  constexpr int kNumRuns = 5;
  double best_seconds = 1e9;
  size_t num_tokens = 0;
  for (int run = 0; run < kNumRuns; ++run) {
    const std::clock_t begin = std::clock();
    const auto ids = tokenizer.encode(text);
    const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    if (!ids) {
      fmt::print(stderr, "error: {}\n", ids.error().message);
      return EXIT_FAILURE;
    }
    num_tokens = ids->size();
    best_seconds = std::min(best_seconds, seconds);
  }
  fmt::print("{} bytes, {} tokens, {:.4f} s, {:.1f} MB/s\n", text.size(), num_tokens, best_seconds,
             static_cast<double>(text.size()) / best_seconds * 1e-6);
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: tokenizer_ids PATH [add_special] [parse_special] [time]\n");
    return 2;
  }
  const std::clock_t begin = std::clock();
  const auto tokenizer = open_tokenizer(argv[1]);
  const double load_seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  if (!tokenizer) {
    fmt::print(stderr, "error: {}\n", tokenizer.error().message);
    return EXIT_FAILURE;
  }
  anybit::model::EncodeOptions options{.add_special = false, .parse_special = false};
  for (int i = 2; i < argc; ++i) {
    const std::string_view option = argv[i];
    options.add_special = options.add_special || option == "add_special";
    options.parse_special = options.parse_special || option == "parse_special";
    if (option != "time") continue;
    fmt::print("loaded in {:.3f} s; ", load_seconds);
    return print_time(*tokenizer);
  }
  std::string header;
  while (std::getline(std::cin, header)) {
    std::string text(std::strtoull(header.c_str(), nullptr, 10), '\0');
    std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
    print_ids(*tokenizer, text, options);
  }
  return EXIT_SUCCESS;
}

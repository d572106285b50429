// Perplexity of a model over given ids, to be compared with tools/rival_perplexity.py's:
//   model_perplexity MODEL IDS WINDOW THREADS KV_ELEMENT
// IDS: one id a line. Prints one JSON object.
#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "anybit/base/file.h"
#include "anybit/kernel/softmax/softmax.h"
#include "anybit/model/open.h"

namespace {

using anybit::Result;
using anybit::Status;

struct Arguments {
  std::string model;
  std::string ids;
  int64_t window;
  int threads;
  std::string kv_element;
};

Result<std::string> measure(const Arguments& arguments) {
  ANYBIT_ASSIGN(const auto opened, anybit::model::open_model(arguments.model));
  ANYBIT_ASSIGN(const auto model,
                anybit::model::Model::load(*opened.weights, {.threads = {arguments.threads}}));
  ANYBIT_ASSIGN(const auto element, anybit::kernel::parse_kv_element(arguments.kv_element));
  ANYBIT_ASSIGN(auto state, model.start({.capacity = arguments.window, .kv_element = element}));
  ANYBIT_ASSIGN(const std::string text, anybit::read_text_file(arguments.ids));
  std::vector<int32_t> ids;
  std::istringstream stream(text);
  for (int32_t id = 0; stream >> id;) ids.push_back(id);
  const auto num_windows = (static_cast<int64_t>(ids.size()) - 1) / arguments.window;
  const int64_t vocab_size = model.config().vocab_size;
  const auto start = std::chrono::steady_clock::now();
  double nll = 0;
  for (int64_t w = 0; w < num_windows; ++w) {
    state.truncate(0);
    const int32_t* first = ids.data() + w * arguments.window;
    ANYBIT_TRY(model.visit_logits(state, std::span(first, static_cast<size_t>(arguments.window)), 0,
                                  [&](int64_t index, std::span<const float> logits) -> Status {
                                    const int32_t target = first[index + 1];
                                    if (target < 0 || target >= vocab_size) {
                                      return anybit::fail(anybit::ErrorCode::kInvalidArgument,
                                                          "id {} of {}", target, vocab_size);
                                    }
                                    nll += anybit::kernel::negative_log_likelihood(
                                        logits.data(), vocab_size, target);
                                    return {};
                                  }));
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const auto tokens = static_cast<double>(num_windows * arguments.window);
  return fmt::format(R"({{"nll": {:.8f}, "ppl": {:.6f}, "tokens": {}, "window": {}, "kv": "{}", )"
                     R"("kernels": "{}", "seconds": {:.2f}}})",
                     nll / tokens, std::exp(nll / tokens), num_windows * arguments.window,
                     arguments.window, arguments.kv_element, model.kernel_names(), seconds.count());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    fmt::print(stderr, "usage: model_perplexity MODEL IDS WINDOW THREADS KV_ELEMENT\n");
    return 2;
  }
  const auto result = measure({argv[1], argv[2], std::atoll(argv[3]), std::atoi(argv[4]), argv[5]});
  if (!result) {
    fmt::print(stderr, "model_perplexity: {}\n", result.error().message);
    return 1;
  }
  fmt::print("{}\n", *result);
  return 0;
}

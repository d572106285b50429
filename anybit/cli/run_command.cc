#include "anybit/cli/run_command.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "anybit/base/json.h"
#include "anybit/cli/command.h"
#include "anybit/cli/loaded_model.h"
#include "anybit/cli/progress_bar.h"
#include "anybit/engine/chat.h"
#include "anybit/engine/model_sequence.h"
#include "anybit/engine/session.h"

namespace anybit::cli {
namespace {

constexpr std::string_view kExamples =
    "  anybit run models/wiki-6m -p 'The history of mathematics' -n 64 --temperature 0\n"
    "  anybit run model.gguf --chat -p 'What is a posit?'\n"
    "  anybit run model.gguf                 chat at the terminal; an empty line ends it";

struct RunArguments {
  std::string model, prompt, system, kv = "f16";
  int64_t num_tokens = 256, top_k = 40, seed = 0, context = 0;
  double temperature = 0.8, top_p = 0.95, min_p = 0.05, repeat_penalty = 1;
  bool chat = false;
  CommonOptions common;
};

engine::GenerateOptions generate_options(const RunArguments& arguments) {
  engine::GenerateOptions options;
  options.sampling.temperature = static_cast<float>(arguments.temperature);
  options.sampling.top_k = arguments.top_k;
  options.sampling.top_p = static_cast<float>(arguments.top_p);
  options.sampling.min_p = static_cast<float>(arguments.min_p);
  options.sampling.repetition_penalty = static_cast<float>(arguments.repeat_penalty);
  options.sampling.seed = static_cast<uint64_t>(arguments.seed);
  options.max_new_tokens = arguments.num_tokens;
  options.progress = progress_bar();
  return options;
}

// Prints pieces as they come, unless --json keeps stdout for one object: then a bar counts them.
engine::TextSink text_printer(const RunArguments& arguments) {
  if (arguments.common.json) {
    return [progress = progress_bar(), total = arguments.num_tokens,
            done = int64_t{0}](std::string_view) mutable {
      if (progress && total > 0) progress({"generate", ++done, total, "pieces", ""});
      return true;
    };
  }
  return [](std::string_view piece) {
    std::fwrite(piece.data(), 1, piece.size(), stdout);
    std::fflush(stdout);
    return true;
  };
}

void print_statistics(const engine::ChatReply& reply) {
  if (::isatty(STDERR_FILENO) == 0) return;
  const engine::GenerateStatistics& statistics = reply.statistics;
  fmt::print(stderr, "\n[{} prompt tokens at {:.0f}/s, {} generated at {:.1f}/s]\n",
             statistics.num_prompt_tokens, statistics.prefill_tokens_per_s(), reply.num_tokens,
             statistics.decode_tokens_per_s());
}

void print_json(const engine::ChatReply& reply) {
  const engine::GenerateStatistics& statistics = reply.statistics;
  const OrderedJson object = {{"text", reply.text},
                              {"stop_reason", engine::name(reply.stop_reason)},
                              {"prompt_tokens", statistics.num_prompt_tokens},
                              {"generated_tokens", reply.num_tokens},
                              {"prefill_tokens_per_s", statistics.prefill_tokens_per_s()},
                              {"decode_tokens_per_s", statistics.decode_tokens_per_s()}};
  fmt::print("{}\n", object.dump());
}

void print_reply(const engine::ChatReply& reply, bool json) {
  if (json) {
    print_json(reply);
  } else {
    fmt::print("\n");
    print_statistics(reply);
  }
}

model::ChatTemplateOptions template_options(const LoadedModel& loaded) {
  model::ChatTemplateOptions options;
  const auto text_of = [&](std::optional<int32_t> id) {
    return id ? std::string(loaded.tokenizer->token_text(*id)) : std::string();
  };
  options.bos_token = text_of(loaded.tokenizer->bos_id());
  options.eos_token = text_of(loaded.tokenizer->eos_id());
  return options;
}

Status complete(const RunArguments& arguments, const engine::GenerateOptions& options,
                const LoadedModel& loaded, engine::Session& session) {
  ANYBIT_ASSIGN(const std::vector<int32_t> ids, loaded.tokenizer->encode(arguments.prompt));
  if (!arguments.common.json) fmt::print("{}", arguments.prompt);
  ANYBIT_ASSIGN(
      const engine::ChatReply reply,
      engine::generate_text(session, *loaded.tokenizer, ids, options, text_printer(arguments)));
  print_reply(reply, arguments.common.json);
  return {};
}

Status converse(const RunArguments& arguments, const engine::GenerateOptions& options,
                const LoadedModel& loaded, engine::Session& session) {
  if (!loaded.chat_template) {
    return fail(ErrorCode::kUnsupported,
                "{}: has no chat template; give a prompt with -p and leave --chat out",
                loaded.name);
  }
  engine::Chat chat(session, *loaded.tokenizer, *loaded.chat_template, template_options(loaded));
  if (!arguments.system.empty()) chat.add({"system", arguments.system});
  const bool json = arguments.common.json;
  if (!arguments.prompt.empty()) {
    ANYBIT_ASSIGN(const engine::ChatReply reply,
                  chat.ask(arguments.prompt, options, text_printer(arguments)));
    print_reply(reply, json);
    return {};
  }
  const bool is_terminal = ::isatty(STDIN_FILENO) != 0;
  for (std::string line;;) {
    if (is_terminal) fmt::print(stderr, "> ");
    if (!std::getline(std::cin, line) || (is_terminal && line.empty())) return {};
    if (line.empty()) continue;
    ANYBIT_ASSIGN(const engine::ChatReply reply, chat.ask(line, options, text_printer(arguments)));
    print_reply(reply, json);
  }
}

Status check(const RunArguments& arguments, const engine::GenerateOptions& options) {
  ANYBIT_TRY(kernel::parse_kv_element(arguments.kv));
  if (arguments.num_tokens < -1 || arguments.context < 0) {
    return fail(ErrorCode::kInvalidArgument,
                "expected --num-tokens of -1 or more and --context of 0 or more, found {} and {}",
                arguments.num_tokens, arguments.context);
  }
  return kernel::validate(options.sampling);
}

Status run_model(const RunArguments& arguments, engine::GenerateOptions options) {
  const Threads threads = threads_of(arguments.common);
  ANYBIT_ASSIGN(const kernel::KvElement kv_element, kernel::parse_kv_element(arguments.kv));
  ANYBIT_ASSIGN(const LoadedModel loaded, load_model(arguments.model, threads, progress_bar()));
  ANYBIT_ASSIGN(auto sequence,
                engine::ModelSequence::create(
                    *loaded.decoder, {.capacity = arguments.context, .kv_element = kv_element}));
  options.stop_ids = loaded.end_ids;
  engine::Session session(sequence);
  const bool is_completion = !arguments.chat && !arguments.prompt.empty();
  return is_completion ? complete(arguments, options, loaded, session)
                       : converse(arguments, options, loaded, session);
}

}  // namespace

int run_command(int argc, const char* const* argv) {
  RunArguments arguments;
  Arguments parser("run",
                   "Continues a prompt, or chats. With --temperature 0 the most probable token is "
                   "taken; the same seed gives the same text.",
                   kExamples);
  parser.positional("MODEL", &arguments.model, kModelHelp);
  parser.option("-p,--prompt", &arguments.prompt, "Text to continue, or with --chat to answer");
  parser.option("-n,--num-tokens", &arguments.num_tokens, "Most tokens to generate; -1: no limit");
  parser.option("--temperature", &arguments.temperature, "0: greedy");
  parser.option("--top-k", &arguments.top_k, "Keep the k most probable tokens; 0: all");
  parser.option("--top-p", &arguments.top_p, "Keep the fewest tokens of this probability; 1: all");
  parser.option("--min-p", &arguments.min_p,
                "Keep tokens at least so probable relative to the first; 0: all");
  parser.option("--repeat-penalty", &arguments.repeat_penalty,
                "Divides the logits of recent tokens; 1: none");
  parser.option("--seed", &arguments.seed, "Of the draws");
  parser.flag("--chat", &arguments.chat, "Use the model's chat template");
  parser.option("--system", &arguments.system, "System message of a chat");
  parser.option("--context", &arguments.context, "Tokens of context; 0: the model's, at most 4096");
  parser.option("--kv", &arguments.kv, "KV cache elements: f32, f16, bf16, int8 or int4");
  parser.common(&arguments.common);
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  const engine::GenerateOptions options = generate_options(arguments);
  if (const Status status = check(arguments, options); !status) {
    return misuse("run", status.error());
  }
  return finish("run", run_model(arguments, options));
}

}  // namespace anybit::cli

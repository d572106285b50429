#include "anybit/cli/arguments.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>

namespace anybit::cli {

struct Arguments::Parser {
  CLI::App app;
};

Arguments::Arguments(std::string_view command, std::string_view summary, std::string_view examples)
    : parser_(std::make_unique<Parser>()) {
  CLI::App& app = parser_->app;
  app.name(fmt::format("anybit {}", command));
  app.description(std::string(summary));
  app.footer("\nExamples:\n" + std::string(examples));
  app.get_formatter()->column_width(34);
}

Arguments::~Arguments() = default;

void Arguments::positional(std::string_view name, std::string* value, std::string_view help,
                           bool is_required) {
  parser_->app.add_option(std::string(name), *value, std::string(help))->required(is_required);
}

void Arguments::option(std::string_view names, std::string* value, std::string_view help,
                       bool is_required) {
  CLI::Option* option = parser_->app.add_option(std::string(names), *value, std::string(help));
  option->required(is_required);
  if (!value->empty()) option->capture_default_str();
}

void Arguments::option(std::string_view names, int64_t* value, std::string_view help) {
  parser_->app.add_option(std::string(names), *value, std::string(help))->capture_default_str();
}

void Arguments::option(std::string_view names, double* value, std::string_view help) {
  parser_->app.add_option(std::string(names), *value, std::string(help))->capture_default_str();
}

void Arguments::option(std::string_view names, std::vector<std::string>* values,
                       std::string_view help) {
  parser_->app.add_option(std::string(names), *values, std::string(help))->expected(1)->take_all();
}

void Arguments::flag(std::string_view names, bool* value, std::string_view help) {
  parser_->app.add_flag(std::string(names), *value, std::string(help));
}

void Arguments::common(CommonOptions* options) {
  flag("--json", &options->json, "Print one JSON object on stdout");
  option("--threads", &options->threads, "Threads to use; 0: all this process may run on");
}

std::optional<int> Arguments::parse(int argc, const char* const* argv) {
  try {
    parser_->app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", parser_->app.help());
    return kExitDone;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}: {}\nRun with --help for more information.\n", parser_->app.get_name(),
               error.what());
    return kExitMisused;
  }
}

}  // namespace anybit::cli

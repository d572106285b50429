// Arguments: the options of one command, their help text and their parsing. The library behind it
// stays in arguments.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace anybit::cli {

/// Exit codes of every command.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitMisused = 2;

/// What every command takes.
struct CommonOptions {
  bool json = false;    // --json: one JSON object on stdout, nothing else there.
  int64_t threads = 0;  // --threads; 0: all that the process may use.
};

/// Options write through pointers that must outlive parse(); what they hold before is the default
/// that the help text shows.
class Arguments {
 public:
  /// `examples`: whole command lines, one a line, printed at the end of the help text.
  Arguments(std::string_view command, std::string_view summary, std::string_view examples);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  void positional(std::string_view name, std::string* value, std::string_view help,
                  bool is_required = true);
  /// `names`: "-o,--out". Exactly one of the overloads' types.
  void option(std::string_view names, std::string* value, std::string_view help,
              bool is_required = false);
  void option(std::string_view names, int64_t* value, std::string_view help);
  void option(std::string_view names, double* value, std::string_view help);
  /// May be given several times.
  void option(std::string_view names, std::vector<std::string>* values, std::string_view help);
  void flag(std::string_view names, bool* value, std::string_view help);
  /// --json and --threads.
  void common(CommonOptions* options);

  /// Nothing if the command should go on; else the exit code to end with: kExitDone after --help,
  /// kExitMisused after a message on stderr.
  std::optional<int> parse(int argc, const char* const* argv);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace anybit::cli

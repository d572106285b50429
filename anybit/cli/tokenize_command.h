#pragma once

namespace anybit::cli {

/// `anybit tokenize`; see its --help. Returns an exit code.
int tokenize_command(int argc, const char* const* argv);

}  // namespace anybit::cli

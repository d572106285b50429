#pragma once

namespace anybit::cli {

/// `anybit eval`; see its --help. Returns an exit code.
int eval_command(int argc, const char* const* argv);

}  // namespace anybit::cli

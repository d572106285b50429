#pragma once

namespace anybit::cli {

/// `anybit run`; see its --help. Returns an exit code.
int run_command(int argc, const char* const* argv);

}  // namespace anybit::cli

#pragma once

namespace anybit::cli {

/// `anybit bench`; see its --help. Returns an exit code.
int bench_command(int argc, const char* const* argv);

}  // namespace anybit::cli

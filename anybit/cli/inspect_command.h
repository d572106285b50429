#pragma once

namespace anybit::cli {

/// `anybit inspect`; see its --help. Returns an exit code.
int inspect_command(int argc, const char* const* argv);

}  // namespace anybit::cli

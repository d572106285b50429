#pragma once

namespace anybit::cli {

/// `anybit formats`; see its --help. Returns an exit code.
int formats_command(int argc, const char* const* argv);

}  // namespace anybit::cli

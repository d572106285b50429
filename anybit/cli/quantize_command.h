#pragma once

namespace anybit::cli {

/// `anybit quantize`; see its --help. Returns an exit code.
int quantize_command(int argc, const char* const* argv);

}  // namespace anybit::cli

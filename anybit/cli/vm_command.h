#pragma once

namespace anybit::cli {

/// `anybit vm`, whose first argument says what to do with programs of the tile VM; see its --help.
/// Returns an exit code.
int vm_command(int argc, const char* const* argv);

}  // namespace anybit::cli

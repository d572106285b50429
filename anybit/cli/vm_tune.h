// `anybit vm tune`: ranks the schedules of a kernel and times the best of them.
#pragma once

namespace anybit::cli {

/// Runs the action; argv[0] is its name. Returns the exit code.
int vm_tune(int argc, const char* const* argv);

}  // namespace anybit::cli

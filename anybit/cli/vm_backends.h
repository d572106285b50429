// The actions of `anybit vm` that lower, emit and run programs.
#pragma once

namespace anybit::cli {

int vm_opt(int argc, const char* const* argv);
int vm_emit(int argc, const char* const* argv);
int vm_run(int argc, const char* const* argv);

}  // namespace anybit::cli

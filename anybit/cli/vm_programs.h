// Programs of the tile VM from files, for the actions of `anybit vm`.
#pragma once

#include <string>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"

namespace anybit::cli {

/// The kernels of a file. Errors: of reading, parsing and verifying, with the path.
Result<std::vector<vm::Program>> read_programs(const std::string& path);

/// The kernel of that name; with an empty name the only one of the file.
/// Errors: kNotFound, kInvalidArgument listing the kernels there are.
Result<vm::Program> read_program(const std::string& path, const std::string& name);

}  // namespace anybit::cli

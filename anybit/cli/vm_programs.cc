#include "anybit/cli/vm_programs.h"

#include "anybit/base/file.h"
#include "anybit/vm/text/parse.h"

namespace anybit::cli {

Result<std::vector<vm::Program>> read_programs(const std::string& path) {
  ANYBIT_ASSIGN(const std::string text, read_text_file(path, vm::kMaxTextBytes));
  Result<std::vector<vm::Program>> programs = vm::parse_module(text);
  if (!programs) return with_context(programs.error(), path);
  return programs;
}

Result<vm::Program> read_program(const std::string& path, const std::string& name) {
  ANYBIT_ASSIGN(const std::vector<vm::Program> programs, read_programs(path));
  std::string names;
  for (const vm::Program& program : programs) {
    if (program.name == name || (name.empty() && programs.size() == 1)) return program;
    names += (names.empty() ? "" : ", ") + program.name;
  }
  return fail(name.empty() ? ErrorCode::kInvalidArgument : ErrorCode::kNotFound,
              "{}: {}; its kernels are: {}", path,
              name.empty() ? "name a kernel with --kernel" : "no kernel " + name, names);
}

}  // namespace anybit::cli

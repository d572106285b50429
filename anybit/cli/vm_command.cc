#include "anybit/cli/vm_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/cli/command.h"
#include "anybit/cli/vm_backends.h"
#include "anybit/cli/vm_programs.h"
#include "anybit/cli/vm_tune.h"
#include "anybit/layout/draw.h"
#include "anybit/layout/register_layout_text.h"
#include "anybit/vm/text/manual.h"
#include "anybit/vm/text/print.h"

namespace anybit::cli {
namespace {

void print_json(const OrderedJson& object) {
  fmt::print("{}\n", object.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
}

OrderedJson to_json(const vm::Program& program) {
  OrderedJson parameters = OrderedJson::array();
  for (const vm::VariableId id : program.parameters) {
    parameters.push_back({{"name", program.variables[id].name},
                          {"type", vm::scalar_type_name(program.variables[id].type)}});
  }
  int64_t num_statements = 0;
  vm::for_each_statement(program.body, [&](const vm::Statement&) { ++num_statements; });
  return {{"name", program.name},           {"comment", program.comment},
          {"parameters", parameters},       {"warps", program.num_warps},
          {"tiles", program.values.size()}, {"statements", num_statements}};
}

Status check_and_print(const std::string& path, bool json) {
  ANYBIT_ASSIGN(const std::vector<vm::Program> programs, read_programs(path));
  OrderedJson kernels = OrderedJson::array();
  for (const vm::Program& program : programs) {
    kernels.push_back(to_json(program));
    if (json) continue;
    fmt::print("{}: {} parameters, {} warps, {} tiles, {} statements\n", program.name,
               program.parameters.size(), program.num_warps, program.values.size(),
               kernels.back()["statements"].get<int64_t>());
  }
  if (json) print_json({{"path", path}, {"kernels", kernels}});
  return {};
}

int vm_check(int argc, const char* const* argv) {
  std::string path;
  CommonOptions common;
  Arguments parser("vm check",
                   "Parses and verifies the kernels of a file; says where it is wrong, or what it "
                   "holds.",
                   "  anybit vm check scale.vm\n"
                   "  anybit vm check scale.vm --json");
  parser.positional("FILE", &path, "Kernels in text form (docs/vm.md)");
  parser.common(&common);
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  return finish("vm check", check_and_print(path, common.json));
}

Status print_programs(const std::string& path) {
  ANYBIT_ASSIGN(const std::vector<vm::Program> programs, read_programs(path));
  fmt::print("{}", vm::print(programs));
  return {};
}

int vm_print(int argc, const char* const* argv) {
  std::string path;
  Arguments parser("vm print",
                   "Prints the kernels of a file in canonical form, every tile with its type.",
                   "  anybit vm print scale.vm");
  parser.positional("FILE", &path, "Kernels in text form (docs/vm.md)");
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  return finish("vm print", print_programs(path));
}

Status show_layout(const std::string& text, const std::string& svg_path, bool json) {
  ANYBIT_ASSIGN(const layout::RegisterLayout layout, layout::parse_register_layout(text));
  if (!svg_path.empty()) {
    ANYBIT_ASSIGN(const std::string svg, layout::draw_svg(layout));
    ANYBIT_TRY(write_file(svg_path, svg));
  }
  if (json) {
    print_json({{"layout", layout::to_string(layout)},
                {"shape", std::vector<int64_t>(layout.shape().begin(), layout.shape().end())},
                {"threads", layout.num_threads()},
                {"elements_per_thread", layout.local_size()},
                {"copies", layout.replication()}});
    return {};
  }
  fmt::print("{}\nshape {}, {} threads, {} elements a thread, each element in {} thread{}\n",
             layout::to_string(layout), layout::to_string(layout.shape()), layout.num_threads(),
             layout.local_size(), layout.replication(), layout.replication() == 1 ? "" : "s");
  if (!svg_path.empty()) return {};
  ANYBIT_ASSIGN(const std::string table, layout::draw_text(layout));
  fmt::print("\n{}", table);
  return {};
}

int vm_layout(int argc, const char* const* argv) {
  std::string text, svg_path;
  CommonOptions common;
  Arguments parser("vm layout",
                   "Draws which thread holds which element of a tile, as THREAD:PLACE.",
                   "  anybit vm layout \"local(2,1).spatial(8,4).local(1,2)\"\n"
                   "  anybit vm layout \"spatial(8,4).local(2,2)\" --svg layout.svg");
  parser.positional("LAYOUT", &text, "A register layout, outermost factor first");
  parser.option("--svg", &svg_path, "Draw into this file, coloured by thread, not on stdout");
  parser.common(&common);
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  return finish("vm layout", show_layout(text, svg_path, common.json));
}

int vm_manual(int argc, const char* const* argv) {
  Arguments parser("vm manual",
                   "Prints the reference of instructions and operators, as docs/vm.md holds it.",
                   "  anybit vm manual > instructions.md");
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  fmt::print("{}", vm::reference_manual());
  return kExitDone;
}

constexpr Command kActions[] = {
    {"check", "Parse and verify the kernels of a file", vm_check},
    {"print", "Print the kernels of a file in canonical form", vm_print},
    {"opt", "Run the passes and print the kernel", vm_opt},
    {"run", "Run a kernel on npy arrays", vm_run},
    {"emit", "Print the CUDA C++ of a kernel, or compile it", vm_emit},
    {"tune", "Time the schedules of a kernel and keep the quickest", vm_tune},
    {"layout", "Draw a register layout", vm_layout},
    {"manual", "Print the reference of instructions and operators", vm_manual},
};

void print_help(std::FILE* out) {
  fmt::print(out,
             "Checks, prints and explains programs of the tile VM.\n\n"
             "Usage: anybit vm ACTION [OPTIONS]\n\nActions:\n");
  for (const Command& action : kActions) {
    fmt::print(out, "  {:<10} {}\n", action.name, action.summary);
  }
  fmt::print(out,
             "\nanybit vm ACTION --help explains an action.\n\nExamples:\n"
             "  anybit vm check scale.vm\n"
             "  anybit vm layout \"local(2,1).spatial(8,4).local(1,2)\"\n");
}

}  // namespace

int vm_command(int argc, const char* const* argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h") {
    print_help(stdout);
    return kExitDone;
  }
  const Command* found = std::ranges::find(kActions, name, &Command::name);
  if (found != std::ranges::end(kActions)) return found->run(argc - 1, argv + 1);
  if (name.empty()) {
    print_help(stderr);
  } else {
    fmt::print(stderr, "anybit vm: no action \"{}\"; anybit vm --help lists them\n", name);
  }
  return kExitMisused;
}

}  // namespace anybit::cli

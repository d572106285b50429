#include "anybit/cli/vm_backends.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/cli/command.h"
#include "anybit/cli/vm_programs.h"
#include "anybit/layout/register_layout_text.h"
#include "anybit/numeric/packing.h"
#include "anybit/tensor/io/npy.h"
#include "anybit/vm/backend/cuda/program.h"
#include "anybit/vm/backend/run.h"
#include "anybit/vm/pass/pipeline.h"
#include "anybit/vm/text/print.h"

namespace anybit::cli {
namespace {

std::string pass_list() {
  std::string names;
  for (const vm::PassInfo& pass : vm::passes()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", pass.name);
  }
  return names;
}

struct OptOptions {
  std::string path, kernel, after;
  bool explain = false;
};

Status optimize(const OptOptions& options) {
  ANYBIT_ASSIGN(vm::Program program, read_program(options.path, options.kernel));
  const auto after = std::ranges::find(vm::passes(), options.after, &vm::PassInfo::name);
  if (!options.after.empty() && after == vm::passes().end()) {
    return fail(ErrorCode::kInvalidArgument, "--print-after={}: no such pass; there are: {}",
                options.after, pass_list());
  }
  vm::LoweringOptions lowering;
  lowering.verify_after_each = true;
  lowering.wants_code = options.explain || (after != vm::passes().end() && after->plans_code);
  lowering.after_pass = [&](const vm::PassInfo& pass, const vm::LoweredProgram& lowered) {
    if (pass.name == options.after) fmt::print("{}", vm::print_after(pass, lowered));
  };
  ANYBIT_ASSIGN(const vm::LoweredProgram lowered, vm::lower(std::move(program), lowering));
  if (options.explain) {
    for (const vm::LayoutDecision& decision : lowered.notes.layouts) {
      const vm::Value& value = lowered.program.values[decision.value];
      fmt::print("%{} @ {}\n    {}{}: {}\n", value.name,
                 layout::to_string(*value.type.register_layout),
                 decision.line > 0 ? fmt::format("line {}, ", decision.line) : "",
                 decision.instruction, decision.rule);
    }
    for (const auto& [pass, remark] : lowered.notes.remarks) {
      fmt::print("{}: {}{}\n", pass, remark.line > 0 ? fmt::format("line {}: ", remark.line) : "",
                 remark.text);
    }
    // How instructions are carried out is decided as the text is written.
    const auto emitted = vm::cuda::emit_cuda(lowered);
    if (!emitted) return with_context(emitted.error(), "as CUDA");
    for (const std::string& note : emitted->notes) fmt::print("note: {}\n", note);
  } else if (options.after.empty()) {
    fmt::print("{}", vm::print(lowered.program));
  }
  return {};
}

struct EmitCommandOptions {
  std::string path, kernel, arch = "sm_90a", cubin;
  bool header = false;
  bool json = false;
};

Status emit(const EmitCommandOptions& options) {
  ANYBIT_ASSIGN(vm::Program program, read_program(options.path, options.kernel));
  const int architecture = vm::cuda::architecture_number(options.arch);
  if (architecture < 75) {
    return fail(ErrorCode::kInvalidArgument, "--arch {}: expected sm_80, sm_90a or the like",
                options.arch);
  }
  ANYBIT_ASSIGN(const vm::LoweredProgram lowered,
                vm::lower(std::move(program), {.architecture = architecture, .wants_code = true}));
  ANYBIT_ASSIGN(const vm::cuda::EmittedKernel emitted,
                vm::cuda::emit_cuda(lowered, {.architecture = architecture}));
  OrderedJson json = {{"kernel", emitted.name},
                      {"threads", emitted.threads_per_cta},
                      {"shared_bytes", emitted.shared_bytes},
                      {"notes", emitted.notes}};
  if (!options.cubin.empty()) {
    ANYBIT_ASSIGN(const vm::cuda::Compiler compiler, vm::cuda::Compiler::load());
    ANYBIT_ASSIGN(const vm::cuda::Cubin cubin,
                  vm::cuda::compile_kernel(compiler, emitted, options.arch, nullptr));
    ANYBIT_TRY(write_file(
        options.cubin,
        std::string_view(reinterpret_cast<const char*>(cubin.bytes.data()), cubin.bytes.size())));
    json["compile_seconds"] = cubin.seconds;
    for (const vm::cuda::KernelResources& kernel : cubin.kernels) {
      if (kernel.name != emitted.name) continue;
      json["registers"] = kernel.registers;
      json["spill_bytes"] = kernel.spill_load_bytes + kernel.spill_store_bytes;
      if (!options.json) {
        fmt::print(stderr, "{}: {} registers, {} bytes spilled, compiled in {:.2f} s\n",
                   options.cubin, kernel.registers,
                   kernel.spill_load_bytes + kernel.spill_store_bytes, cubin.seconds);
      }
    }
  }
  for (const std::string& note : emitted.notes) fmt::print(stderr, "note: {}\n", note);
  if (options.json) {
    json["source"] = emitted.source;
    fmt::print("{}\n", json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  } else if (options.cubin.empty()) {
    fmt::print("{}", options.header ? vm::cuda::compiler_input(emitted) : emitted.source);
  }
  return {};
}

/// A buffer argument of `vm run`, and how it is written as npy.
struct RunBuffer {
  std::vector<std::byte> bytes;
  tensor::DataType data_type = tensor::DataType::kU8;
  std::vector<int64_t> shape;
};

/// The npy type of an element, where numpy has one; else bytes.
tensor::DataType data_type_of(const numeric::ElementFormat& element) {
  static const std::map<std::string, tensor::DataType> kTypes = {
      {"f32", tensor::DataType::kF32},   {"f16", tensor::DataType::kF16},
      {"int8", tensor::DataType::kI8},   {"uint8", tensor::DataType::kU8},
      {"int16", tensor::DataType::kI16}, {"uint16", tensor::DataType::kU16},
      {"int32", tensor::DataType::kI32}, {"uint32", tensor::DataType::kU32}};
  const auto found = kTypes.find(vm::tile_element_name(element));
  return found == kTypes.end() ? tensor::DataType::kU8 : found->second;
}

/// "f16[1024]": zeros. "x.npy": the file.
Result<RunBuffer> make_buffer(const std::string& text) {
  RunBuffer buffer;
  if (text.ends_with(".npy")) {
    ANYBIT_ASSIGN(const tensor::Tensor tensor, tensor::read_npy(text));
    buffer.bytes.assign(tensor.elements.bytes().begin(), tensor.elements.bytes().end());
    buffer.data_type = tensor.data_type;
    buffer.shape = tensor.shape;
    return buffer;
  }
  const size_t bracket = text.find('[');
  int64_t count = 0;
  if (bracket == std::string::npos || !text.ends_with(']') ||
      std::from_chars(text.data() + bracket + 1, text.data() + text.size() - 1, count).ptr !=
          text.data() + text.size() - 1 ||
      count <= 0 || count > (int64_t{1} << 32)) {
    return fail(ErrorCode::kInvalidArgument, "{}: expected FILE.npy or ELEMENT[COUNT]", text);
  }
  ANYBIT_ASSIGN(const auto element, vm::parse_tile_element(text.substr(0, bracket)));
  buffer.data_type = data_type_of(element);
  const int64_t size = numeric::packed_size_bytes(count, element.bits);
  buffer.bytes.assign(static_cast<size_t>(size), std::byte{0});
  buffer.shape = {size / tensor::size_bytes(buffer.data_type)};
  return buffer;
}

template <class T>
Result<T> parse_number(const std::string& name, const std::string& text) {
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) {
    return fail(ErrorCode::kInvalidArgument, "--arg {}={}: expected a number", name, text);
  }
  return value;
}

/// An integer in the range of the parameter; true and false of a bool too.
Result<int64_t> parse_integer(const vm::Variable& parameter, const std::string& text) {
  if (parameter.type == vm::ScalarType::kBool && (text == "true" || text == "false")) {
    return text == "true" ? 1 : 0;
  }
  ANYBIT_ASSIGN(const int64_t value, parse_number<int64_t>(parameter.name, text));
  const bool fits = parameter.type == vm::ScalarType::kBool  ? value == 0 || value == 1
                    : parameter.type == vm::ScalarType::kI32 ? value == static_cast<int32_t>(value)
                                                             : true;
  if (fits) return value;
  return fail(ErrorCode::kInvalidArgument, "--arg {}={}: not in the range of {}", parameter.name,
              text, vm::scalar_type_name(parameter.type));
}

struct RunCommandOptions {
  std::string path, kernel, backend = "reference";
  std::vector<std::string> arguments, saves;
};

Result<std::map<std::string, std::string>> split_assignments(std::string_view option,
                                                             const std::vector<std::string>& all) {
  std::map<std::string, std::string> result;
  for (const std::string& text : all) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return fail(ErrorCode::kInvalidArgument, "{} {}: expected NAME=VALUE", option, text);
    }
    const std::string name = text.substr(0, equals);
    if (!result.emplace(name, text.substr(equals + 1)).second) {
      return fail(ErrorCode::kInvalidArgument, "{} {} is given twice", option, name);
    }
  }
  return result;
}

/// Aligned copies of the buffers: pointers are multiples of 16.
struct AlignedBytes {
  explicit AlignedBytes(size_t size) : storage(size + 16) {}
  std::span<std::byte> span(size_t size) {
    const auto address = reinterpret_cast<uintptr_t>(storage.data());
    return {storage.data() + (16 - address % 16) % 16, size};
  }
  std::vector<std::byte> storage;
};

Status run_kernel(const RunCommandOptions& options) {
  ANYBIT_ASSIGN(const vm::Program program, read_program(options.path, options.kernel));
  const auto backend = vm::find_backend(options.backend);
  if (!backend) {
    return fail(ErrorCode::kInvalidArgument, "--backend {}: expected reference, emulated or cuda",
                options.backend);
  }
  ANYBIT_ASSIGN(auto given, split_assignments("--arg", options.arguments));
  ANYBIT_ASSIGN(const auto saves, split_assignments("--save", options.saves));
  std::map<std::string, RunBuffer> buffers;
  std::vector<std::unique_ptr<AlignedBytes>> storage;
  std::map<std::string, std::span<std::byte>> spans;
  std::vector<vm::LaunchArgument> arguments;
  for (const vm::VariableId id : program.parameters) {
    const vm::Variable& parameter = program.variables[id];
    const auto found = given.find(parameter.name);
    if (found == given.end()) {
      return fail(ErrorCode::kInvalidArgument, "--arg {}=... is missing, of type {}",
                  parameter.name, vm::scalar_type_name(parameter.type));
    }
    const std::string text = found->second;
    given.erase(found);
    if (parameter.type == vm::ScalarType::kPointer) {
      Result<RunBuffer> made = make_buffer(text);
      if (!made) return with_context(made.error(), "--arg " + parameter.name);
      RunBuffer& buffer = *made;
      storage.push_back(std::make_unique<AlignedBytes>(buffer.bytes.size()));
      const auto span = storage.back()->span(buffer.bytes.size());
      std::ranges::copy(buffer.bytes, span.begin());
      arguments.emplace_back(span);
      spans[parameter.name] = span;
      buffers[parameter.name] = std::move(buffer);
    } else if (parameter.type == vm::ScalarType::kF32) {
      ANYBIT_ASSIGN(const float value, parse_number<float>(parameter.name, text));
      arguments.emplace_back(value);
    } else {
      ANYBIT_ASSIGN(const int64_t value, parse_integer(parameter, text));
      arguments.emplace_back(vm::ScalarValue{parameter.type, value, 0, nullptr});
    }
  }
  if (!given.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--arg {}: {} has no such parameter",
                given.begin()->first, program.name);
  }
  for (const auto& [name, path] : saves) {
    if (!buffers.contains(name)) {
      return fail(ErrorCode::kInvalidArgument, "--save {}: {} has no such pointer", name,
                  program.name);
    }
  }
  vm::RunOptions run_options;
  run_options.print = [](std::string_view line) { fmt::print("{}\n", line); };
  ANYBIT_TRY(vm::run_program(*backend, program, arguments, run_options));
  for (const auto& [name, path] : saves) {
    const RunBuffer& buffer = buffers[name];
    ANYBIT_TRY(
        tensor::write_npy(path, {buffer.data_type, buffer.shape, Buffer::copy_of(spans[name])}));
  }
  return {};
}

}  // namespace

int vm_opt(int argc, const char* const* argv) {
  OptOptions options;
  Arguments parser("vm opt",
                   fmt::format("Runs the passes ({}) on a kernel and prints it.", pass_list()),
                   "  anybit vm opt scale.vm\n"
                   "  anybit vm opt scale.vm --print-after fold\n"
                   "  anybit vm opt scale.vm --explain");
  parser.positional("FILE", &options.path, "Kernels in text form (docs/vm.md)");
  parser.option("--kernel", &options.kernel, "Which kernel, if the file has several");
  parser.option("--print-after", &options.after, "Print after this pass instead of the last");
  parser.flag("--explain", &options.explain,
              "Print which rule gave each tile its layout, what passes did, what CUDA's text does");
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  return finish("vm opt", optimize(options));
}

int vm_emit(int argc, const char* const* argv) {
  EmitCommandOptions options;
  Arguments parser("vm emit", "Prints the CUDA C++ that a kernel becomes, or compiles it.",
                   "  anybit vm emit scale.vm\n"
                   "  anybit vm emit scale.vm --arch sm_80 --cubin scale.cubin");
  parser.positional("FILE", &options.path, "Kernels in text form (docs/vm.md)");
  parser.option("--kernel", &options.kernel, "Which kernel, if the file has several");
  parser.option("--arch", &options.arch, "The architecture: sm_80, sm_86, sm_89, sm_90a, ...");
  parser.option("--cubin", &options.cubin, "Compile with NVRTC into this file");
  parser.flag("--header", &options.header, "Print the device header too: a whole source file");
  parser.flag("--json", &options.json, "Print one JSON object, source included");
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  return finish("vm emit", emit(options));
}

int vm_run(int argc, const char* const* argv) {
  RunCommandOptions options;
  Arguments parser("vm run", "Runs a kernel on arrays from npy files.",
                   "  anybit vm run scale.vm --arg x=x.npy --arg n=1024 --save x=y.npy\n"
                   "  anybit vm run scale.vm --backend cuda --arg x=f16[1024] --arg n=1024");
  parser.positional("FILE", &options.path, "Kernels in text form (docs/vm.md)");
  parser.option("--kernel", &options.kernel, "Which kernel, if the file has several");
  parser.option("--backend", &options.backend, "reference, emulated or cuda");
  parser.option("--arg", &options.arguments,
                "NAME=VALUE for each parameter: a number; for pointers FILE.npy or, for zeros, "
                "ELEMENT[COUNT]");
  parser.option("--save", &options.saves, "NAME=FILE.npy: write a pointer's memory after the run");
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  return finish("vm run", run_kernel(options));
}

}  // namespace anybit::cli

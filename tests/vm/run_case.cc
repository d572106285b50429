#include "tests/vm/run_case.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "anybit/numeric/packing.h"
#include "anybit/vm/text/parse.h"

namespace anybit::vm::testing {
namespace {

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

/// Memory aligned as launches need it.
class Buffer {
 public:
  Buffer(const numeric::ElementFormat& element, int64_t size)
      : element_(element), size_(size), words_(static_cast<size_t>(num_bytes() / 16 + 1)) {}

  std::span<std::byte> bytes() {
    return {reinterpret_cast<std::byte*>(words_.data()), static_cast<size_t>(num_bytes())};
  }
  int64_t size() const { return size_; }
  const numeric::ElementFormat& element() const { return element_; }
  uint32_t code(int64_t i) const {
    const std::span<const std::byte> packed{reinterpret_cast<const std::byte*>(words_.data()),
                                            static_cast<size_t>(num_bytes())};
    return numeric::unpack_code(packed, element_.bits, i);
  }
  void set_code(int64_t i, uint32_t code) {
    numeric::pack_codes({&code, 1}, element_.bits, bytes(), i);
  }

 private:
  struct alignas(16) Word {
    std::byte bytes[16];
  };
  int64_t num_bytes() const { return (size_ * element_.bits + 7) / 8; }

  numeric::ElementFormat element_;
  int64_t size_;
  std::vector<Word> words_;
};

/// "x: f16[256] = rest": the name, what follows the colon, and the rest.
struct Declaration {
  std::string name, type, rest;
};
Result<Declaration> split_declaration(std::string_view text) {
  const size_t colon = text.find(':'), equals = text.find('=');
  if (colon == std::string_view::npos || equals == std::string_view::npos || equals < colon) {
    return fail(ErrorCode::kInvalidArgument, "expected 'name: type = value', found '{}'", text);
  }
  return Declaration{trimmed(text.substr(0, colon)),
                     trimmed(text.substr(colon + 1, equals - colon - 1)),
                     trimmed(text.substr(equals + 1))};
}

Result<BufferSpec> parse_buffer(const Declaration& declaration) {
  const size_t bracket = declaration.type.find('[');
  BufferSpec spec;
  spec.name = declaration.name;
  ANYBIT_ASSIGN(spec.element, parse_tile_element(trimmed(declaration.type.substr(0, bracket))));
  spec.size = std::atoll(declaration.type.c_str() + bracket + 1);
  if (spec.size <= 0) {
    return fail(ErrorCode::kInvalidArgument, "{}: a buffer of {} elements", spec.name, spec.size);
  }
  std::string text = declaration.rest;
  if (text.starts_with("fill ")) {
    spec.fill_byte = static_cast<uint8_t>(std::strtol(text.c_str() + 5, nullptr, 0));
    return spec;
  }
  if (const size_t within = text.find(" within "); within != std::string::npos) {
    ANYBIT_ASSIGN(spec.tolerance, Formula::parse(text.substr(within + 8)));
    text.resize(within);
  }
  spec.is_code = text.starts_with("code ");
  if (spec.is_code) text.erase(0, 5);
  ANYBIT_ASSIGN(spec.formula, Formula::parse(text));
  return spec;
}

Result<ScalarSpec> parse_scalar(const Declaration& declaration) {
  ScalarSpec spec{declaration.name, {}};
  const char* text = declaration.rest.c_str();
  if (declaration.type == "i32" || declaration.type == "i64") {
    spec.value.type = declaration.type == "i32" ? ScalarType::kI32 : ScalarType::kI64;
    spec.value.integer = std::strtoll(text, nullptr, 0);
  } else if (declaration.type == "f32") {
    spec.value.type = ScalarType::kF32;
    spec.value.real = std::strtof(text, nullptr);
  } else if (declaration.type == "bool") {
    spec.value.type = ScalarType::kBool;
    spec.value.integer = declaration.rest == "true";
  } else {
    return fail(ErrorCode::kInvalidArgument, "{}: unknown type {}", declaration.name,
                declaration.type);
  }
  return spec;
}

Status parse_header_line(RunCase& test, std::string_view line) {
  const auto rest_after = [&](std::string_view key) {
    return trimmed(line.substr(std::min(key.size(), line.size())));
  };
  if (line.starts_with("expect-error:")) {
    test.error = rest_after("expect-error:");
  } else if (line.starts_with("expect-print:")) {
    test.printed.push_back(rest_after("expect-print:"));
  } else if (line.starts_with("expect ")) {
    ANYBIT_ASSIGN(const Declaration declaration, split_declaration(rest_after("expect ")));
    ANYBIT_ASSIGN(test.expectations.emplace_back(), parse_buffer(declaration));
  } else if (line.starts_with("arg ")) {
    ANYBIT_ASSIGN(const Declaration declaration, split_declaration(rest_after("arg ")));
    if (declaration.type.find('[') != std::string::npos) {
      ANYBIT_ASSIGN(test.buffers.emplace_back(), parse_buffer(declaration));
    } else {
      ANYBIT_ASSIGN(test.scalars.emplace_back(), parse_scalar(declaration));
    }
  }
  return {};
}

/// The buffers of a case, by name, with their values.
struct Memory {
  std::vector<std::string> names;
  std::vector<Buffer> buffers;

  Buffer* find(std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? nullptr : &buffers[static_cast<size_t>(found - names.begin())];
  }
};

FormulaScope scope_of(const RunCase& test, Memory& memory) {
  return {[&](std::string_view name, bool wants_code, int64_t index) -> Result<double> {
    if (index < 0) {
      for (const ScalarSpec& scalar : test.scalars) {
        if (scalar.name != name) continue;
        return scalar.value.type == ScalarType::kF32 ? double{scalar.value.real}
                                                     : static_cast<double>(scalar.value.integer);
      }
      return fail(ErrorCode::kInvalidArgument, "no scalar {}", name);
    }
    const Buffer* buffer = memory.find(name);
    if (buffer == nullptr || index >= buffer->size()) {
      return fail(ErrorCode::kInvalidArgument, "no element {}[{}]", name, index);
    }
    const uint32_t code = buffer->code(index);
    return wants_code ? double{code * 1.0} : decode_element(buffer->element(), code);
  }};
}

Result<Memory> build_memory(const RunCase& test) {
  Memory memory;
  for (const BufferSpec& spec : test.buffers) {
    Buffer buffer(spec.element, spec.size);
    if (spec.fill_byte) {
      std::memset(buffer.bytes().data(), *spec.fill_byte, buffer.bytes().size());
    }
    for (int64_t i = 0; spec.formula && i < spec.size; ++i) {
      ANYBIT_ASSIGN(const double value, spec.formula->evaluate(i, scope_of(test, memory)));
      buffer.set_code(i, spec.is_code ? static_cast<uint32_t>(value)
                                      : encode_element(spec.element, value,
                                                       {numeric::RoundingMode::kNearestEven,
                                                        numeric::Overflow::kSpecial}));
    }
    memory.names.push_back(spec.name);
    memory.buffers.push_back(std::move(buffer));
  }
  return memory;
}

Status check_expectation(const RunCase& test, const BufferSpec& expected, Memory& before,
                         Memory& after) {
  const Buffer* found = after.find(expected.name);
  if (found == nullptr || !(found->element() == expected.element) ||
      found->size() != expected.size) {
    return fail(ErrorCode::kInvalidArgument, "expect {}: no such argument", expected.name);
  }
  const FormulaScope scope = scope_of(test, before);
  for (int64_t i = 0; i < expected.size; ++i) {
    const uint32_t code = found->code(i);
    uint32_t wanted = 0;
    double wanted_value = 0;
    if (expected.fill_byte) {
      wanted = before.find(expected.name)->code(i);
    } else {
      ANYBIT_ASSIGN(wanted_value, expected.formula->evaluate(i, scope));
      wanted =
          expected.is_code
              ? static_cast<uint32_t>(wanted_value)
              : encode_element(expected.element, wanted_value,
                               {numeric::RoundingMode::kNearestEven, numeric::Overflow::kSpecial});
    }
    if (code == wanted) continue;
    if (expected.is_code) {
      return fail(ErrorCode::kInvalidArgument, "{}[{}]: expected code {:#x}, found {:#x}",
                  expected.name, i, wanted, code);
    }
    const double value = decode_element(expected.element, code);
    if (std::isnan(value) && std::isnan(wanted_value)) continue;
    if (expected.tolerance) {
      ANYBIT_ASSIGN(const double tolerance, expected.tolerance->evaluate(i, scope));
      if (std::fabs(value - wanted_value) <= tolerance) continue;
    }
    return fail(ErrorCode::kInvalidArgument, "{}[{}]: expected {}, found {}", expected.name, i,
                wanted_value, value);
  }
  return {};
}

Result<std::vector<LaunchArgument>> launch_arguments(const RunCase& test, Memory& memory) {
  std::vector<LaunchArgument> arguments;
  for (const VariableId id : test.program.parameters) {
    const std::string& name = test.program.variables[id].name;
    const auto scalar = std::find_if(test.scalars.begin(), test.scalars.end(),
                                     [&](const ScalarSpec& s) { return s.name == name; });
    if (scalar != test.scalars.end()) {
      arguments.emplace_back(scalar->value);
    } else if (Buffer* buffer = memory.find(name)) {
      arguments.emplace_back(buffer->bytes());
    } else {
      return fail(ErrorCode::kInvalidArgument, "no 'arg {}' in the header", name);
    }
  }
  return arguments;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

Result<RunCase> load_run_case(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(ErrorCode::kNotFound, "{} cannot be read", path);
  std::stringstream content;
  content << file.rdbuf();
  RunCase test;
  test.name = std::filesystem::path(path).stem().string();
  int number = 0;
  for (std::string line; std::getline(content, line);) {
    ++number;
    if (!line.starts_with("// ")) continue;
    if (Status status = parse_header_line(test, std::string_view(line).substr(3)); !status) {
      return with_context(status.error(), fmt::format("{}, line {}", path, number));
    }
  }
  Result<Program> program = parse_program(content.str());
  if (!program) return with_context(program.error(), path);
  test.program = std::move(*program);
  if (test.expectations.empty() && test.printed.empty() && test.error.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{}: nothing is expected", path);
  }
  return test;
}

Status check_run_case(const RunCase& test, const RunBackend& backend, bool checks_errors) {
  ANYBIT_ASSIGN(Memory memory, build_memory(test));
  Memory before = memory;
  ANYBIT_ASSIGN(const std::vector<LaunchArgument> arguments, launch_arguments(test, memory));
  std::vector<std::string> printed;
  const Status status = backend(test.program, arguments, printed);
  if (!test.error.empty()) {
    if (status) return fail(ErrorCode::kInvalidArgument, "expected the error '{}'", test.error);
    if (status.error().message.find(test.error) != std::string::npos) return {};
    return fail(ErrorCode::kInvalidArgument, "expected the error '{}', found '{}'", test.error,
                status.error().message);
  }
  ANYBIT_TRY(status);
  if (checks_errors && !test.printed.empty() && printed != test.printed) {
    return fail(ErrorCode::kInvalidArgument, "expected to print\n{}but printed\n{}",
                joined(test.printed), joined(printed));
  }
  for (const BufferSpec& expected : test.expectations) {
    ANYBIT_TRY(check_expectation(test, expected, before, memory));
  }
  return {};
}

std::vector<std::string> list_run_cases(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".vm") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace anybit::vm::testing

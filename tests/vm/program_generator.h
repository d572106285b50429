// Random programs of the tile VM that are valid by construction: the reference backend runs each
// without an error. Every choice follows from the seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "anybit/vm/backend/reference/reference.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm::testing {

/// The argument for one parameter: memory, or a scalar.
struct FuzzArgument {
  std::string name;
  bool is_buffer = false;
  numeric::ElementFormat element;        // Of a buffer's elements.
  std::vector<std::byte> contents = {};  // Of a buffer before the launch.
  ScalarValue scalar;                    // Else.
};

struct FuzzProgram {
  Program program;
  std::vector<FuzzArgument> arguments;  // In the order of parameters.
};

struct GeneratorOptions {
  int min_operations = 6;
  int max_operations = 24;
  /// Operands of dot are small integers, whose products every order of summation adds exactly:
  /// what tensor cores can be compared by.
  bool exact_dots = false;
};

/// Errors: what the builder says of a program that it refuses: a fault of the generator.
Result<FuzzProgram> generate_program(uint64_t seed, const GeneratorOptions& options = {});

}  // namespace anybit::vm::testing

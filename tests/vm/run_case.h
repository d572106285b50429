// A test program of the VM: a kernel in text whose header comment says what it is launched with and
// what must come out. The same cases run on every backend.
//
//   // arg n: i32 = 256                 a scalar parameter: i32, i64, f32, bool
//   // arg x: f16[256] = i / 2          memory of 256 elements, filled by a formula (formula.h) and
//   //                                  rounded to the element
//   // arg w: e3m2[64] = code i         filled with codes
//   // arg y: f32[256] = fill 0xff      every byte alike: for outputs
//   // expect y: f32[256] = 2 * x[i]    after the run, element by element: the code nearest to the
//   //                                  formula's value; x is as it was before the run
//   // expect y: f32[256] = exp(x[i]) within 1e-6 * abs(x[i])       an absolute tolerance
//   // expect-print: %x[0] = 1          the lines printed, in order (reference backend)
//   // expect-error: race: thread 1     the run fails with a message that contains this (reference)
// One args line for each parameter, in any order. Elements of a buffer are packed as in memory.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "anybit/vm/backend/reference/reference.h"
#include "anybit/vm/ir/program.h"
#include "tests/vm/formula.h"

namespace anybit::vm::testing {

struct BufferSpec {
  std::string name;
  numeric::ElementFormat element;
  int64_t size = 0;  // Elements.
  bool is_code = false;
  std::optional<uint8_t> fill_byte;
  std::optional<Formula> formula;
  std::optional<Formula> tolerance;
};

struct ScalarSpec {
  std::string name;
  ScalarValue value;
};

struct RunCase {
  std::string name;  // Of the file.
  Program program;   // Parsed, without layouts.
  std::vector<ScalarSpec> scalars;
  std::vector<BufferSpec> buffers;
  std::vector<BufferSpec> expectations;
  std::vector<std::string> printed;
  std::string error;  // Empty: the run must succeed.
};

/// Reads a case. Errors: of the file, the header or the program, with the line.
Result<RunCase> load_run_case(const std::string& path);

/// How a backend runs a program without layouts: arguments are in the order of parameters. Appends
/// printed lines where it can.
using RunBackend =
    std::function<Status(const Program& program, std::span<const LaunchArgument> arguments,
                         std::vector<std::string>& printed)>;

/// Builds the buffers, runs and compares. `checks_errors`: the backend finds errors of programs and
/// gives printed lines, as `reference` does; else such cases are not to be run.
/// Errors: the first difference: "y[17]: expected 34, found 35".
Status check_run_case(const RunCase& test, const RunBackend& backend, bool checks_errors);

/// Paths of the cases in `folder`, sorted.
std::vector<std::string> list_run_cases(const std::string& folder);

}  // namespace anybit::vm::testing

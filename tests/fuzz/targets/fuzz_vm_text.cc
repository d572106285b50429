// The text form of VM programs: whatever parses prints to a text that parses to the same text.
#include <string>
#include <string_view>

#include "anybit/vm/text/parse.h"
#include "anybit/vm/text/print.h"
#include "tests/fuzz/fuzz_target.h"

ANYBIT_FUZZ_TARGET(fuzz_vm_text, bytes, size) {
  using namespace anybit;  // NOLINT(google-build-using-namespace): names of one program.
  const auto programs = vm::parse_module({reinterpret_cast<const char*>(bytes), size});
  if (!programs) {
    ANYBIT_CHECK(!programs.error().message.empty());
    return 0;
  }
  const std::string printed = vm::print(*programs);
  const auto again = vm::parse_module(printed);
  ANYBIT_CHECK(again.has_value());
  ANYBIT_CHECK(vm::print(*again) == printed);
  return 0;
}

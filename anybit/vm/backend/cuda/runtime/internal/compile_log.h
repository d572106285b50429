// What NVRTC's and the assembler's messages point at.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace anybit::vm::cuda::internal {

/// The name under which excerpts() looks for lines of PTX.
inline constexpr std::string_view kPtxName = "ptx input";

struct NamedText {
  std::string name;
  std::string_view text;
};

/// True if `log` complains about a line of the generated PTX.
bool names_ptx(std::string_view log);

/// The lines around every place in `texts` that an error of `log` names ("kernel.cu(12): error",
/// "ptx input, line 24; error"), each once, the first 8 of them; empty if it names none.
std::string excerpts(std::string_view log, std::span<const NamedText> texts);

}  // namespace anybit::vm::cuda::internal

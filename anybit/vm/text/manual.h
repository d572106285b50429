// The reference part of docs/vm.md, from the tables of instructions and operators.
#pragma once

#include <string>

namespace anybit::vm {

/// Markdown: every instruction with its operands, attributes, effects, meaning and example, in the
/// order of the table; then the operators.
/// Post: docs/vm.md holds it between the lines kManualBegin and kManualEnd.
std::string reference_manual();

inline constexpr char kManualBegin[] = "<!-- From `anybit vm manual`; do not edit. -->";
inline constexpr char kManualEnd[] = "<!-- End of `anybit vm manual`. -->";

}  // namespace anybit::vm

// Register layouts as text: the product of atoms, as in `local(2,1).spatial(8,4).local(1,2)`, or
// modes and lists where no such product exists.
//
//   layout  := factor { "." factor }                            the product, leftmost outermost
//   factor  := atom "(" [ numbers ] ")" | "{" lists "}"
//   atom    := spatial | local | column_spatial | column_local  extents, one a dimension
//            | replicated                                       the number of copies
//   lists   := shape=[16,8] modes=[2x0,8x0,4x1,2x1] threads=[1,*3,2] local=[0,3]
//
// A mode is EXTENTxDIMENSION; threads and local list modes by number, *r replicates r-fold.
#pragma once

#include <string>
#include <string_view>

#include "anybit/base/result.h"
#include "anybit/layout/register_layout.h"

namespace anybit::layout {

/// Reads a layout; spaces may stand between tokens.
/// Errors: kInvalidArgument with the column, what was expected and what was found, or with the
/// column of the factor whose sizes are wrong.
Result<RegisterLayout> parse_register_layout(std::string_view text);

/// The canonical text: a product of atoms if there is one, else the lists of its normal form.
/// Post: parse_register_layout() of it is `layout`; equal layouts have equal texts.
std::string to_string(const RegisterLayout& layout);

}  // namespace anybit::layout

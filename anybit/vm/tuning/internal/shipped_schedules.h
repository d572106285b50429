// The text of vm/tuning/shipped/*.txt, put into the library by the build.
#pragma once

#include <string_view>

namespace anybit::vm::internal {

extern const std::string_view kShippedSchedules;

}  // namespace anybit::vm::internal

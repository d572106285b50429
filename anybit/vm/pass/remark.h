// What a pass did, or why it did not: what `anybit vm opt --explain` prints.
#pragma once

#include <string>

namespace anybit::vm {

struct Remark {
  int line = 0;  // Of the statement; 0: it was built.
  std::string text;
};

}  // namespace anybit::vm

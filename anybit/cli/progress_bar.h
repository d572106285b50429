// A progress bar on stderr: drawn only on a terminal, and only for what takes over two seconds.
#pragma once

#include "anybit/base/progress.h"

namespace anybit::cli {

/// A sink that draws "quantize  37% [=======>      ] 120/320 tensors, 8.1/s, 0:25 left  note", at
/// most ten times a second, and wipes the line when the task is done.
/// Empty (nobody listens) if stderr is not a terminal.
ProgressSink progress_bar();

/// "0:25", "12:03", "1:02:03". Pre: seconds >= 0.
std::string format_duration(double seconds);

}  // namespace anybit::cli

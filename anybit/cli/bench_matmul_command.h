#pragma once

namespace anybit::cli {

/// `anybit bench matmul`; argv[0] is "bench", argv[1] "matmul". Returns an exit code.
int bench_matmul_command(int argc, const char* const* argv);

}  // namespace anybit::cli

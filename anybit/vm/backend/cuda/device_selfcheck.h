// The device header's check of itself: small kernels whose outputs on a GPU must be those of the
// emulation, bit for bit (tensor-core sums are made exact by small integers). Runs the kernels in
// the emulation only; whoever has a device launches the same text there and compares.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "anybit/base/result.h"

namespace anybit::vm {

/// A kernel `AB_KERNEL check(const ab::u32* in, ab::u32* out)`, to be launched as one block.
struct SelfCheckCase {
  std::string name;
  std::string source;     // Without the device header.
  int architecture = 80;  // The least: 80, 89 or 90 (compile for sm_90a).
  int block_threads = 32;
  int shared_bytes = 0;
  std::vector<uint32_t> input;
  int output_words = 0;
};

/// Every case, in the order of the header's files.
std::vector<SelfCheckCase> self_check_cases();

/// The emulation's output. Errors: those of compile_emulated() and EmulatedKernel::launch().
Result<std::vector<uint32_t>> emulated_self_check(const SelfCheckCase& check);

/// Whether a device's output is the emulation's. Errors: kDeviceError naming the case, the first
/// word that differs, both values, and how many differ.
Status compare_self_check(const SelfCheckCase& check, std::span<const uint32_t> expected,
                          std::span<const uint32_t> found);

}  // namespace anybit::vm

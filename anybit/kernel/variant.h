// Variant: one implementation of an operation, and the processors it runs on. Every operation keeps
// its variants in one table, best first; the last, the plain reference, runs everywhere.
#pragma once

#include <span>
#include <string_view>

#include "anybit/base/check.h"
#include "anybit/base/cpu.h"

namespace anybit::kernel {

/// A row of an operation's table.
template <class Function>
struct Variant {
  std::string_view name;  // "avx512", "avx2", "reference"
  bool (*runs_on)(const CpuFeatures& cpu);
  Function* function;
};

/// The conditions that rows use.
inline bool needs_avx512(const CpuFeatures& cpu) { return cpu.avx512 && cpu.avx2; }
inline bool needs_avx2(const CpuFeatures& cpu) { return cpu.avx2; }
inline bool needs_nothing(const CpuFeatures&) { return true; }

/// The best variant for `cpu`. Pre: the last row runs everywhere.
template <class Function>
Function* best_variant(std::span<const Variant<Function>> variants, const CpuFeatures& cpu) {
  for (const Variant<Function>& variant : variants) {
    if (variant.runs_on(cpu)) return variant.function;
  }
  ANYBIT_CHECK(false && "the last variant runs everywhere");
  return nullptr;
}

}  // namespace anybit::kernel

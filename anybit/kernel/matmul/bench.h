// Timing one matrix product, and the two ceilings it is held against: how quickly this machine
// reads memory, and how quickly it multiplies 8-bit integers.
#pragma once

#include <cstdint>
#include <string>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/kernel/matmul/matmul.h"
#include "anybit/numeric/scheme.h"

namespace anybit::kernel {

/// Bytes a second that `threads` read from memory: the median of several passes over 512 MB, each
/// thread through its own part.
double measure_read_bandwidth(Threads threads);

/// Multiply-adds a second of 8-bit integers that stay in registers, by the instructions that the
/// matrix kernels use on this processor (AVX-512 VNNI: vpdpbusd; AVX2: vpmaddubsw, vpmaddwd,
/// vpaddd); 0 if there are none.
double measure_int8_peak(Threads threads);

struct MatmulBenchOptions {
  int64_t m = 1, n = 4096, k = 4096;
  PackOptions pack;
  double min_seconds = 0.5;  // Of measuring, after as many warm-up products as there are copies.
};

struct MatmulBenchResult {
  std::string kernel_name;
  double seconds = 0;        // Median of one product.
  int64_t weight_bytes = 0;  // PackedMatrix::size_bytes().
  double bytes_per_s = 0;    // weight_bytes over seconds.
  double multiply_adds_per_s = 0;
  double relative_error = 0;  // ||c - reference|| / ||reference|| over the first rows of c.
  int64_t repeats = 0;
};

/// Times c[m, n] = a[m, k] * transpose(b) with random codes under `scheme` and random activations.
/// The product rotates over copies of the weight that together exceed 400 MB, so that none is in a
/// cache; the answer is compared with matmul_reference().
/// Errors: kInvalidArgument if an extent is not positive or the scheme does not fit; those of
/// pack().
Result<MatmulBenchResult> bench_matmul(const numeric::Scheme& scheme,
                                       const MatmulBenchOptions& options);

}  // namespace anybit::kernel

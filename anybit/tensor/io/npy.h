// NumPy's .npy files: one array of plain numbers.
#pragma once

#include <filesystem>
#include <string_view>

#include "anybit/base/buffer.h"
#include "anybit/base/result.h"
#include "anybit/tensor/tensor.h"

namespace anybit::tensor {

/// Reads an array of version 1, 2 or 3 with little-endian elements f2, f4, f8, i1..i8, u1..u8 or
/// b1. Arrays in Fortran order are transposed into row-major order; others are views of the map.
/// Errors: kNotFound; kIo; kCorruptData naming the field, expected and found (magic, header,
/// shape, size of the data); kUnsupported for other element types or big-endian ones.
/// Source: NumPy's numpy.lib.format.
Result<Tensor> read_npy(const std::filesystem::path& path);

/// One file's bytes; `file_name` opens error messages. Errors: as for read_npy().
Result<Tensor> parse_npy(const Buffer& file, std::string_view file_name);

/// Writes version 1, in C order.
/// Errors: kUnsupported for types NumPy lacks (bf16, 8-bit floats) or over 64 extents; kIo.
Status write_npy(const std::filesystem::path& path, const Tensor& tensor);

}  // namespace anybit::tensor

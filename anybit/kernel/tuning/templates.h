// The kernels whose schedules can be tuned: one row each. `anybit vm tune` walks them.
#pragma once

#include <span>
#include <string_view>

#include "anybit/vm/tuning/kernel_template.h"

namespace anybit::kernel {

/// Every template, sorted by name.
std::span<const vm::KernelTemplate> kernel_templates();

/// Errors: kNotFound, listing the names.
Result<vm::KernelTemplate> find_kernel_template(std::string_view name);

// The rows, each beside its kernel's folder.
vm::KernelTemplate dense_matmul_template(const numeric::ElementFormat& element);
vm::KernelTemplate softmax_template(const numeric::ElementFormat& element);
vm::KernelTemplate rms_norm_template(const numeric::ElementFormat& element);
vm::KernelTemplate copy_template();

}  // namespace anybit::kernel

#include "anybit/kernel/tuning/templates.h"

#include <algorithm>
#include <vector>

namespace anybit::kernel {

std::span<const vm::KernelTemplate> kernel_templates() {
  static const std::vector<vm::KernelTemplate> kTemplates = {
      copy_template(),
      dense_matmul_template(numeric::kBF16),
      dense_matmul_template(numeric::kF16),
      rms_norm_template(numeric::kBF16),
      rms_norm_template(numeric::kF16),
      softmax_template(numeric::kBF16),
      softmax_template(numeric::kF16),
  };
  return kTemplates;
}

Result<vm::KernelTemplate> find_kernel_template(std::string_view name) {
  std::string names;
  for (const vm::KernelTemplate& kernel : kernel_templates()) {
    if (kernel.name == name) return kernel;
    names += (names.empty() ? "" : ", ") + kernel.name;
  }
  return fail(ErrorCode::kNotFound, "no tunable kernel {}; there are: {}", name, names);
}

}  // namespace anybit::kernel

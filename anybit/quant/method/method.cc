#include "anybit/quant/method/method.h"

#include <string>

#include "anybit/quant/method/round_to_nearest.h"

namespace anybit::quant {
namespace {

constexpr Method kMethods[] = {
    {"rtn", "round to nearest; the scale spans each group's largest magnitude", quantize_rtn,
     rtn_takes_slabs},
    {"mse", "round to nearest; the scale minimizes each group's squared error", quantize_mse,
     mse_takes_slabs},
};

}  // namespace

std::span<const Method> methods() { return kMethods; }

Result<const Method*> find_method(std::string_view name) {
  std::string names;
  for (const Method& method : kMethods) {
    if (method.name == name) return &method;
    names += names.empty() ? "" : ", ";
    names += method.name;
  }
  return fail(ErrorCode::kNotFound, "no quantization method \"{}\"; there are: {}", name, names);
}

}  // namespace anybit::quant

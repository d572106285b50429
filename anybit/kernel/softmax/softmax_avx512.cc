#include "anybit/kernel/softmax/internal/softmax_functions.h"
#include "anybit/kernel/softmax/internal/softmax_vector.h"

namespace anybit::kernel::internal {

constexpr SoftmaxFunctions kSoftmaxAvx512 = {softmax_vector, soft_cap_vector, log_sum_exp_vector};

}  // namespace anybit::kernel::internal

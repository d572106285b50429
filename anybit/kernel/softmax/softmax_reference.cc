#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "anybit/kernel/softmax/internal/softmax_functions.h"

namespace anybit::kernel::internal {
namespace {

double capped(double x, double soft_cap) {
  return soft_cap == 0 ? x : soft_cap * std::tanh(x / soft_cap);
}

void softmax_reference(const float* x, int64_t row_size, const LogitTransform& transform,
                       float* out) {
  std::vector<double> scores(row_size);
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < row_size; ++i) {
    scores[i] = capped(double{x[i]} * transform.scale, transform.soft_cap);
    largest = std::max(largest, scores[i]);
  }
  double sum = 0;
  for (double& score : scores) {
    score = std::exp(score - largest);
    sum += score;
  }
  for (int64_t i = 0; i < row_size; ++i) out[i] = static_cast<float>(scores[i] / sum);
}

void soft_cap_reference(const float* x, int64_t count, float soft_cap, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(capped(x[i], soft_cap));
}

double log_sum_exp_reference(const float* x, int64_t count) {
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, double{x[i]});
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(x[i] - largest);
  return largest + std::log(sum);
}

}  // namespace

constexpr SoftmaxFunctions kSoftmaxReference = {softmax_reference, soft_cap_reference,
                                                log_sum_exp_reference};

}  // namespace anybit::kernel::internal

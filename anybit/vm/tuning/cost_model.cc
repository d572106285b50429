#include "anybit/vm/tuning/cost_model.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "anybit/base/integer.h"

namespace anybit::vm {
namespace {

constexpr int64_t kCtaSharedBytes = 1024;  // What the system keeps of a CTA's.
constexpr int64_t kRegisterUnit = 256;     // Registers are given to warps in such units.
constexpr int64_t kMaxRegisters = 255;     // Of a thread.
constexpr double kSharedBytesPerClock = 128;
constexpr double kStepUs = 0.05;        // Of the barrier and the loop around a step.
constexpr double kTensorWarps = 6;      // That keep the tensor cores of an SM busy.
constexpr double kLanesPerClock = 128;  // Plain instructions of threads an SM starts.

/// How many CTAs a multiprocessor holds. Errors: none fits.
Result<int64_t> ctas_per_sm(const DeviceModel& device, const Workload& w) {
  if (w.registers_per_thread > kMaxRegisters) {
    return fail(ErrorCode::kUnsupported, "needs about {} registers a thread, of {}",
                w.registers_per_thread, kMaxRegisters);
  }
  if (w.shared_bytes > device.shared_bytes_per_cta) {
    return fail(ErrorCode::kUnsupported, "needs {} bytes of shared memory, of {}", w.shared_bytes,
                device.shared_bytes_per_cta);
  }
  const int64_t warps = ceil_div(w.threads_per_cta, 32);
  const int64_t warp_registers = round_up(32 * w.registers_per_thread, kRegisterUnit);
  const int64_t by_registers = device.registers_per_sm / (warps * warp_registers);
  const int64_t by_shared = device.shared_bytes_per_sm / (w.shared_bytes + kCtaSharedBytes);
  const int64_t by_threads = device.max_threads_per_sm / w.threads_per_cta;
  const int64_t count = std::min({by_registers, by_shared, by_threads, device.max_ctas_per_sm});
  if (count > 0) return count;
  return fail(ErrorCode::kUnsupported,
              "{} threads of about {} registers do not fit a "
              "multiprocessor",
              w.threads_per_cta, w.registers_per_thread);
}

struct Term {
  double microseconds;
  std::string_view name;
};

}  // namespace

Result<Estimate> estimate(const DeviceModel& device, const Workload& w) {
  Estimate result;
  ANYBIT_ASSIGN(result.ctas_per_sm, ctas_per_sm(device, w));
  const auto sms = static_cast<double>(device.num_sms);
  const double tensor_tflops =
      w.tensor_core == TensorCore::kWgmma ? device.wgmma_f16_tflops : device.mma_f16_tflops;
  if (w.step_tensor_flops > 0 && tensor_tflops <= 0) {
    return fail(ErrorCode::kUnsupported, "{} has no such tensor cores", device.name);
  }
  const auto ctas = static_cast<double>(w.num_ctas), steps = static_cast<double>(w.num_steps);
  const double resident =
      std::min<double>(static_cast<double>(result.ctas_per_sm), std::ceil(ctas / sms));
  const double active_sms = std::min(sms, ctas);
  // Rates of one multiprocessor, in units a microsecond; L2 and DRAM are shared by those at work.
  const double clocks = device.clock_ghz * 1e3;
  const double l2_rate = std::min(device.l2_gb_per_s * 1e3 / active_sms, clocks * 64);
  const double dram_total = device.dram_gb_per_s * 1e3;
  const double warps = resident * static_cast<double>(w.threads_per_cta) / 32;
  const double tensor_rate =
      tensor_tflops * 1e6 / sms * std::min(1.0, std::sqrt(warps / kTensorWarps));
  // What all resident CTAs of a multiprocessor do in a step of each.
  const std::array<Term, 4> terms = {
      {{w.step_tensor_flops > 0 ? resident * w.step_tensor_flops / tensor_rate : 0, "tensor cores"},
       {resident * w.step_shared_bytes / (clocks * kSharedBytesPerClock), "shared memory"},
       {resident * w.step_global_bytes / l2_rate, "L2"},
       {resident * w.step_instructions / (clocks * kLanesPerClock), "instructions"}}};
  const Term& largest = *std::max_element(
      terms.begin(), terms.end(),
      [](const Term& a, const Term& b) { return a.microseconds < b.microseconds; });
  // Units work beside each other where several warps are there, but not quite: the second longest
  // costs a part of its time.
  double sum = 0;
  for (const Term& term : terms) sum += term.microseconds;
  double step = largest.microseconds + 0.15 * (sum - largest.microseconds) + kStepUs;
  result.limit = largest.name;
  // A load that was started `steps_ahead` steps ago must have arrived.
  if (w.step_global_bytes > 0) {
    const double exposed = device.load_latency_us / static_cast<double>(w.steps_ahead + 1);
    if (exposed > step) {
      step = exposed;
      result.limit = "latency";
    }
  }
  const double fill = device.load_latency_us +
                      resident * w.step_global_bytes * static_cast<double>(w.steps_ahead) / l2_rate;
  const double epilogue = resident * w.epilogue_bytes / (dram_total / active_sms);
  const double round = fill + steps * step + epilogue;
  const double per_round = sms * static_cast<double>(result.ctas_per_sm);
  // A round that is partly filled takes as long as a full one where its CTAs share their SMs less.
  const double full_rounds = std::floor(ctas / per_round), rest = ctas - full_rounds * per_round;
  double last = 0;
  if (rest > 0) {
    const double share = std::ceil(rest / sms) / static_cast<double>(result.ctas_per_sm);
    last = full_rounds > 0 ? std::max(share, 0.5) : 1;
  }
  result.waves = full_rounds + last;
  const double dram = w.dram_bytes / dram_total;
  const double busy = result.waves * round;
  if (dram > busy) result.limit = "DRAM";
  result.microseconds = device.launch_us + std::max(busy, dram);
  const double total_flops = ctas * steps * w.step_tensor_flops;
  result.floor_microseconds =
      std::max(dram, total_flops > 0 ? total_flops / (tensor_tflops * 1e6) : 0);
  return result;
}

}  // namespace anybit::vm

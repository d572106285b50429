#include "anybit/kernel/matmul/matmul_cuda.h"

#include <vector>

#include "anybit/numeric/packing.h"

namespace anybit::kernel {

using vm::cuda::CudaArgument;
using vm::cuda::CudaProgram;
using vm::cuda::DeviceBuffer;

struct CudaWeight::State {
  vm::cuda::Device device;
  vm::cuda::Compiler compiler;
  const vm::cuda::CubinCache* cache;
  WeightOnlyFormat format;
  int64_t tile_rows;
  float tensor_scale;
  std::vector<DeviceBuffer> buffers;  // Codes, scales, and those of zero points, codebook, bias.
  std::mutex mutex = {};              // Of `programs`.
  std::map<std::string, std::shared_ptr<const CudaProgram>> programs = {};  // By schedule, as text.
};

namespace {

/// The codebook as the program reads it: values of the activation's format.
std::vector<std::byte> codebook_bytes(const std::vector<float>& values,
                                      const numeric::ElementFormat& format) {
  std::vector<uint32_t> codes;
  for (const float value : values) codes.push_back(numeric::encode(format, value));
  std::vector<std::byte> bytes(codes.size() * 2);
  numeric::pack_codes(codes, 16, bytes);
  return bytes;
}

/// What decides the program besides the format.
std::string schedule_key(const WeightOnlySchedule& s) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {}", s.tile.rows, s.tile.depth, s.tile_m,
                     s.activation_rows, s.warps_n, s.warps_k, s.tiles_per_stage, s.num_stages,
                     s.is_whole, s.is_whole_m) +
         (s.has_aligned_k ? " aligned" : "");
}

}  // namespace

Result<CudaWeight> CudaWeight::load(const vm::cuda::Device& device,
                                    const vm::cuda::Compiler& compiler,
                                    const tensor::QuantizedTensor& weight,
                                    const CudaWeightOptions& options) {
  const ProductShape shape{1, weight.rows, weight.cols};
  if (!options.bias.empty() && static_cast<int64_t>(options.bias.size()) != weight.rows) {
    return fail(ErrorCode::kInvalidArgument, "a bias of {} values for {} rows", options.bias.size(),
                weight.rows);
  }
  ANYBIT_ASSIGN(const WeightOnlyFormat format,
                weight_only_format(weight.scheme, weight.cols, options.activation, options.output,
                                   !options.bias.empty()));
  const int64_t rows = choose_tile_rows(format, shape.n, device.properties().num_sms);
  ANYBIT_ASSIGN(const PackedWeight packed,
                pack_weight_only(weight, format, weight_tile(format, rows), options.threads));
  std::vector<DeviceBuffer> buffers;
  const auto add = [&](std::span<const std::byte> bytes) -> Status {
    ANYBIT_ASSIGN(DeviceBuffer buffer, DeviceBuffer::copy_of(device, bytes));
    buffers.push_back(std::move(buffer));
    return {};
  };
  ANYBIT_TRY(add(packed.codes.bytes()));
  ANYBIT_TRY(add(packed.scales.bytes()));
  if (format.has_zero_point) ANYBIT_TRY(add(packed.zero_points.bytes()));
  if (!packed.codebook.empty()) {
    ANYBIT_TRY(add(codebook_bytes(packed.codebook, format.activation)));
  }
  if (format.has_bias) ANYBIT_TRY(add(std::as_bytes(options.bias)));
  const auto state = std::shared_ptr<State>(new State{device, compiler, options.cache, format, rows,
                                                      packed.tensor_scale, std::move(buffers)});
  return CudaWeight(std::move(state), shape);
}

int64_t CudaWeight::size_bytes() const {
  int64_t bytes = 0;
  for (const DeviceBuffer& buffer : state_->buffers) bytes += buffer.size_bytes();
  return bytes;
}

Status CudaWeight::matmul(const vm::cuda::Stream& stream, vm::cuda::DevicePointer a, int64_t m,
                          vm::cuda::DevicePointer c) const {
  if (m < 1) return fail(ErrorCode::kInvalidArgument, "a product of {} rows", m);
  State& state = *state_;
  const ProductShape shape{m, shape_.n, shape_.k};
  ANYBIT_ASSIGN(const ChosenSchedule chosen, choose_schedule(state.format, state.tile_rows, shape,
                                                             state.device.properties().num_sms));
  std::shared_ptr<const CudaProgram> program;
  {
    const std::lock_guard lock(state.mutex);
    auto& kept = state.programs[schedule_key(chosen.schedule)];
    if (!kept) {
      ANYBIT_ASSIGN(vm::Program built, weight_only_program(state.format, chosen.schedule));
      ANYBIT_ASSIGN(CudaProgram loaded,
                    CudaProgram::load(state.device, state.compiler, std::move(built), state.cache));
      kept = std::make_shared<const CudaProgram>(std::move(loaded));
    }
    program = kept;
  }
  std::vector<CudaArgument> arguments = {CudaArgument::pointer(a)};
  for (const DeviceBuffer& buffer : state.buffers) {
    arguments.push_back(CudaArgument::pointer(buffer.address()));
  }
  arguments.push_back(CudaArgument::pointer(c));
  for (const int64_t size : {m, shape.n, shape.k}) arguments.push_back(CudaArgument::i32(size));
  arguments.push_back(CudaArgument::f32(state.tensor_scale));
  return program->launch(stream, arguments);
}

Result<std::string> CudaWeight::explain(int64_t m) const {
  ANYBIT_ASSIGN(const ChosenSchedule chosen,
                choose_schedule(state_->format, state_->tile_rows, {m, shape_.n, shape_.k},
                                state_->device.properties().num_sms));
  return chosen.why;
}

}  // namespace anybit::kernel

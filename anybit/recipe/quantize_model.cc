#include "anybit/recipe/quantize_model.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "anybit/base/check.h"
#include "anybit/base/file.h"
#include "anybit/base/integer.h"
#include "anybit/base/json.h"
#include "anybit/recipe/quantize_in_slabs.h"
#include "anybit/recipe/report_json.h"
#include "anybit/tensor/io/quantized_folder.h"
#include "anybit/tensor/io/safetensors.h"
#include "anybit/tensor/io/safetensors_writer.h"

namespace anybit::recipe {
namespace {

namespace fs = std::filesystem;
using tensor::QuantizedTensor;

constexpr std::string_view kStateFile = "quantize.partial.json";
constexpr std::string_view kReportKey = "anybit_report";

// The tensors of one layer (or those outside the layers), by index into the plan.
struct Shard {
  std::string file_name;
  std::vector<size_t> tensors;
  std::vector<tensor::TensorDescription> parts;  // Of all tensors.
};

std::vector<Shard> divide_into_shards(const std::vector<PlannedTensor>& plan) {
  std::map<int64_t, Shard> by_layer;
  for (size_t i = 0; i < plan.size(); ++i) by_layer[plan[i].tensor.layer].tensors.push_back(i);
  std::vector<Shard> shards;
  for (auto& [layer, shard] : by_layer) {
    shard.file_name =
        fmt::format("model-{:05}-of-{:05}.safetensors", shards.size() + 1, by_layer.size());
    shards.push_back(std::move(shard));
  }
  return shards;
}

// What must agree for an interrupted run to be continued.
std::string describe_run(const CheckpointSource& source, const std::vector<PlannedTensor>& plan,
                         const QuantizeOptions& options) {
  OrderedJson tensors;
  for (const PlannedTensor& planned : plan) {
    tensors[planned.tensor.name] = {planned.tensor.shape,
                                    planned.scheme ? numeric::scheme_name(*planned.scheme) : ""};
  }
  const OrderedJson run = {{"source", source.description},
                           {"method", options.method->name},
                           {"rounding", numeric::name(options.method_options.rounding)},
                           {"seed", options.method_options.seed},
                           {"tensors", tensors}};
  return run.dump(1) + "\n";
}

bool is_checkpoint_file(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".safetensors") || name == "model.safetensors.index.json" ||
         name == "config.json" || name == kStateFile || name == "quantization_report.json" ||
         name.find(".tmp-") != std::string::npos;
}

Status prepare_folder(const fs::path& out, const std::string& run, bool overwrite) {
  std::error_code error;
  fs::create_directories(out, error);
  if (error) {
    return fail(ErrorCode::kIo, "{}: cannot create: {}", out.string(), error.message());
  }
  const auto state = read_text_file(out / kStateFile);
  if (state && *state == run) return {};
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(out, error)) found.push_back(entry.path());
  if (!found.empty() && !overwrite) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: expected an empty or new folder{}; --overwrite replaces the checkpoint in it",
                out.string(),
                state ? ", found an unfinished run with other options" : ", found files");
  }
  for (const fs::path& path : found) {
    if (is_checkpoint_file(path)) fs::remove(path, error);
  }
  return write_file(out / kStateFile, run);
}

// Files that a killed run left under temporary names.
void remove_temporary_files(const fs::path& out) {
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(out, error)) found.push_back(entry.path());
  for (const fs::path& path : found) {
    if (path.filename().string().find(".tmp-") != std::string::npos) fs::remove(path, error);
  }
}

// One run over the checkpoint; keeps what its steps share.
class Run {
 public:
  Run(const CheckpointSource& source, const fs::path& out, const QuantizeOptions& options,
      std::vector<PlannedTensor> plan)
      : source_(source), out_(out), options_(options), plan_(std::move(plan)) {}

  Result<QuantizeReport> execute();

 private:
  Result<std::optional<std::vector<TensorReport>>> finished_shard(const Shard& shard) const;
  Result<tensor::StoredMatrix> stored_matrix(size_t index) const;
  Result<TensorReport> describe(size_t index, Shard& shard);
  Status write_tensor(size_t index, tensor::SafetensorsWriter& writer, TensorReport& report);
  Result<std::vector<TensorReport>> write_shard(Shard& shard);
  Status finish(const std::vector<Shard>& shards, const QuantizeReport& report);
  void add(std::vector<TensorReport> reports, QuantizeReport& total);
  void report_progress(std::string_view note);

  const CheckpointSource& source_;
  const fs::path& out_;
  const QuantizeOptions& options_;
  std::vector<PlannedTensor> plan_;
  int64_t done_ = 0;
  double error_squares_ = 0, quantized_elements_ = 0;
};

void Run::report_progress(std::string_view note) {
  if (!options_.progress) return;
  options_.progress({"quantize", done_, std::ssize(plan_), "tensors", note});
}

// A shard that an earlier run finished, told by the report in its metadata.
Result<std::optional<std::vector<TensorReport>>> Run::finished_shard(const Shard& shard) const {
  const fs::path path = out_ / shard.file_name;
  if (!fs::exists(path)) return std::nullopt;
  ANYBIT_ASSIGN(const tensor::Safetensors file, tensor::Safetensors::open(path));
  const auto found = file.metadata().find(std::string(kReportKey));
  if (found == file.metadata().end()) return std::nullopt;
  ANYBIT_ASSIGN(auto reports, parse_tensor_reports(found->second, path.string()));
  if (reports.size() != shard.tensors.size()) return std::nullopt;
  return reports;
}

// A matrix that stays as it is names its own scheme.
Result<tensor::StoredMatrix> Run::stored_matrix(size_t index) const {
  const PlannedTensor& planned = plan_[index];
  const std::vector<int64_t>& shape = planned.tensor.shape;
  if (planned.scheme) return tensor::StoredMatrix{*planned.scheme, shape[0], shape[1]};
  ANYBIT_ASSIGN(const QuantizedTensor original, source_.matrix(index));
  return tensor::StoredMatrix{original.scheme, original.rows, original.cols};
}

// What a tensor will be: its parts, and the report without the error.
Result<TensorReport> Run::describe(size_t index, Shard& shard) {
  const TensorSummary& summary = plan_[index].tensor;
  TensorReport report{.name = summary.name, .shape = summary.shape};
  std::vector<tensor::TensorDescription> parts;
  if (summary.shape.size() == 2) {
    ANYBIT_ASSIGN(const tensor::StoredMatrix stored, stored_matrix(index));
    ANYBIT_ASSIGN(parts, tensor::describe_parts(summary.name, stored));
    report.scheme = numeric::scheme_name(stored.scheme);
  } else {
    ANYBIT_ASSIGN(const tensor::Tensor plain, source_.vector(index));
    parts.push_back({summary.name, plain.data_type, plain.shape});
    report.shape = plain.shape;
    report.scheme = std::string(tensor::name(plain.data_type));
  }
  for (const tensor::TensorDescription& part : parts) {
    report.size_bytes +=
        checked_num_elements(part.shape).value_or(0) * tensor::size_bytes(part.data_type);
  }
  const auto elements =
      static_cast<double>(std::max<int64_t>(1, checked_num_elements(report.shape).value_or(0)));
  report.bits_per_weight = 8.0 * static_cast<double>(report.size_bytes) / elements;
  shard.parts.insert(shard.parts.end(), parts.begin(), parts.end());
  return report;
}

Status Run::write_tensor(size_t index, tensor::SafetensorsWriter& writer, TensorReport& report) {
  const PlannedTensor& planned = plan_[index];
  const std::string& name = planned.tensor.name;
  report_progress(name);
  ++done_;
  if (planned.tensor.shape.size() != 2) {
    ANYBIT_ASSIGN(const tensor::Tensor plain, source_.vector(index));
    return writer.write(name, plain.elements.bytes());
  }
  ANYBIT_ASSIGN(const QuantizedTensor original, source_.matrix(index));
  ANYBIT_ASSIGN(report.error, quantize_in_slabs(original, planned, options_,
                                                [&](const QuantizedTensor& slab, bool is_first) {
                                                  return tensor::append_parts(writer, name, slab,
                                                                              is_first);
                                                }));
  return {};
}

Result<std::vector<TensorReport>> Run::write_shard(Shard& shard) {
  std::vector<TensorReport> reports;
  for (const size_t index : shard.tensors) {
    ANYBIT_ASSIGN(TensorReport report, describe(index, shard));
    reports.push_back(std::move(report));
  }
  // The header comes first and says, as metadata, what only the end of the shard tells.
  std::vector<TensorReport> longest = reports;
  for (TensorReport& report : longest) report.error = longest_error();
  const auto metadata = [](const std::vector<TensorReport>& all) {
    return tensor::SafetensorsMetadata{{"format", "pt"},
                                       {std::string(kReportKey), tensor_reports_to_json(all)}};
  };
  ANYBIT_ASSIGN(auto writer, tensor::SafetensorsWriter::create(out_ / shard.file_name, shard.parts,
                                                               metadata(longest)));
  for (size_t i = 0; i < reports.size(); ++i) {
    ANYBIT_TRY(write_tensor(shard.tensors[i], writer, reports[i]));
  }
  ANYBIT_TRY(writer.replace_metadata(metadata(reports)));
  ANYBIT_TRY(writer.commit());
  return reports;
}

void Run::add(std::vector<TensorReport> reports, QuantizeReport& total) {
  for (TensorReport& report : reports) {
    total.num_parameters += checked_num_elements(report.shape).value_or(0);
    total.size_bytes += report.size_bytes;
    if (report.error) {
      const auto count = static_cast<double>(checked_num_elements(report.shape).value_or(0));
      error_squares_ += count * report.error->relative * report.error->relative;
      quantized_elements_ += count;
    }
    total.tensors.push_back(std::move(report));
  }
}

Status Run::finish(const std::vector<Shard>& shards, const QuantizeReport& report) {
  tensor::QuantizationConfig quantization;
  quantization.scheme = options_.plan.scheme;
  quantization.method = options_.method->name;
  std::map<std::string, std::string> shard_of_tensor;
  size_t next = 0;
  for (const Shard& shard : shards) {
    for (const size_t index : shard.tensors) {
      const TensorReport& entry = report.tensors[next++];
      if (plan_[index].tensor.shape.size() != 2) {
        shard_of_tensor[entry.name] = shard.file_name;
        continue;
      }
      ANYBIT_ASSIGN(const numeric::Scheme scheme, numeric::parse_scheme(entry.scheme));
      const tensor::StoredMatrix stored{scheme, entry.shape[0], entry.shape[1]};
      ANYBIT_ASSIGN(const auto parts, tensor::describe_parts(entry.name, stored));
      for (const auto& part : parts) shard_of_tensor[part.name] = shard.file_name;
      if (!tensor::is_plain(scheme)) quantization.tensors[entry.name] = stored;
    }
  }
  ANYBIT_TRY(tensor::write_safetensors_index(out_ / "model.safetensors.index.json", shard_of_tensor,
                                             report.size_bytes));
  for (const auto& [name, contents] : source_.files) ANYBIT_TRY(write_file(out_ / name, contents));
  ANYBIT_TRY(write_file(out_ / "quantization_report.json", report_to_json(report)));
  ANYBIT_ASSIGN(const std::string config,
                tensor::with_quantization_config(source_.config_json, quantization));
  ANYBIT_TRY(write_file(out_ / "config.json", config));
  std::error_code error;
  fs::remove(out_ / kStateFile, error);
  return {};
}

Result<QuantizeReport> Run::execute() {
  remove_temporary_files(out_);
  std::vector<Shard> shards = divide_into_shards(plan_);
  QuantizeReport total;
  for (Shard& shard : shards) {
    ANYBIT_ASSIGN(auto finished, finished_shard(shard));
    if (finished) {
      ++total.resumed_shards;
      done_ += std::ssize(shard.tensors);
      add(std::move(*finished), total);
      continue;
    }
    ANYBIT_ASSIGN(auto reports, write_shard(shard));
    add(std::move(reports), total);
  }
  report_progress("");
  total.bits_per_weight =
      8.0 * static_cast<double>(total.size_bytes) / static_cast<double>(total.num_parameters);
  if (quantized_elements_ > 0) {
    total.relative_error = std::sqrt(error_squares_ / quantized_elements_);
  }
  ANYBIT_TRY(finish(shards, total));
  return total;
}

}  // namespace

Result<QuantizeReport> quantize_model(const CheckpointSource& source, const fs::path& out,
                                      const QuantizeOptions& options) {
  ANYBIT_CHECK(options.method != nullptr);
  ANYBIT_ASSIGN(std::vector<PlannedTensor> plan, plan_quantization(source.tensors, options.plan));
  ANYBIT_TRY(prepare_folder(out, describe_run(source, plan, options), options.overwrite));
  return Run(source, out, options, std::move(plan)).execute();
}

}  // namespace anybit::recipe

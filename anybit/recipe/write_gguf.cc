#include "anybit/recipe/write_gguf.h"

#include <algorithm>
#include <cmath>

#include "anybit/base/check.h"
#include "anybit/recipe/gguf_contents.h"
#include "anybit/recipe/quantize_in_slabs.h"
#include "anybit/tensor/io/gguf_writer.h"

namespace anybit::recipe {
namespace {

namespace fs = std::filesystem;
using numeric::GgmlType;
using numeric::Scheme;
using tensor::QuantizedTensor;

constexpr double kEmbeddingBits = 8;
constexpr uint32_t kQuantizationVersion = 2;  // Of the block types' layout.

struct FileType {
  GgmlType type;
  uint32_t id;
};

// Source: enum llama_ftype of llama.h, the value general.file_type has when most matrices are of
// that type.
constexpr FileType kFileTypes[] = {
    {GgmlType::kF32, 0},     {GgmlType::kF16, 1},     {GgmlType::kQ4_0, 2},
    {GgmlType::kQ4_1, 3},    {GgmlType::kQ8_0, 7},    {GgmlType::kQ5_0, 8},
    {GgmlType::kQ5_1, 9},    {GgmlType::kQ2_K, 10},   {GgmlType::kQ3_K, 11},
    {GgmlType::kQ4_K, 14},   {GgmlType::kQ5_K, 16},   {GgmlType::kQ6_K, 18},
    {GgmlType::kIQ4_NL, 25}, {GgmlType::kIQ4_XS, 30}, {GgmlType::kBF16, 32},
    {GgmlType::kTQ1_0, 36},  {GgmlType::kTQ2_0, 37},  {GgmlType::kMXFP4, 38},
    {GgmlType::kNVFP4, 39},  {GgmlType::kQ1_0, 40},
};

struct PlainType {
  GgmlType type;
  numeric::ElementFormat element;
};

const PlainType kPlainTypes[] = {{GgmlType::kF32, numeric::kF32},
                                 {GgmlType::kF16, numeric::kF16},
                                 {GgmlType::kBF16, numeric::kBF16}};

Scheme scheme_of(GgmlType type) {
  Scheme scheme;
  for (const PlainType& plain : kPlainTypes) {
    if (plain.type != type) continue;
    scheme.element = plain.element;
    return scheme;
  }
  scheme.ggml = type;
  return scheme;
}

// The type of a tensor stored under `scheme`, or kNone.
GgmlType type_of(const Scheme& scheme) {
  if (scheme.ggml != GgmlType::kNone) return scheme.ggml;
  for (const PlainType& plain : kPlainTypes) {
    if (scheme == scheme_of(plain.type)) return plain.type;
  }
  return GgmlType::kNone;
}

bool can_write(const numeric::GgmlTypeTraits& traits) {
  return traits.can_quantize &&
         (traits.is_block_quantized || scheme_of(traits.type).ggml == GgmlType::kNone);
}

std::string writable_names() {
  std::string names;
  for (const numeric::GgmlTypeTraits& traits : numeric::ggml_types()) {
    if (can_write(traits)) names += fmt::format("{}{}", names.empty() ? "" : ", ", traits.name);
  }
  return names;
}

Result<PlanOptions> gguf_plan(const PlanOptions& plan) {
  PlanOptions result = plan;
  ANYBIT_ASSIGN(result.scheme, gguf_scheme(plan.scheme));
  if (plan.embedding_scheme) {
    ANYBIT_ASSIGN(result.embedding_scheme, gguf_scheme(*plan.embedding_scheme));
  } else {
    const numeric::GgmlTypeTraits* traits = numeric::find_ggml_type(type_of(result.scheme));
    const double bits = 8.0 * traits->block_bytes / traits->block_elements;
    result.embedding_scheme = bits >= kEmbeddingBits ? result.scheme : scheme_of(GgmlType::kQ8_0);
  }
  for (KeepRule& rule : result.keep) {
    if (!rule.scheme) continue;
    ANYBIT_ASSIGN(rule.scheme, gguf_scheme(*rule.scheme));
  }
  return result;
}

// `metadata` with what quantization sets.
tensor::GgufMetadata with_file_type(const tensor::GgufMetadata& metadata, const Scheme& scheme) {
  tensor::GgufMetadata result;
  for (const auto& [key, value] : metadata.entries()) {
    if (key != "general.file_type") result.set(key, value);
  }
  const auto* row = std::ranges::find(kFileTypes, type_of(scheme), &FileType::type);
  if (row != std::end(kFileTypes)) result.set_uint32("general.file_type", row->id);
  result.set_uint32("general.quantization_version", kQuantizationVersion);
  return result;
}

// Copies rows of whole bytes to `out`, each to its place within heads of head_dim rows.
void interleave_rows(std::span<const std::byte> rows, int64_t num_rows, int64_t head_dim,
                     std::span<std::byte> out) {
  const auto row_bytes = rows.size() / static_cast<size_t>(num_rows);
  for (int64_t row = 0; row < num_rows; ++row) {
    const auto to = static_cast<size_t>(interleaved_row(row, head_dim)) * row_bytes;
    std::ranges::copy(rows.subspan(static_cast<size_t>(row) * row_bytes, row_bytes),
                      out.begin() + static_cast<ptrdiff_t>(to));
  }
}

using BlockSink = std::function<Status(std::span<const std::byte>)>;

// One run; keeps what its steps share.
class Run {
 public:
  Run(const GgufContents& contents, const QuantizeOptions& options, PlanOptions plan)
      : contents_(contents), options_(options), plan_options_(std::move(plan)) {}

  Result<QuantizeReport> execute(const fs::path& out);

 private:
  Result<tensor::GgufTensorDescription> describe(const GgufOutput& output) const;
  Result<GgmlType> stored_type(size_t part) const;
  Status store_part(size_t part, const BlockSink& sink);
  Status write(const GgufOutput& output, tensor::GgufWriter& writer);
  void add_report(size_t part, const QuantizedTensor& stored, int64_t size_bytes,
                  const std::optional<quant::TensorError>& error);
  void report_progress(std::string_view note);

  const GgufContents& contents_;
  const QuantizeOptions& options_;
  PlanOptions plan_options_;
  std::vector<PlannedTensor> plan_;
  QuantizeReport total_;
  int64_t done_ = 0;
  double error_squares_ = 0, quantized_elements_ = 0;
};

void Run::report_progress(std::string_view note) {
  if (!options_.progress) return;
  options_.progress({"quantize", done_, std::ssize(contents_.outputs), "tensors", note});
}

Result<GgmlType> Run::stored_type(size_t part) const {
  const PlannedTensor& planned = plan_[part];
  if (planned.scheme) return type_of(*planned.scheme);
  ANYBIT_ASSIGN(const QuantizedTensor stored, contents_.read(part));
  const GgmlType type = type_of(stored.scheme);
  if (type != GgmlType::kNone) return type;
  return fail(ErrorCode::kInvalidArgument,
              "{}: a GGUF file cannot hold {}, in which it is stored; give it another scheme with "
              "--keep 'REGEX=SCHEME', one of {}",
              planned.tensor.name, numeric::scheme_name(stored.scheme), writable_names());
}

Result<tensor::GgufTensorDescription> Run::describe(const GgufOutput& output) const {
  ANYBIT_ASSIGN(const GgmlType type, stored_type(output.parts.front()));
  for (const size_t part : output.parts) {
    ANYBIT_ASSIGN(const GgmlType other, stored_type(part));
    if (other == type) continue;
    return fail(ErrorCode::kInvalidArgument,
                "{}: expected one scheme for all experts, as they become one tensor; found {} for "
                "{} and {} for {}",
                output.name, numeric::scheme_name(scheme_of(type)),
                plan_[output.parts.front()].tensor.name, numeric::scheme_name(scheme_of(other)),
                plan_[part].tensor.name);
  }
  return tensor::GgufTensorDescription{output.name, output.shape, type};
}

void Run::add_report(size_t part, const QuantizedTensor& stored, int64_t size_bytes,
                     const std::optional<quant::TensorError>& error) {
  const TensorSummary& summary = plan_[part].tensor;
  const int64_t num_elements = stored.rows * stored.cols;
  TensorReport report{.name = summary.name,
                      .scheme = numeric::scheme_name(stored.scheme),
                      .shape = summary.shape,
                      .size_bytes = size_bytes,
                      .error = error};
  report.bits_per_weight = 8.0 * static_cast<double>(report.size_bytes) /
                           static_cast<double>(std::max<int64_t>(num_elements, 1));
  total_.num_parameters += num_elements;
  total_.size_bytes += report.size_bytes;
  if (error) {
    error_squares_ += static_cast<double>(num_elements) * error->relative * error->relative;
    quantized_elements_ += static_cast<double>(num_elements);
  }
  total_.tensors.push_back(std::move(report));
}

// Gives `sink` the blocks of a part under its planned scheme, slab by slab; one that is stored so
// already stays as it is.
Status Run::store_part(size_t part, const BlockSink& sink) {
  PlannedTensor planned = plan_[part];
  ANYBIT_ASSIGN(QuantizedTensor original, contents_.read(part));
  if (planned.scheme && original.scheme == *planned.scheme) planned.scheme.reset();
  int64_t size_bytes = 0;
  ANYBIT_ASSIGN(const auto error,
                quantize_in_slabs(original, planned, options_,
                                  [&](const QuantizedTensor& slab, bool /*is_first*/) {
                                    size_bytes += slab.size_bytes();
                                    return sink(slab.codes.bytes());
                                  }));
  if (planned.scheme) original.scheme = *planned.scheme;
  add_report(part, original, size_bytes, error);
  return {};
}

Status Run::write(const GgufOutput& output, tensor::GgufWriter& writer) {
  report_progress(output.name);
  ++done_;
  if (output.interleaved_head_dim == 0) {
    for (const size_t part : output.parts) {
      ANYBIT_TRY(store_part(part, [&](std::span<const std::byte> blocks) {
        return writer.append(output.name, blocks);
      }));
    }
    return {};
  }
  ANYBIT_CHECK(output.parts.size() == 1);
  std::vector<std::byte> rows;
  ANYBIT_TRY(store_part(output.parts.front(), [&](std::span<const std::byte> blocks) {
    rows.insert(rows.end(), blocks.begin(), blocks.end());
    return Status();
  }));
  // Extents are slowest first; the rows of a bias are its elements.
  std::vector<std::byte> interleaved(rows.size());
  interleave_rows(rows, output.shape[0], output.interleaved_head_dim, interleaved);
  return writer.write(output.name, interleaved);
}

Result<QuantizeReport> Run::execute(const fs::path& out) {
  ANYBIT_ASSIGN(plan_, plan_quantization(contents_.parts, plan_options_));
  std::vector<tensor::GgufTensorDescription> descriptions;
  for (const GgufOutput& output : contents_.outputs) {
    ANYBIT_ASSIGN(tensor::GgufTensorDescription description, describe(output));
    descriptions.push_back(std::move(description));
  }
  ANYBIT_ASSIGN(tensor::GgufWriter writer,
                tensor::GgufWriter::create(
                    out, with_file_type(contents_.metadata, plan_options_.scheme), descriptions));
  for (const GgufOutput& output : contents_.outputs) ANYBIT_TRY(write(output, writer));
  ANYBIT_TRY(writer.commit());
  report_progress("");
  total_.bits_per_weight = 8.0 * static_cast<double>(total_.size_bytes) /
                           static_cast<double>(std::max<int64_t>(total_.num_parameters, 1));
  if (quantized_elements_ > 0) {
    total_.relative_error = std::sqrt(error_squares_ / quantized_elements_);
  }
  return std::move(total_);
}

}  // namespace

Result<Scheme> gguf_scheme(const Scheme& scheme) {
  GgmlType type = type_of(scheme);
  const std::string name = numeric::scheme_name(scheme);
  if (type == GgmlType::kNone) {
    if (const auto* traits = numeric::find_ggml_type(name)) type = traits->type;
  }
  const numeric::GgmlTypeTraits* traits = numeric::find_ggml_type(type);
  if (traits != nullptr && can_write(*traits)) return scheme_of(type);
  return fail(ErrorCode::kInvalidArgument,
              "{}: a GGUF file cannot be written with this scheme; expected one of {}", name,
              writable_names());
}

Result<GgufReport> write_gguf(const model::OpenedModel& opened, const fs::path& out,
                              const QuantizeOptions& options) {
  ANYBIT_CHECK(options.method != nullptr);
  ANYBIT_ASSIGN(PlanOptions plan, gguf_plan(options.plan));
  std::error_code error;
  if (fs::is_directory(out, error) || (fs::exists(out, error) && !options.overwrite)) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: expected no file of that name, found one; --overwrite replaces a file",
                out.string());
  }
  ANYBIT_ASSIGN(const GgufContents contents, gguf_contents(opened));
  GgufReport report;
  ANYBIT_ASSIGN(report.quantization, Run(contents, options, std::move(plan)).execute(out));
  report.left_out = contents.left_out;
  return report;
}

}  // namespace anybit::recipe

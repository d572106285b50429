#include "anybit/recipe/quantize_in_slabs.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "anybit/base/integer.h"
#include "anybit/quant/method/tensor_parameters.h"

namespace anybit::recipe {
namespace {

using tensor::QuantizedTensor;

int64_t rows_a_slab(const QuantizedTensor& original, const PlannedTensor& planned,
                    const QuantizeOptions& options, int64_t slab_elements) {
  int64_t multiple =
      std::lcm(tensor::slab_row_multiple(original.scheme), quant::TensorErrorSum::kRowMultiple);
  if (planned.scheme) {
    const bool is_divisible = options.method->takes_slabs(*planned.scheme);
    if (!is_divisible) return std::max<int64_t>(original.rows, 1);
    multiple = std::lcm(multiple, tensor::slab_row_multiple(*planned.scheme));
  }
  const int64_t rows = slab_elements / std::max<int64_t>(original.cols, 1);
  return std::max(rows / multiple, int64_t{1}) * multiple;
}

// A slab of a mapped file leaves memory once it is read.
void release_pages(const QuantizedTensor& slab) {
  for (const Buffer* part : {&slab.codes, &slab.scales, &slab.zero_points}) {
    part->release_pages();
  }
}

// Goes through a matrix slab by slab.
class SlabReader {
 public:
  SlabReader(const QuantizedTensor& original, const PlannedTensor& planned,
             const QuantizeOptions& options, int64_t slab_elements)
      : original_(original),
        name_(planned.tensor.name),
        threads_(options.method_options.threads),
        rows_(rows_a_slab(original, planned, options, slab_elements)) {}

  // Calls body(first_row, slab of the original); a matrix without rows is one slab.
  template <class Body>
  Status for_each_slab(const Body& body) const {
    int64_t first_row = 0;
    do {
      const QuantizedTensor slab =
          tensor::row_slab(original_, first_row, std::min(rows_, original_.rows - first_row));
      ANYBIT_TRY(body(first_row, slab));
      release_pages(slab);
      first_row += rows_;
    } while (first_row < original_.rows);
    return {};
  }

  // Calls body(weight) with the values of each slab.
  template <class Body>
  Status for_each_weight(const Body& body) const {
    std::vector<float> values;
    return for_each_slab([&](int64_t first_row, const QuantizedTensor& slab) -> Status {
      values.resize(static_cast<size_t>(slab.rows * slab.cols));
      ANYBIT_TRY(dequantize(slab, values));
      return body(quant::WeightMatrix{.values = values,
                                      .rows = slab.rows,
                                      .cols = slab.cols,
                                      .name = name_,
                                      .first_row = first_row});
    });
  }

  bool is_whole() const { return rows_ >= original_.rows; }

 private:
  Status dequantize(const QuantizedTensor& slab, std::span<float> values) const {
    constexpr int64_t kRowGrain = 64;
    std::vector<Status> results(static_cast<size_t>(ceil_div(slab.rows, kRowGrain)));
    parallel_for(threads_, slab.rows, kRowGrain, [&](int64_t begin, int64_t end) {
      results[static_cast<size_t>(begin / kRowGrain)] =
          tensor::dequantize_rows(slab, begin, end - begin,
                                  values.subspan(static_cast<size_t>(begin * slab.cols),
                                                 static_cast<size_t>((end - begin) * slab.cols)));
    });
    for (Status& result : results) ANYBIT_TRY(std::move(result));
    return {};
  }

  const QuantizedTensor& original_;
  std::string_view name_;
  Threads threads_;
  int64_t rows_;
};

}  // namespace

Result<std::optional<quant::TensorError>> quantize_in_slabs(const QuantizedTensor& original,
                                                            const PlannedTensor& planned,
                                                            const QuantizeOptions& options,
                                                            const SlabSink& sink,
                                                            int64_t slab_elements) {
  const SlabReader reader(original, planned, options, slab_elements);
  if (!planned.scheme) {
    ANYBIT_TRY(reader.for_each_slab([&](int64_t first_row, const QuantizedTensor& slab) {
      return sink(slab, first_row == 0);
    }));
    return std::nullopt;
  }
  quant::TensorParameters shared;
  const bool scans = !reader.is_whole() && quant::needs_scan(*planned.scheme);
  if (scans) {
    quant::TensorScan scan(*planned.scheme, original.rows, original.cols);
    ANYBIT_TRY(
        reader.for_each_weight([&](const quant::WeightMatrix& slab) { return scan.add(slab); }));
    shared = scan.finish();
  }
  quant::TensorErrorSum error;
  ANYBIT_TRY(reader.for_each_weight([&](quant::WeightMatrix slab) -> Status {
    if (scans) slab.shared = &shared;
    ANYBIT_ASSIGN(const QuantizedTensor stored,
                  options.method->quantize(slab, *planned.scheme, options.method_options));
    ANYBIT_TRY(sink(stored, slab.first_row == 0));
    return error.add(slab.values, stored, options.method_options.threads);
  }));
  return error.result();
}

}  // namespace anybit::recipe

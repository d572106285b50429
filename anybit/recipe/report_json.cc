#include "anybit/recipe/report_json.h"

#include <cmath>
#include <limits>

#include "anybit/base/json.h"

namespace anybit::recipe {
namespace {

OrderedJson to_json(const TensorReport& report) {
  OrderedJson object = {{"name", report.name},
                        {"scheme", report.scheme},
                        {"shape", report.shape},
                        {"bits_per_weight", report.bits_per_weight},
                        {"size_bytes", report.size_bytes}};
  if (report.error) {
    object["relative_error"] = report.error->relative;
    // JSON has no infinity; an exact tensor has no SQNR.
    if (std::isfinite(report.error->sqnr_db)) object["sqnr_db"] = report.error->sqnr_db;
    object["max_absolute_error"] = report.error->max_absolute;
    object["cosine"] = report.error->cosine;
  }
  return object;
}

OrderedJson to_json(const std::vector<TensorReport>& reports) {
  OrderedJson array = OrderedJson::array();
  for (const TensorReport& report : reports) array.push_back(to_json(report));
  return array;
}

Result<TensorReport> parse_one(const Json& object, std::string_view name) {
  TensorReport report;
  ANYBIT_ASSIGN(report.name, json_member<std::string>(object, "name", name));
  ANYBIT_ASSIGN(report.scheme, json_member<std::string>(object, "scheme", name));
  ANYBIT_ASSIGN(report.bits_per_weight, json_member<double>(object, "bits_per_weight", name));
  ANYBIT_ASSIGN(report.size_bytes, json_member<int64_t>(object, "size_bytes", name));
  const Json shape = object.value("shape", Json());
  for (const Json& extent : shape.is_array() ? shape : Json::array()) {
    if (!extent.is_number_integer()) {
      return fail(ErrorCode::kCorruptData, "{}: \"shape\": expected integers", name);
    }
    report.shape.push_back(extent.get<int64_t>());
  }
  if (!object.contains("relative_error")) return report;
  report.error.emplace();
  ANYBIT_ASSIGN(report.error->relative, json_member<double>(object, "relative_error", name));
  ANYBIT_ASSIGN(report.error->sqnr_db, json_member_or<double>(object, "sqnr_db", INFINITY, name));
  ANYBIT_ASSIGN(report.error->max_absolute,
                json_member<double>(object, "max_absolute_error", name));
  ANYBIT_ASSIGN(report.error->cosine, json_member<double>(object, "cosine", name));
  return report;
}

}  // namespace

std::string tensor_reports_to_json(const std::vector<TensorReport>& reports) {
  return to_json(reports).dump();
}

Result<std::vector<TensorReport>> parse_tensor_reports(std::string_view text,
                                                       std::string_view name) {
  ANYBIT_ASSIGN(const Json array, parse_json(text, name));
  if (!array.is_array()) return fail(ErrorCode::kCorruptData, "{}: expected an array", name);
  std::vector<TensorReport> reports;
  for (const Json& object : array) {
    ANYBIT_ASSIGN(TensorReport report, parse_one(object, name));
    reports.push_back(std::move(report));
  }
  return reports;
}

quant::TensorError longest_error() {
  // 17 digits, a sign and an exponent of three: no double takes more.
  const double longest = -std::numeric_limits<double>::min();
  return {.relative = longest, .sqnr_db = longest, .max_absolute = longest, .cosine = longest};
}

std::string report_to_json(const QuantizeReport& report) {
  const OrderedJson object = {
      {"bits_per_weight", report.bits_per_weight}, {"size_bytes", report.size_bytes},
      {"num_parameters", report.num_parameters},   {"relative_error", report.relative_error},
      {"resumed_shards", report.resumed_shards},   {"tensors", to_json(report.tensors)}};
  return object.dump(2) + "\n";
}

}  // namespace anybit::recipe

#include "anybit/cli/formats_command.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <optional>

#include "anybit/base/json.h"
#include "anybit/cli/command.h"
#include "anybit/cli/text_table.h"
#include "anybit/numeric/element_format.h"
#include "anybit/numeric/ggml/block_type.h"
#include "anybit/numeric/scheme.h"

namespace anybit::cli {
namespace {

using numeric::ElementFormat;
using numeric::ElementKind;
using numeric::Scheme;

constexpr std::string_view kExamples =
    "  anybit formats\n"
    "  anybit formats e2m1                   properties and all 16 values\n"
    "  anybit formats nvfp4                  a scheme: its parts and bits per weight\n"
    "  anybit formats posit8_1 --json";

constexpr int kMaxTableBits = 8;
/// The matrix that bits per weight are given for.
constexpr int64_t kRows = 4096, kCols = 4096;

constexpr std::array<std::string_view, 10> kKindNames = {
    "int", "uint", "float", "posit", "lns", "binary", "ternary", "bipolar", "codebook", "complex"};
constexpr std::array<std::string_view, 3> kSpecialsNames = {"none", "NaN only", "IEEE"};
constexpr std::array<std::string_view, 6> kGranularityNames = {"none",  "tensor", "channel",
                                                               "token", "group",  "block"};

/// Whether the codes stand for numbers that the format alone decides.
bool has_values(const ElementFormat& format) {
  return format.kind != ElementKind::kCodebook && format.kind != ElementKind::kComplex;
}

/// JSON has no NaN and no infinities: they are strings there.
OrderedJson number_json(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

OrderedJson element_json(const ElementFormat& format) {
  OrderedJson object = {
      {"name", numeric::element_name(format)},
      {"kind", kKindNames[static_cast<size_t>(format.kind)]},
      {"bits", format.bits},
      {"exponent_bits", format.exponent_bits},
      {"mantissa_bits", format.mantissa_bits},
      {"exponent_bias", format.exponent_bias},
      {"specials", kSpecialsNames[static_cast<size_t>(format.specials)]},
      {"signed", format.is_signed},
      {"bits_per_weight", static_cast<double>(format.bits) / format.values_per_code()}};
  if (!has_values(format)) return object;
  object["max"] = number_json(numeric::max_finite(format));
  object["min_positive"] = number_json(numeric::min_positive(format));
  if (format.bits > kMaxTableBits) return object;
  OrderedJson values = OrderedJson::array();
  for (const float value : numeric::decode_table(format)) values.push_back(number_json(value));
  object["values"] = std::move(values);
  return object;
}

OrderedJson scheme_json(const Scheme& scheme) {
  OrderedJson object = {{"name", numeric::scheme_name(scheme)}};
  if (const auto* row = numeric::find_ggml_type(scheme.ggml)) {
    object["ggml_type"] = row->name;
    object["block_elements"] = row->block_elements;
    object["block_bytes"] = row->block_bytes;
    object["can_quantize"] = row->can_quantize;
  } else {
    object["element"] = numeric::element_name(scheme.element);
    object["granularity"] = kGranularityNames[static_cast<size_t>(scheme.granularity)];
    if (scheme.group_size > 0) object["group_size"] = scheme.group_size;
    if (scheme.block_rows > 0) object["block_shape"] = {scheme.block_rows, scheme.block_cols};
    object["scale"] = numeric::element_name(scheme.scale);
    object["zero_point"] = scheme.has_zero_point;
    object["tensor_scale"] = scheme.has_tensor_scale;
  }
  object["bits_per_weight"] = numeric::bits_per_weight(scheme, kRows, kCols);
  return object;
}

OrderedJson list_json() {
  OrderedJson families = OrderedJson::array(), standards = families, ggml_types = families;
  for (const auto& family : numeric::format_families()) {
    families.push_back({{"pattern", family.pattern},
                        {"description", family.description},
                        {"example", family.example}});
  }
  for (const auto& standard : numeric::scheme_standards()) {
    standards.push_back(
        {{"name", standard.name}, {"parts", standard.parts}, {"source", standard.source}});
  }
  for (const auto& row : numeric::ggml_types()) {
    ggml_types.push_back({{"name", row.name},
                          {"bits_per_weight", 8.0 * row.block_bytes / row.block_elements},
                          {"can_quantize", row.can_quantize}});
  }
  return {{"families", families}, {"standards", standards}, {"ggml_types", ggml_types}};
}

std::string list_text() {
  const bool is_styled = is_stdout_styled();
  TextTable families({{"element format"}, {"example"}, {"description"}});
  for (const auto& family : numeric::format_families()) {
    families.add_row({std::string(family.pattern), std::string(family.example),
                      std::string(family.description)});
  }
  TextTable standards({{"standard scheme"}, {"stands for"}, {"source"}});
  for (const auto& row : numeric::scheme_standards()) {
    standards.add_row({std::string(row.name), std::string(row.parts), std::string(row.source)});
  }
  TextTable types({{"GGUF type"}, {"bits/weight", Align::kRight}, {"can quantize"}});
  for (const auto& row : numeric::ggml_types()) {
    types.add_row({std::string(row.name),
                   fmt::format("{:.4g}", 8.0 * row.block_bytes / row.block_elements),
                   row.can_quantize ? "yes" : "no"});
  }
  return families.text(is_styled) + "\n" + standards.text(is_styled) + "\n" +
         types.text(is_styled) +
         "\nA scheme is <element>[_<granularity>][_s<scale format>][_asym][_ts], with the "
         "granularity tensor,\nchannel, token, g<size> or b<rows>x<cols>: int4_g128, "
         "uint4_g64_asym, e2m1_g32_se8m0.\n";
}

/// "key  value" lines of the members of an object that are not lists.
std::string members_text(const OrderedJson& object) {
  std::string out;
  for (const auto& [key, value] : object.items()) {
    if (key == "values") continue;
    out += fmt::format("{:<16} {}\n", key,
                       value.is_string() ? value.get<std::string>() : value.dump());
  }
  return out;
}

std::string value_text(float value) {
  return std::isnan(value) ? "nan" : fmt::format("{:g}", value);
}

std::string value_table(const ElementFormat& format) {
  if (!has_values(format) || format.bits > kMaxTableBits) return "";
  const std::vector<float> values = numeric::decode_table(format);
  const int num_blocks = values.size() > 16 ? 4 : 1;
  const size_t num_rows = (values.size() + num_blocks - 1) / num_blocks;
  std::vector<Column> columns;
  for (int i = 0; i < num_blocks; ++i) {
    columns.push_back({"code", Align::kRight});
    columns.push_back({"value", Align::kRight});
  }
  TextTable table(std::move(columns));
  for (size_t row = 0; row < num_rows; ++row) {
    std::vector<std::string> cells;
    for (int i = 0; i < num_blocks; ++i) {
      const size_t code = row + i * num_rows;
      cells.push_back(code < values.size() ? std::to_string(code) : "");
      cells.push_back(code < values.size() ? value_text(values[code]) : "");
    }
    table.add_row(std::move(cells));
  }
  return "\n" + table.text(is_stdout_styled());
}

Status show_formats(const std::string& name, bool json) {
  if (name.empty()) {
    fmt::print("{}", json ? list_json().dump() + "\n" : list_text());
    return {};
  }
  const Result<ElementFormat> format = numeric::parse_element_format(name);
  if (format) {
    const OrderedJson object = element_json(*format);
    fmt::print("{}", json ? object.dump() + "\n" : members_text(object) + value_table(*format));
    return {};
  }
  ANYBIT_ASSIGN(const Scheme scheme, numeric::parse_scheme(name));
  const OrderedJson object = scheme_json(scheme);
  fmt::print("{}", json ? object.dump() + "\n" : members_text(object));
  return {};
}

}  // namespace

int formats_command(int argc, const char* const* argv) {
  std::string name;
  CommonOptions common;
  Arguments parser("formats",
                   "Lists number formats, or shows one: its properties, and the value of each code "
                   "up to 8 bits. bits_per_weight of a scheme is that of a 4096 x 4096 matrix.",
                   kExamples);
  parser.positional("NAME", &name, "An element format or a scheme", false);
  parser.common(&common);
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  return finish("formats", show_formats(name, common.json));
}

}  // namespace anybit::cli

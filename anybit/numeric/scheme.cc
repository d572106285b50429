#include "anybit/numeric/scheme.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"

namespace anybit::numeric {
namespace {

constexpr std::string_view kOcp = "OCP Microscaling Formats 1.0";
constexpr std::string_view kNvidia = "NVIDIA, Pretraining Large Language Models with NVFP4, 2025";

constexpr SchemeStandard kStandards[] = {
    {"mxfp4", "e2m1_g32_se8m0", kOcp},
    {"mxfp6_e3m2", "e3m2_g32_se8m0", kOcp},
    {"mxfp6_e2m3", "e2m3_g32_se8m0", kOcp},
    {"mxfp8_e4m3", "e4m3_g32_se8m0", kOcp},
    {"mxfp8_e5m2", "e5m2_g32_se8m0", kOcp},
    {"mxint8", "int8f6_g32_se8m0", kOcp},
    {"nvfp4", "e2m1_g16_se4m3_ts", kNvidia},
    {"nvint4", "int4_g16_se4m3_ts", "NVFP4 with integers in place of e2m1"},
    {"nf4", "nf4_g64_sf32", "Dettmers et al. 2023, QLoRA, appendix E"},
};

// Block types whose name is also that of a standard above answer to this prefix.
constexpr std::string_view kGgmlPrefix = "ggml_";

constexpr std::array<float, 16> kNf4Codebook = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find('_');
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// A decimal number of 1..10^9 without leading zeros.
std::optional<int64_t> parse_extent(std::string_view digits) {
  int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  const bool is_plain = error == std::errc{} && stop == end && digits[0] >= '1';
  return is_plain && value <= 1'000'000'000 ? std::optional(value) : std::nullopt;
}

ElementFormat default_scale(Granularity granularity) {
  const bool is_small = granularity == Granularity::kGroup || granularity == Granularity::kBlock2d;
  return is_small ? kF16 : kF32;
}

/// Reads a granularity into `scheme`; false if `part` is none.
bool parse_granularity(std::string_view part, Scheme& scheme) {
  if (part == "tensor" || part == "channel" || part == "token") {
    scheme.granularity = part == "tensor"    ? Granularity::kTensor
                         : part == "channel" ? Granularity::kChannel
                                             : Granularity::kToken;
    return true;
  }
  if (part.starts_with('g')) {
    const auto size = parse_extent(part.substr(1));
    if (!size) return false;
    scheme.granularity = Granularity::kGroup;
    scheme.group_size = *size;
    return true;
  }
  const size_t cross = part.find('x');
  if (!part.starts_with('b') || cross == std::string_view::npos) return false;
  const auto rows = parse_extent(part.substr(1, cross - 1));
  const auto cols = parse_extent(part.substr(cross + 1));
  if (!rows || !cols) return false;
  scheme.granularity = Granularity::kBlock2d;
  scheme.block_rows = *rows;
  scheme.block_cols = *cols;
  return true;
}

/// What no field says alone.
Status check_combination(std::string_view text, const Scheme& scheme) {
  if (scheme.has_zero_point && scheme.element.kind != ElementKind::kUint) {
    return fail(ErrorCode::kInvalidArgument,
                "scheme \"{}\": asym needs a uint<n> element (its zero point is one of its codes), "
                "found {}",
                text, element_name(scheme.element));
  }
  const int64_t shared = scheme.group_size + scheme.block_cols;
  if (shared % scheme.element.values_per_code() != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "scheme \"{}\": elements that share a scale in a row must be a multiple of {} for "
                "{}, found {}",
                text, scheme.element.values_per_code(), element_name(scheme.element), shared);
  }
  return {};
}

/// The element format that opens `parts`; `used` parts make its name.
Result<ElementFormat> parse_element_part(std::string_view text,
                                         const std::vector<std::string_view>& parts, size_t& used) {
  const bool has_two = parts[0].starts_with("posit") || parts[0].starts_with("lns");
  used = has_two && parts.size() > 1 ? 2 : 1;
  const auto name = used == 2 ? fmt::format("{}_{}", parts[0], parts[1]) : std::string(parts[0]);
  auto element = parse_element_format(name);
  if (element) return *element;
  std::string standards;
  for (const SchemeStandard& row : kStandards) standards += fmt::format(", {}", row.name);
  return fail(element.error().code,
              "scheme \"{}\": {}; or a standard{}, or a ggml block type (q4_0, q4_k, ...)", text,
              element.error().message, standards);
}

Result<Scheme> parse_parts(std::string_view text) {
  const std::vector<std::string_view> parts = split(text);
  Scheme scheme;
  size_t next = 1;
  if (parts[0] == "nf4") {
    scheme.element = codebook_format(4);
    scheme.codebook = StandardCodebook::kNf4;
  } else {
    ANYBIT_ASSIGN(scheme.element, parse_element_part(text, parts, next));
  }
  if (next == parts.size()) return scheme;
  if (!parse_granularity(parts[next], scheme)) {
    return fail(ErrorCode::kInvalidArgument,
                "scheme \"{}\": after the element expected tensor, channel, token, g<size> or "
                "b<rows>x<cols>, found \"{}\"",
                text, parts[next]);
  }
  ++next;
  scheme.scale = default_scale(scheme.granularity);
  if (next < parts.size() && parts[next].starts_with('s')) {
    auto scale = parse_element_format(parts[next].substr(1));
    if (!scale || scale->kind != ElementKind::kFloat) {
      return fail(ErrorCode::kInvalidArgument,
                  "scheme \"{}\": after s expected a float format (f32, f16, bf16, e8m0, e4m3, "
                  "ue5m3, ...), found \"{}\"",
                  text, parts[next].substr(1));
    }
    scheme.scale = *scale;
    ++next;
  }
  if (next < parts.size() && parts[next] == "asym") scheme.has_zero_point = true, ++next;
  if (next < parts.size() && parts[next] == "ts") scheme.has_tensor_scale = true, ++next;
  if (next < parts.size()) {
    return fail(ErrorCode::kInvalidArgument,
                "scheme \"{}\": after the granularity expected s<scale format>, asym, ts, in this "
                "order; found \"{}\"",
                text, parts[next]);
  }
  ANYBIT_TRY(check_combination(text, scheme));
  return scheme;
}

const SchemeStandard* find_standard(std::string_view name) {
  for (const SchemeStandard& row : kStandards) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

/// The schemes of kStandards, in its order.
const std::vector<Scheme>& standard_schemes() {
  static const std::vector<Scheme> schemes = [] {
    std::vector<Scheme> parsed;
    for (const SchemeStandard& row : kStandards) parsed.push_back(parse_parts(row.parts).value());
    return parsed;
  }();
  return schemes;
}

std::string granularity_name(const Scheme& scheme) {
  switch (scheme.granularity) {
    case Granularity::kNone: return "";
    case Granularity::kTensor: return "_tensor";
    case Granularity::kChannel: return "_channel";
    case Granularity::kToken: return "_token";
    case Granularity::kGroup: return fmt::format("_g{}", scheme.group_size);
    case Granularity::kBlock2d: return fmt::format("_b{}x{}", scheme.block_rows, scheme.block_cols);
  }
  return "";
}

std::string ggml_name(GgmlType type) {
  const GgmlTypeTraits* traits = find_ggml_type(type);
  if (traits == nullptr) return "unknown";
  const bool is_taken =
      find_standard(traits->name) != nullptr || parse_element_format(traits->name).has_value();
  return fmt::format("{}{}", is_taken ? kGgmlPrefix : "", traits->name);
}

}  // namespace

Result<Scheme> parse_scheme(std::string_view text) {
  if (const SchemeStandard* standard = find_standard(text)) return parse_parts(standard->parts);
  const bool is_prefixed = text.starts_with(kGgmlPrefix);
  const GgmlTypeTraits* type = find_ggml_type(is_prefixed ? text.substr(kGgmlPrefix.size()) : text);
  if (type != nullptr && type->is_block_quantized) {
    Scheme scheme;
    scheme.ggml = type->type;
    return scheme;
  }
  return parse_parts(text);
}

std::string scheme_name(const Scheme& scheme) {
  if (scheme.ggml != GgmlType::kNone) return ggml_name(scheme.ggml);
  const std::vector<Scheme>& standards = standard_schemes();
  for (size_t i = 0; i < standards.size(); ++i) {
    if (standards[i] == scheme) return std::string(kStandards[i].name);
  }
  const bool is_nf4 = scheme.codebook == StandardCodebook::kNf4;
  std::string name = is_nf4 ? "nf4" : element_name(scheme.element);
  name += granularity_name(scheme);
  if (scheme.granularity == Granularity::kNone) return name;
  if (scheme.scale != default_scale(scheme.granularity)) name += "_s" + element_name(scheme.scale);
  if (scheme.has_zero_point) name += "_asym";
  if (scheme.has_tensor_scale) name += "_ts";
  return name;
}

ScaleShape scale_shape(const Scheme& scheme, int64_t rows, int64_t cols) {
  switch (scheme.granularity) {
    case Granularity::kNone: return {0, 0};
    case Granularity::kTensor: return {1, 1};
    case Granularity::kChannel:
    case Granularity::kToken: return {rows, 1};
    case Granularity::kGroup: return {rows, ceil_div(cols, scheme.group_size)};
    case Granularity::kBlock2d:
      return {ceil_div(rows, scheme.block_rows), ceil_div(cols, scheme.block_cols)};
  }
  return {0, 0};
}

int64_t scale_index(const Scheme& scheme, int64_t rows, int64_t cols, int64_t row, int64_t col) {
  ANYBIT_DCHECK(row >= 0 && row < rows && col >= 0 && col < cols);
  switch (scheme.granularity) {
    case Granularity::kNone:
    case Granularity::kTensor: return 0;
    case Granularity::kChannel:
    case Granularity::kToken: return row;
    case Granularity::kGroup:
      return row * ceil_div(cols, scheme.group_size) + col / scheme.group_size;
    case Granularity::kBlock2d:
      return row / scheme.block_rows * scale_shape(scheme, rows, cols).cols +
             col / scheme.block_cols;
  }
  return 0;
}

int64_t num_codes(const Scheme& scheme, int64_t rows, int64_t cols) {
  return rows * cols / scheme.element.values_per_code();
}

double bits_per_weight(const Scheme& scheme, int64_t rows, int64_t cols) {
  if (const GgmlTypeTraits* traits = find_ggml_type(scheme.ggml)) {
    return 8.0 * traits->block_bytes / traits->block_elements;
  }
  const auto num_elements = static_cast<double>(rows) * static_cast<double>(cols);
  if (num_elements == 0) return 0;
  const auto num_scales = static_cast<double>(scale_shape(scheme, rows, cols).count());
  double bits = static_cast<double>(num_codes(scheme, rows, cols)) * scheme.element.bits;
  bits += num_scales * scheme.scale.bits;
  if (scheme.has_zero_point) bits += num_scales * scheme.element.bits;
  if (scheme.has_tensor_scale) bits += 32;
  const bool is_fitted =
      scheme.element.kind == ElementKind::kCodebook && scheme.codebook == StandardCodebook::kFitted;
  if (is_fitted) bits += 32.0 * static_cast<double>(scheme.element.num_codes());
  return bits / num_elements;
}

Status check_fits(const Scheme& scheme, int64_t rows, int64_t cols) {
  const std::optional<int64_t> num_elements = checked_product(rows, cols);
  // A code has at most 32 bits, its scale, zero point and the codes' bit count included fit then.
  if (!num_elements || *num_elements > (int64_t{1} << 56)) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: expected rows and columns >= 0 with at most 2^56 elements, found [{}, {}]",
                scheme_name(scheme), rows, cols);
  }
  const GgmlTypeTraits* traits = find_ggml_type(scheme.ggml);
  if (scheme.ggml != GgmlType::kNone && traits == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "scheme: no ggml block type has the id {}",
                static_cast<int>(scheme.ggml));
  }
  const int64_t multiple =
      traits != nullptr ? traits->block_elements : scheme.element.values_per_code();
  if (cols % multiple != 0) {
    return fail(ErrorCode::kInvalidArgument, "{} needs a multiple of {} columns, found {}",
                scheme_name(scheme), multiple, cols);
  }
  return {};
}

std::span<const float, 16> nf4_codebook() { return kNf4Codebook; }

std::span<const SchemeStandard> scheme_standards() { return kStandards; }

}  // namespace anybit::numeric

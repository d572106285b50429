// Scheme strings and names of element formats: whatever parses prints to a name that parses to the
// same, and sizes under it are consistent.
#include <string_view>

#include "anybit/numeric/element_format.h"
#include "anybit/numeric/packing.h"
#include "anybit/numeric/scheme.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace anybit;  // NOLINT(google-build-using-namespace): names of one program.

void check_element(std::string_view text) {
  const auto format = numeric::parse_element_format(text);
  if (!format) return;
  ANYBIT_CHECK(format->bits >= 1 && format->bits <= 32);
  const auto again = numeric::parse_element_format(numeric::element_name(*format));
  ANYBIT_CHECK(again.has_value() && *again == *format);
  const bool has_values = format->kind != numeric::ElementKind::kCodebook &&
                          format->kind != numeric::ElementKind::kComplex;
  if (!has_values) return;
  ANYBIT_CHECK(numeric::min_positive(*format) <= numeric::max_finite(*format));
  const auto last_code = static_cast<uint32_t>(format->num_codes() - 1);
  for (const uint32_t code : {uint32_t{0}, last_code / 2, last_code}) {
    const double value = numeric::decode(*format, code);
    if (value != value) continue;
    // Saturation, the default, would take infinity to the largest finite value.
    const uint32_t encoded =
        numeric::encode(*format, value, {.overflow = numeric::Overflow::kSpecial});
    ANYBIT_CHECK(encoded <= last_code && numeric::decode(*format, encoded) == value);
  }
}

void check_scheme(std::string_view text) {
  const auto scheme = numeric::parse_scheme(text);
  if (!scheme) return;
  const auto again = numeric::parse_scheme(numeric::scheme_name(*scheme));
  ANYBIT_CHECK(again.has_value() && *again == *scheme);
  for (const int64_t rows : {0, 1, 5}) {
    for (const int64_t cols : {0, 1, 96, 256}) {
      if (!numeric::check_fits(*scheme, rows, cols)) continue;
      ANYBIT_CHECK(numeric::bits_per_weight(*scheme, rows, cols) >= 0);
      const numeric::ScaleShape grid = numeric::scale_shape(*scheme, rows, cols);
      ANYBIT_CHECK(grid.rows >= 0 && grid.cols >= 0);
      for (int64_t i = 0; i < rows * cols; ++i) {
        const int64_t index = numeric::scale_index(*scheme, rows, cols, i / cols, i % cols);
        ANYBIT_CHECK(index >= 0 && (index < grid.count() || grid.count() == 0));
      }
    }
  }
}

}  // namespace

ANYBIT_FUZZ_TARGET(fuzz_scheme, bytes, size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  check_element(text);
  check_scheme(text);
  return 0;
}

// Layouts as text: whatever parses prints to a text that parses to the same, and the operations on
// it answer with a value or an error.
#include <string_view>
#include <vector>

#include "anybit/layout/conversion.h"
#include "anybit/layout/draw.h"
#include "anybit/layout/register_layout_ops.h"
#include "anybit/layout/register_layout_text.h"
#include "anybit/layout/shared_layout.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace anybit;          // NOLINT(google-build-using-namespace): names of one program.
using namespace anybit::layout;  // NOLINT(google-build-using-namespace)

constexpr int64_t kEnumerable = 4096;  // Places that are cheap to walk.

void check_map(const RegisterLayout& layout) {
  const std::vector<int64_t> replicas = layout.replica_offsets();
  for (int64_t t = 0; t < layout.num_threads(); ++t) {
    for (int64_t e = 0; e < layout.local_size(); ++e) {
      const int64_t x = layout.linear_index(t, e);
      ANYBIT_CHECK(x >= 0 && x < layout.size() && layout.holds(t, x));
      ANYBIT_CHECK(layout.locate(x).local == e);
    }
  }
  ANYBIT_CHECK(static_cast<int64_t>(replicas.size()) == layout.replication());
  ANYBIT_CHECK(plan_conversion(layout, layout).value().is_identity());
  ANYBIT_CHECK(draw_text(layout).has_value());
}

void check_register(std::string_view text) {
  const auto layout = parse_register_layout(text);
  if (!layout) return;
  const auto again = parse_register_layout(layout::to_string(*layout));
  ANYBIT_CHECK(again.has_value() && *again == *layout);
  ANYBIT_CHECK(layout->num_threads() <= kMaxElements && layout->size() <= kMaxElements);
  ANYBIT_CHECK(divide(*layout, *layout).value().size() == 1);
  ANYBIT_CHECK(covers(*layout, *layout));
  if (const auto square = compose(*layout, *layout)) {
    ANYBIT_CHECK(divide(*square, *layout).value() == *layout);
    ANYBIT_CHECK(left_divide(*square, *layout).value() == *layout);
  }
  if (layout->rank() > 0) {
    const RegisterLayout flat = flatten(*layout, 0, layout->rank() - 1).value();
    ANYBIT_CHECK(reshape(flat, layout->shape()).value() == *layout);
    const int first[] = {0};
    ANYBIT_CHECK(reduce(*layout, first, false).value().num_threads() == layout->num_threads());
  }
  if (layout->num_threads() <= kEnumerable && layout->local_size() <= kEnumerable &&
      layout->num_threads() * layout->local_size() <= kEnumerable) {
    check_map(*layout);
  }
}

void check_shared(std::string_view text) {
  const auto layout = parse_shared_layout(text);
  if (!layout) return;
  const auto again = parse_shared_layout(layout::to_string(*layout));
  ANYBIT_CHECK(again.has_value() && *again == *layout);
  const int64_t size = num_elements(layout->shape());
  for (int64_t i = 0; i < size && i < kEnumerable; ++i) {
    const int64_t offset = layout->offset(unravel(i, layout->shape()));
    ANYBIT_CHECK(offset >= 0 && offset < layout->size_elements());
  }
  const Dims line = {size};
  if (const auto flat = layout->reshape(line)) {
    ANYBIT_CHECK(flat->reshape(layout->shape()).value() == *layout);
  }
}

}  // namespace

ANYBIT_FUZZ_TARGET(fuzz_layout, bytes, size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  check_register(text);
  check_shared(text);
  return 0;
}

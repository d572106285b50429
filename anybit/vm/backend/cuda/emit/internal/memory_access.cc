#include "anybit/vm/backend/cuda/emit/internal/memory_access.h"

namespace anybit::vm::cuda {

GlobalAccess::GlobalAccess(Emitter& out, const TensorType& global, const std::string& pointer,
                           const std::vector<Expr>& offset, const layout::RegisterLayout& layout,
                           const GlobalAccessPlan& plan)
    : out_(out),
      global_(global),
      offset_(offset),
      layout_(layout),
      lead_(static_cast<int>(global.extents.size()) - layout.rank()),
      plan_(plan.runs),
      pointer_(pointer) {
  first_ = out.fresh("first");
  std::string sum;
  for (size_t d = 0; d < offset.size(); ++d) {
    const int tile_dim = static_cast<int>(d) - lead_;
    const std::string thread = tile_dim < 0 ? "0" : out.thread_coordinate(layout, tile_dim);
    std::string index = out.scalar(offset[d]);
    if (thread != "0") index = index == "0" ? thread : fmt::format("{} + {}", index, thread);
    indices_.emplace_back();
    if (plan.is_tested[d]) {
      indices_.back() = out.fresh("index");
      out.line("const auto {} = {};", indices_.back(), index);
      index = indices_.back();
    }
    if (index == "0") continue;
    const std::string stride = out.scalar(global.strides[d]);
    sum += fmt::format("{}(long long)({}){}", sum.empty() ? "" : " + ", index,
                       stride == "1" ? "" : " * " + stride);
  }
  out.line("const long long {} = {};", first_, sum.empty() ? "0" : sum);
}

std::string GlobalAccess::element_delta(int64_t r, int64_t& constant) const {
  const layout::Dims coordinates = layout_.coordinates(0, r * plan_.count);
  std::string text;
  constant = 0;
  for (int d = 0; d < coordinates.size(); ++d) {
    if (coordinates[d] == 0) continue;
    const Expr& stride = global_.strides[d + lead_];
    if (const auto literal = stride.as_integer()) {
      constant += coordinates[d] * *literal;
    } else {
      text += fmt::format(" + {}ll * {}", coordinates[d], out_.scalar(stride));
    }
  }
  return text;
}

std::string GlobalAccess::address(int64_t r) const {
  int64_t constant = 0;
  std::string elements = first_ + element_delta(r, constant);
  if (constant != 0) elements += fmt::format(" + {}", constant);
  const int bits = global_.element.bits;
  if (bits % 8 == 0) {
    return fmt::format("(char*){} + ({}) * {}", pointer_, elements, bits / 8);
  }
  return fmt::format("(char*){} + ({}) * {} / 8", pointer_, elements, bits);
}

std::string GlobalAccess::bit_offset(int64_t r) const {
  int64_t constant = 0;
  const std::string text = element_delta(r, constant);
  return fmt::format("({}{} + {}) * {}", first_, text, constant, global_.element.bits);
}

std::string GlobalAccess::condition(int64_t r) const {
  const layout::Dims coordinates = layout_.coordinates(0, r * plan_.count);
  std::string text;
  for (size_t d = 0; d < indices_.size(); ++d) {
    if (indices_[d].empty()) continue;
    const int tile_dim = static_cast<int>(d) - lead_;
    const int64_t add = tile_dim < 0 ? 0 : coordinates[tile_dim];
    const bool wide =
        offset_[d].type() == ScalarType::kI64 || global_.extents[d].type() == ScalarType::kI64;
    const char* type = wide ? "ab::u64" : "ab::u32";
    text += fmt::format("{}({})({}{}) < ({})({})", text.empty() ? "" : " && ", type, indices_[d],
                        add == 0 ? "" : fmt::format(" + {}", add), type,
                        out_.scalar(global_.extents[d]));
  }
  return text;
}

SharedAccess::SharedAccess(Emitter& out, const SharedView& shared, int bits,
                           const layout::RegisterLayout& layout)
    : SharedAccess(out, shared, bits, layout,
                   plan_shared_access(shared, bits, layout, out.scalars())) {}

SharedAccess::SharedAccess(Emitter& out, const SharedView& shared, int bits,
                           const layout::RegisterLayout& layout, const AccessPlan& plan)
    : shared_(shared), layout_(layout), bits_(bits), plan_(plan) {
  const std::vector<layout::Digit> digits(layout.thread_digits().begin(),
                                          layout.thread_digits().end());
  std::vector<int64_t> weights;
  for (const layout::Digit& digit : digits) {
    weights.push_back(digit.is_replicated() ? 0 : digit.stride * shared_.strides[digit.dim]);
  }
  std::string sum = out.thread_sum(digits, weights);
  for (const auto& [expr, weight] : shared_.offsets) {
    const std::string term = fmt::format("(int)({}) * {}", out.scalar(expr), weight);
    sum = sum == "0" ? term : fmt::format("{} + {}", term, sum);
  }
  first_ = out.fresh("at");
  out.line("const ab::u32 {} = (ab::u32)({});", first_, sum);
  if (shared_.swizzle.bits == 0 || !shared_.offsets.empty()) return;
  for (int64_t t = 0; t < layout.num_threads(); ++t) {
    const layout::Dims x = layout.coordinates(t, 0);
    int64_t linear = 0;
    for (int d = 0; d < x.size(); ++d) linear += x[d] * shared_.strides[d];
    first_bits_ |= linear;
  }
  swizzled_ = out.fresh("at");
  out.line("const ab::u32 {} = ab::swizzle<{}, {}, {}>({});", swizzled_, shared_.swizzle.base,
           shared_.swizzle.bits, shared_.swizzle.shift, first_);
}

namespace {

/// The byte of element `linear`, an expression.
std::string bytes_of(const std::string& linear, int bits) {
  if (bits == 8) return linear;
  return bits % 8 == 0 ? fmt::format("{} * {}", linear, bits / 8)
                       : fmt::format("{} * {} / 8", linear, bits);
}

}  // namespace

std::string SharedAccess::swizzled(int64_t constant) const {
  const layout::Swizzle& swizzle = shared_.swizzle;
  if (swizzled_.empty() || (constant & first_bits_) != 0) return {};
  // Without bits in common, the sum is an exclusive or, and the swizzle of it the exclusive or of
  // both swizzles. What of the constant's cannot meet a bit of the other's is an addition again,
  // which costs nothing in an address.
  const int64_t moved = swizzle.apply(constant);
  const int64_t target = ((int64_t{1} << swizzle.bits) - 1) << swizzle.base;
  const bool moves_first = (first_bits_ >> swizzle.shift & target) != 0;
  const int64_t taken = first_bits_ | (moves_first ? target : 0);
  const std::string flipped =
      (moved & taken) == 0 ? swizzled_ : fmt::format("({} ^ {:#x}u)", swizzled_, moved & taken);
  return (moved & ~taken) == 0 ? flipped : fmt::format("({} + {})", flipped, moved & ~taken);
}

std::string SharedAccess::address(int64_t r) const {
  const layout::Dims x = layout_.coordinates(0, r * plan_.count);
  int64_t constant = 0;
  for (int d = 0; d < x.size(); ++d) constant += x[d] * shared_.strides[d];
  const std::string address = swizzled(constant);
  return address.empty()
             ? shared_address(shared_, bits_, first_, constant)
             : fmt::format("smem + {} + {}", shared_.byte_offset, bytes_of(address, bits_));
}

std::string shared_address(const SharedView& shared, int bits, const std::string& first,
                           int64_t constant) {
  const layout::Swizzle& swizzle = shared.swizzle;
  // swizzle(x + c) is swizzle(x) + c for multiples c of what it reads and writes: few swizzles have
  // to be computed, and the rest fits into the instruction.
  int64_t bytes_after = shared.byte_offset;
  if (swizzle.bits > 0 && bits % 8 == 0) {
    const int64_t period = int64_t{1} << (swizzle.base + swizzle.shift + swizzle.bits);
    bytes_after += constant / period * period * bits / 8;
    constant %= period;
  }
  std::string linear = constant == 0 ? first : fmt::format("({} + {})", first, constant);
  if (swizzle.bits > 0) {
    linear = fmt::format("ab::swizzle<{}, {}, {}>({})", swizzle.base, swizzle.bits, swizzle.shift,
                         linear);
  }
  return fmt::format("smem + {} + {}", bytes_after, bytes_of(linear, bits));
}

namespace {

/// Units of a run in whole words go straight into the array; smaller ones through a word of their
/// own, at their bits.
struct UnitPlace {
  int64_t word;
  int64_t bit;
};
UnitPlace place_of(const AccessPlan& plan, int64_t r, int64_t unit, int bits) {
  const int64_t bit = r * plan.count * bits + unit * plan.unit_bytes * 8;
  return {bit / 32, bit % 32};
}

std::string unit_address(const std::string& address, int64_t unit, const AccessPlan& plan) {
  return unit == 0 ? address : fmt::format("{} + {}", address, unit * plan.unit_bytes);
}

}  // namespace

void emit_run_load(Emitter& out, const std::string& array, const AccessPlan& plan, int64_t r,
                   int bits, std::string_view space, const std::string& address,
                   std::string_view suffix) {
  for (int64_t u = 0; u < plan.units; ++u) {
    const UnitPlace place = place_of(plan, r, u, bits);
    const std::string from = unit_address(address, u, plan);
    if (plan.unit_bytes >= 4) {
      out.line("ab::load_{}<{}{}>({} + {}, {});", space, plan.unit_bytes, suffix, array, place.word,
               from);
      continue;
    }
    const std::string part = out.fresh("part");
    out.line("ab::u32 {}[1];", part);
    out.line("ab::load_{}<{}{}>({}, {});", space, plan.unit_bytes, suffix, part, from);
    out.line("{}[{}] {} {}[0]{};", array, place.word, "|=", part,
             place.bit == 0 ? "" : fmt::format(" << {}", place.bit));
  }
}

void emit_run_store(Emitter& out, const std::string& array, const AccessPlan& plan, int64_t r,
                    int bits, std::string_view space, const std::string& address) {
  for (int64_t u = 0; u < plan.units; ++u) {
    const UnitPlace place = place_of(plan, r, u, bits);
    const std::string to = unit_address(address, u, plan);
    if (plan.unit_bytes >= 4) {
      out.line("ab::store_{}<{}>({}, {} + {});", space, plan.unit_bytes, to, array, place.word);
      continue;
    }
    const std::string part = out.fresh("part");
    out.line("const ab::u32 {}[1] = {{ {}[{}] >> {} }};", part, array, place.word, place.bit);
    out.line("ab::store_{}<{}>({}, {});", space, plan.unit_bytes, to, part);
  }
}

}  // namespace anybit::vm::cuda

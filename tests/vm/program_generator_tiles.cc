// The generator's instructions on register tiles.
#include <algorithm>

#include "anybit/layout/register_layout_ops.h"
#include "anybit/vm/ir/instruction_info.h"
#include "tests/vm/internal/generator.h"

namespace anybit::vm::testing {

using numeric::ElementFormat;

namespace {

bool is_computed(const PoolTile& tile) { return operand_class(tile.element) != 0; }

/// An operator of the table that takes `element`.
template <class Op>
Op random_operator(RandomChoices& random, std::span<const OperatorInfo> table,
                   const ElementFormat& element) {
  std::vector<int64_t> fitting;
  for (size_t i = 0; i < table.size(); ++i) {
    if ((table[i].classes & operand_class(element)) != 0)
      fitting.push_back(static_cast<int64_t>(i));
  }
  return static_cast<Op>(random.pick(fitting));
}

bool keeps_codes(const ElementFormat& element) { return operand_class(element) != kFloats; }

}  // namespace

bool Generator::emit_full() {
  const ElementFormat element = random_compute_element();
  const std::vector<int64_t> shape = random_shape();
  Expr value = random_integer();
  if (is_compute_float(element)) {
    static const std::vector<float> kValues = {0, -0.0F, 1, -2.5F, 1e-3F, 65504, 1e30F};
    value = random_.chance(40) && depth_ == 0 ? scalar_f32(random_.pick(kValues))
                                              : Expr::real(random_.pick(kValues));
  }
  add(builder_.full(element, shape, value, maybe_layout(shape)), element, true);
  return true;
}

bool Generator::emit_iota() {
  const std::vector<int64_t> shape = random_shape();
  add(builder_.iota(shape, random_.below(static_cast<int64_t>(shape.size()))), kInt32, true);
  return true;
}

bool Generator::emit_random() {
  const Expr offset = random_.chance(50) ? builder_.block(0) * Expr(random_.between(1, 4096))
                                         : Expr(random_.between(0, 100));
  add(builder_.random(random_shape(), Expr(random_.between(0, 99)), offset), kUint32, true);
  return true;
}

bool Generator::emit_cast() {
  const PoolTile* source = pick_tile([](const PoolTile& t) { return is_castable(t.element); });
  if (source == nullptr) return false;
  const PoolTile from = *source;
  ElementFormat to =
      is_computed(from) && random_.chance(60) ? random_element() : random_compute_element();
  if (!is_castable(to)) return false;
  const bool may_be_nan =
      to.kind == numeric::ElementKind::kFloat && to.specials != numeric::Specials::kNone;
  add(builder_.cast(from.tile, to), to, !may_be_nan);
  return true;
}

bool Generator::emit_unary() {
  const PoolTile* source = pick_tile(is_computed);
  if (source == nullptr) return false;
  const PoolTile x = *source;
  const auto op = random_operator<UnaryOp>(random_, unary_operators(), x.element);
  add(builder_.unary(op, x.tile), x.element, keeps_codes(x.element));
  return true;
}

/// A second operand for an operator: of the same element, of a shape that broadcasts.
PoolTile Generator::partner_of(const PoolTile& tile) {
  const auto broadcasts = [&](const PoolTile& other) {
    if (!(other.element == tile.element)) return false;
    const auto &a = tile.shape, &b = other.shape;
    int64_t size = 1;
    for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
      const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
      const int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
      if (x != y && x != 1 && y != 1) return false;
      size *= std::max(x, y);
    }
    return size <= 32 * num_threads_;
  };
  if (random_.chance(60)) {
    if (const PoolTile* other = pick_tile(broadcasts)) return *other;
  }
  std::vector<int64_t> shape = tile.shape;
  for (int64_t& extent : shape) extent = random_.chance(50) ? 1 : extent;
  while (shape.size() > 1 && shape[0] == 1 && random_.chance(50)) shape.erase(shape.begin());
  PoolTile made{{}, tile.element, shape, true};
  made.tile = random_.chance(50) || tile.element == kBool
                  ? load(tile.element, shape)
                  : builder_.full(tile.element, shape,
                                  is_compute_float(tile.element)
                                      ? Expr::real(static_cast<float>(random_.between(-9, 9)) / 4)
                                      : random_integer());
  return made;
}

bool Generator::emit_binary() {
  const PoolTile* source = pick_tile(is_computed);
  if (source == nullptr) return false;
  const PoolTile a = *source;
  PoolTile b = partner_of(a);
  const auto op = random_operator<BinaryOp>(random_, binary_operators(), a.element);
  if ((op == BinaryOp::kDiv || op == BinaryOp::kMod) && operand_class(a.element) == kIntegers) {
    // Odd numbers: never 0.
    b.tile = builder_.binary(BinaryOp::kOr, b.tile, builder_.full(a.element, {1}, Expr(1)));
  }
  const bool swap = random_.chance(30) && op != BinaryOp::kDiv && op != BinaryOp::kMod;
  add(swap ? builder_.binary(op, b.tile, a.tile) : builder_.binary(op, a.tile, b.tile), a.element,
      keeps_codes(a.element));
  return true;
}

bool Generator::emit_fma() {
  const PoolTile* source = pick_tile(
      [](const PoolTile& t) { return (operand_class(t.element) & (kFloats | kIntegers)) != 0; });
  if (source == nullptr) return false;
  const PoolTile a = *source;
  if (operand_class(a.element) != kFloats) return false;
  const PoolTile b = partner_of(a);
  const Tile c = random_.chance(50) ? a.tile : b.tile;
  add(builder_.fma(a.tile, b.tile, c), a.element, false);
  return true;
}

bool Generator::emit_compare() {
  const PoolTile* source = pick_tile(is_computed);
  if (source == nullptr) return false;
  const PoolTile a = *source, b = partner_of(a);
  const auto op = random_operator<CompareOp>(random_, compare_operators(), a.element);
  add(builder_.compare(op, a.tile, b.tile), kBool, true);
  return true;
}

bool Generator::emit_select() {
  const PoolTile* condition = pick_tile([](const PoolTile& t) { return t.element == kBool; });
  if (condition == nullptr) return false;
  const PoolTile chosen = *condition;
  const PoolTile* source = pick_tile([&](const PoolTile& t) { return t.shape == chosen.shape; });
  PoolTile a;
  if (source != nullptr) {
    a = *source;
  } else {
    a = {{}, random_element(), chosen.shape, true};
    a.tile = load(a.element, a.shape);
  }
  const PoolTile* other =
      pick_tile([&](const PoolTile& t) { return t.element == a.element && t.shape == a.shape; });
  PoolTile b = a;
  if (other != nullptr) b = *other;
  if (other == nullptr || other->tile.id == a.tile.id) {
    b.shape[static_cast<size_t>(random_.below(static_cast<int64_t>(b.shape.size())))] = 1;
    b.tile = load(b.element, b.shape);
  }
  add(random_.chance(50) ? builder_.select(chosen.tile, a.tile, b.tile)
                         : builder_.select(chosen.tile, b.tile, a.tile),
      a.element, a.has_exact_codes && b.has_exact_codes);
  return true;
}

bool Generator::emit_reduce() {
  const PoolTile* source = pick_tile(is_computed);
  if (source == nullptr) return false;
  const PoolTile x = *source;
  const auto op = random_operator<ReduceOp>(random_, reduce_operators(), x.element);
  const int64_t dim = random_.below(static_cast<int64_t>(x.shape.size()));
  add(builder_.reduce(x.tile, op, dim), x.element, keeps_codes(x.element));
  return true;
}

bool Generator::emit_scan() {
  const PoolTile* source = pick_tile(is_computed);
  if (source == nullptr) return false;
  const PoolTile x = *source;
  const auto op = random_operator<ReduceOp>(random_, reduce_operators(), x.element);
  const int64_t dim = random_.below(static_cast<int64_t>(x.shape.size()));
  add(builder_.scan(x.tile, op, dim, random_.chance(40)), x.element, keeps_codes(x.element));
  return true;
}

bool Generator::emit_reshape() {
  const PoolTile* source = pick_tile([](const PoolTile&) { return true; });
  if (source == nullptr) return false;
  const PoolTile x = *source;
  const std::vector<int64_t> shape = split(x.size(), random_.between(1, 4));
  // What the result can be laid out as follows from the operand, but for odd factors.
  add(builder_.reshape(x.tile, shape), x.element, x.has_exact_codes);
  return true;
}

bool Generator::emit_permute() {
  const PoolTile* source = pick_tile([](const PoolTile& t) { return t.shape.size() > 1; });
  if (source == nullptr) return false;
  const PoolTile x = *source;
  std::vector<int64_t> dims(x.shape.size());
  for (size_t d = 0; d < dims.size(); ++d) dims[d] = static_cast<int64_t>(d);
  random_.shuffle(dims);
  add(builder_.permute(x.tile, dims), x.element, x.has_exact_codes);
  return true;
}

/// From a layout without copies to another: copies of one element must stay equal.
bool Generator::emit_view() {
  const PoolTile* source = pick_tile(
      [&](const PoolTile& t) { return t.has_exact_codes && t.size() % num_threads_ == 0; });
  if (source == nullptr) return false;
  const PoolTile x = *source;
  const auto from = random_layout(random_, x.shape, num_threads_, false);
  const ElementFormat element = random_element();
  if (!from || from->local_size() * x.element.bits % element.bits != 0) return false;
  const int64_t local = from->local_size() * x.element.bits / element.bits;
  const std::vector<int64_t> shape = split(local * num_threads_, random_.between(1, 3));
  const auto to = random_layout(random_, shape, num_threads_, false);
  if (!to) return false;
  add(builder_.view(builder_.convert_layout(x.tile, *from), element, shape, *to), element, true);
  return true;
}

bool Generator::emit_convert() {
  const PoolTile* source = pick_tile([](const PoolTile&) { return true; });
  if (source == nullptr) return false;
  const PoolTile x = *source;
  const auto to = random_layout(random_, x.shape, num_threads_, true);
  if (!to) return false;
  add(builder_.convert_layout(x.tile, *to), x.element, x.has_exact_codes);
  return true;
}

/// A tile whose values are integers of at most 3 bits, exact in every format that dot takes.
PoolTile Generator::small_integers(const ElementFormat& element, std::vector<int64_t> shape) {
  static const std::vector<ElementFormat> kNarrow = {
      numeric::int_format(3), numeric::uint_format(2), numeric::uint_format(1),
      *numeric::parse_element_format("ternary")};
  // Not ternary's unused code, which is NaN.
  const ElementFormat narrow = kNarrow[static_cast<size_t>(random_.below(3))];
  const Tile loaded = load(narrow, shape);
  return {builder_.cast(loaded, element), element, std::move(shape), true};
}

bool Generator::emit_dot() {
  static const std::vector<ElementFormat> kElements = {
      numeric::kF16,  numeric::kF16,          numeric::kBF16,          numeric::kE4M3,
      numeric::kE5M2, numeric::int_format(8), numeric::uint_format(8), numeric::kF32};
  const ElementFormat element = random_.pick(kElements);
  const bool is_integer = is_integer_element(element);
  const ElementFormat sum = is_integer ? kInt32 : numeric::kF32;
  int64_t m = random_.pick(std::vector<int64_t>{16, 16, 32, 64}),
          n = random_.pick(std::vector<int64_t>{8, 16, 16, 32}),
          k = random_.pick(std::vector<int64_t>{16, 32, 32, 64});
  if (random_.chance(20) || m * n > 32 * num_threads_) {
    m = random_.between(1, 4) * 2;
    n = random_.between(1, 8);
    k = random_.between(1, 20);
  }
  const bool is_exact = options_.exact_dots || random_.chance(40);
  const auto operand = [&](int64_t rows, int64_t columns) {
    if (is_exact) return small_integers(element, {rows, columns}).tile;
    const PoolTile* known = pick_tile([&](const PoolTile& t) {
      return t.element == element && t.shape == std::vector<int64_t>{rows, columns};
    });
    return known != nullptr && random_.chance(60) ? known->tile : load(element, {rows, columns});
  };
  const Tile a = operand(m, k);
  Tile b;
  if (random_.chance(40)) {
    b = builder_.permute(operand(n, k), {1, 0});
  } else {
    b = operand(k, n);
  }
  const Tile c = is_exact && random_.chance(50) ? small_integers(sum, {m, n}).tile
                 : is_integer                   ? builder_.full(sum, {m, n}, Expr(0))
                                                : builder_.full(sum, {m, n}, Expr::real(0));
  const bool is_tf32 = element == numeric::kF32 && random_.chance(50);
  add(builder_.emit(Opcode::kDot, {a, b, c}, {is_tf32 ? Attribute(int64_t{1}) : Attribute()}), sum,
      is_integer);
  return true;
}

}  // namespace anybit::vm::testing

#include "tests/vm/program_generator.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "anybit/layout/register_layout_ops.h"
#include "anybit/numeric/packing.h"
#include "tests/vm/internal/generator.h"

namespace anybit::vm::testing {

using layout::RegisterLayout;
using numeric::ElementFormat;
using numeric::ElementKind;

int64_t PoolTile::size() const {
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  return size;
}

bool is_castable(const ElementFormat& element) {
  return element.kind != ElementKind::kCodebook && element.kind != ElementKind::kComplex;
}

std::optional<RegisterLayout> random_layout(RandomChoices& random,
                                            const std::vector<int64_t>& shape, int64_t num_threads,
                                            bool may_replicate, int64_t run) {
  constexpr int64_t kMaxLocal = 64;
  std::vector<int64_t> outer = shape;
  outer.back() /= run;
  layout::ModeLists lists;
  std::vector<int64_t> twos, rest;  // Modes of extent 2, which threads can take; and others.
  for (size_t d = 0; d < outer.size(); ++d) {
    std::vector<int64_t> factors;
    for (int64_t left = outer[d], p = 2; left > 1;) {
      if (left % p == 0) {
        factors.push_back(p);
        left /= p;
      } else {
        ++p;
      }
    }
    random.shuffle(factors);
    for (const int64_t factor : factors) {
      (factor == 2 ? twos : rest).push_back(static_cast<int64_t>(lists.modes.size()));
      lists.modes.push_back({factor, static_cast<int>(d)});
    }
  }
  const int64_t thread_bits = std::countr_zero(static_cast<uint64_t>(num_threads));
  int64_t taken = std::min<int64_t>(thread_bits, static_cast<int64_t>(twos.size()));
  if (may_replicate && taken > 0 && random.chance(25)) taken -= random.between(1, taken);
  if (taken < thread_bits && !may_replicate) return std::nullopt;
  const bool in_order = random.chance(40);
  if (!in_order) random.shuffle(twos);
  lists.threads.assign(twos.begin(), twos.begin() + taken);
  lists.locals.assign(twos.begin() + taken, twos.end());
  lists.locals.insert(lists.locals.end(), rest.begin(), rest.end());
  if (in_order) std::sort(lists.locals.begin(), lists.locals.end());
  if (!in_order) random.shuffle(lists.locals);
  for (int64_t left = thread_bits - taken; left > 0;) {
    const int64_t bits = random.between(1, left);
    lists.threads.insert(
        lists.threads.begin() + random.between(0, static_cast<int64_t>(lists.threads.size())),
        -(int64_t{1} << bits));
    left -= bits;
  }
  const auto made = RegisterLayout::make(layout::Dims(outer), lists);
  if (!made || made->local_size() * run > kMaxLocal) return std::nullopt;
  if (run == 1) return *made;
  std::vector<int64_t> inner(shape.size(), 1);
  inner.back() = run;
  return *made * layout::local(layout::Dims(inner));
}

Generator::Generator(uint64_t seed, const GeneratorOptions& options)
    : random_(seed),
      options_(options),
      num_warps_(static_cast<int>(random_.pick(std::vector<int64_t>{1, 1, 2, 2, 4}))),
      builder_(fmt::format("fuzz_{}", seed), num_warps_),
      num_threads_(int64_t{num_warps_} * kWarpSize) {}

std::string Generator::fresh(std::string_view stem) {
  return fmt::format("{}{}", stem, num_names_++);
}

ElementFormat Generator::random_compute_element() {
  static const std::vector<ElementFormat> kElements = {numeric::kF32,
                                                       numeric::kF32,
                                                       numeric::kF16,
                                                       numeric::kF16,
                                                       numeric::kBF16,
                                                       kInt32,
                                                       kInt32,
                                                       kUint32,
                                                       numeric::int_format(8),
                                                       numeric::uint_format(8),
                                                       numeric::int_format(16),
                                                       numeric::uint_format(16)};
  return random_.pick(kElements);
}

ElementFormat Generator::random_element() {
  static const std::vector<ElementFormat> kElements = [] {
    std::vector<ElementFormat> elements;
    for (const std::string& name : numeric::all_format_names()) {
      elements.push_back(*numeric::parse_element_format(name));
    }
    return elements;
  }();
  return random_.chance(50) ? random_compute_element() : random_.pick(kElements);
}

/// Factors of `total` dealt out to `rank` dimensions.
std::vector<int64_t> Generator::split(int64_t total, int64_t rank) {
  std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
  for (int64_t p = 2; total > 1;) {
    if (total % p == 0) {
      shape[static_cast<size_t>(random_.below(rank))] *= p;
      total /= p;
    } else {
      ++p;
    }
  }
  return shape;
}

std::vector<int64_t> Generator::random_shape() {
  int64_t total =
      int64_t{1} << random_.between(3, 5 + std::countr_zero(static_cast<uint64_t>(num_threads_)));
  if (total <= 256 && random_.chance(15)) total *= random_.pick(std::vector<int64_t>{3, 3, 5});
  return split(total, random_.pick(std::vector<int64_t>{1, 2, 2, 2, 3, 3, 4}));
}

std::optional<RegisterLayout> Generator::maybe_layout(const std::vector<int64_t>& shape) {
  if (random_.chance(50)) return std::nullopt;
  return random_layout(random_, shape, num_threads_, true);
}

Expr Generator::random_integer() {
  if (random_.chance(30)) return Expr(static_cast<int>(random_.below(9)));
  const Expr x = random_.chance(40) ? random_.pick(parameters_) : random_.pick(integers_);
  switch (random_.below(5)) {
    case 0: return x + Expr(static_cast<int>(random_.between(-3, 3)));
    case 1: return x * Expr(static_cast<int>(random_.between(0, 3)));
    case 2: return min(x, random_.pick(integers_));
    case 3: return x % Expr(static_cast<int>(random_.between(1, 7)));
    default: return x;
  }
}

Expr Generator::random_condition() {
  const Expr a = random_integer(), b = random_integer();
  switch (random_.below(4)) {
    case 0: return less(a, b);
    case 1: return equal(a, b);
    case 2: return logical_or(less_equal(a, b), not_equal(b, 3));
    default: return less_equal(a % 2, b % 2);
  }
}

const PoolTile* Generator::pick_tile(const std::function<bool(const PoolTile&)>& fits) {
  std::vector<const PoolTile*> fitting;
  for (const PoolTile& tile : pool_) {
    if (fits(tile)) fitting.push_back(&tile);
  }
  if (fitting.empty()) return nullptr;
  // Newer ones more often: programs shall be deep.
  const auto count = static_cast<int64_t>(fitting.size());
  return fitting[static_cast<size_t>(std::max(random_.below(count), random_.below(count)))];
}

void Generator::add(Tile tile, const ElementFormat& element, bool has_exact_codes) {
  if (tile.id == kNoValue) return;
  pool_.push_back({tile, element, builder_.shape_of(tile), has_exact_codes});
}

Expr Generator::scalar_i32(int64_t value) {
  FuzzArgument argument{fresh("n")};
  argument.scalar = {ScalarType::kI32, value};
  arguments_.push_back(argument);
  const Expr expr = builder_.parameter(argument.name, ScalarType::kI32);
  parameters_.push_back(expr);
  return expr;
}

Expr Generator::scalar_f32(float value) {
  FuzzArgument argument{fresh("s")};
  argument.scalar = {ScalarType::kF32, 0, value};
  arguments_.push_back(argument);
  return builder_.parameter(argument.name, ScalarType::kF32);
}

std::vector<std::byte> Generator::random_contents(const ElementFormat& element, int64_t size) {
  std::vector<std::byte> bytes(static_cast<size_t>(numeric::packed_size_bytes(size, element.bits)));
  const bool is_plain = is_compute_float(element) && random_.chance(80);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_.bits());
  for (int64_t i = 0; is_plain && i < size; ++i) {
    // Moderate values, and a few that are not.
    static const std::vector<double> kSpecial = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1e-40, 6e-8};
    const double value = random_.chance(3)
                             ? random_.pick(kSpecial)
                             : static_cast<double>(random_.between(-4096, 4096)) / 256;
    const uint32_t code = numeric::encode(
        element, value, {numeric::RoundingMode::kNearestEven, numeric::Overflow::kSpecial});
    numeric::pack_codes({&code, 1}, element.bits, bytes, i);
  }
  return bytes;
}

Expr Generator::buffer(std::string_view stem, const ElementFormat& element, int64_t size,
                       bool is_random) {
  FuzzArgument argument{fresh(stem), true, element};
  argument.contents = random_contents(element, is_random ? size : 0);
  argument.contents.resize(static_cast<size_t>(numeric::packed_size_bytes(size, element.bits)),
                           std::byte{0});
  arguments_.push_back(argument);
  return builder_.parameter(argument.name, ScalarType::kPointer);
}

/// is_regular: row-major, and nothing but multiples of the tile's own extents.
Generator::Source Generator::make_source(const ElementFormat& element,
                                         const std::vector<int64_t>& shape, bool is_regular) {
  Source source;
  std::vector<int64_t> extents;
  if (random_.chance(15)) {
    extents.push_back(random_.between(1, 3));
    source.offset.emplace_back(static_cast<int>(random_.below(extents[0])));
  }
  const size_t lead = extents.size();
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool by_block = d == 0 && grid_ > 1;
    extents.push_back(shape[d] * (by_block ? grid_ : 1));
    Expr offset = by_block ? builder_.block(0) * Expr(shape[d]) : Expr(0);
    if (!is_regular && random_.chance(30)) {
      extents.back() = std::max<int64_t>(1, extents.back() + random_.between(-3, 5));
      source.is_inside = false;
    }
    if (!is_regular && random_.chance(20)) {
      offset = offset + Expr(static_cast<int>(random_.between(-4, 4)));
      source.is_inside = false;
    }
    if (!is_regular && loop_depth_ > 0 && random_.chance(30)) {
      offset = offset + integers_.back() * Expr(static_cast<int>(random_.between(1, 3)));
      source.is_inside = false;
    }
    source.offset.push_back(offset);
  }
  std::vector<int64_t> strides(extents.size(), 1), order(extents.size());
  for (size_t d = 0; d < order.size(); ++d) order[d] = static_cast<int64_t>(order.size() - 1 - d);
  const bool is_strided = !is_regular && random_.chance(25);
  if (is_strided) random_.shuffle(order);
  int64_t next = 1;
  for (const int64_t d : order) {
    strides[static_cast<size_t>(d)] = next;
    next *= extents[static_cast<size_t>(d)];
    if (is_strided && random_.chance(30)) next += random_.between(1, 4);
  }
  std::vector<Expr> extent_exprs, stride_exprs;
  for (size_t d = 0; d < extents.size(); ++d) {
    const bool is_parameter = random_.chance(35) && depth_ == 0;
    extent_exprs.push_back(is_parameter ? scalar_i32(extents[d]) : Expr(extents[d]));
    const int64_t divisor = d < lead ? 1 : shape[d - lead];
    if (is_parameter && (is_regular || random_.chance(50)) && extents[d] % divisor == 0) {
      builder_.assume(equal(extent_exprs.back() % Expr(divisor), 0));
    }
    stride_exprs.emplace_back(strides[d]);
  }
  const Expr pointer = buffer("x", element, next, true);
  source.global = builder_.emit(
      Opcode::kGlobalView, {},
      {pointer, element, extent_exprs, is_strided ? Attribute(stride_exprs) : Attribute()});
  return source;
}

Tile Generator::load(const ElementFormat& element, const std::vector<int64_t>& shape) {
  const Source source = make_source(element, shape, random_.chance(30));
  const Attribute streaming = random_.chance(20) ? Attribute(int64_t{1}) : Attribute();
  const Attribute inside =
      source.is_inside && random_.chance(30) ? Attribute(int64_t{1}) : Attribute();
  return builder_.emit(Opcode::kLoadGlobal, {source.global},
                       {source.offset, shape, streaming, inside}, maybe_layout(shape));
}

/// Writes the tile to a buffer of its own; false where its elements cannot be written.
bool Generator::store(PoolTile tile) {
  const bool is_packed = tile.element.bits % 8 != 0;
  if (is_packed && tile.shape.back() % 8 == 0 && !in_group_) {
    // Threads must hold whole bytes.
    const auto whole = random_layout(random_, tile.shape, num_threads_, true, 8);
    if (!whole) return false;
    tile.tile = builder_.convert_layout(tile.tile, *whole);
  } else if (is_packed) {
    if (!is_castable(tile.element)) return false;
    tile.element = numeric::kF32;
    tile.tile = builder_.cast(tile.tile, tile.element);
  }
  std::vector<Expr> extents, offset;
  int64_t size = 1;
  for (size_t d = 0; d < tile.shape.size(); ++d) {
    int64_t extent = tile.shape[d] * (d == 0 ? grid_ : 1);
    const bool may_cut = !is_packed || d + 1 < tile.shape.size();
    if (may_cut && random_.chance(15)) extent = random_.between(1, extent);
    size *= extent;
    extents.push_back(random_.chance(20) && may_cut && depth_ == 0 ? scalar_i32(extent)
                                                                   : Expr(extent));
    offset.push_back(d == 0 ? builder_.block(0) * Expr(tile.shape[0]) : Expr(0));
  }
  const Expr pointer = buffer("y", tile.element, size, false);
  builder_.store_global(builder_.global_view(pointer, tile.element, extents), tile.tile, offset);
  return true;
}

bool Generator::emit_load() {
  const ElementFormat element = random_element();
  add(load(element, random_shape()), element, true);
  return true;
}

bool Generator::emit_gather() {
  const PoolTile* indices = pick_tile([](const PoolTile& t) { return t.element == kInt32; });
  if (indices == nullptr) return false;
  const ElementFormat element = random_element();
  const int64_t size = random_.between(8, 300);
  const Expr pointer = buffer("x", element, size, true);
  const Tile table = builder_.global_view(pointer, element, {Expr(size)});
  add(builder_.gather_global(table, indices->tile), element, true);
  return true;
}

/// Distinct indices: which of several values for one stays is not defined.
bool Generator::emit_scatter() {
  if (loop_depth_ > 0) return false;
  const PoolTile* values = pick_tile([](const PoolTile& t) { return t.element.bits % 8 == 0; });
  if (values == nullptr) return false;
  const PoolTile source = *values;
  Tile index = builder_.iota(source.shape, 0);
  for (size_t d = 1; d < source.shape.size(); ++d) {
    const Tile extent = builder_.full(kInt32, {1}, Expr(source.shape[d]));
    index = builder_.add(builder_.mul(index, extent),
                         builder_.iota(source.shape, static_cast<int64_t>(d)));
  }
  const int64_t total = source.size(), step = random_.between(1, 2);
  const Expr first =
      builder_.block(0) * Expr(total * step) + Expr(static_cast<int>(random_.below(3)));
  index = builder_.add(builder_.mul(index, builder_.full(kInt32, {1}, Expr(step))),
                       builder_.full(kInt32, {1}, first));
  const int64_t size = std::max<int64_t>(1, total * step * grid_ - random_.below(3));
  const Expr pointer = buffer("y", source.element, size, false);
  builder_.scatter_global(builder_.global_view(pointer, source.element, {Expr(size)}), index,
                          source.tile);
  return true;
}

bool Generator::emit_atomic_global() {
  const PoolTile* values =
      pick_tile([](const PoolTile& t) { return t.element == kInt32 || t.element == kUint32; });
  if (values == nullptr) return false;
  const PoolTile source = *values;
  const Tile index = builder_.binary(BinaryOp::kMod, builder_.iota(source.shape, 0),
                                     builder_.full(kInt32, {1}, Expr(random_.between(1, 9))));
  static const std::vector<AtomicOp> kOps = {AtomicOp::kAdd, AtomicOp::kMin, AtomicOp::kMax,
                                             AtomicOp::kAnd, AtomicOp::kOr,  AtomicOp::kXor};
  const Expr pointer = buffer("y", source.element, 8, true);
  builder_.atomic_global(builder_.global_view(pointer, source.element, {Expr(8)}), index,
                         source.tile, random_.pick(kOps));
  return true;
}

std::span<const Generator::Operation> Generator::operations() {
  static constexpr std::array<Operation, 30> kOperations = {{
      {10, true, &Generator::emit_load},
      {4, true, &Generator::emit_full},
      {3, true, &Generator::emit_iota},
      {2, true, &Generator::emit_random},
      {16, true, &Generator::emit_cast},
      {10, true, &Generator::emit_unary},
      {14, true, &Generator::emit_binary},
      {4, true, &Generator::emit_fma},
      {6, true, &Generator::emit_compare},
      {6, true, &Generator::emit_select},
      {9, false, &Generator::emit_reduce},
      {5, false, &Generator::emit_scan},
      {6, false, &Generator::emit_reshape},
      {6, false, &Generator::emit_permute},
      {9, false, &Generator::emit_view},
      {8, false, &Generator::emit_convert},
      {6, false, &Generator::emit_dot},
      {8, false, &Generator::emit_shared},
      {5, false, &Generator::emit_copy_async},
      {4, false, &Generator::emit_lookup},
      {4, true, &Generator::emit_gather},
      {3, false, &Generator::emit_scatter},
      {3, false, &Generator::emit_atomic_global},
      {3, false, &Generator::emit_atomic_shared},
      {4, false, &Generator::emit_for},
      {2, false, &Generator::emit_while},
      {4, false, &Generator::emit_if},
      {4, false, &Generator::emit_threads},
      {3, true, &Generator::emit_let},
      {2, false, &Generator::emit_assert},
  }};
  return kOperations;
}

void Generator::emit_operations(int64_t count) {
  int total = 0;
  for (const Operation& operation : operations()) total += operation.weight;
  for (int64_t done = 0, tries = 0; done < count && tries < 20 * count; ++tries) {
    int64_t at = random_.below(total);
    const Operation* chosen = operations().data();
    while (at >= chosen->weight) at -= (chosen++)->weight;
    if (in_group_ && !chosen->in_groups) continue;
    if ((this->*chosen->emit)()) ++done;
  }
}

Result<FuzzProgram> Generator::run() {
  grid_ = random_.pick(std::vector<int64_t>{1, 1, 2, 3});
  builder_.grid({Expr(grid_)});
  integers_ = {builder_.block(0)};
  scalar_i32(random_.between(0, 12));
  emit_load();
  emit_operations(random_.between(options_.min_operations, options_.max_operations));
  int stores = 0;
  for (size_t i = pool_.size(); i-- > 0 && stores < 5;) {
    // The newest, which most of the others stand behind, and some of those.
    if (stores < 2 || random_.chance(30)) stores += store(pool_[i]) ? 1 : 0;
  }
  ANYBIT_ASSIGN(Program program, builder_.build());
  return FuzzProgram{std::move(program), std::move(arguments_)};
}

Result<FuzzProgram> generate_program(uint64_t seed, const GeneratorOptions& options) {
  return Generator(seed, options).run();
}

}  // namespace anybit::vm::testing

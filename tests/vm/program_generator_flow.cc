// The generator's shared memory, thread groups and control.
#include <algorithm>
#include <bit>

#include "anybit/layout/shared_layout.h"
#include "tests/vm/internal/generator.h"

namespace anybit::vm::testing {

using numeric::ElementFormat;

std::optional<layout::SharedLayout> Generator::maybe_shared_layout(
    const std::vector<int64_t>& shape) {
  const layout::Dims dims(shape);
  switch (random_.below(6)) {
    case 0: return layout::row_major(dims);
    case 1: return layout::column_major(dims);
    case 2: {
      layout::Dims strides = layout::row_major_strides(dims);
      for (int d = 0; d + 1 < dims.size(); ++d)
        strides[d] = strides[d] / shape.back() * (shape.back() + 4);
      const auto padded = layout::strided(dims, strides);
      return padded ? std::optional(*padded) : std::nullopt;
    }
    case 3: {
      const int base = static_cast<int>(random_.below(3)),
                bits = static_cast<int>(random_.below(3));
      const auto swizzled = layout::row_major(dims).with_swizzle(
          {base, bits, bits + static_cast<int>(random_.below(3))});
      return swizzled ? std::optional(*swizzled) : std::nullopt;
    }
    default: return std::nullopt;
  }
}

/// In loops the bytes are taken again by the next iteration.
void Generator::sync_in_loops() {
  if (loop_depth_ > 0) builder_.sync();
}

/// Through shared memory, perhaps only a part of it, or under another shape.
bool Generator::emit_shared() {
  const PoolTile* source = pick_tile([](const PoolTile& t) { return t.element.bits % 8 == 0; });
  if (source == nullptr) return false;
  const PoolTile x = *source;
  const auto layout = maybe_shared_layout(x.shape);
  const Tile shared = builder_.alloc_shared(x.element, x.shape, layout);
  builder_.store_shared(shared, x.tile);
  builder_.sync();
  Tile part = shared;
  std::vector<int64_t> shape = x.shape;
  if (random_.chance(40)) {
    std::vector<Expr> offset;
    for (int64_t& extent : shape) {
      int64_t size = random_.between(1, extent);
      if (random_.chance(50)) size = std::max<int64_t>(1, extent / 2);
      const int64_t room = extent - size;
      offset.push_back(random_.chance(50) && room > 0
                           ? max(random_integer() % Expr(room + 1), Expr(0))
                           : Expr(random_.between(0, room)));
      extent = size;
    }
    part = builder_.slice_shared(part, offset, shape);
  } else if (!layout && random_.chance(40)) {
    shape = split(x.size(), random_.between(1, 4));
    part = builder_.reshape_shared(part, shape);
  }
  if (shape.size() > 1 && random_.chance(40)) {
    std::vector<int64_t> dims(shape.size());
    for (size_t d = 0; d < dims.size(); ++d) dims[d] = static_cast<int64_t>(d);
    random_.shuffle(dims);
    part = builder_.permute_shared(part, dims);
    shape = builder_.shape_of(part);
  }
  add(builder_.load_shared(part, maybe_layout(shape)), x.element, x.has_exact_codes);
  if (random_.chance(40)) {
    builder_.sync();
    builder_.free_shared(shared);
  } else {
    sync_in_loops();
  }
  return true;
}

/// Runs of at least 4 bytes, aligned in both memories.
bool Generator::emit_copy_async() {
  const ElementFormat element = random_element();
  if (element.bits % 8 != 0) return false;
  const int64_t run = 128 / element.bits;
  std::vector<int64_t> shape = {run * random_.pick(std::vector<int64_t>{1, 2, 4})};
  if (random_.chance(70))
    shape.insert(shape.begin(), random_.pick(std::vector<int64_t>{2, 4, 8, 16}));
  const int64_t copies = random_.between(1, 3);
  std::vector<Tile> shared;
  for (int64_t i = 0; i < copies; ++i) {
    shared.push_back(builder_.alloc_shared(element, shape));
    const Source source = make_source(element, shape, true);
    builder_.emit(Opcode::kCopyAsync, {shared.back(), source.global}, {source.offset});
    builder_.copy_async_commit();
  }
  const int64_t under_way = random_.between(0, copies - 1);
  builder_.copy_async_wait(under_way);
  builder_.sync();
  add(builder_.load_shared(shared[static_cast<size_t>(copies - 1 - under_way)],
                           maybe_layout(shape)),
      element, true);
  if (under_way > 0) builder_.copy_async_wait(0);
  sync_in_loops();
  return true;
}

bool Generator::emit_lookup() {
  const PoolTile* source =
      pick_tile([](const PoolTile& t) { return t.element.bits <= 8 && t.has_exact_codes; });
  if (source == nullptr) return false;
  const PoolTile codes = *source;
  const ElementFormat element = random_compute_element();
  const std::vector<int64_t> shape = {int64_t{1} << codes.element.bits};
  const Tile table = builder_.alloc_shared(element, shape);
  builder_.store_shared(table, load(element, shape));
  builder_.sync();
  add(builder_.lookup(codes.tile, table), element, true);
  sync_in_loops();
  return true;
}

bool Generator::emit_atomic_shared() {
  const PoolTile* source =
      pick_tile([](const PoolTile& t) { return t.element == kInt32 || t.element == kUint32; });
  if (source == nullptr) return false;
  const PoolTile values = *source;
  const int64_t size = random_.pick(std::vector<int64_t>{8, 32, 64});
  const Tile target = builder_.alloc_shared(values.element, {size});
  builder_.store_shared(target, builder_.full(values.element, {size}, random_integer()));
  builder_.sync();
  // Some of the indices lie outside.
  const Tile index = builder_.binary(
      BinaryOp::kMod,
      builder_.iota(values.shape, random_.below(static_cast<int64_t>(values.shape.size()))),
      builder_.full(kInt32, {1}, Expr(random_.between(1, size + 3))));
  static const std::vector<AtomicOp> kOps = {AtomicOp::kAdd, AtomicOp::kMin, AtomicOp::kMax,
                                             AtomicOp::kAnd, AtomicOp::kOr,  AtomicOp::kXor};
  builder_.atomic_shared(target, index, values.tile, random_.pick(kOps));
  builder_.sync();
  add(builder_.load_shared(target), values.element, true);
  sync_in_loops();
  return true;
}

/// A tile of its own, which may be assigned to.
Tile Generator::copy_of(const PoolTile& tile) {
  const auto layout = random_layout(random_, tile.shape, num_threads_, true);
  return layout ? builder_.convert_layout(tile.tile, *layout) : Tile{};
}

/// Assigns a tile of the block, which begins at `first_new` of the pool, to the target: one that
/// fits, or the target's own value made over.
void Generator::assign_something(const PoolTile& target, size_t first_new) {
  for (size_t i = pool_.size(); i-- > first_new;) {
    if (!(pool_[i].element == target.element) || pool_[i].shape != target.shape) continue;
    if (target.has_exact_codes && !pool_[i].has_exact_codes) continue;
    return builder_.assign(target.tile, pool_[i].tile);
  }
  if (operand_class(target.element) == kIntegers) {
    const Tile step = builder_.full(target.element, {1}, random_integer());
    return builder_.assign(target.tile, builder_.add(target.tile, step));
  }
  builder_.assign(target.tile, load(target.element, target.shape));
}

bool Generator::emit_for() {
  if (depth_ >= 2) return false;
  const PoolTile* source = pick_tile([](const PoolTile&) { return true; });
  if (source == nullptr) return false;
  PoolTile target = *source;
  target.tile = copy_of(target);
  if (target.tile.id == kNoValue) return false;
  ForOptions loop;
  loop.unroll = random_.chance(30);
  if (!loop.unroll && random_.chance(30)) loop.num_stages = random_.between(2, 3);
  const int64_t step = random_.between(1, 2), trips = random_.between(0, 4);
  const Expr begin = random_.chance(70) ? Expr(0) : min(max(random_integer(), Expr(0)), Expr(2));
  const Expr end =
      random_.chance(60) ? Expr(step * trips) : min(max(random_integer(), Expr(0)), Expr(5));
  const size_t outer_pool = pool_.size(), outer_integers = integers_.size();
  builder_.for_range(
      fresh("i"), begin, end, step,
      [&](const Expr& i) {
        ++depth_, ++loop_depth_;
        integers_.push_back(i);
        pool_.push_back(target);
        emit_operations(random_.between(1, 5));
        if (random_.chance(20)) {
          builder_.if_then(equal(i, Expr(random_.between(0, 4))), [&] { builder_.break_loop(); });
        }
        assign_something(target, outer_pool + 1);
        --depth_, --loop_depth_;
      },
      loop);
  pool_.resize(outer_pool);
  integers_.resize(outer_integers);
  pool_.push_back(target);
  return true;
}

bool Generator::emit_while() {
  if (depth_ >= 2) return false;
  const PoolTile* source = pick_tile([](const PoolTile&) { return true; });
  if (source == nullptr) return false;
  PoolTile target = *source;
  target.tile = copy_of(target);
  if (target.tile.id == kNoValue) return false;
  const Expr count = builder_.var(fresh("count"), Expr(0));
  const Expr limit = min(max(random_integer(), Expr(0)), Expr(4));
  const size_t outer_pool = pool_.size(), outer_integers = integers_.size();
  builder_.while_loop(less(count, limit), [&] {
    ++depth_, ++loop_depth_;
    integers_.push_back(count);
    pool_.push_back(target);
    emit_operations(random_.between(1, 4));
    assign_something(target, outer_pool + 1);
    builder_.set(count, count + 1);
    --depth_, --loop_depth_;
  });
  pool_.resize(outer_pool);
  integers_.resize(outer_integers);
  pool_.push_back(target);
  return true;
}

bool Generator::emit_if() {
  if (depth_ >= 3) return false;
  const PoolTile* source = pick_tile([](const PoolTile&) { return true; });
  if (source == nullptr) return false;
  PoolTile target = *source;
  target.tile = copy_of(target);
  if (target.tile.id == kNoValue) return false;
  const size_t outer_pool = pool_.size(), outer_integers = integers_.size();
  const auto branch = [&] {
    ++depth_;
    pool_.push_back(target);
    emit_operations(random_.between(1, 4));
    assign_something(target, outer_pool + 1);
    --depth_;
    pool_.resize(outer_pool);
    integers_.resize(outer_integers);
  };
  if (random_.chance(50)) {
    builder_.if_then(random_condition(), branch, branch);
  } else {
    builder_.if_then(random_condition(), branch);
  }
  pool_.push_back(target);
  return true;
}

/// Some warps alone: they take a tile from shared memory and put another back.
bool Generator::emit_threads() {
  if (num_warps_ < 2 || in_group_) return false;
  const PoolTile* source = pick_tile([](const PoolTile& t) { return t.element.bits % 8 == 0; });
  if (source == nullptr) return false;
  const PoolTile x = *source;
  const Tile shared = builder_.alloc_shared(x.element, x.shape);
  builder_.store_shared(shared, x.tile);
  builder_.sync();
  int64_t warps = random_.chance(50) ? 1 : num_warps_ / 2;
  const int64_t first = random_.below(num_warps_ / warps) * warps;
  warps *= kWarpSize;
  if (x.size() > 32 * warps) return true;
  std::vector<PoolTile> outer_pool;
  outer_pool.swap(pool_);
  const size_t outer_integers = integers_.size();
  const int64_t outer_threads = num_threads_;
  builder_.threads(first * kWarpSize, warps, [&] {
    num_threads_ = warps;
    in_group_ = true;
    ++depth_;
    PoolTile inside = x;
    inside.tile = builder_.load_shared(shared, maybe_layout(x.shape));
    pool_.push_back(inside);
    emit_operations(random_.between(1, 4));
    builder_.sync();
    for (size_t i = pool_.size(); i-- > 0;) {
      if (!(pool_[i].element == x.element) || pool_[i].shape != x.shape) continue;
      if (x.has_exact_codes && !pool_[i].has_exact_codes) continue;
      builder_.store_shared(shared, pool_[i].tile);
      break;
    }
    --depth_;
    in_group_ = false;
    num_threads_ = outer_threads;
  });
  pool_.swap(outer_pool);
  integers_.resize(outer_integers);
  builder_.sync();
  add(builder_.load_shared(shared), x.element, x.has_exact_codes);
  sync_in_loops();
  return true;
}

bool Generator::emit_let() {
  integers_.push_back(builder_.let(fresh("t"), random_integer()));
  return true;
}

/// Conditions that hold: a failing one would end the program.
bool Generator::emit_assert() {
  if (random_.chance(50)) {
    const Expr x = random_integer();
    builder_.emit(Opcode::kAssert, {Tile{}}, {equal(x - x, 0), std::string("a scalar")});
    return true;
  }
  const PoolTile* source =
      pick_tile([](const PoolTile& t) { return operand_class(t.element) == kIntegers; });
  if (source == nullptr) return false;
  const PoolTile x = *source;
  const Tile same = builder_.compare(CompareOp::kEqual, x.tile, x.tile);
  builder_.emit(Opcode::kAssert, {same}, {Attribute(), std::string("a tile")});
  return true;
}

}  // namespace anybit::vm::testing

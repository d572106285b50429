#include "anybit/vm/backend/reference/internal/execution.h"

#include "anybit/base/check.h"

namespace anybit::vm::reference {

Execution::Execution(Launch& launch, std::span<const int64_t> block)
    : num_threads(launch.program.num_threads()),
      launch_(launch),
      block_(block.begin(), block.end()),
      variables_(launch.program.variables.size()),
      values_(launch.program.values.size()),
      arena_(launch.program.num_warps, launch.options.check_races),
      wgmma_groups_(static_cast<size_t>((launch.program.num_warps + 3) / 4)) {
  for (VariableId d = 0; d < 3; ++d) {
    variables_[kBlockX + d] = {ScalarType::kI32, block[d], 0, nullptr};
    variables_[kGridX + d] = {ScalarType::kI32, launch.grid[d], 0, nullptr};
  }
  const std::vector<int64_t>& cluster = launch.program.cluster;
  int64_t rank = 0;  // The first dimension counts fastest.
  for (size_t d = cluster.size(); d-- > 0;) rank = rank * cluster[d] + block[d] % cluster[d];
  variables_[kClusterRank] = {ScalarType::kI32, rank, 0, nullptr};
  for (size_t i = 0; i < launch.arguments.size(); ++i) {
    variables_[launch.program.parameters[i]] = launch.arguments[i];
  }
}

Result<ScalarValue> Execution::scalar(const Expr& expr) const {
  ANYBIT_TRY(check_range(expr));
  return evaluate(expr, [&](VariableId id) { return variables_[id]; });
}

/// evaluate() wraps; leaving the range of the type is an error of the program.
Status Execution::check_range(const Expr& expr) const {
  for (const Expr& operand : expr.operands()) ANYBIT_TRY(check_range(operand));
  const ExprKind kind = expr.kind();
  const bool is_integer = expr.type() == ScalarType::kI32 || expr.type() == ScalarType::kI64;
  if (!is_integer || (kind != ExprKind::kAdd && kind != ExprKind::kSub && kind != ExprKind::kMul)) {
    return {};
  }
  const auto lookup = [&](VariableId id) { return variables_[id]; };
  ANYBIT_ASSIGN(const ScalarValue a, evaluate(expr.operands()[0], lookup));
  ANYBIT_ASSIGN(const ScalarValue b, evaluate(expr.operands()[1], lookup));
  int64_t exact = 0;
  const bool overflows =
      kind == ExprKind::kAdd   ? __builtin_add_overflow(a.integer, b.integer, &exact)
      : kind == ExprKind::kSub ? __builtin_sub_overflow(a.integer, b.integer, &exact)
                               : __builtin_mul_overflow(a.integer, b.integer, &exact);
  if (!overflows && (expr.type() == ScalarType::kI64 || exact == static_cast<int32_t>(exact))) {
    return {};
  }
  return fail(ErrorCode::kInvalidArgument, "{} {} {} leaves the range of {}", a.integer,
              expr_kind_info(kind).name, b.integer, scalar_type_name(expr.type()));
}

Result<int64_t> Execution::integer(const Expr& expr) const {
  ANYBIT_ASSIGN(const ScalarValue value, scalar(expr));
  return value.integer;
}

Result<std::vector<int64_t>> Execution::integers(const std::vector<Expr>& exprs) const {
  std::vector<int64_t> values;
  for (const Expr& expr : exprs) {
    ANYBIT_ASSIGN(values.emplace_back(), integer(expr));
  }
  return values;
}

RegisterTile& Execution::define_registers(ValueId id) {
  return values_[id].emplace<RegisterTile>(program().type_of(id).element, tables(id));
}

Result<Code> Execution::read(ValueId id, int64_t thread, int64_t local) {
  const RegisterTile& tile = registers(id);
  if (tile.is_written(thread, local)) return tile.get(thread, local);
  return fault(thread, id, tile.tables().linear(thread, local),
               {ErrorCode::kInvalidArgument, fmt::format("%{} is not written there", name(id))});
}

Result<Code> Execution::read_held(ValueId id, int64_t thread, int64_t linear) {
  const LayoutTables& tables = registers(id).tables();
  if (tables.holds(thread, linear)) return read(id, thread, tables.local_of[linear]);
  return fault(thread, id, linear,
               {ErrorCode::kInvalidArgument,
                fmt::format("the thread does not hold this element of %{}", name(id))});
}

Result<Code> Execution::read_any(ValueId id, int64_t linear) {
  const LayoutTables& tables = registers(id).tables();
  return read(id, tables.thread_of[linear], tables.local_of[linear]);
}

Status Execution::wait_until(const std::function<bool()>& ready,
                             const std::function<std::string()>& describe) {
  if (ready()) return {};
  if (groups != nullptr) return groups->wait_until(ready, describe);
  return fail(ErrorCode::kInvalidArgument, "deadlock: {}", describe());
}

Status Execution::check_end() {
  for (const BarrierTile& tile : barrier_tiles_) {
    for (const PhaseBarrier& barrier : *tile.barriers) {
      ANYBIT_TRY(barrier.check_end(arena_.clock(), launch_.program.num_warps));
    }
  }
  return arena_.check_end();
}

tl::unexpected<Error> Execution::fault(int64_t thread, std::span<const int64_t> shape,
                                       int64_t linear, const Error& error) const {
  return with_context(error, fmt::format("thread {}, element {}", first_thread + thread,
                                         shape_text(coordinates_of(shape, linear))));
}

std::vector<int64_t> coordinates_of(std::span<const int64_t> shape, int64_t linear) {
  std::vector<int64_t> coords(shape.size());
  for (size_t d = shape.size(); d-- > 0;) {
    coords[d] = linear % shape[d];
    linear /= shape[d];
  }
  return coords;
}

std::vector<int64_t> broadcast_map(const std::vector<int64_t>& shape,
                                   const std::vector<int64_t>& result) {
  // Strides of the operand along each dimension of the result, 0 where it repeats.
  std::vector<int64_t> strides(result.size(), 0);
  int64_t stride = 1;
  const size_t skipped = result.size() - shape.size();
  for (size_t d = shape.size(); d-- > 0;) {
    if (shape[d] != 1) strides[skipped + d] = stride;
    stride *= shape[d];
  }
  std::vector<int64_t> map = {0};
  for (size_t d = 0; d < result.size(); ++d) {
    std::vector<int64_t> next;
    next.reserve(map.size() * static_cast<size_t>(result[d]));
    for (const int64_t base : map) {
      for (int64_t x = 0; x < result[d]; ++x) next.push_back(base + x * strides[d]);
    }
    map = std::move(next);
  }
  return map;
}

}  // namespace anybit::vm::reference

#include "anybit/vm/ir/builder.h"

#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/ir/verify.h"

namespace anybit::vm {
namespace {

int64_t index_of(auto op) { return static_cast<int64_t>(op); }

}  // namespace

KernelBuilder::KernelBuilder(std::string name, int num_warps)
    : program_(Program::with_builtins(std::move(name))),
      cursor_(&program_.body),
      num_threads_(int64_t{num_warps} * kWarpSize) {
  program_.num_warps = num_warps;
}

Expr KernelBuilder::parameter(std::string name, ScalarType type) {
  const VariableId id = program_.add_variable(std::move(name), type, VariableRole::kParameter);
  program_.parameters.push_back(id);
  return Expr::variable(id, type);
}

void KernelBuilder::grid(std::vector<Expr> extents) { program_.grid = std::move(extents); }
void KernelBuilder::cluster(std::vector<int64_t> extents) { program_.cluster = std::move(extents); }
void KernelBuilder::comment(std::string text) { program_.comment = std::move(text); }

Expr KernelBuilder::block(int dim) const {
  ANYBIT_CHECK(dim >= 0 && dim < 3);
  return Expr::variable(kBlockX + dim, ScalarType::kI32);
}

Expr KernelBuilder::num_blocks(int dim) const {
  ANYBIT_CHECK(dim >= 0 && dim < 3);
  return Expr::variable(kGridX + dim, ScalarType::kI32);
}

void KernelBuilder::record(Error error) {
  if (!error_) error_ = std::move(error);
}

std::string KernelBuilder::fresh_name(std::string_view stem) {
  return fmt::format("{}_{}", stem, program_.values.size() - 1);
}

Statement& KernelBuilder::append(StatementKind kind) {
  Statement statement;
  statement.kind = kind;
  cursor_->push_back(std::move(statement));
  return cursor_->back();
}

Tile KernelBuilder::emit(Opcode opcode, std::vector<Tile> operands,
                         std::vector<Attribute> attributes,
                         std::optional<layout::RegisterLayout> at, bool wants_result) {
  if (error_) return {};
  const InstructionInfo& info = instruction_info(opcode);
  attributes.resize(std::max(info.attributes.size(), attributes.size()));
  Instruction instruction{opcode, {}, std::move(attributes), kNoValue};
  for (const Tile& tile : operands) instruction.operands.push_back(tile.id);
  instruction.operands.resize(std::max(info.operands.size(), operands.size()), kNoValue);
  if (info.result != ResultKind::kNone && wants_result) {
    instruction.result = program_.add_value({}, {});
  }
  if (const Status status = check_signature(program_, instruction); !status) {
    record({status.error().code, fmt::format("{}: {}", info.name, status.error().message)});
    return {};
  }
  if (instruction.result != kNoValue) {
    program_.values.back().name = fresh_name(instruction_name(instruction));
  }
  const auto type = info.infer_type({program_, instruction, num_threads_});
  if (!type) {
    record({type.error().code, fmt::format("{}: {}", info.name, type.error().message)});
    return {};
  }
  if (*type) {
    program_.type_of(instruction.result) = **type;
    program_.type_of(instruction.result).register_layout = std::move(at);
  }
  const ValueId result = instruction.result;
  append(StatementKind::kInstruction).instruction = std::move(instruction);
  return {result};
}

Tile KernelBuilder::global_view(Expr pointer, numeric::ElementFormat element,
                                std::vector<Expr> shape) {
  return emit(Opcode::kGlobalView, {}, {std::move(pointer), element, std::move(shape)});
}
Tile KernelBuilder::alloc_shared(numeric::ElementFormat element, std::vector<int64_t> shape,
                                 std::optional<layout::SharedLayout> at) {
  const Tile tile = emit(Opcode::kAllocShared, {}, {element, std::move(shape)});
  if (tile.id != kNoValue) program_.type_of(tile.id).shared_layout = std::move(at);
  return tile;
}
void KernelBuilder::free_shared(Tile shared) { emit(Opcode::kFreeShared, {shared}, {}); }
Tile KernelBuilder::slice_shared(Tile shared, std::vector<Expr> offset,
                                 std::vector<int64_t> shape) {
  return emit(Opcode::kSliceShared, {shared}, {std::move(offset), std::move(shape)});
}
Tile KernelBuilder::reshape_shared(Tile shared, std::vector<int64_t> shape) {
  return emit(Opcode::kReshapeShared, {shared}, {std::move(shape)});
}
Tile KernelBuilder::permute_shared(Tile shared, std::vector<int64_t> dims) {
  return emit(Opcode::kPermuteShared, {shared}, {std::move(dims)});
}
Tile KernelBuilder::full(numeric::ElementFormat element, std::vector<int64_t> shape, Expr value,
                         std::optional<layout::RegisterLayout> at) {
  return emit(Opcode::kFull, {}, {element, std::move(shape), std::move(value)}, std::move(at));
}
Tile KernelBuilder::iota(std::vector<int64_t> shape, int64_t dim) {
  return emit(Opcode::kIota, {}, {std::move(shape), dim});
}
Tile KernelBuilder::random(std::vector<int64_t> shape, Expr seed, Expr offset) {
  return emit(Opcode::kRandom, {}, {std::move(shape), std::move(seed), std::move(offset)});
}
Tile KernelBuilder::load_global(Tile global, std::vector<Expr> offset, std::vector<int64_t> shape,
                                std::optional<layout::RegisterLayout> at) {
  return emit(Opcode::kLoadGlobal, {global}, {std::move(offset), std::move(shape)}, std::move(at));
}
void KernelBuilder::store_global(Tile global, Tile tile, std::vector<Expr> offset) {
  emit(Opcode::kStoreGlobal, {global, tile}, {std::move(offset)});
}
Tile KernelBuilder::gather_global(Tile global, Tile indices) {
  return emit(Opcode::kGatherGlobal, {global, indices}, {});
}
void KernelBuilder::scatter_global(Tile global, Tile indices, Tile values) {
  emit(Opcode::kScatterGlobal, {global, indices, values}, {});
}
Tile KernelBuilder::load_shared(Tile shared, std::optional<layout::RegisterLayout> at) {
  return emit(Opcode::kLoadShared, {shared}, {}, std::move(at));
}
void KernelBuilder::store_shared(Tile shared, Tile tile) {
  emit(Opcode::kStoreShared, {shared, tile}, {});
}
void KernelBuilder::copy_async(Tile shared, Tile global, std::vector<Expr> offset) {
  emit(Opcode::kCopyAsync, {shared, global}, {std::move(offset)});
}
void KernelBuilder::copy_async_commit() { emit(Opcode::kCopyAsyncCommit, {}, {}); }
void KernelBuilder::copy_async_wait(int64_t groups) { emit(Opcode::kCopyAsyncWait, {}, {groups}); }
Tile KernelBuilder::alloc_barrier(std::vector<int64_t> shape, int64_t arrivals) {
  return emit(Opcode::kAllocBarrier, {}, {std::move(shape), arrivals});
}
void KernelBuilder::barrier_arrive(Tile barriers, std::vector<Expr> index) {
  emit(Opcode::kBarrierArrive, {barriers}, {std::move(index)});
}
void KernelBuilder::barrier_expect(Tile barriers, std::vector<Expr> index, int64_t bytes) {
  emit(Opcode::kBarrierExpect, {barriers}, {std::move(index), bytes});
}
void KernelBuilder::barrier_wait(Tile barriers, std::vector<Expr> index, Expr parity) {
  emit(Opcode::kBarrierWait, {barriers}, {std::move(index), std::move(parity)});
}
void KernelBuilder::copy_bulk(Tile shared, Tile global, Tile barriers, std::vector<Expr> offset,
                              std::vector<Expr> index) {
  emit(Opcode::kCopyBulk, {shared, global, barriers}, {std::move(offset), std::move(index)});
}
void KernelBuilder::fence_async() { emit(Opcode::kFenceAsync, {}, {}); }
void KernelBuilder::store_bulk(Tile global, Tile shared, std::vector<Expr> offset) {
  emit(Opcode::kStoreBulk, {global, shared}, {std::move(offset)});
}
void KernelBuilder::store_bulk_commit() { emit(Opcode::kStoreBulkCommit, {}, {}); }
void KernelBuilder::store_bulk_wait(int64_t groups) { emit(Opcode::kStoreBulkWait, {}, {groups}); }
void KernelBuilder::cluster_sync() { emit(Opcode::kClusterSync, {}, {}); }
Tile KernelBuilder::view(Tile tile, numeric::ElementFormat element, std::vector<int64_t> shape,
                         std::optional<layout::RegisterLayout> at) {
  return emit(Opcode::kView, {tile}, {element, std::move(shape)}, std::move(at));
}
Tile KernelBuilder::cast(Tile tile, numeric::ElementFormat element, bool saturate) {
  Attribute flag;
  if (saturate) flag = int64_t{1};
  return emit(Opcode::kCast, {tile}, {element, flag});
}
Tile KernelBuilder::convert_layout(Tile tile, layout::RegisterLayout at) {
  return emit(Opcode::kConvertLayout, {tile}, {}, std::move(at));
}
Tile KernelBuilder::lookup(Tile codes, Tile table) {
  return emit(Opcode::kLookup, {codes, table}, {});
}
Tile KernelBuilder::reshape(Tile tile, std::vector<int64_t> shape) {
  return emit(Opcode::kReshape, {tile}, {std::move(shape)});
}
Tile KernelBuilder::permute(Tile tile, std::vector<int64_t> dims) {
  return emit(Opcode::kPermute, {tile}, {std::move(dims)});
}
Tile KernelBuilder::slice(Tile tile, std::vector<int64_t> offset, std::vector<int64_t> shape) {
  return emit(Opcode::kSlice, {tile}, {std::move(offset), std::move(shape)});
}
Tile KernelBuilder::unary(UnaryOp op, Tile x) { return emit(Opcode::kUnary, {x}, {index_of(op)}); }
Tile KernelBuilder::binary(BinaryOp op, Tile a, Tile b) {
  return emit(Opcode::kBinary, {a, b}, {index_of(op)});
}
Tile KernelBuilder::fma(Tile a, Tile b, Tile c) { return emit(Opcode::kFma, {a, b, c}, {}); }
Tile KernelBuilder::compare(CompareOp op, Tile a, Tile b) {
  return emit(Opcode::kCompare, {a, b}, {index_of(op)});
}
Tile KernelBuilder::select(Tile condition, Tile a, Tile b) {
  return emit(Opcode::kSelect, {condition, a, b}, {});
}
void KernelBuilder::assign(Tile target, Tile source) {
  emit(Opcode::kAssign, {target, source}, {});
}
Tile KernelBuilder::dot(Tile a, Tile b, Tile c) { return emit(Opcode::kDot, {a, b, c}, {}); }
void KernelBuilder::wgmma(Tile sum, Tile a, Tile b) { emit(Opcode::kWgmma, {sum, a, b}, {}); }
void KernelBuilder::wgmma_commit() { emit(Opcode::kWgmmaCommit, {}, {}); }
void KernelBuilder::wgmma_wait(int64_t groups) { emit(Opcode::kWgmmaWait, {}, {groups}); }
Tile KernelBuilder::reduce(Tile x, ReduceOp op, int64_t dim) {
  return emit(Opcode::kReduce, {x}, {index_of(op), dim});
}
Tile KernelBuilder::scan(Tile x, ReduceOp op, int64_t dim, bool exclusive) {
  return emit(Opcode::kScan, {x}, {index_of(op), dim, int64_t{exclusive}});
}
void KernelBuilder::atomic_global(Tile target, Tile indices, Tile values, AtomicOp op) {
  emit(Opcode::kAtomicGlobal, {target, indices, values}, {index_of(op)}, std::nullopt, false);
}
void KernelBuilder::atomic_shared(Tile target, Tile indices, Tile values, AtomicOp op) {
  emit(Opcode::kAtomicShared, {target, indices, values}, {index_of(op)}, std::nullopt, false);
}
void KernelBuilder::sync() { emit(Opcode::kSync, {}, {}); }

Expr KernelBuilder::let(std::string name, Expr value) {
  const ScalarType type = value.type();
  const VariableId id = program_.add_variable(std::move(name), type, VariableRole::kLet);
  Statement& statement = append(StatementKind::kLet);
  statement.variable = id;
  statement.expressions = {std::move(value)};
  return Expr::variable(id, type);
}

Expr KernelBuilder::var(std::string name, Expr value) {
  const ScalarType type = value.type();
  const VariableId id = program_.add_variable(std::move(name), type, VariableRole::kMutable);
  Statement& statement = append(StatementKind::kVar);
  statement.variable = id;
  statement.expressions = {std::move(value)};
  return Expr::variable(id, type);
}

void KernelBuilder::set(const Expr& variable, Expr value) {
  Statement& statement = append(StatementKind::kSet);
  statement.variable = variable.variable_id();
  statement.expressions = {std::move(value)};
}

void KernelBuilder::assume(Expr condition) {
  append(StatementKind::kAssume).expressions = {std::move(condition)};
}

void KernelBuilder::nest(Block& block, const std::function<void()>& body) {
  // The block is built apart: appending to the outer one would move it.
  Block* const outer = cursor_;
  Block inner;
  cursor_ = &inner;
  body();
  cursor_ = outer;
  block = std::move(inner);
}

void KernelBuilder::for_range(std::string name, Expr begin, Expr end, int64_t step,
                              const std::function<void(Expr)>& body, ForOptions options) {
  const bool wide = begin.type() == ScalarType::kI64 || end.type() == ScalarType::kI64;
  const ScalarType type = wide ? ScalarType::kI64 : ScalarType::kI32;
  const VariableId id = program_.add_variable(std::move(name), type, VariableRole::kLoop);
  Statement statement;
  statement.kind = StatementKind::kFor;
  statement.variable = id;
  for (Expr bound : {begin, end, Expr(step)}) {
    Result<Expr> converted = Expr::convert(std::move(bound), type);
    if (!converted) return record(converted.error());
    statement.expressions.push_back(std::move(*converted));
  }
  statement.unroll = options.unroll;
  statement.num_stages = options.num_stages;
  nest(statement.body, [&] { body(Expr::variable(id, type)); });
  cursor_->push_back(std::move(statement));
}

void KernelBuilder::while_loop(Expr condition, const std::function<void()>& body) {
  Statement statement;
  statement.kind = StatementKind::kWhile;
  statement.expressions = {std::move(condition)};
  nest(statement.body, body);
  cursor_->push_back(std::move(statement));
}

void KernelBuilder::if_then(Expr condition, const std::function<void()>& body,
                            const std::function<void()>& otherwise) {
  Statement statement;
  statement.kind = StatementKind::kIf;
  statement.expressions = {std::move(condition)};
  nest(statement.body, body);
  if (otherwise) nest(statement.else_body, otherwise);
  cursor_->push_back(std::move(statement));
}

void KernelBuilder::break_loop() { append(StatementKind::kBreak); }

void KernelBuilder::threads(int64_t first, int64_t count, const std::function<void()>& body,
                            int64_t num_registers) {
  Statement statement;
  statement.kind = StatementKind::kThreads;
  statement.first_thread = first;
  statement.num_threads = count;
  statement.num_registers = num_registers;
  const int64_t outer = std::exchange(num_threads_, count);
  nest(statement.body, body);
  num_threads_ = outer;
  cursor_->push_back(std::move(statement));
}

Result<Program> KernelBuilder::build() {
  if (error_) return tl::make_unexpected(*error_);
  ANYBIT_TRY(verify(program_, VerifyStage::kBeforeLayouts));
  return program_;
}

}  // namespace anybit::vm

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>

#include "anybit/base/check.h"
#include "anybit/vm/backend/cuda/emit/internal/emit_table.h"
#include "anybit/vm/ir/wgmma.h"

namespace anybit::vm::cuda {
namespace {

/// Words that a tile or scalar may not be called in C++.
bool is_reserved(std::string_view name) {
  static const std::set<std::string_view> kWords = {
      "ab",     "tid",      "smem",      "auto",    "bool",     "break",   "case",   "char",
      "class",  "const",    "continue",  "default", "delete",   "do",      "double", "else",
      "enum",   "extern",   "false",     "float",   "for",      "goto",    "if",     "inline",
      "int",    "long",     "namespace", "new",     "operator", "private", "public", "register",
      "return", "short",    "signed",    "sizeof",  "static",   "struct",  "switch", "template",
      "this",   "true",     "typedef",   "union",   "unsigned", "using",   "void",   "volatile",
      "while",  "and",      "or",        "not",     "xor",      "asm",     "try",    "throw",
      "catch",  "typename", "mutable",   "friend",  "explicit", "export",  "main"};
  return kWords.contains(name);
}

/// Whether the emitter might call something so itself: x3, sum_17.
bool is_generated(std::string_view name) {
  const size_t digits = name.find_last_not_of("0123456789") + 1;
  if (digits == 0 || digits == name.size()) return false;
  return name[digits - 1] == '_' || name.substr(0, digits) == "x";
}

std::string identifier(std::string_view name, std::set<std::string>& taken) {
  std::string result;
  for (const char c : name) result += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  if (result.empty() || std::isdigit(static_cast<unsigned char>(result[0]))) result = "_" + result;
  if (result.starts_with("tensor_map")) result = "_" + result;  // Parameters of bulk copies.
  if (is_generated(result)) result += "_";
  const std::string stem = result;
  for (int i = 2; is_reserved(result) || taken.contains(result); ++i) {
    result = fmt::format("{}_{}_", stem, i);
  }
  taken.insert(result);
  return result;
}

std::string_view scalar_cpp_type(ScalarType type) {
  switch (type) {
    case ScalarType::kBool: return "bool";
    case ScalarType::kI32: return "int";
    case ScalarType::kI64: return "long long";
    case ScalarType::kF32: return "float";
    case ScalarType::kPointer: return "void*";
  }
  return "";
}

std::string float_literal(float value) {
  if (std::isnan(value)) return "ab::bits_float(0x7fffffffu)";
  if (std::isinf(value))
    return value > 0 ? "ab::bits_float(0x7f800000u)" : "ab::bits_float(0xff800000u)";
  return fmt::format("{:a}f", value);
}

}  // namespace

Emitter::Emitter(const LoweredProgram& lowered, const EmitOptions& options,
                 std::vector<int64_t> reserved)
    : program_(lowered.program),
      plan_(*lowered.code),
      options_(options),
      scalars_(lowered.program),
      tile_ranges_(lowered.program),
      reserved_bytes_(std::move(reserved)),
      num_threads_(lowered.program.num_threads()) {
  const Program& program = program_;
  std::set<std::string> taken;
  for (const char* builtin : {"block_x", "block_y", "block_z", "grid_x", "grid_y", "grid_z"}) {
    variable_names_.push_back(fmt::format("(int)ab::{}()", builtin));
  }
  variable_names_.emplace_back(program.cluster.empty() ? "0" : "(int)ab::cluster_rank()");
  for (size_t i = kNumBuiltins; i < program.variables.size(); ++i) {
    variable_names_.push_back(identifier(program.variables[i].name, taken));
  }
  for (const Value& value : program.values) {
    tile_names_.push_back(identifier("t_" + value.name, taken));
  }
  for_each_statement(program.body, [&](const Statement& statement) {
    const Instruction& instruction = statement.instruction;
    if (instruction.opcode != Opcode::kWgmma) return;
    for (const size_t i : {kWgmmaSum, kWgmmaA}) {
      const ValueId id = instruction.operands[i];
      if (program.type_of(id).space == MemorySpace::kRegister) wgmma_registers_.insert(id);
    }
  });
  definitions_.resize(program.values.size());
  std::vector<ValueId> changed;
  for_each_statement(program.body, [&](const Statement& statement) {
    if (statement.kind != StatementKind::kInstruction) return;
    const Instruction& instruction = statement.instruction;
    if (instruction.result != kNoValue) definitions_[instruction.result] = &instruction;
    if ((instruction_info(instruction.opcode).effects & kWritesRegister) != 0) {
      changed.push_back(instruction.operands[0]);
    }
  });
  for (const ValueId id : changed) definitions_[id] = nullptr;
}

void Emitter::append(const std::string& text) {
  body_.append(static_cast<size_t>(2 * depth_), ' ');
  body_ += text;
  body_ += '\n';
}

void Emitter::close() {
  --depth_;
  append("}");
}

std::string Emitter::fresh(std::string_view stem) {
  return fmt::format("{}_{}", stem, next_name_++);
}

void Emitter::note(std::string text) {
  if (line_number_ > 0) text = fmt::format("line {}: {}", line_number_, text);
  if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
}

void Emitter::add_function(const std::string& key, const std::string& text) {
  if (functions_.emplace(key, text).second) function_order_.push_back(key);
}

std::string Emitter::scalar_call(const Expr& expr) const {
  const auto& o = expr.operands();
  switch (expr.kind()) {
    case ExprKind::kMin:
    case ExprKind::kMax: {
      const char* op = expr.kind() == ExprKind::kMin ? "<" : ">";
      if (expr.type() == ScalarType::kF32) {
        return fmt::format("ab::{}({}, {})", expr.kind() == ExprKind::kMin ? "min" : "max",
                           scalar(o[0]), scalar(o[1]));
      }
      return fmt::format("({0} {2} {1} ? {0} : {1})", scalar(o[0]), scalar(o[1]), op);
    }
    case ExprKind::kBitAnd: return fmt::format("({} & {})", scalar(o[0]), scalar(o[1]));
    case ExprKind::kBitOr: return fmt::format("({} | {})", scalar(o[0]), scalar(o[1]));
    case ExprKind::kBitXor: return fmt::format("({} ^ {})", scalar(o[0]), scalar(o[1]));
    case ExprKind::kSelect:
      return fmt::format("({} ? {} : {})", scalar(o[0]), scalar(o[1]), scalar(o[2]));
    case ExprKind::kConvert:
      if (o[0].type() == ScalarType::kF32 && expr.type() != ScalarType::kBool) {
        return fmt::format("ab::f32_to_{}_rz({})", scalar_type_name(expr.type()), scalar(o[0]));
      }
      return fmt::format("({})({})", scalar_cpp_type(expr.type()), scalar(o[0]));
    default: ANYBIT_CHECK(false);
  }
}

std::string Emitter::scalar(const Expr& expr) const {
  const auto& o = expr.operands();
  switch (expr.kind()) {
    case ExprKind::kInteger:
      if (expr.type() == ScalarType::kBool) return expr.integer_value() != 0 ? "true" : "false";
      if (expr.type() == ScalarType::kI64) return fmt::format("{}ll", expr.integer_value());
      return expr.integer_value() < 0 ? fmt::format("({})", expr.integer_value())
                                      : fmt::format("{}", expr.integer_value());
    case ExprKind::kFloat: return float_literal(expr.float_value());
    case ExprKind::kVariable: return variable_names_[expr.variable_id()];
    case ExprKind::kNegate: return fmt::format("(-{})", scalar(o[0]));
    case ExprKind::kNot: return fmt::format("(!{})", scalar(o[0]));
    default: break;
  }
  const ExprKindInfo& info = expr_kind_info(expr.kind());
  if (info.precedence == 0) return scalar_call(expr);
  if (o[0].type() == ScalarType::kF32 && expr.type() == ScalarType::kF32) {
    const char* function = expr.kind() == ExprKind::kAdd   ? "add"
                           : expr.kind() == ExprKind::kSub ? "sub"
                           : expr.kind() == ExprKind::kMul ? "mul"
                                                           : "div";
    return fmt::format("ab::{}({}, {})", function, scalar(o[0]), scalar(o[1]));
  }
  return fmt::format("({} {} {})", scalar(o[0]), info.name, scalar(o[1]));
}

std::string Emitter::tile(ValueId id) const { return tile_names_[id]; }

int64_t Emitter::num_words(const TensorType& type) const {
  return (type.register_layout->local_size() * type.element.bits + 31) / 32;
}

void Emitter::declare(ValueId id) {
  line("ab::u32 {}[{}];", tile(id), num_words(program_.type_of(id)));
}

std::string Emitter::code(ValueId id, int64_t local) const {
  const int bits = program_.type_of(id).element.bits;
  const int64_t bit = local * bits, word = bit / 32, position = bit % 32;
  if (bits == 32) return fmt::format("{}[{}]", tile(id), word);
  if (position + bits > 32) {
    return fmt::format("(ab::funnel_right({0}[{1}], {0}[{2}], {3}) & {4:#x}u)", tile(id), word,
                       word + 1, position, (uint64_t{1} << bits) - 1);
  }
  return fmt::format("ab::bit_extract({}[{}], {}, {})", tile(id), word, position, bits);
}

std::string Emitter::number(ValueId id, int64_t local) const {
  const numeric::ElementFormat& element = program_.type_of(id).element;
  if (element == numeric::kF32) return fmt::format("ab::bits_float({}[{}])", tile(id), local);
  const int64_t word = local * element.bits / 32, position = local * element.bits % 32;
  if (element == numeric::kF16 || element == numeric::kBF16) {
    return fmt::format("ab::{}_{}_to_f32({}[{}])", element == numeric::kF16 ? "f16" : "bf16",
                       position == 0 ? "lo" : "hi", tile(id), word);
  }
  if (element.kind == numeric::ElementKind::kInt) {
    if (element.bits == 32) return fmt::format("(int){}[{}]", tile(id), word);
    ANYBIT_CHECK(position + element.bits <= 32);
    return fmt::format("ab::bit_extract_signed({}[{}], {}, {})", tile(id), word, position,
                       element.bits);
  }
  return code(id, local);
}

std::string Emitter::pair(ValueId id, int64_t low, int64_t high) const {
  ANYBIT_CHECK(program_.type_of(id).element.bits == 16);
  const std::string name = tile(id);
  if (low % 2 == 0 && high == low + 1) return fmt::format("{}[{}]", name, low / 2);
  const int select_low = low % 2 == 0 ? 0x10 : 0x32;
  if (low / 2 == high / 2) {
    return fmt::format("ab::prmt({}[{}], 0, {:#x})", name, low / 2,
                       select_low | (high % 2 == 0 ? 0x1000 : 0x3200));
  }
  return fmt::format("ab::prmt({0}[{1}], {0}[{2}], {3:#x})", name, low / 2, high / 2,
                     select_low | (high % 2 == 0 ? 0x5400 : 0x7600));
}

void Emitter::write_codes(ValueId id, const std::function<std::string(int64_t)>& code,
                          bool masked) {
  const TensorType& type = program_.type_of(id);
  const int bits = type.element.bits;
  const int64_t count = type.register_layout->local_size();
  if (bits == 32) {
    for (int64_t e = 0; e < count; ++e) line("{}[{}] = {};", tile(id), e, code(e));
    return;
  }
  std::vector<std::string> words(static_cast<size_t>(num_words(type)));
  const auto add = [&](int64_t word, std::string part) {
    std::string& text = words[static_cast<size_t>(word)];
    text += (text.empty() ? "" : " | ") + part;
  };
  for (int64_t e = 0; e < count; ++e) {
    const int64_t word = e * bits / 32, position = e * bits % 32;
    std::string value = code(e);
    if (!masked) value = fmt::format("(({}) & {:#x}u)", value, (uint64_t{1} << bits) - 1);
    if (position + bits > 32) {
      const std::string name = fresh("code");
      line("const ab::u32 {} = {};", name, value);
      add(word, fmt::format("({} << {})", name, position));
      add(word + 1, fmt::format("({} >> {})", name, 32 - position));
    } else {
      add(word, position == 0 ? value : fmt::format("({} << {})", value, position));
    }
  }
  for (size_t w = 0; w < words.size(); ++w) line("{}[{}] = {};", tile(id), w, words[w]);
}

std::string Emitter::thread() const { return group_.empty() ? "tid" : group_; }

void Emitter::barrier() {
  if (is_whole_cta()) {
    line("ab::sync_cta();");
  } else if (num_threads_ == kWarpSize) {
    line("ab::sync_warp();");
  } else {
    line("ab::sync_named({}, {});", num_groups_, num_threads_);
  }
}

std::string Emitter::thread_sum(const std::vector<layout::Digit>& digits,
                                const std::vector<int64_t>& weights) {
  std::string text;
  int64_t divisor = 1;  // Of the digits after this one.
  for (size_t i = digits.size(); i-- > 0;) {
    const int64_t extent = digits[i].extent;
    if (weights[i] != 0 && extent > 1) {
      std::string digit = divisor == 1 ? thread() : fmt::format("{} / {}", thread(), divisor);
      if (divisor * extent < num_threads_) digit += fmt::format(" % {}", extent);
      if (weights[i] != 1) digit += fmt::format(" * {}", weights[i]);
      text = text.empty() ? digit : fmt::format("{} + {}", digit, text);
    }
    divisor *= extent;
  }
  if (text.empty()) return "0";
  const auto found = thread_sums_.find(text);
  if (found != thread_sums_.end()) return found->second;
  const std::string name = fmt::format("x{}", thread_sums_.size());
  prologue_ += fmt::format("  const int {} = (int)({});\n", name, text);
  thread_sums_.emplace(text, name);
  return name;
}

std::string Emitter::thread_coordinate(const layout::RegisterLayout& layout, int dim) {
  const std::vector<layout::Digit> digits(layout.thread_digits().begin(),
                                          layout.thread_digits().end());
  std::vector<int64_t> weights;
  for (const layout::Digit& digit : digits) weights.push_back(digit.dim == dim ? digit.stride : 0);
  return thread_sum(digits, weights);
}

std::string Emitter::first_holder(const layout::RegisterLayout& layout) {
  const std::vector<layout::Digit> digits(layout.thread_digits().begin(),
                                          layout.thread_digits().end());
  std::vector<int64_t> weights;
  bool any = false;
  for (const layout::Digit& digit : digits) {
    weights.push_back(digit.is_replicated() ? 1 : 0);
    any = any || (digit.is_replicated() && digit.extent > 1);
  }
  if (!any) return "";
  return fmt::format("{} == 0", thread_sum(digits, weights));
}

int64_t Emitter::scratch_offset(int64_t bytes) {
  const size_t group = is_whole_cta() ? 0 : static_cast<size_t>(num_groups_);
  if (scratch_bytes_.size() <= group) scratch_bytes_.resize(group + 1);
  constexpr int64_t kAlignment = 128;
  const int64_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  scratch_bytes_[group] = std::max(scratch_bytes_[group], rounded);
  int64_t offset = plan_.shared.total_bytes;
  for (size_t g = 0; g < std::min(group, reserved_bytes_.size()); ++g) offset += reserved_bytes_[g];
  return offset;
}

std::string Emitter::scratch(int64_t bytes) {
  const int64_t offset = scratch_offset(bytes);
  return offset == 0 ? "smem" : fmt::format("smem + {}", offset);
}

void Emitter::elect() {
  open("if ({} == 0)", thread());
  is_elected_ = true;
}

void Emitter::end_elect() {
  is_elected_ = false;
  close();
}

void Emitter::add_barriers(int64_t first, int64_t count, int64_t arrivals) {
  constexpr int64_t kBarrierBytes = 8;
  barriers_ += fmt::format(
      "    for (ab::u32 i = 0; i < {}; ++i) ab::mbarrier_init(smem + {} + i * {}, {});\n", count,
      first, kBarrierBytes, arrivals);
}

Result<Expr> Emitter::known_at_launch(const Expr& expr, std::string_view what) const {
  Expr known = expr;
  // Lets are defined in order, so that replacing them from the last leaves none.
  std::vector<const Statement*> lets;
  for_each_statement(program_.body, [&](const Statement& s) {
    if (s.kind == StatementKind::kLet) lets.push_back(&s);
  });
  for (size_t i = lets.size(); i-- > 0;) {
    known = substitute(known, [&](VariableId id) -> std::optional<Expr> {
      return id == lets[i]->variable ? std::optional(lets[i]->expressions[0]) : std::nullopt;
    });
  }
  std::string unknown;
  for_each_variable(known, [&](VariableId id) {
    const Variable& variable = program_.variables[id];
    if (variable.role != VariableRole::kParameter) unknown = variable.name;
  });
  if (unknown.empty()) return known;
  return fail(ErrorCode::kUnsupported,
              "a bulk copy needs {} that the kernel's parameters determine; {} is none", what,
              unknown);
}

Result<std::string> Emitter::tensor_map(ValueId global, std::vector<int64_t> box, int span_bytes) {
  const TensorType& type = program_.type_of(global);
  if (!type.strides.back().is_integer(1)) {
    return fail(ErrorCode::kUnsupported, "a bulk copy of rows with gaps between elements");
  }
  for (size_t i = 0; i < tensor_maps_.size(); ++i) {
    if (tensor_map_values_[i] == global && tensor_maps_[i].box == box &&
        tensor_maps_[i].span_bytes == span_bytes) {
      return fmt::format("tensor_map_{}", i);
    }
  }
  const Expr* pointer = nullptr;
  for_each_statement(program_.body, [&](const Statement& s) {
    if (s.kind == StatementKind::kInstruction && s.instruction.result == global) {
      pointer = &std::get<Expr>(s.instruction.attributes[0]);
    }
  });
  ANYBIT_CHECK(pointer != nullptr);
  TensorMapParameter map;
  ANYBIT_ASSIGN(map.pointer, known_at_launch(*pointer, "a pointer"));
  for (size_t d = 0; d < type.extents.size(); ++d) {
    ANYBIT_ASSIGN(map.extents.emplace_back(), known_at_launch(type.extents[d], "extents"));
    ANYBIT_ASSIGN(map.strides.emplace_back(), known_at_launch(type.strides[d], "strides"));
  }
  map.element_bits = type.element.bits;
  map.box = std::move(box);
  map.span_bytes = span_bytes;
  tensor_maps_.push_back(std::move(map));
  tensor_map_values_.push_back(global);
  return fmt::format("tensor_map_{}", tensor_maps_.size() - 1);
}

namespace {

/// Instructions that one thread carries out; and those that are nothing in the text.
bool is_for_elected(const Statement& s) {
  if (s.kind != StatementKind::kInstruction) return false;
  switch (s.instruction.opcode) {
    case Opcode::kBarrierExpect:
    case Opcode::kCopyBulk:
    case Opcode::kStoreBulk:
    case Opcode::kStoreBulkCommit:
    case Opcode::kStoreBulkWait: return true;
    default: return false;
  }
}
bool is_silent(const Statement& s) {
  if (s.kind != StatementKind::kInstruction) return false;
  switch (s.instruction.opcode) {
    case Opcode::kSliceShared:
    case Opcode::kReshapeShared:
    case Opcode::kPermuteShared: return true;
    default: return false;
  }
}

}  // namespace

/// A run of instructions for one thread stands under one condition.
Status Emitter::emit_elected(const Block& block, size_t& next) {
  size_t end = next;
  for (size_t i = next; i < block.size() && (is_for_elected(block[i]) || is_silent(block[i]));
       ++i) {
    if (is_for_elected(block[i])) end = i + 1;
  }
  // What the other threads of the warp did comes before what the first announces.
  line("ab::sync_warp();");
  elect();
  for (; next < end; ++next) ANYBIT_TRY(emit_statement(block[next]));
  end_elect();
  return {};
}

Status Emitter::emit_block(const Block& block) {
  const size_t outer = tiles_in_scope_.size();
  for (size_t i = 0; i < block.size();) {
    const size_t first = i;
    if (is_for_elected(block[i])) {
      ANYBIT_TRY(emit_elected(block, i));
    } else {
      ANYBIT_TRY(emit_statement(block[i++]));
    }
    for (size_t done = first; done < i; ++done) {
      const ValueId result = block[done].instruction.result;
      if (result != kNoValue) tiles_in_scope_.push_back(result);
    }
  }
  tiles_in_scope_.resize(outer);
  return {};
}

Status Emitter::emit_statement(const Statement& s) {
  line_number_ = s.location.line;
  number_ = next_number_++;
  switch (s.kind) {
    case StatementKind::kInstruction: return emit_instruction(s);
    case StatementKind::kLet:
      line("const {} {} = {};", scalar_cpp_type(s.expressions[0].type()),
           variable_names_[s.variable], scalar(s.expressions[0]));
      return {};
    case StatementKind::kVar:
      line("{} {} = {};", scalar_cpp_type(s.expressions[0].type()), variable_names_[s.variable],
           scalar(s.expressions[0]));
      return {};
    case StatementKind::kSet:
      line("{} = {};", variable_names_[s.variable], scalar(s.expressions[0]));
      return {};
    case StatementKind::kAssume: return {};
    case StatementKind::kFor: return emit_for(s);
    case StatementKind::kWhile:
      open("while ({})", scalar(s.expressions[0]));
      ANYBIT_TRY(emit_block(s.body));
      close();
      return {};
    case StatementKind::kIf:
      open("if ({})", scalar(s.expressions[0]));
      ANYBIT_TRY(emit_block(s.body));
      close();
      if (!s.else_body.empty()) {
        open("else");
        ANYBIT_TRY(emit_block(s.else_body));
        close();
      }
      return {};
    case StatementKind::kBreak: line("break;"); return {};
    case StatementKind::kThreads: return emit_threads(s);
  }
  return {};
}

Status Emitter::emit_for(const Statement& s) {
  const std::string& name = variable_names_[s.variable];
  line("#pragma unroll{}", s.unroll ? "" : " 1");
  open("for ({0} {1} = {2}; {1} < {3}; {1} += {4})", scalar_cpp_type(s.expressions[0].type()), name,
       scalar(s.expressions[0]), scalar(s.expressions[1]), scalar(s.expressions[2]));
  ANYBIT_TRY(emit_block(s.body));
  close();
  return {};
}

void Emitter::emit_registers(int64_t num_registers) {
  has_register_hints_ = true;
  const int64_t initial = initial_registers(program_.num_threads());
  if (options_.architecture < 90 || num_registers == initial) return;
  line("ab::setmaxnreg_{}<{}>();", num_registers < initial ? "dec" : "inc", num_registers);
}

Status Emitter::emit_threads(const Statement& s) {
  ++num_groups_;
  if (num_groups_ > 15) {
    return fail(ErrorCode::kUnsupported, "more than 15 groups of threads: named barriers run out");
  }
  const std::string outer_group = group_;
  const int64_t outer_threads = num_threads_;
  group_ = fmt::format("tid{}", num_groups_);
  num_threads_ = s.num_threads;
  prologue_ += fmt::format("  const ab::u32 {} = tid - {};\n", group_, s.first_thread);
  // Register hints are of whole warpgroups, also where only a part of one goes on.
  const bool is_part = s.num_registers > 0 && s.num_threads % kWarpgroupSize != 0;
  if (is_part) {
    open("if (tid / {0}u == {1}u)", kWarpgroupSize, s.first_thread / kWarpgroupSize);
    emit_registers(s.num_registers);
  }
  open("if ({} < {}u)", group_, s.num_threads);
  if (s.num_registers > 0 && !is_part) emit_registers(s.num_registers);
  ANYBIT_TRY(emit_block(s.body));
  close();
  if (is_part) close();
  group_ = outer_group;
  num_threads_ = outer_threads;
  return {};
}

Status Emitter::emit_instruction(const Statement& s) {
  const Instruction& instruction = s.instruction;
  const InstructionView view{program_, instruction, num_threads_};
  Status status;
  switch (instruction.opcode) {
#define ANYBIT_VM_INSTRUCTION(enumerator, name) \
  case Opcode::enumerator:                      \
    status = emit_##name(*this, view);          \
    break;
#include "anybit/vm/ir/instructions.def"
#undef ANYBIT_VM_INSTRUCTION
  }
  if (status) return status;
  const std::string where = s.location.line > 0 ? fmt::format("line {}: ", s.location.line) : "";
  return with_context(status.error(), where + std::string(instruction_name(instruction)));
}

/// What stands before the kernel's name; sets the cluster.
Result<std::string> Emitter::launch_attributes(EmittedKernel& kernel) const {
  std::string attributes = has_register_hints_
                               ? fmt::format("AB_LAUNCH_BOUNDS_2({}, 1)", program_.num_threads())
                               : fmt::format("AB_LAUNCH_BOUNDS({})", program_.num_threads());
  if (program_.cluster.empty()) return attributes;
  if (options_.architecture < 90) {
    return fail(ErrorCode::kUnsupported, "{}: clusters need compute capability 9.0", program_.name);
  }
  for (size_t d = 0; d < program_.cluster.size(); ++d) {
    kernel.cluster[d] = static_cast<int>(program_.cluster[d]);
  }
  return attributes + fmt::format(" AB_CLUSTER({}, {}, {})", kernel.cluster[0], kernel.cluster[1],
                                  kernel.cluster[2]);
}

/// What one thread does before all others begin.
std::string Emitter::preamble(size_t num_maps) const {
  std::string text;
  for (size_t i = 0; i < num_maps; ++i) {
    text += fmt::format("    ab::tensor_prefetch(&tensor_map_{});\n", i);
  }
  if (!barriers_.empty()) text += barriers_ + "    ab::fence_barrier_init();\n";
  if (text.empty()) return text;
  text = "  if (tid == 0) {\n" + text + "  }\n";
  if (!barriers_.empty()) text += "  ab::sync_cta();\n";
  return text;
}

Result<EmittedKernel> Emitter::run() {
  ANYBIT_TRY(emit_block(program_.body));
  EmittedKernel kernel;
  kernel.name = "vm_" + program_.name;  // Apart from what the C library calls so.
  kernel.threads_per_cta = program_.num_threads();
  kernel.shared_bytes =
      std::accumulate(scratch_bytes_.begin(), scratch_bytes_.end(), plan_.shared.total_bytes);
  kernel.grid = program_.grid;
  constexpr int64_t kMaxSharedBytes = 227 * 1024;
  if (kernel.shared_bytes > kMaxSharedBytes) {
    return fail(ErrorCode::kUnsupported, "{} needs {} bytes of shared memory, a CTA has {}",
                program_.name, kernel.shared_bytes, kMaxSharedBytes);
  }
  std::string parameters;
  for (const VariableId id : program_.parameters) {
    const ScalarType type = program_.variables[id].type;
    kernel.parameters.push_back(type);
    parameters += fmt::format("{}{} {}", parameters.empty() ? "" : ", ", scalar_cpp_type(type),
                              variable_names_[id]);
  }
  for (size_t i = 0; i < tensor_maps_.size(); ++i) {
    parameters += fmt::format("{}AB_GRID_CONSTANT const ab::TensorMap tensor_map_{}",
                              parameters.empty() ? "" : ", ", i);
  }
  kernel.tensor_maps = std::move(tensor_maps_);
  std::string& source = kernel.source;
  for (const std::string& key : function_order_) source += functions_[key] + "\n";
  ANYBIT_ASSIGN(const std::string attributes, launch_attributes(kernel));
  source += fmt::format("AB_KERNEL {} {}({}) {{\n", attributes, kernel.name, parameters);
  source += "  const ab::u32 tid = ab::thread();\n";
  if (kernel.shared_bytes > 0) source += "  const ab::u32 smem = ab::shared_base();\n";
  source += preamble(kernel.tensor_maps.size()) + prologue_ + body_ + "}\n";
  kernel.notes = notes_;
  return kernel;
}

}  // namespace anybit::vm::cuda

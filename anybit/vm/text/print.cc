#include "anybit/vm/text/print.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "anybit/layout/register_layout_text.h"
#include "anybit/vm/ir/instruction_info.h"

namespace anybit::vm {
namespace {

std::string float_text(float value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  std::string text(digits, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

/// A literal that reads as an i32 although it is an i64, unless an i64 stands beside it.
bool is_small_i64(const Expr& expr) {
  const auto value = expr.as_integer();
  return value && expr.type() == ScalarType::kI64 && *value == static_cast<int32_t>(*value);
}

std::string literal_text(const Expr& expr, bool is_beside_i64) {
  if (expr.kind() == ExprKind::kFloat) return float_text(expr.float_value());
  const int64_t value = expr.integer_value();
  if (expr.type() == ScalarType::kBool) return value != 0 ? "true" : "false";
  return is_small_i64(expr) && !is_beside_i64 ? fmt::format("i64({})", value)
                                              : std::to_string(value);
}

class ExpressionPrinter {
 public:
  explicit ExpressionPrinter(const Program& program) : program_(program) {}

  /// `min_precedence`: below it, parentheses stand around.
  void print(const Expr& expr, int min_precedence, bool is_beside_i64) {
    const ExprKindInfo& info = expr_kind_info(expr.kind());
    if (expr.kind() == ExprKind::kVariable) {
      text_ += program_.variables[expr.variable_id()].name;
    } else if (info.num_operands == 0) {
      text_ += literal_text(expr, is_beside_i64);
    } else if (info.precedence == 0) {
      text_ += expr.kind() == ExprKind::kConvert ? scalar_type_name(expr.type()) : info.name;
      text_ += '(';
      print_operands(expr, 0, 0, ", ");
      text_ += ')';
    } else {
      const bool needs_parentheses = info.precedence < min_precedence;
      if (needs_parentheses) text_ += '(';
      if (info.num_operands == 1) text_ += info.name;
      print_operands(expr, info.precedence, info.precedence + 1, fmt::format(" {} ", info.name));
      if (needs_parentheses) text_ += ')';
    }
  }

  std::string take() { return std::move(text_); }

 private:
  void print_operands(const Expr& expr, int first_precedence, int other_precedence,
                      std::string_view separator) {
    const std::vector<Expr>& operands = expr.operands();
    const size_t first_value = expr.kind() == ExprKind::kSelect ? 1 : 0;
    for (size_t i = 0; i < operands.size(); ++i) {
      if (i > 0) text_ += separator;
      // The operands that are unified: the last two.
      const bool is_unified = operands.size() > 1 && i >= first_value;
      const Expr& other = operands[i == first_value ? operands.size() - 1 : first_value];
      const bool is_beside_i64 =
          is_unified && other.type() == ScalarType::kI64 && !is_small_i64(other);
      print(operands[i], i == 0 ? first_precedence : other_precedence, is_beside_i64);
    }
  }

  const Program& program_;
  std::string text_;
};

std::string expression_text(const Expr& expr, const Program& program, bool is_beside_i64) {
  ExpressionPrinter printer(program);
  printer.print(expr, 0, is_beside_i64);
  return printer.take();
}

std::string list_text(const std::vector<Expr>& values, const Program& program) {
  std::vector<std::string> texts;
  for (const Expr& value : values) texts.push_back(print_expression(value, program));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string attribute_text(const Attribute& attribute, const AttributeInfo& info,
                           const Program& program) {
  switch (info.kind) {
    case AttributeKind::kInteger: return std::to_string(std::get<int64_t>(attribute));
    case AttributeKind::kIntegers: return shape_text(std::get<std::vector<int64_t>>(attribute));
    case AttributeKind::kFlag: return std::get<int64_t>(attribute) != 0 ? "true" : "false";
    case AttributeKind::kName: return std::string(info.names[std::get<int64_t>(attribute)]);
    case AttributeKind::kExpr: return print_expression(std::get<Expr>(attribute), program);
    case AttributeKind::kExprs: return list_text(std::get<std::vector<Expr>>(attribute), program);
    case AttributeKind::kElement:
      return tile_element_name(std::get<numeric::ElementFormat>(attribute));
    case AttributeKind::kText: return quoted(std::get<std::string>(attribute));
  }
  return "";
}

std::string declaration_text(const Value& value) {
  const TensorType& type = value.type;
  if (type.space == MemorySpace::kGlobal) return fmt::format("%{}", value.name);
  std::string text =
      fmt::format("%{}: {}{}{}", value.name, type.space == MemorySpace::kShared ? "shared " : "",
                  tile_element_name(type.element), shape_text(type.shape));
  if (type.register_layout) text += " @ " + layout::to_string(*type.register_layout);
  if (type.shared_layout) text += " @ " + layout::to_string(*type.shared_layout);
  return text;
}

std::string instruction_text(const Instruction& instruction, const Program& program) {
  const InstructionInfo& info = instruction_info(instruction.opcode);
  const std::string_view name = instruction_name(instruction);
  std::vector<std::string> arguments;
  for (const ValueId id : instruction.operands) {
    if (id != kNoValue) arguments.push_back("%" + program.values[id].name);
  }
  const size_t first = name == info.name ? 0 : 1;  // An operator's name says the attribute op.
  for (size_t i = first; i < info.attributes.size(); ++i) {
    if (instruction.attributes[i].index() == 0) continue;
    arguments.push_back(
        fmt::format("{}={}", info.attributes[i].name,
                    attribute_text(instruction.attributes[i], info.attributes[i], program)));
  }
  const std::string call = fmt::format("{}({})", name, fmt::join(arguments, ", "));
  if (instruction.result == kNoValue) return call;
  return fmt::format("{} = {}", declaration_text(program.values[instruction.result]), call);
}

std::string for_text(const Statement& s, const Program& program) {
  // Bounds are i64 together as soon as one reads as i64.
  bool reads_as_i64 = false;
  for (const Expr& bound : s.expressions) {
    reads_as_i64 = reads_as_i64 || (bound.type() == ScalarType::kI64 && !is_small_i64(bound));
  }
  const bool has_step = !s.expressions[2].is_integer(1);
  std::string text = fmt::format("for {} in range({}, {}", program.variables[s.variable].name,
                                 expression_text(s.expressions[0], program, reads_as_i64),
                                 expression_text(s.expressions[1], program, reads_as_i64));
  if (has_step) text += ", " + expression_text(s.expressions[2], program, reads_as_i64);
  text += ')';
  if (s.unroll) text += " unroll";
  if (s.num_stages > 0) text += fmt::format(" pipeline({})", s.num_stages);
  return text;
}

class ProgramPrinter {
 public:
  explicit ProgramPrinter(const Program& program,
                          std::function<std::string(size_t)> comment = nullptr)
      : program_(program), comment_(std::move(comment)) {}

  std::string print() {
    if (!program_.comment.empty()) print_comment(program_.comment);
    std::vector<std::string> parameters;
    for (const VariableId id : program_.parameters) {
      const Variable& variable = program_.variables[id];
      parameters.push_back(fmt::format("{}: {}", variable.name, scalar_type_name(variable.type)));
    }
    text_ += fmt::format("kernel {}({}) grid {}{} warps {}", program_.name,
                         fmt::join(parameters, ", "), list_text(program_.grid, program_),
                         program_.cluster.empty() ? "" : " cluster " + shape_text(program_.cluster),
                         program_.num_warps);
    print_block(program_.body);
    text_ += '\n';
    return std::move(text_);
  }

 private:
  void print_comment(std::string_view rest) {
    while (true) {
      const size_t end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      text_.append(indent_, ' ');
      text_ += line.empty() ? "//" : "// ";
      text_ += line;
      text_ += '\n';
      if (end == std::string_view::npos) return;
      rest.remove_prefix(end + 1);
    }
  }

  void print_block(const Block& block) {
    text_ += " {\n";
    indent_ += 2;
    for (const Statement& statement : block) {
      const std::string comment = comment_ ? comment_(next_statement_) : std::string();
      if (!comment.empty()) print_comment(comment);
      text_.append(indent_, ' ');
      print_statement(statement);
      text_ += '\n';
    }
    indent_ -= 2;
    text_.append(indent_, ' ');
    text_ += '}';
  }

  void print_statement(const Statement& statement) {
    ++next_statement_;
    text_ += print_statement_head(statement, program_);
    switch (statement.kind) {
      case StatementKind::kFor:
      case StatementKind::kWhile:
      case StatementKind::kIf:
      case StatementKind::kThreads: print_block(statement.body); break;
      default: return;
    }
    if (statement.else_body.empty()) return;
    text_ += " else";
    const Block& otherwise = statement.else_body;
    if (otherwise.size() == 1 && otherwise[0].kind == StatementKind::kIf) {
      text_ += ' ';
      print_statement(otherwise[0]);
    } else {
      print_block(otherwise);
    }
  }

  const Program& program_;
  const std::function<std::string(size_t)> comment_;
  std::string text_;
  size_t indent_ = 0;
  size_t next_statement_ = 0;
};

}  // namespace

std::string print_expression(const Expr& expr, const Program& program) {
  return expression_text(expr, program, false);
}

std::string print_statement_head(const Statement& s, const Program& program) {
  const auto name = [&] { return std::string_view(program.variables[s.variable].name); };
  const auto value = [&](bool is_beside_i64 = false) {
    return expression_text(s.expressions[0], program, is_beside_i64);
  };
  switch (s.kind) {
    case StatementKind::kInstruction: return instruction_text(s.instruction, program);
    case StatementKind::kLet: return fmt::format("let {} = {}", name(), value());
    case StatementKind::kVar:
      return fmt::format("var {}: {} = {}", name(),
                         scalar_type_name(program.variables[s.variable].type), value(true));
    case StatementKind::kSet: return fmt::format("set {} = {}", name(), value(true));
    case StatementKind::kAssume: return fmt::format("assume {}", value());
    case StatementKind::kFor: return for_text(s, program);
    case StatementKind::kWhile: return fmt::format("while {}", value());
    case StatementKind::kIf: return fmt::format("if {}", value());
    case StatementKind::kBreak: return "break";
    case StatementKind::kThreads:
      return fmt::format(
          "threads({}, {}){}", s.first_thread, s.num_threads,
          s.num_registers == 0 ? "" : fmt::format(" registers({})", s.num_registers));
  }
  return "";
}

std::string print(const Program& program) { return ProgramPrinter(program).print(); }

std::string print(const Program& program, const std::function<std::string(size_t)>& comment) {
  return ProgramPrinter(program, comment).print();
}

std::string print(std::span<const Program> programs) {
  std::string text;
  for (const Program& program : programs) {
    if (!text.empty()) text += '\n';
    text += print(program);
  }
  return text;
}

}  // namespace anybit::vm

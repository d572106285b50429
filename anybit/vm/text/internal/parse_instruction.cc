#include <algorithm>
#include <charconv>

#include <fmt/ranges.h>

#include "anybit/layout/register_layout_text.h"
#include "anybit/vm/ir/verify.h"
#include "anybit/vm/text/internal/parser.h"

namespace anybit::vm::text {
namespace {

/// The names of a range of rows, for messages: "a, b".
template <class Rows>
std::string names_of(const Rows& rows) {
  std::string names;
  for (const auto& row : rows) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/// An error in a layout, which gives the column in the layout, with that in the text.
tl::unexpected<Error> layout_error(const Token& layout, std::string_view message) {
  constexpr std::string_view kColumn = "column ";
  SourceLocation location = layout.location;
  int column = 0;
  if (message.starts_with(kColumn)) {
    const char* const end = message.data() + message.size();
    const auto [rest, error] = std::from_chars(message.data() + kColumn.size(), end, column);
    const std::string_view after(rest, end);
    if (error == std::errc() && after.starts_with(": ")) {
      message = after.substr(2);
      const std::string_view before = layout.text.substr(0, column - 1);
      const size_t line_start = before.rfind('\n');
      location.line += static_cast<int>(std::ranges::count(before, '\n'));
      location.column = line_start == std::string_view::npos
                            ? location.column + column - 1
                            : static_cast<int>(before.size() - line_start);
    }
  }
  return error_at(location, message);
}

std::string declared_text(const TensorType& type) {
  return fmt::format("{}{}{}", type.space == MemorySpace::kShared ? "shared " : "",
                     tile_element_name(type.element), shape_text(type.shape));
}

}  // namespace

Result<std::string> Parser::take_text() {
  const Token token = lexer_.current();
  if (token.kind != TokenKind::kText) return lexer_.unexpected("a text in quotes");
  const std::string_view written = token.text.substr(1, token.text.size() - 2);
  std::string text;
  for (size_t i = 0; i < written.size(); ++i) {
    if (written[i] != '\\') {
      text += written[i];
      continue;
    }
    const char escape = ++i < written.size() ? written[i] : '\0';
    if (escape == '"' || escape == '\\') {
      text += escape;
    } else if (escape == 'n') {
      text += '\n';
    } else if (escape == 't') {
      text += '\t';
    } else if (escape == 'x' && i + 2 < written.size() && hex_digit(written[i + 1]) >= 0 &&
               hex_digit(written[i + 2]) >= 0) {
      text += static_cast<char>(hex_digit(written[i + 1]) * 16 + hex_digit(written[i + 2]));
      i += 2;
    } else {
      return error_at(token.location,
                      "expected \\\", \\\\, \\n, \\t or \\x and two digits 0-9a-f after a "
                      "backslash");
    }
  }
  lexer_.next();
  return text;
}

Result<numeric::ElementFormat> Parser::take_element() {
  const SourceLocation location = lexer_.current().location;
  ANYBIT_ASSIGN(const std::string name, lexer_.take_name("an element format"));
  Result<numeric::ElementFormat> element = parse_tile_element(name);
  if (!element) return error_at(location, element.error().message);
  return element;
}

Result<TensorType> Parser::take_tensor_type() {
  TensorType type;
  if (lexer_.accept_name("shared")) type.space = MemorySpace::kShared;
  if (lexer_.accept_name("barrier")) {
    type.element = kBarrierElement;
  } else {
    ANYBIT_ASSIGN(type.element, take_element());
  }
  ANYBIT_ASSIGN(type.shape, take_integers());
  return type;
}

Status Parser::take_declaration(Declaration& declaration) {
  declaration.name = lexer_.current();
  lexer_.next();
  if (lexer_.accept(":")) {
    declaration.type_location = lexer_.current().location;
    ANYBIT_ASSIGN(declaration.type, take_tensor_type());
  }
  if (lexer_.is_symbol("@")) {
    ANYBIT_ASSIGN(declaration.layout, lexer_.take_layout());
  }
  if (lexer_.accept("=")) return {};
  return lexer_.unexpected(declaration.layout ? "'='"
                           : declaration.type ? "'@' or '='"
                                              : "':', '@' or '='");
}

Status Parser::take_operand(Instruction& instruction, const InstructionInfo& info) {
  const Token token = lexer_.current();
  const auto found = values_.find(std::string(token.text));
  if (found == values_.end()) {
    return error_at(token.location,
                    fmt::format("expected a tile defined above, found %{}", token.text));
  }
  if (instruction.operands.size() == info.operands.size()) {
    return error_at(
        token.location,
        fmt::format("{} takes {} tiles{}{}, found another", info.name, info.operands.size(),
                    info.operands.empty() ? "" : ": ", names_of(info.operands)));
  }
  instruction.operands.push_back(found->second);
  lexer_.next();
  return {};
}

Result<Attribute> Parser::take_attribute_value(const AttributeInfo& info) {
  const SourceLocation location = lexer_.current().location;
  switch (info.kind) {
    case AttributeKind::kInteger: return take_integer();
    case AttributeKind::kIntegers: return take_integers();
    case AttributeKind::kExpr: return take_expression();
    case AttributeKind::kExprs: return take_expressions();
    case AttributeKind::kElement: return take_element();
    case AttributeKind::kText: return take_text();
    case AttributeKind::kFlag: {
      const bool value = lexer_.is_name("true");
      if (!value && !lexer_.is_name("false")) return lexer_.unexpected("true or false");
      lexer_.next();
      return Attribute(int64_t{value});
    }
    case AttributeKind::kName: break;
  }
  const std::string expected = fmt::format("one of {}", fmt::join(info.names, ", "));
  ANYBIT_ASSIGN(const std::string name, lexer_.take_name(expected));
  const auto found = std::ranges::find(info.names, name);
  if (found == info.names.end()) {
    return error_at(location, fmt::format("expected {}, found '{}'", expected, name));
  }
  return Attribute(static_cast<int64_t>(found - info.names.begin()));
}

Status Parser::take_attribute(Instruction& instruction, const InstructionInfo& info) {
  const SourceLocation location = lexer_.current().location;
  if (lexer_.current().kind == TokenKind::kTile) {
    return lexer_.unexpected("an attribute, since tiles come first");
  }
  ANYBIT_ASSIGN(const std::string name, lexer_.take_name("a tile or an attribute"));
  const auto row = std::ranges::find(info.attributes, name, &AttributeInfo::name);
  if (row == info.attributes.end()) {
    return error_at(location, fmt::format("{} has no attribute '{}'; its attributes: {}", info.name,
                                          name, names_of(info.attributes)));
  }
  Attribute& attribute = instruction.attributes[row - info.attributes.begin()];
  if (attribute.index() != 0) {
    return error_at(location, fmt::format("{}= is given twice", name));
  }
  ANYBIT_TRY(lexer_.expect("="));
  ANYBIT_ASSIGN(attribute, take_attribute_value(*row));
  return {};
}

Status Parser::take_instruction(Statement& statement) {
  std::optional<Declaration> declaration;
  if (lexer_.current().kind == TokenKind::kTile) {
    ANYBIT_TRY(take_declaration(declaration.emplace()));
  }
  const SourceLocation location = lexer_.current().location;
  ANYBIT_ASSIGN(const std::string name,
                lexer_.take_name(declaration ? "an instruction" : "a statement or '}'"));
  const auto named = find_instruction(name);
  if (!named) {
    return error_at(location, fmt::format("expected {}, found '{}'",
                                          declaration ? "an instruction" : "a statement", name));
  }
  const InstructionInfo& info = instruction_info(named->opcode);
  Instruction& instruction = statement.instruction;
  instruction.opcode = named->opcode;
  instruction.attributes.resize(info.attributes.size());
  if (named->op) instruction.attributes[0] = *named->op;
  ANYBIT_TRY(lexer_.expect("("));
  bool has_attributes = false;
  while (!lexer_.is_symbol(")")) {
    const bool is_operand = lexer_.current().kind == TokenKind::kTile && !has_attributes;
    has_attributes = has_attributes || !is_operand;
    ANYBIT_TRY(is_operand ? take_operand(instruction, info) : take_attribute(instruction, info));
    if (lexer_.is_symbol(")")) break;
    if (!lexer_.accept(",")) return lexer_.unexpected("',' or ')'");
  }
  lexer_.next();
  instruction.operands.resize(info.operands.size(), kNoValue);
  Status status = finish_instruction(instruction, declaration ? &*declaration : nullptr);
  if (status || status.error().message.starts_with("line ")) return status;
  return with_context(status.error(),
                      fmt::format("line {}: {}", statement.location.line, info.name));
}

Status Parser::set_layout(TensorType& type, const Token& layout) {
  if (type.space == MemorySpace::kGlobal) {
    return error_at(layout.location, "a global tensor has strides and no layout");
  }
  if (type.space == MemorySpace::kShared) {
    auto parsed = layout::parse_shared_layout(layout.text);
    if (!parsed) return layout_error(layout, parsed.error().message);
    type.shared_layout = std::move(*parsed);
    return {};
  }
  auto parsed = layout::parse_register_layout(layout.text);
  if (!parsed) return layout_error(layout, parsed.error().message);
  type.register_layout = std::move(*parsed);
  return {};
}

Status Parser::finish_instruction(Instruction& instruction, const Declaration* declaration) {
  std::string name;
  if (declaration != nullptr) {
    name = declaration->name.text;
    if (values_.contains(name)) {
      return error_at(declaration->name.location, fmt::format("%{} is defined twice", name));
    }
    instruction.result = program_.add_value(name, {});
  }
  ANYBIT_TRY(check_signature(program_, instruction));
  const InstructionInfo& info = instruction_info(instruction.opcode);
  ANYBIT_ASSIGN(std::optional<TensorType> type,
                info.infer_type({program_, instruction, num_threads_}));
  if (declaration == nullptr || !type) return {};
  if (const auto& declared = declaration->type;
      declared && (declared->space != type->space || !(declared->element == type->element) ||
                   declared->shape != type->shape)) {
    return error_at(declaration->type_location,
                    type->space == MemorySpace::kGlobal
                        ? fmt::format("%{} is a global tensor, but is declared {}", name,
                                      declared_text(*declared))
                        : fmt::format("%{} is {}, but is declared {}", name, declared_text(*type),
                                      declared_text(*declared)));
  }
  if (declaration->layout) ANYBIT_TRY(set_layout(*type, *declaration->layout));
  program_.type_of(instruction.result) = std::move(*type);
  values_.emplace(std::move(name), instruction.result);
  return {};
}

}  // namespace anybit::vm::text

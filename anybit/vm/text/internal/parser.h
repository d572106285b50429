// The parser of kernels: expressions (parse_expression.cc), statements (parse_statement.cc),
// instructions by their row of the table (parse_instruction.cc).
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/ir/program.h"
#include "anybit/vm/text/internal/lexer.h"

namespace anybit::vm::text {

class Parser {
 public:
  explicit Parser(std::string_view source) : lexer_(source) {}

  bool at_end() const { return lexer_.current().kind == TokenKind::kEnd; }
  SourceLocation location() const { return lexer_.current().location; }
  tl::unexpected<Error> unexpected(std::string_view expected) const {
    return lexer_.unexpected(expected);
  }
  /// Takes one kernel; it is not verified yet.
  Result<Program> take_kernel();

 private:
  // Kernels and statements.
  Status take_parameters();
  Status take_block(Block& block);
  Status take_statement(Block& block);
  Status take_control(Statement& statement, bool& found);
  Status take_definition(Statement& statement, StatementKind kind);
  Status take_set(Statement& statement);
  Status take_for(Statement& statement);
  Status take_for_options(Statement& statement);
  Status take_if(Statement& statement);
  Status take_threads(Statement& statement);
  Result<ScalarType> take_scalar_type();
  Result<VariableId> define_variable(const std::string& name, SourceLocation location,
                                     ScalarType type, VariableRole role);

  // Instructions.
  struct Declaration {  // What stands before the "=" of an instruction with a result.
    Token name;
    std::optional<TensorType> type;
    std::optional<Token> layout;
    SourceLocation type_location = {};
  };
  Status take_instruction(Statement& statement);
  Status take_declaration(Declaration& declaration);
  Result<TensorType> take_tensor_type();
  Result<numeric::ElementFormat> take_element();
  Status take_operand(Instruction& instruction, const InstructionInfo& info);
  Status take_attribute(Instruction& instruction, const InstructionInfo& info);
  Result<Attribute> take_attribute_value(const AttributeInfo& info);
  Status finish_instruction(Instruction& instruction, const Declaration* declaration);
  Status set_layout(TensorType& type, const Token& layout);

  // Expressions.
  Result<Expr> take_expression();
  Result<Expr> take_binary(int min_precedence);
  Result<Expr> take_unary();
  Result<Expr> take_primary();
  Result<Expr> take_call(std::string_view name, SourceLocation location);
  Result<Expr> take_integer_literal(bool is_negative);
  Result<Expr> take_float_literal();
  Result<Expr> make(SourceLocation location, ExprKind kind, std::vector<Expr> operands);
  Result<Expr> convert(SourceLocation location, Expr value, ScalarType type);
  Result<std::vector<Expr>> take_expressions();
  Result<int64_t> take_integer();
  Result<std::vector<int64_t>> take_integers();
  Result<std::string> take_text();

  Lexer lexer_;
  Program program_;
  std::unordered_map<std::string, VariableId> variables_;
  std::unordered_map<std::string, ValueId> values_;
  int64_t num_threads_ = 0;  // Of the statements here.
  int64_t num_statements_ = 0;
  int block_depth_ = 0;
  int expression_depth_ = 0;
};

/// An integer literal becomes one of `type`, where that is an integer type it fits.
Expr with_literal_type(Expr value, ScalarType type);

}  // namespace anybit::vm::text

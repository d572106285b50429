// The tree of a parsed template. Plain data; the interpreter walks it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "anybit/model/chat_template/internal/builtin.h"
#include "anybit/model/chat_template/value.h"

namespace anybit::model::jinja {

struct Expression;
struct Statement;
using ExpressionPtr = std::unique_ptr<Expression>;
using Body = std::vector<std::unique_ptr<Statement>>;

enum class ExpressionKind : uint8_t {
  kConstant,   // value
  kName,       // name
  kAttribute,  // operands[0] . name
  kItem,       // operands[0] [ operands[1] ]
  kSlice,      // operands[0] [ operands[1] : operands[2] : operands[3] ], absent ones null
  kCall,       // operands[0] ( arguments )
  kFilter,     // operands[0] | name ( arguments ); no operand inside a filter block
  kTest,       // operands[0] is name ( arguments )
  kUnary,      // op operands[0]
  kBinary,     // operands[0] op operands[1]
  kAnd,
  kOr,       // both short-circuit
  kCompare,  // operands[0] comparisons[0] operands[1] comparisons[1] ...
  kConcat,   // all operands
  kTernary,  // operands[0] if operands[1] else operands[2]; the last may be null
  kList,
  kTuple,
  kDict,  // keys and values in turn
};

enum class Operator : uint8_t {
  kNot,
  kNegate,
  kPlus,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

struct Argument {
  enum class Kind : uint8_t { kPositional, kKeyword, kUnpackList, kUnpackDict };
  Kind kind = Kind::kPositional;
  std::string name;  // kKeyword only.
  ExpressionPtr value;
};

struct Expression {
  ExpressionKind kind = ExpressionKind::kConstant;
  Operator op = Operator::kNot;
  int line = 0;
  int depth = 1;  // 1 + the largest depth of an operand.
  std::string name;
  TemplateValue value;
  const Builtin* builtin = nullptr;  // kFilter, kTest: null if there is none of that name.
  std::vector<ExpressionPtr> operands;
  std::vector<Operator> comparisons;
  std::vector<Argument> arguments;
};

enum class StatementKind : uint8_t {
  kData,         // text
  kOutput,       // value
  kIf,           // branches; otherwise
  kFor,          // target in value [if condition]: body; otherwise
  kSet,          // target = value
  kSetBlock,     // target = body, through the filters of value (null: none)
  kMacro,        // macro
  kCallBlock,    // value is the call, macro its caller()
  kFilterBlock,  // body through the filters of value
  kWith,         // assignments; body
  kScope,        // body, whose variables stay inside: the tag generation
  kBreak,
  kContinue,
};

struct Branch {
  ExpressionPtr condition;
  Body body;
};

struct Assignment {
  ExpressionPtr target;
  ExpressionPtr value;
};

/// The definition of a macro, or of the block of a call statement.
struct MacroDefinition {
  struct Parameter {
    std::string name;
    ExpressionPtr fallback;  // Null: none.
  };
  std::string name;
  int line = 0;
  std::vector<Parameter> parameters;
  Body body;
  bool uses_caller = false;
  bool uses_varargs = false;
  bool uses_kwargs = false;
};

struct Statement {
  StatementKind kind = StatementKind::kData;
  int line = 0;
  std::string text;
  ExpressionPtr target;  // kName, kTuple of targets, or kAttribute of a kName (a namespace's).
  ExpressionPtr value;
  ExpressionPtr condition;
  Body body;
  Body otherwise;
  std::vector<Branch> branches;
  std::vector<Assignment> assignments;
  std::unique_ptr<MacroDefinition> macro;
};

}  // namespace anybit::model::jinja

#include "anybit/vm/text/manual.h"

#include <fmt/ranges.h>

#include <array>

#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/ir/operators.h"

namespace anybit::vm {
namespace {

struct EffectName {
  Effects effect;
  std::string_view name;
};
constexpr auto kEffectNames = std::to_array<EffectName>({
    {kReadsGlobal, "reads global memory"},
    {kWritesGlobal, "writes global memory"},
    {kReadsShared, "reads shared memory"},
    {kWritesShared, "writes shared memory"},
    {kWritesRegister, "changes its first operand"},
    {kBarrier, "is a barrier"},
    {kOther, "is never moved or removed"},
});

std::string effects_text(uint32_t effects) {
  std::string text;
  for (const auto& [effect, name] : kEffectNames) {
    if ((effects & effect) != 0) text += (text.empty() ? "" : ", ") + std::string(name);
  }
  return text;
}

std::string kind_text(const AttributeInfo& attribute) {
  switch (attribute.kind) {
    case AttributeKind::kInteger: return "integer";
    case AttributeKind::kIntegers: return "list of integers";
    case AttributeKind::kFlag: return "true or false";
    case AttributeKind::kName: return fmt::format("{}", fmt::join(attribute.names, ", "));
    case AttributeKind::kExpr: return "scalar";
    case AttributeKind::kExprs: return "list of scalars";
    case AttributeKind::kElement: return "element format";
    case AttributeKind::kText: return "text";
  }
  return "";
}

/// `[%d =] dot(%a, %b, %c[, precision=])`
std::string signature_text(const InstructionInfo& info, bool is_named_by_operator) {
  std::string arguments;
  const auto add = [&](const std::string& argument, bool is_optional) {
    const std::string piece = (arguments.empty() ? "" : ", ") + argument;
    arguments += is_optional ? "[" + piece + "]" : piece;
  };
  for (const OperandInfo& operand : info.operands) {
    add("%" + std::string(operand.name), operand.is_optional);
  }
  for (const AttributeInfo& attribute : info.attributes) {
    if (!is_named_by_operator) add(std::string(attribute.name) + "=", attribute.is_optional);
  }
  constexpr std::array<std::string_view, 3> kResults = {"", "%result = ", "[%result = ]"};
  return fmt::format("{}{}({})", kResults[static_cast<size_t>(info.result)],
                     is_named_by_operator ? "OPERATOR" : info.name, arguments);
}

std::string instruction_text(Opcode opcode) {
  const InstructionInfo& info = instruction_info(opcode);
  const bool is_named_by_operator =
      opcode == Opcode::kUnary || opcode == Opcode::kBinary || opcode == Opcode::kCompare;
  std::string text = fmt::format("### {}\n\n{}\n\n```\n{}\n```\n\n", info.name, info.summary,
                                 signature_text(info, is_named_by_operator));
  for (const OperandInfo& operand : info.operands) {
    text += fmt::format("- `%{}`: {}{} tile{}\n", operand.name, memory_space_name(operand.space),
                        operand.may_be_shared ? " or shared" : "",
                        operand.is_optional ? ", optional" : "");
  }
  for (const AttributeInfo& attribute : info.attributes) {
    if (is_named_by_operator) continue;
    text += fmt::format("- `{}=`: {}{}\n", attribute.name, kind_text(attribute),
                        attribute.is_optional ? ", optional" : "");
  }
  if (info.effects != kPure) text += fmt::format("- Effects: {}\n", effects_text(info.effects));
  if (!text.ends_with("\n\n")) text += '\n';
  text += fmt::format("{}\n\nExample: `{}`\n\n", info.details, info.example);
  return text;
}

std::string class_text(uint8_t classes) {
  std::vector<std::string_view> names;
  if ((classes & kFloats) != 0) names.push_back("floats");
  if ((classes & kIntegers) != 0) names.push_back("integers");
  if ((classes & kBools) != 0) names.push_back("uint1");
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string operators_text(std::string_view title, std::span<const OperatorInfo> operators) {
  std::string text =
      fmt::format("### {}\n\n| operator | elements | meaning |\n|---|---|---|\n", title);
  for (const OperatorInfo& op : operators) {
    std::string meaning(op.meaning);
    for (size_t at = 0; (at = meaning.find('|', at)) != std::string::npos; at += 2) {
      meaning.insert(at, "\\");
    }
    text += fmt::format("| `{}` | {} | {} |\n", op.name, class_text(op.classes), meaning);
  }
  return text + '\n';
}

}  // namespace

std::string reference_manual() {
  std::string text = "## Instructions\n\n";
  for (const Opcode opcode : all_opcodes()) text += instruction_text(opcode);
  text +=
      "## Operators\n\nFloats are f32, f16, bf16; integers are int8, uint8, int16, uint16, int32, "
      "uint32. Other\nelements are cast first.\n\n";
  text += operators_text("Operators of one tile", unary_operators());
  text += operators_text("Operators of two tiles", binary_operators());
  text += operators_text("Comparisons", compare_operators());
  text += operators_text("Operators of reduce and scan", reduce_operators());
  text += operators_text("Operators of atomics", atomic_operators());
  text.pop_back();
  return text;
}

}  // namespace anybit::vm

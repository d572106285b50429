#include "anybit/vm/ir/instruction_info.h"
#include "anybit/vm/ir/verify.h"
#include "anybit/vm/pass/layout_inference.h"

namespace anybit::vm {
namespace {

/// Rebuilds blocks with convert_layout before the instructions that need it.
class ConversionInsertion {
 public:
  explicit ConversionInsertion(Program& program) : program_(program) {}

  void run(Block& block, int64_t num_threads) {
    Block rebuilt;
    for (Statement& statement : block) {
      const int64_t inner =
          statement.kind == StatementKind::kThreads ? statement.num_threads : num_threads;
      run(statement.body, inner);
      run(statement.else_body, inner);
      if (statement.kind == StatementKind::kInstruction) {
        convert_operands(statement, num_threads, rebuilt);
      }
      rebuilt.push_back(std::move(statement));
    }
    block = std::move(rebuilt);
  }

 private:
  void convert_operands(Statement& statement, int64_t num_threads, Block& before) {
    Instruction& instruction = statement.instruction;
    const InstructionInfo& info = instruction_info(instruction.opcode);
    if (info.required_layout == nullptr) return;
    for (size_t i = 0; i < instruction.operands.size(); ++i) {
      const ValueId source = instruction.operands[i];
      if (source == kNoValue || program_.type_of(source).space != MemorySpace::kRegister) continue;
      const auto required = info.required_layout({program_, instruction, num_threads}, i);
      if (!required || *required == *program_.type_of(source).register_layout) continue;
      TensorType type = program_.type_of(source);
      type.register_layout = required;
      const ValueId converted = program_.add_value(
          fmt::format("{}_as_{}", program_.values[source].name, program_.values.size()),
          std::move(type));
      Statement conversion;
      conversion.location = statement.location;
      conversion.instruction = {Opcode::kConvertLayout, {source}, {}, converted};
      before.push_back(std::move(conversion));
      instruction.operands[i] = converted;
    }
  }

  Program& program_;
};

}  // namespace

Result<Program> insert_conversions(Program program) {
  ConversionInsertion(program).run(program.body, program.num_threads());
  ANYBIT_TRY(verify(program, VerifyStage::kWithLayouts));
  return program;
}

}  // namespace anybit::vm

#include "anybit/vm/ir/program.h"

namespace anybit::vm {

Program Program::with_builtins(std::string name) {
  Program program;
  program.name = std::move(name);
  for (const char* builtin :
       {"block.x", "block.y", "block.z", "grid.x", "grid.y", "grid.z", "cluster.rank"}) {
    program.add_variable(builtin, ScalarType::kI32, VariableRole::kBuiltin);
  }
  return program;
}

VariableId Program::add_variable(std::string variable_name, ScalarType type, VariableRole role) {
  variables.push_back({std::move(variable_name), type, role});
  return static_cast<VariableId>(variables.size() - 1);
}

ValueId Program::add_value(std::string value_name, TensorType type) {
  values.push_back({std::move(value_name), std::move(type)});
  return static_cast<ValueId>(values.size() - 1);
}

}  // namespace anybit::vm

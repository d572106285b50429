// What only a running template has: namespaces, loops, macros, functions. The interpreter owns
// them all until rendering ends, so they may refer to each other freely.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/model/chat_template/value.h"

namespace anybit::model::jinja {

using Value = TemplateValue;
using Kind = TemplateValue::Kind;

struct Builtin;
struct MacroDefinition;
struct Scope;

enum class ObjectKind : uint8_t { kNamespace, kLoop, kMacro, kFunction, kMethod };

class Object {
 public:
  explicit Object(ObjectKind kind) : kind_(kind) {}
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;

  ObjectKind kind() const { return kind_; }
  bool is_callable() const { return kind_ != ObjectKind::kNamespace && kind_ != ObjectKind::kLoop; }
  /// Python's bool(): a loop has a length, the others have none and are true.
  virtual bool is_true() const { return true; }
  virtual std::string_view type_name() const = 0;

 private:
  ObjectKind kind_;
};

/// namespace(): the one value that a template may change.
class Namespace : public Object {
 public:
  Namespace() : Object(ObjectKind::kNamespace) {}
  std::string_view type_name() const override { return "Namespace"; }

  std::vector<std::pair<std::string, Value>> members;
};

/// The variable `loop` of one for statement.
class Loop : public Object {
 public:
  Loop() : Object(ObjectKind::kLoop) {}
  bool is_true() const override { return !items.empty(); }
  std::string_view type_name() const override { return "LoopContext"; }

  std::vector<Value> items;
  size_t index = 0;
  int depth = 1;
};

class Macro : public Object {
 public:
  Macro() : Object(ObjectKind::kMacro) {}
  std::string_view type_name() const override { return "Macro"; }

  const MacroDefinition* definition = nullptr;
  Scope* scope = nullptr;  // Where it was defined.
};

/// A global function, or a method taken from its object without being called.
class Function : public Object {
 public:
  Function(ObjectKind kind, const Builtin* function, Value self_value)
      : Object(kind), builtin(function), self(std::move(self_value)) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }

  const Builtin* builtin;
  Value self;
};

}  // namespace anybit::model::jinja

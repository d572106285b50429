// TemplateValue: the data a chat template reads and computes with; Python's values as far as
// templates can tell the difference. Rendering: chat_template.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "anybit/base/result.h"

namespace anybit::model {

class TemplateDict;
struct TemplateSequence;
namespace jinja {
class Object;
}  // namespace jinja

/// What Python would call the type of an ordered collection.
enum class SequenceKind : uint8_t {
  kList,
  kTuple,
  kIterator,  // Result of map, select, reverse, ...: always true, has no length, no item access.
  kView,      // dict.keys(), values(), items(): has a length but no item access.
};

/// An immutable value; copies share strings and collections.
class TemplateValue {
 public:
  enum class Kind : uint8_t {
    kUndefined,
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kSequence,
    kDict,
    kObject,
  };
  using Entry = std::pair<TemplateValue, TemplateValue>;

  /// Undefined: prints as nothing, is false, and refuses to be used otherwise.
  TemplateValue() = default;
  /// Undefined with the reason that errors give ("'tools' is undefined").
  static TemplateValue undefined(std::string reason);
  static TemplateValue none();
  static TemplateValue boolean(bool value);
  static TemplateValue integer(int64_t value);
  static TemplateValue number(double value);
  static TemplateValue string(std::string text);
  static TemplateValue list(std::vector<TemplateValue> items);
  static TemplateValue sequence(SequenceKind kind, std::vector<TemplateValue> items);
  /// A dict in the order of `members`; a repeated key keeps its place and takes the last value.
  static TemplateValue dict(std::vector<std::pair<std::string, TemplateValue>> members);
  static TemplateValue dict(std::shared_ptr<const TemplateDict> entries);
  /// An object of the running interpreter, which owns it.
  static TemplateValue object(jinja::Object* object);

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind wanted) const { return kind() == wanted; }
  bool is_undefined() const { return is(Kind::kUndefined); }
  bool is_none() const { return is(Kind::kNone); }
  bool is_string() const { return is(Kind::kString); }
  bool is_dict() const { return is(Kind::kDict); }
  bool is_sequence() const { return is(Kind::kSequence); }
  /// Bool or int, which Python's arithmetic treats alike.
  bool is_integral() const { return is(Kind::kBool) || is(Kind::kInt); }
  bool is_number() const { return is_integral() || is(Kind::kFloat); }

  /// Pre of each: the kind is the named one (as_integer: is_integral(); as_double: is_number()).
  bool as_bool() const { return std::get<bool>(data_); }
  int64_t as_integer() const;
  double as_double() const;
  const std::string& as_string() const { return *std::get<StringPointer>(data_); }
  const TemplateSequence& as_sequence() const { return *std::get<SequencePointer>(data_); }
  const TemplateDict& as_dict() const { return *std::get<DictPointer>(data_); }
  jinja::Object* as_object() const { return std::get<jinja::Object*>(data_); }
  /// Why the value is undefined; may be empty. Pre: is_undefined().
  std::string_view undefined_reason() const;

  /// Python's bool(value).
  bool is_true() const;
  /// Levels of collections inside: 0 for scalars, 1 for a list of scalars.
  int depth() const;
  /// Python's name of the type: "str", "list", "NoneType", "Undefined".
  std::string_view type_name() const;

 private:
  struct Undefined {
    std::shared_ptr<const std::string> reason;
  };
  struct None {};
  using StringPointer = std::shared_ptr<const std::string>;
  using SequencePointer = std::shared_ptr<const TemplateSequence>;
  using DictPointer = std::shared_ptr<const TemplateDict>;
  std::variant<Undefined, None, bool, int64_t, double, StringPointer, SequencePointer, DictPointer,
               jinja::Object*>
      data_;
};

struct TemplateSequence {
  SequenceKind kind = SequenceKind::kList;
  std::vector<TemplateValue> items;
  int depth = 1;  // 1 + the largest depth of an item.
};

/// A dict in insertion order. Keys are equal as in Python: 1, 1.0 and True are one key.
class TemplateDict {
 public:
  TemplateDict();
  TemplateDict(const TemplateDict&) = delete;
  TemplateDict& operator=(const TemplateDict&) = delete;
  ~TemplateDict();

  /// Adds or replaces. Errors: kInvalidArgument if `key` is not hashable (a list, a dict).
  Status set(const TemplateValue& key, TemplateValue value);

  /// The value of `key`, or null (also for a key that is not hashable).
  const TemplateValue* find(const TemplateValue& key) const;
  const TemplateValue* find(std::string_view key) const;

  const std::vector<TemplateValue::Entry>& entries() const { return entries_; }
  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  int depth() const { return depth_; }

 private:
  struct Index;
  std::vector<TemplateValue::Entry> entries_;
  std::unique_ptr<Index> index_;
  int depth_ = 1;
};

/// Text that is equal exactly for keys that Python's dict takes for the same key.
/// Errors: kInvalidArgument if the value is not hashable.
Result<std::string> hash_key(const TemplateValue& value);

/// The value a JSON text stands for; objects keep the order of their members.
/// Errors: kCorruptData, opened by `name`, with the position of the first mistake.
Result<TemplateValue> parse_template_value(std::string_view json, std::string_view name);

}  // namespace anybit::model

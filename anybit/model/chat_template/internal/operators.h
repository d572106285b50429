// Python's operators on values.
#pragma once

#include "anybit/base/result.h"
#include "anybit/model/chat_template/internal/ast.h"
#include "anybit/model/chat_template/internal/budget.h"
#include "anybit/model/chat_template/internal/object.h"

namespace anybit::model::jinja {

enum class Ordering : uint8_t { kLess, kEqual, kGreater, kUnordered };

/// a == b. Numbers compare across types; lists, tuples and dicts by content.
Result<bool> is_equal(Budget& budget, const Value& a, const Value& b);

/// Errors: kInvalidArgument if Python has no order between the two.
Result<Ordering> compare(Budget& budget, const Value& a, const Value& b);

/// One of kEqual ... kNotIn.
Result<bool> apply_comparison(Budget& budget, Operator op, const Value& left, const Value& right);

/// `item in container`. Errors: kInvalidArgument if `container` holds nothing.
Result<bool> contains(Budget& budget, const Value& container, const Value& item);

/// One of kAdd ... kPower.
/// Errors: kInvalidArgument for types the operator does not take, a zero divisor, or an integer
/// result beyond 64 bits.
Result<Value> apply_binary(Budget& budget, Operator op, const Value& left, const Value& right);

/// kNegate or kPlus.
Result<Value> apply_sign(Operator op, const Value& operand);

/// container[index]; undefined if there is no such item.
/// Errors: kInvalidArgument if `container` is undefined.
Result<Value> get_item(Budget& budget, const Value& container, const Value& index);

/// container[start:stop:step]; a bound that is none or undefined is absent.
Result<Value> get_slice(Budget& budget, const Value& container, const Value& start,
                        const Value& stop, const Value& step);

/// What a for statement goes through: items, characters, or keys.
/// Errors: kInvalidArgument if the value cannot be iterated.
Result<std::vector<Value>> iterate(Budget& budget, const Value& value);

/// len(value). Errors: kInvalidArgument if it has none.
Result<int64_t> length_of(const Value& value);

/// The error of using an undefined value as if it were something.
tl::unexpected<Error> undefined_error(const Value& value);

}  // namespace anybit::model::jinja

#include "tests/vm/formula.h"

#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include "anybit/base/philox.h"

namespace anybit::vm::testing {

struct Formula::Node {
  enum class Kind { kNumber, kName, kElement, kOperator, kCall, kFold } kind = Kind::kNumber;
  double number = 0;
  std::string name;  // Of a scalar, buffer, operator, function or fold.
  bool wants_code = false;
  std::string variable;  // kFold
  std::vector<Node> children;
};

namespace {

using Node = Formula::Node;
using Kind = Node::Kind;

double floored_mod(double a, double b) { return a - b * std::floor(a / b); }

struct Function {
  std::string_view name;
  size_t num_operands;
  double (*apply)(std::span<const double> x);
};
constexpr auto kFunctions = std::to_array<Function>({
    {"floor", 1, [](std::span<const double> x) { return std::floor(x[0]); }},
    {"ceil", 1, [](std::span<const double> x) { return std::ceil(x[0]); }},
    {"trunc", 1, [](std::span<const double> x) { return std::trunc(x[0]); }},
    {"round", 1, [](std::span<const double> x) { return std::nearbyint(x[0]); }},
    {"abs", 1, [](std::span<const double> x) { return std::fabs(x[0]); }},
    {"sqrt", 1, [](std::span<const double> x) { return std::sqrt(x[0]); }},
    {"exp", 1, [](std::span<const double> x) { return std::exp(x[0]); }},
    {"exp2", 1, [](std::span<const double> x) { return std::exp2(x[0]); }},
    {"log", 1, [](std::span<const double> x) { return std::log(x[0]); }},
    {"log2", 1, [](std::span<const double> x) { return std::log2(x[0]); }},
    {"sin", 1, [](std::span<const double> x) { return std::sin(x[0]); }},
    {"cos", 1, [](std::span<const double> x) { return std::cos(x[0]); }},
    {"tanh", 1, [](std::span<const double> x) { return std::tanh(x[0]); }},
    {"erf", 1, [](std::span<const double> x) { return std::erf(x[0]); }},
    {"f32", 1, [](std::span<const double> x) { return double{static_cast<float>(x[0])}; }},
    {"min", 2, [](std::span<const double> x) { return std::fmin(x[0], x[1]); }},
    {"max", 2, [](std::span<const double> x) { return std::fmax(x[0], x[1]); }},
    {"div", 2, [](std::span<const double> x) { return std::floor(x[0] / x[1]); }},
    {"pow", 2, [](std::span<const double> x) { return std::pow(x[0], x[1]); }},
    {"and", 2,
     [](std::span<const double> x) {
       return static_cast<double>(static_cast<int64_t>(x[0]) & static_cast<int64_t>(x[1]));
     }},
    {"xor", 2,
     [](std::span<const double> x) {
       return static_cast<double>(static_cast<int64_t>(x[0]) ^ static_cast<int64_t>(x[1]));
     }},
    {"rnd", 2,
     [](std::span<const double> x) {
       const auto i = static_cast<uint64_t>(x[0]);
       return double{Philox(static_cast<uint64_t>(x[1])).words(i / 4)[i % 4] * 1.0};
     }},
});

struct Fold {
  std::string_view name;
  double first;
  double (*combine)(double a, double b);
};
constexpr auto kFolds = std::to_array<Fold>({
    {"sum", 0, [](double a, double b) { return a + b; }},
    {"prod", 1, [](double a, double b) { return a * b; }},
    {"least", std::numeric_limits<double>::infinity(),
     [](double a, double b) { return std::fmin(a, b); }},
    {"most", -std::numeric_limits<double>::infinity(),
     [](double a, double b) { return std::fmax(a, b); }},
});

template <class Row, size_t kRows>
const Row* find_row(const std::array<Row, kRows>& rows, std::string_view name) {
  for (const Row& row : rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Node> parse() {
    ANYBIT_ASSIGN(Node node, choice());
    skip_blanks();
    if (at_ != text_.size()) return unexpected("the end");
    return node;
  }

 private:
  tl::unexpected<Error> unexpected(std::string_view expected) {
    return fail(ErrorCode::kInvalidArgument, "formula '{}', column {}: expected {}", text_, at_ + 1,
                expected);
  }

  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  bool take(std::string_view token) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  Status need(std::string_view token) {
    if (take(token)) return {};
    return unexpected(token);
  }

  Result<Node> choice() {
    ANYBIT_ASSIGN(Node condition, infix(0));
    if (!take("?")) return condition;
    ANYBIT_ASSIGN(Node yes, choice());
    ANYBIT_TRY(need(":"));
    ANYBIT_ASSIGN(Node no, choice());
    return Node{Kind::kOperator, 0, "?", false, "", {condition, yes, no}};
  }

  /// Operators of level `level` and tighter.
  Result<Node> infix(size_t level) {
    static const std::vector<std::vector<std::string>> kLevels = {
        {"||"}, {"&&"}, {"<=", ">=", "==", "!=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}};
    if (level == kLevels.size()) return prefix();
    ANYBIT_ASSIGN(Node left, infix(level + 1));
    while (true) {
      std::string op;
      for (const std::string& candidate : kLevels[level]) {
        if (op.empty() && take(candidate)) op = candidate;
      }
      if (op.empty()) return left;
      ANYBIT_ASSIGN(Node right, infix(level + 1));
      left = Node{Kind::kOperator, 0, op, false, "", {std::move(left), std::move(right)}};
    }
  }

  Result<Node> prefix() {
    if (take("-")) {
      ANYBIT_ASSIGN(Node value, prefix());
      return Node{Kind::kOperator, 0, "neg", false, "", {std::move(value)}};
    }
    if (take("(")) {
      ANYBIT_ASSIGN(Node value, choice());
      ANYBIT_TRY(need(")"));
      return value;
    }
    skip_blanks();
    if (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
      return number();
    }
    return named();
  }

  Result<Node> number() {
    const std::string rest(text_.substr(at_));
    char* end = nullptr;
    const double value = std::strtod(rest.c_str(), &end);
    at_ += static_cast<size_t>(end - rest.c_str());
    return Node{Kind::kNumber, value, "", false, "", {}};
  }

  std::string name() {
    skip_blanks();
    std::string result;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) {
      result += text_[at_++];
    }
    return result;
  }

  Result<Node> named() {
    const std::string word = name();
    if (word.empty()) return unexpected("a value");
    if (word == "inf") {
      return Node{Kind::kNumber, std::numeric_limits<double>::infinity(), "", false, "", {}};
    }
    if (word == "nan") {
      return Node{Kind::kNumber, std::numeric_limits<double>::quiet_NaN(), "", false, "", {}};
    }
    const bool wants_code = take(".code");
    if (take("[")) {
      ANYBIT_ASSIGN(Node index, choice());
      ANYBIT_TRY(need("]"));
      return Node{Kind::kElement, 0, word, wants_code, "", {std::move(index)}};
    }
    if (!take("(")) return Node{Kind::kName, 0, word, false, "", {}};
    return call(word);
  }

  Result<Node> call(const std::string& word) {
    Node node{Kind::kCall, 0, word, false, "", {}};
    size_t num_operands = 0;
    if (find_row(kFolds, word) != nullptr) {
      node.kind = Kind::kFold;
      node.variable = name();
      num_operands = 3;
      ANYBIT_TRY(need(","));
    } else if (const Function* function = find_row(kFunctions, word)) {
      num_operands = function->num_operands;
    } else {
      return unexpected(fmt::format("a function before this, found {}", word));
    }
    for (size_t i = 0; i < num_operands; ++i) {
      if (i > 0) ANYBIT_TRY(need(","));
      ANYBIT_ASSIGN(node.children.emplace_back(), choice());
    }
    ANYBIT_TRY(need(")"));
    return node;
  }

  std::string_view text_;
  size_t at_ = 0;
};

class Evaluator {
 public:
  explicit Evaluator(const FormulaScope& scope) : scope_(scope) {}

  std::map<std::string, double> variables;

  Result<double> evaluate(const Node& node) {
    if (node.kind == Kind::kNumber) return node.number;
    if (node.kind == Kind::kName) {
      const auto found = variables.find(node.name);
      return found != variables.end() ? found->second : scope_.lookup(node.name, false, -1);
    }
    if (node.kind == Kind::kFold) return fold(node);
    std::vector<double> x;
    for (const Node& child : node.children) {
      // What is not chosen may lie outside a buffer.
      const bool is_skipped = node.name == "?" && !x.empty() && (x[0] != 0) == (x.size() == 2);
      if (is_skipped) {
        x.push_back(0);
        continue;
      }
      ANYBIT_ASSIGN(x.emplace_back(), evaluate(child));
    }
    if (node.kind == Kind::kElement) {
      return scope_.lookup(node.name, node.wants_code, static_cast<int64_t>(x[0]));
    }
    if (node.kind == Kind::kCall) return find_row(kFunctions, node.name)->apply(x);
    return apply_operator(node.name, x);
  }

 private:
  Result<double> fold(const Node& node) {
    const Fold& row = *find_row(kFolds, node.name);
    ANYBIT_ASSIGN(const double begin, evaluate(node.children[0]));
    ANYBIT_ASSIGN(const double end, evaluate(node.children[1]));
    double total = row.first;
    for (double k = begin; k < end; ++k) {
      variables[node.variable] = k;
      ANYBIT_ASSIGN(const double term, evaluate(node.children[2]));
      total = row.combine(total, term);
    }
    return total;
  }

  static double apply_operator(const std::string& op, const std::vector<double>& x) {
    if (op == "neg") return -x[0];
    if (op == "?") return x[0] != 0 ? x[1] : x[2];
    const double a = x[0], b = x[1];
    if (op == "+") return a + b;
    if (op == "-") return a - b;
    if (op == "*") return a * b;
    if (op == "/") return a / b;
    if (op == "%") return floored_mod(a, b);
    if (op == "<") return a < b ? 1 : 0;
    if (op == "<=") return a <= b ? 1 : 0;
    if (op == ">") return a > b ? 1 : 0;
    if (op == ">=") return a >= b ? 1 : 0;
    if (op == "==") return a == b ? 1 : 0;
    if (op == "!=") return a != b ? 1 : 0;
    if (op == "&&") return a != 0 && b != 0 ? 1 : 0;
    return a != 0 || b != 0 ? 1 : 0;
  }

  const FormulaScope& scope_;
};

}  // namespace

Result<Formula> Formula::parse(std::string_view text) {
  ANYBIT_ASSIGN(Node root, Parser(text).parse());
  Formula formula;
  formula.root_ = std::make_shared<const Node>(std::move(root));
  return formula;
}

Result<double> Formula::evaluate(int64_t i, const FormulaScope& scope) const {
  Evaluator evaluator(scope);
  evaluator.variables["i"] = static_cast<double>(i);
  return evaluator.evaluate(*root_);
}

}  // namespace anybit::vm::testing

#include "anybit/model/chat_template/internal/parser.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "anybit/model/chat_template/internal/expression_parser.h"
#include "anybit/model/chat_template/internal/lexer.h"
#include "anybit/model/chat_template/internal/token_stream.h"

namespace anybit::model::jinja {
namespace {

using EndTags = std::initializer_list<std::string_view>;
using StatementPtr = std::unique_ptr<Statement>;

class TemplateParser {
 public:
  explicit TemplateParser(std::vector<Token> tokens)
      : tokens_(std::move(tokens)), expressions_(tokens_) {}

  Result<Body> run() { return parse_body({}); }

 private:
  using TagParser = Result<StatementPtr> (TemplateParser::*)();
  struct Tag {
    std::string_view name;
    TagParser parse;
  };
  static const std::array<Tag, 10> kTags;

  /// Statements up to one of the tags `ends`, whose name is then next; or up to the end.
  Result<Body> parse_body(EndTags ends);
  /// parse_body(), then the end tag itself.
  Result<Body> parse_body_and_end(std::string_view end);
  Result<StatementPtr> parse_tag();
  Result<StatementPtr> parse_output();
  Result<StatementPtr> parse_if();
  Result<StatementPtr> parse_for();
  Result<StatementPtr> parse_set();
  Result<StatementPtr> parse_macro();
  Result<StatementPtr> parse_call();
  Result<StatementPtr> parse_filter();
  Result<StatementPtr> parse_with();
  Result<StatementPtr> parse_generation();
  Result<StatementPtr> parse_break();
  Result<StatementPtr> parse_continue();
  Result<StatementPtr> parse_loop_control(StatementKind kind);
  Status parse_parameters(MacroDefinition& macro);
  Status parse_macro_body(MacroDefinition& macro, std::string_view end);

  StatementPtr statement(StatementKind kind) const {
    auto made = std::make_unique<Statement>();
    made->kind = kind;
    made->line = tokens_.line();
    return made;
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int loop_depth_ = 0;
};

constexpr std::array<TemplateParser::Tag, 10> TemplateParser::kTags = {{
    {"if", &TemplateParser::parse_if},
    {"for", &TemplateParser::parse_for},
    {"set", &TemplateParser::parse_set},
    {"macro", &TemplateParser::parse_macro},
    {"call", &TemplateParser::parse_call},
    {"filter", &TemplateParser::parse_filter},
    {"with", &TemplateParser::parse_with},
    {"generation", &TemplateParser::parse_generation},
    {"break", &TemplateParser::parse_break},
    {"continue", &TemplateParser::parse_continue},
}};

Result<Body> TemplateParser::parse_body(EndTags ends) {
  ANYBIT_TRY(expressions_.enter());
  Body body;
  while (!tokens_.at(TokenKind::kEnd)) {
    if (tokens_.at(TokenKind::kData)) {
      StatementPtr data = statement(StatementKind::kData);
      data->text = tokens_.take().text;
      body.push_back(std::move(data));
    } else if (tokens_.at(TokenKind::kVariableBegin)) {
      ANYBIT_ASSIGN(StatementPtr output, parse_output());
      body.push_back(std::move(output));
    } else {
      tokens_.take();
      const bool is_end = std::any_of(ends.begin(), ends.end(),
                                      [&](std::string_view end) { return tokens_.at_name(end); });
      if (is_end) {
        expressions_.leave();
        return body;
      }
      ANYBIT_ASSIGN(StatementPtr tag, parse_tag());
      body.push_back(std::move(tag));
    }
  }
  if (ends.size() > 0) {
    return tokens_.unexpected(fmt::format("the tag \"{}\"", *(ends.end() - 1)));
  }
  expressions_.leave();
  return body;
}

Result<Body> TemplateParser::parse_body_and_end(std::string_view end) {
  ANYBIT_TRY(tokens_.expect_tag_end());
  ANYBIT_ASSIGN(Body body, parse_body({end}));
  tokens_.take();
  ANYBIT_TRY(tokens_.expect_tag_end());
  return body;
}

Result<StatementPtr> TemplateParser::parse_output() {
  StatementPtr output = statement(StatementKind::kOutput);
  tokens_.take();
  ANYBIT_ASSIGN(output->value, expressions_.parse_tuple());
  if (!tokens_.at(TokenKind::kVariableEnd)) return tokens_.unexpected("\"}}\"");
  tokens_.take();
  return output;
}

Result<StatementPtr> TemplateParser::parse_tag() {
  for (const Tag& tag : kTags) {
    if (tokens_.at_name(tag.name)) return (this->*tag.parse)();
  }
  static constexpr std::array<std::string_view, 7> kUnsupported = {
      "include", "import", "from", "extends", "block", "autoescape", "do"};
  for (const std::string_view name : kUnsupported) {
    if (tokens_.at_name(name)) {
      return fail(ErrorCode::kUnsupported, "line {}: the tag \"{}\" is not part of chat templates",
                  tokens_.line(), name);
    }
  }
  return tokens_.unexpected("a tag (if, for, set, macro, ...)");
}

Result<StatementPtr> TemplateParser::parse_if() {
  StatementPtr made = statement(StatementKind::kIf);
  while (true) {
    tokens_.take();
    Branch branch;
    ANYBIT_ASSIGN(branch.condition, expressions_.parse_tuple(false));
    ANYBIT_TRY(tokens_.expect_tag_end());
    ANYBIT_ASSIGN(branch.body, parse_body({"elif", "else", "endif"}));
    made->branches.push_back(std::move(branch));
    if (!tokens_.at_name("elif")) break;
  }
  if (tokens_.skip_name("else")) {
    ANYBIT_ASSIGN(made->otherwise, parse_body_and_end("endif"));
    return made;
  }
  tokens_.take();
  ANYBIT_TRY(tokens_.expect_tag_end());
  return made;
}

Result<StatementPtr> TemplateParser::parse_for() {
  StatementPtr made = statement(StatementKind::kFor);
  tokens_.take();
  ANYBIT_ASSIGN(made->target, expressions_.parse_target(false));
  if (!tokens_.skip_name("in")) return tokens_.unexpected("\"in\"");
  ANYBIT_ASSIGN(made->value, expressions_.parse_tuple(false));
  if (tokens_.skip_name("if")) {
    ANYBIT_ASSIGN(made->condition, expressions_.parse());
  }
  if (tokens_.at_name("recursive")) {
    return fail(ErrorCode::kUnsupported, "line {}: recursive loops are not supported",
                tokens_.line());
  }
  ANYBIT_TRY(tokens_.expect_tag_end());
  ++loop_depth_;
  ANYBIT_ASSIGN(made->body, parse_body({"else", "endfor"}));
  --loop_depth_;
  if (tokens_.skip_name("else")) {
    ANYBIT_ASSIGN(made->otherwise, parse_body_and_end("endfor"));
    return made;
  }
  tokens_.take();
  ANYBIT_TRY(tokens_.expect_tag_end());
  return made;
}

Result<StatementPtr> TemplateParser::parse_set() {
  StatementPtr made = statement(StatementKind::kSet);
  tokens_.take();
  ANYBIT_ASSIGN(made->target, expressions_.parse_target(true));
  if (tokens_.skip_operator("=")) {
    ANYBIT_ASSIGN(made->value, expressions_.parse_tuple());
    ANYBIT_TRY(tokens_.expect_tag_end());
    return made;
  }
  made->kind = StatementKind::kSetBlock;
  if (tokens_.skip_operator("|")) {
    ANYBIT_ASSIGN(made->value, expressions_.parse_filter_chain(nullptr));
  }
  ANYBIT_ASSIGN(made->body, parse_body_and_end("endset"));
  return made;
}

Status TemplateParser::parse_parameters(MacroDefinition& macro) {
  ANYBIT_TRY(tokens_.expect_operator("("));
  while (!tokens_.at_operator(")")) {
    if (!macro.parameters.empty()) {
      ANYBIT_TRY(tokens_.expect_operator(","));
      if (tokens_.at_operator(")")) break;
    }
    MacroDefinition::Parameter parameter;
    ANYBIT_ASSIGN(parameter.name, tokens_.expect_name("the name of a parameter"));
    if (tokens_.skip_operator("=")) {
      ANYBIT_ASSIGN(parameter.fallback, expressions_.parse());
    } else if (!macro.parameters.empty() && macro.parameters.back().fallback != nullptr) {
      return tokens_.unexpected("a default, as the parameter before has one,");
    }
    macro.parameters.push_back(std::move(parameter));
  }
  return tokens_.expect_operator(")");
}

/// The body and the end tag; finds out which of the special variables the body mentions.
Status TemplateParser::parse_macro_body(MacroDefinition& macro, std::string_view end) {
  std::vector<std::string> outer_names = std::exchange(expressions_.seen_names(), {});
  const int outer_loop_depth = std::exchange(loop_depth_, 0);
  ANYBIT_ASSIGN(macro.body, parse_body_and_end(end));
  loop_depth_ = outer_loop_depth;
  std::vector<std::string>& names = expressions_.seen_names();
  const auto is_seen = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  macro.uses_caller = is_seen("caller");
  macro.uses_varargs = is_seen("varargs");
  macro.uses_kwargs = is_seen("kwargs");
  for (const std::string_view name : {"caller", "varargs", "kwargs"}) {
    if (is_seen(name)) outer_names.emplace_back(name);
  }
  names = std::move(outer_names);
  return {};
}

Result<StatementPtr> TemplateParser::parse_macro() {
  StatementPtr made = statement(StatementKind::kMacro);
  tokens_.take();
  made->macro = std::make_unique<MacroDefinition>();
  made->macro->line = made->line;
  ANYBIT_ASSIGN(made->macro->name, tokens_.expect_name("the name of the macro"));
  ANYBIT_TRY(parse_parameters(*made->macro));
  ANYBIT_TRY(parse_macro_body(*made->macro, "endmacro"));
  return made;
}

Result<StatementPtr> TemplateParser::parse_call() {
  StatementPtr made = statement(StatementKind::kCallBlock);
  tokens_.take();
  made->macro = std::make_unique<MacroDefinition>();
  made->macro->line = made->line;
  made->macro->name = "caller";
  if (tokens_.at_operator("(")) ANYBIT_TRY(parse_parameters(*made->macro));
  ANYBIT_ASSIGN(made->value, expressions_.parse());
  if (made->value->kind != ExpressionKind::kCall) return tokens_.unexpected("a call");
  ANYBIT_TRY(parse_macro_body(*made->macro, "endcall"));
  return made;
}

Result<StatementPtr> TemplateParser::parse_filter() {
  StatementPtr made = statement(StatementKind::kFilterBlock);
  tokens_.take();
  ANYBIT_ASSIGN(made->value, expressions_.parse_filter_chain(nullptr));
  ANYBIT_ASSIGN(made->body, parse_body_and_end("endfilter"));
  return made;
}

Result<StatementPtr> TemplateParser::parse_with() {
  StatementPtr made = statement(StatementKind::kWith);
  tokens_.take();
  while (!tokens_.at(TokenKind::kBlockEnd)) {
    if (!made->assignments.empty()) ANYBIT_TRY(tokens_.expect_operator(","));
    Assignment assignment;
    ANYBIT_ASSIGN(assignment.target, expressions_.parse_target(false));
    ANYBIT_TRY(tokens_.expect_operator("="));
    ANYBIT_ASSIGN(assignment.value, expressions_.parse());
    made->assignments.push_back(std::move(assignment));
  }
  ANYBIT_ASSIGN(made->body, parse_body_and_end("endwith"));
  return made;
}

Result<StatementPtr> TemplateParser::parse_generation() {
  StatementPtr made = statement(StatementKind::kScope);
  tokens_.take();
  ANYBIT_ASSIGN(made->body, parse_body_and_end("endgeneration"));
  return made;
}

Result<StatementPtr> TemplateParser::parse_break() {
  return parse_loop_control(StatementKind::kBreak);
}

Result<StatementPtr> TemplateParser::parse_continue() {
  return parse_loop_control(StatementKind::kContinue);
}

Result<StatementPtr> TemplateParser::parse_loop_control(StatementKind kind) {
  if (loop_depth_ == 0) return tokens_.unexpected("a tag that may stand outside a loop");
  StatementPtr made = statement(kind);
  tokens_.take();
  ANYBIT_TRY(tokens_.expect_tag_end());
  return made;
}

}  // namespace

Result<Body> parse_template(std::string_view source) {
  ANYBIT_ASSIGN(std::vector<Token> tokens, tokenize_template(source));
  return TemplateParser(std::move(tokens)).run();
}

}  // namespace anybit::model::jinja

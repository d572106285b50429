#include "anybit/model/chat_template/chat_template.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "anybit/base/file.h"

namespace anybit::model {
namespace {

constexpr std::string_view kVariables = R"({
  "messages": [{"role": "user", "content": " Hi "}, {"role": "assistant", "content": "Yo"}],
  "names": ["b", "a", "C"], "text": "naïve Straße", "n": 7,
  "person": {"name": "Ada", "items": [1, 2.5, null, true]}
})";

/// The text, or "error: " and the message.
std::string render(std::string_view text, const TemplateLimits& limits = {}) {
  const Result<ChatTemplate> parsed = ChatTemplate::parse(text, "t");
  if (!parsed) return "error: " + parsed.error().message;
  const Result<TemplateValue> variables = parse_template_value(kVariables, "variables");
  if (!variables) return "error: " + variables.error().message;
  const Result<std::string> out = parsed->render_variables(*variables, limits, 1'700'000'000);
  return out ? *out : "error: " + out.error().message;
}

struct Example {
  std::string_view text;
  std::string_view expected;
};

class Examples : public testing::TestWithParam<Example> {};

TEST_P(Examples, RenderAsExpected) { EXPECT_EQ(render(GetParam().text), GetParam().expected); }

constexpr Example kWhiteSpace[] = {
    {"a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc"},
    {"a  {%- if true -%}  b  {%- endif -%}  c", "abc"},
    {"  {% if true %}x{% endif %}", "x"},
    {"  {%+ if true %}x{% endif +%}\ny", "  x\ny"},
    {"a {#- gone -#} b", "ab"},
    {"{# line #}\nx", "x"},
    {"{% raw %}{{ x }}{% endraw %}", "{{ x }}"},
    {"{{ 'a' }}\n{{ 'b' }}\n", "a\nb"},
    {"a\r\nb\rc", "a\nb\nc"},
};
INSTANTIATE_TEST_SUITE_P(WhiteSpace, Examples, testing::ValuesIn(kWhiteSpace));

constexpr Example kExpressions[] = {
    {"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }}", "3 -4 2 3.5 1024"},
    {"{{ 1 < 2 < 3 }} {{ 'a' in names }} {{ 'z' not in names }}", "True True True"},
    {"{{ person }}", "{'name': 'Ada', 'items': [1, 2.5, None, True]}"},
    {"{{ 1e16 }} {{ 0.1 }} {{ 1e-5 }} {{ 100.0 }} {{ 2 ** -1 }}", "1e+16 0.1 1e-05 100.0 0.5"},
    {"{{ \"it's\" ~ 1 ~ none }} {{ [\"it's\", 'q'] }}", "it's1None [\"it's\", 'q']"},
    {"{{ names[::-1] }} {{ text[1:3] }} {{ text[-1] }}", "['C', 'a', 'b'] aï e"},
    {"{{ 'x' if missing is defined else 'y' }}{{ missing }}", "y"},
    {"{{ person.items is callable }} {{ person['items'][0] }}", "True 1"},
    {"{{ names and 'yes' or 'no' }} {{ not names }}", "yes False"},
    {"{{ (1,) }} {{ () }} {{ {'a': (1, 2)} }}", "(1,) () {'a': (1, 2)}"},
    {"{{ 'a' 'b' }} {{ 1_000 }} {{ 0x1f }}", "ab 1000 31"},
    {"{{ text | upper }} {{ text | length }} {{ 'ÉA' | lower }}", "NAÏVE STRASSE 12 éa"},
    {"{{ {'b': 1, 'a': [1, 'é']} | tojson }}", R"({"b": 1, "a": [1, "é"]})"},
    {"{{ {'b': 1} | tojson(indent=2) }}", "{\n  \"b\": 1\n}"},
    {"{{ names | sort | join('-') }} {{ names | map('upper') | list }}", "a-b-C ['B', 'A', 'C']"},
    {"{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | first }}",
     " Hi "},
    {"{{ 'a,b'.split(',') }} {{ ' x '.strip() }}{{ 'xay'.replace('a', '-') }}", "['a', 'b'] xx-y"},
    {"{{ strftime_now('%Y') }}", "2023"},
    {"{{ '<a href=\"x\">' | escape }} {{ '<' | safe }}", "&lt;a href=&#34;x&#34;&gt; <"},
    {"{{ names | map('replace', 'a', 'A') | join }}", "bAC"},
};
INSTANTIATE_TEST_SUITE_P(Expressions, Examples, testing::ValuesIn(kExpressions));

constexpr Example kStatements[] = {
    {"{% for m in messages %}{{ loop.index }}{{ m.role }}{{ '' if loop.last else ',' }}{% endfor "
     "%}",
     "1user,2assistant"},
    {"{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}", "a1b2"},
    {"{% for i in range(5) if i is odd %}{{ i }}{% else %}none{% endfor %}", "13"},
    {"{% for i in [] %}x{% else %}none{% endfor %}", "none"},
    {"{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 3 %}{% break %}"
     "{% endif %}{{ i }}{% endfor %}",
     "013"},
    {"{% set x = 1 %}{% for i in [2] %}{% set x = i %}{% endfor %}{{ x }}", "1"},
    {"{% set ns = namespace(x=1) %}{% for i in [2] %}{% set ns.x = i %}{% endfor %}{{ ns.x }}",
     "2"},
    {"{% set x %}a{{ n }}{% endset %}{{ x | upper }}", "A7"},
    {"{% macro f(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, b=3) }}", "1213"},
    {"{% macro f() %}({{ caller() }}){% endmacro %}{% call f() %}x{% endcall %}", "(x)"},
    {"{% filter upper %}abc{% endfilter %}{% with a = 1 %}{{ a }}{% endwith %}{{ a }}", "ABC1"},
    {"{% generation %}x{% endgeneration %}", "x"},
};
INSTANTIATE_TEST_SUITE_P(Statements, Examples, testing::ValuesIn(kStatements));

constexpr Example kErrors[] = {
    {"a\n{% if x %}",
     "error: t: line 2: expected the tag \"endif\", found the end of the template"},
    {"{{ 1 + }}", "error: t: line 1: expected an expression, found \"}}\""},
    {"\n\n{{ 'abc }}", "error: t: line 3: expected a quote that ends the string, found the end"},
    {"{{ a",
     "error: t: line 1: expected \"}}\" that ends the expression, found the end of the "
     "template"},
    {"{% include 'x' %}", "error: t: line 1: the tag \"include\" is not part of chat templates"},
    {"{% break %}",
     "error: t: line 1: expected a tag that may stand outside a loop, found "
     "\"break\""},
    {"\n{{ missing.x }}", "error: t: line 2: 'missing' is undefined"},
    {"{{ raise_exception('No ' ~ n) }}", "error: t: line 1: No 7"},
    {"{{ names.append(1) }}",
     "error: t: line 1: append: a template may not change a list; build "
     "another, or use a namespace"},
    {"{{ 1 / 0 }}", "error: t: line 1: \"/\" by zero"},
    {"{{ 'a' + 1 }}", "error: t: line 1: \"+\" cannot combine str and int"},
    {"{{ 9223372036854775807 + 1 }}",
     "error: t: line 1: the result of \"+\" does not fit into 64 bits"},
    {"{{ n | nope }}", "error: t: line 1: there is no filter 'nope'"},
    {"{{ n | round(method='up') }}",
     "error: t: line 1: round: expected the method common, ceil or floor, found up"},
};
INSTANTIATE_TEST_SUITE_P(Errors, Examples, testing::ValuesIn(kErrors));

TEST(ChatTemplate, RendersMessages) {
  const auto parsed = ChatTemplate::parse(
      "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}"
      "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
      "{{ tools is none }}{{ enable_thinking }}",
      "t");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  const std::vector<ChatMessage> messages = {{"user", "Hi"}};
  ChatTemplateOptions options;
  options.bos_token = "<s>";
  options.eos_token = "</s>";
  options.variables = {{"enable_thinking", TemplateValue::boolean(false)}};
  EXPECT_EQ(parsed->render(messages, options).value(), "<s>[user]Hi</s>[assistant]TrueFalse");
  options.add_generation_prompt = false;
  EXPECT_EQ(parsed->render(messages, options).value(), "<s>[user]Hi</s>TrueFalse");
}

TEST(ChatTemplate, RendersEveryFamily) {
  const std::vector<ChatMessage> messages = {{"system", "S"}, {"user", " U "}};
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"smollm2",
       "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n U <|im_end|>\n"
       "<|im_start|>assistant\n"},
      {"qwen2_5",
       "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n U <|im_end|>\n"
       "<|im_start|>assistant\n"},
      {"qwen3",
       "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n U <|im_end|>\n"
       "<|im_start|>assistant\n"},
      {"mistral", "<s>[INST] S\n\n U [/INST]"},
      {"gemma3", "<s><start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\n"},
      {"llama31",
       "<s><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: "
       "December 2023\nToday Date: 14 Nov 2023\n\nS<|eot_id|><|start_header_id|>user"
       "<|end_header_id|>\n\nU<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
       "\n\n"},
      {"llama3",
       "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>"
       "<|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|>"
       "<|start_header_id|>assistant<|end_header_id|>\n\n"},
  };
  ChatTemplateOptions options;
  options.bos_token = "<s>";
  options.unix_time = 1'700'000'000;
  for (const auto& [name, expected] : cases) {
    const auto path = fmt::format(ANYBIT_SOURCE_DIR "/tests/golden/chat_templates/{}.jinja", name);
    const Result<std::string> text = read_text_file(path);
    ASSERT_TRUE(text.has_value()) << text.error().message;
    const Result<ChatTemplate> parsed = ChatTemplate::parse(*text, name);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    const Result<std::string> out = parsed->render(messages, options);
    ASSERT_TRUE(out.has_value()) << out.error().message;
    EXPECT_EQ(*out, expected) << name;
  }
}

/// Templates that would run for ages, fill the memory, or overflow the stack.
TEST(ChatTemplate, HostileTemplatesEndWithAnError) {
  const TemplateLimits limits{1'000'000, 16 << 20};
  const std::string many(5000, '(');
  std::string sum = "{{ 1";
  for (int i = 0; i < 5000; ++i) sum += "+1";
  const std::string nested = [] {
    std::string text;
    for (int i = 0; i < 500; ++i) text += "{% if 1 %}";
    return text;
  }();
  const std::string cases[] = {
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
      "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s * 9 %}{% endfor "
      "%}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}"
      "{% endfor %}",
      "{{ 'x' * 99999999999 }}",
      "{{ [[]] * 99999999999 }}",
      "{{ 'x' | center(99999999999) }}{{ 'x'.zfill(99999999999) }}",
      "{{ range(999999999) }}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% macro f() %}{{ f() ~ f() }}{% endmacro %}{{ f() }}",
      "{% set ns = namespace(s=1) %}{% for i in range(9999) %}{% set ns.s = [ns.s] %}{% endfor %}",
      "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(90) %}{% set ns.s = [ns.s, ns.s] %}"
      "{% endfor %}{{ ns.s == ns.s }}{{ ns.s }}",
      "{% for i in range(99999) %}{% macro f() %}{% endmacro %}{% endfor %}",
      "{{ " + many,
      sum + " }}",
      nested,
      "{{ " + std::string(5000, '-') + "1 }}",
      "{{ '%99999999d' % 1 }}",
  };
  for (const std::string& text : cases) {
    const std::string out = render(text, limits);
    EXPECT_TRUE(out.starts_with("error: t: line ")) << text.substr(0, 80) << "\n"
                                                    << out.substr(0, 200);
  }
}

TEST(TemplateValue, JsonKeepsTheOrderOfMembers) {
  const auto value = parse_template_value(R"({"z": 1, "a": {"y": [], "b": 2}})", "v");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->as_dict().entries()[0].first.as_string(), "z");
  EXPECT_EQ(value->depth(), 3);
  const auto wrong = parse_template_value("{", "tools.json");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_TRUE(wrong.error().message.starts_with("tools.json: not JSON"));
  EXPECT_FALSE(parse_template_value(std::string(500, '['), "v").has_value());
}

TEST(ChatTemplate, RefusesVariablesThatAreNoDictOrTooDeep) {
  const auto parsed = ChatTemplate::parse("x", "t");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_FALSE(parsed->render_variables(TemplateValue::integer(1)).has_value());
  TemplateValue deep = TemplateValue::none();
  for (int i = 0; i < 200; ++i) deep = TemplateValue::list({deep});
  EXPECT_FALSE(parsed->render(deep).has_value());
}

}  // namespace
}  // namespace anybit::model

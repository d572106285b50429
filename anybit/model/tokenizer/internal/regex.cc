#include "anybit/model/tokenizer/internal/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

#include "anybit/model/tokenizer/internal/unicode.h"

namespace anybit::model::internal {
namespace {

// Backtracking steps allowed for one match: enough for any linear pattern on the longest text, few
// enough that an exponential one fails in well under a minute.
constexpr uint32_t kMinMatchLimit = 10'000'000;
constexpr uint32_t kMatchLimitPerByte = 16;
constexpr size_t kJitStackStart = size_t{64} << 10;
constexpr size_t kJitStackMax = size_t{64} << 20;
constexpr size_t kMaxPatternBytes = size_t{1} << 16;

struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct MatchContextDeleter {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct JitStackDeleter {
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};
struct CodeDeleter {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};

std::string error_text(int error) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(error, buffer, sizeof(buffer));
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

struct RegexScratch::State {
  std::unique_ptr<pcre2_match_data, MatchDataDeleter> match_data;
  std::unique_ptr<pcre2_match_context, MatchContextDeleter> context;
  std::unique_ptr<pcre2_jit_stack, JitStackDeleter> jit_stack;
};

RegexScratch::RegexScratch() : state_(std::make_unique<State>()) {
  state_->match_data.reset(pcre2_match_data_create(1, nullptr));
  state_->context.reset(pcre2_match_context_create(nullptr));
}

RegexScratch::~RegexScratch() = default;

struct Regex::Code {
  std::unique_ptr<pcre2_code, CodeDeleter> compiled;
  std::string where;
};

Regex::Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

Result<Regex> Regex::compile(std::string_view pattern, std::string_view where) {
  if (pattern.size() > kMaxPatternBytes) {
    return fail(ErrorCode::kCorruptData, "{}: expected a pattern of at most {} bytes, found {}",
                where, kMaxPatternBytes, pattern.size());
  }
  ANYBIT_ASSIGN(const std::string translated, translate_pattern(pattern, where));
  int error = 0;
  PCRE2_SIZE error_offset = 0;
  const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  auto code = std::make_shared<Code>();
  code->compiled.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                                     translated.size(), options, &error, &error_offset, nullptr));
  if (!code->compiled) {
    return fail(ErrorCode::kCorruptData, "{}: expected a regular expression, found \"{}\": {}",
                where, pattern, error_text(error));
  }
  // Without a JIT for this processor, matching falls back to the interpreter: same results.
  pcre2_jit_compile(code->compiled.get(), PCRE2_JIT_COMPLETE);
  code->where = where;
  return Regex(std::move(code));
}

Status Regex::find_in_valid(std::string_view text, size_t begin, size_t end, RegexScratch& scratch,
                            std::vector<Span>& spans, size_t& covered) const {
  RegexScratch::State& state = *scratch.state_;
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data()) + begin;
  const size_t size_bytes = end - begin;
  const size_t limit = std::max<size_t>(kMinMatchLimit, size_bytes * kMatchLimitPerByte);
  pcre2_set_match_limit(state.context.get(),
                        static_cast<uint32_t>(std::min<size_t>(limit, UINT32_MAX)));
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(state.match_data.get());
  size_t start = 0;
  size_t last_match_end = SIZE_MAX;
  while (start <= size_bytes) {
    const int count = pcre2_match(code_->compiled.get(), subject, size_bytes, start,
                                  PCRE2_NO_UTF_CHECK, state.match_data.get(), state.context.get());
    if (count == PCRE2_ERROR_NOMATCH) break;
    if (count == PCRE2_ERROR_JIT_STACKLIMIT && !state.jit_stack) {
      state.jit_stack.reset(pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr));
      pcre2_jit_stack_assign(state.context.get(), nullptr, state.jit_stack.get());
      continue;
    }
    if (count < 0) {
      return fail(ErrorCode::kInvalidArgument, "{}: matching stopped at byte {} of {}: {}",
                  code_->where, start, size_bytes, error_text(count));
    }
    const size_t match_begin = offsets[0];
    const size_t match_end = offsets[1];
    if (match_begin >= match_end && match_end == last_match_end) {
      if (start >= size_bytes) break;
      start += static_cast<size_t>(decode_utf8(text, begin + start).size_bytes);
      continue;
    }
    if (covered < begin + match_begin) spans.push_back({covered, begin + match_begin, false});
    spans.push_back({begin + match_begin, begin + match_end, true});
    covered = begin + match_end;
    start = last_match_end = match_end;
  }
  return {};
}

Status Regex::find_all(std::string_view text, RegexScratch& scratch,
                       std::vector<Span>& spans) const {
  size_t begin = 0;
  size_t covered = 0;
  while (begin < text.size()) {
    const size_t end = begin + valid_utf8_prefix(text.substr(begin));
    if (end > begin) ANYBIT_TRY(find_in_valid(text, begin, end, scratch, spans, covered));
    begin = end + 1;
  }
  if (covered < text.size()) spans.push_back({covered, text.size(), false});
  return {};
}

}  // namespace anybit::model::internal

#include "anybit/vm/text/parse.h"

#include <set>

#include "anybit/vm/ir/verify.h"
#include "anybit/vm/text/internal/parser.h"

namespace anybit::vm {
namespace {

Result<Program> take_verified(text::Parser& parser) {
  const SourceLocation location = parser.location();
  ANYBIT_ASSIGN(Program program, parser.take_kernel());
  if (Status status = verify(program, VerifyStage::kBeforeLayouts); !status) {
    if (status.error().message.starts_with("line ")) return tl::make_unexpected(status.error());
    return with_context(status.error(), fmt::format("line {}", location.line));
  }
  return program;
}

Status check_size(std::string_view text) {
  if (text.size() <= kMaxTextBytes) return {};
  return fail(ErrorCode::kInvalidArgument, "a text of {} bytes, expected at most {}", text.size(),
              kMaxTextBytes);
}

}  // namespace

Result<Program> parse_program(std::string_view text) {
  ANYBIT_TRY(check_size(text));
  text::Parser parser(text);
  ANYBIT_ASSIGN(Program program, take_verified(parser));
  if (!parser.at_end()) return parser.unexpected("the end of the text");
  return program;
}

Result<std::vector<Program>> parse_module(std::string_view text) {
  ANYBIT_TRY(check_size(text));
  text::Parser parser(text);
  std::vector<Program> programs;
  std::set<std::string> names;
  do {
    const SourceLocation location = parser.location();
    ANYBIT_ASSIGN(Program program, take_verified(parser));
    if (!names.insert(program.name).second) {
      return text::error_at(location, fmt::format("two kernels are named {}", program.name));
    }
    programs.push_back(std::move(program));
  } while (!parser.at_end());
  return programs;
}

}  // namespace anybit::vm

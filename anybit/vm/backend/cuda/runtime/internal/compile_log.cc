#include "anybit/vm/backend/cuda/runtime/internal/compile_log.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "anybit/vm/backend/cuda/runtime/compile.h"

namespace anybit::vm::cuda {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

template <class Number>
std::optional<Number> leading_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return number;
}

/// The number that stands directly before `unit`: 168 in "Used 168 registers" for " registers".
template <class Number>
void read_before(std::string_view line, std::string_view unit, Number& target) {
  const size_t end = line.find(unit);
  if (end == std::string_view::npos) return;
  size_t begin = end;
  while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9') --begin;
  target = leading_number<Number>(line.substr(begin, end - begin)).value_or(target);
}

/// The text between `open` and the next `close`, or nothing.
std::optional<std::string_view> between(std::string_view line, std::string_view open,
                                        std::string_view close) {
  const size_t begin = line.find(open);
  if (begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin + open.size());
  const size_t end = line.find(close);
  if (end == std::string_view::npos) return std::nullopt;
  return line.substr(0, end);
}

/// Sums "360 bytes cmem[0], 8 bytes cmem[2]".
int64_t constant_bytes(std::string_view line) {
  int64_t sum = 0;
  for (;;) {
    const size_t bank = line.find(" bytes cmem[");
    if (bank == std::string_view::npos) return sum;
    int64_t bytes = 0;
    read_before(line, " bytes cmem[", bytes);
    sum += bytes;
    line.remove_prefix(bank + 1);
  }
}

}  // namespace

std::vector<KernelResources> parse_kernel_resources(std::string_view log) {
  std::vector<KernelResources> kernels;
  bool is_about_kernel = false;  // Else about a device function that was not inlined.
  for (const std::string_view line : lines_of(log)) {
    if (const auto name = between(line, "Compiling entry function '", "'")) {
      kernels.push_back({std::string(*name)});
      is_about_kernel = true;
    } else if (const size_t at = line.find("Function properties for ");
               at != std::string_view::npos && !kernels.empty()) {
      is_about_kernel = line.substr(at + std::string_view("Function properties for ").size()) ==
                        kernels.back().name;
    } else if (kernels.empty()) {
      continue;
    } else if (line.find(" bytes spill stores") != std::string_view::npos) {
      if (!is_about_kernel) continue;
      read_before(line, " bytes stack frame", kernels.back().stack_bytes);
      read_before(line, " bytes spill stores", kernels.back().spill_store_bytes);
      read_before(line, " bytes spill loads", kernels.back().spill_load_bytes);
    } else if (line.find(": Used ") != std::string_view::npos) {
      read_before(line, " registers", kernels.back().registers);
      read_before(line, " barriers", kernels.back().barriers);
      read_before(line, " bytes smem", kernels.back().shared_bytes);
      kernels.back().constant_bytes = constant_bytes(line);
    }
  }
  return kernels;
}

namespace internal {
namespace {

struct Place {
  std::string_view name;
  size_t line;
};

/// The place of "kernel.cu(12): error: ..." or "ptxas application ptx input, line 24; error".
std::optional<Place> place_of(std::string_view line) {
  const size_t error = line.find("error");
  if (error == std::string_view::npos) return std::nullopt;
  const std::string_view head = line.substr(0, error);
  if (const auto number = between(head, "ptx input, line ", ";")) {
    if (const auto value = leading_number<size_t>(*number)) return Place{kPtxName, *value};
  }
  const size_t close = head.find("): ");
  const size_t open = head.rfind('(', close);
  if (close == std::string_view::npos || open == std::string_view::npos) return std::nullopt;
  const auto value = leading_number<size_t>(head.substr(open + 1, close - open - 1));
  if (!value) return std::nullopt;
  return Place{head.substr(0, open), *value};
}

std::string excerpt(const Place& place, std::string_view text) {
  constexpr size_t kLinesAround = 2;
  const std::vector<std::string_view> lines = lines_of(text);
  if (place.line == 0 || place.line > lines.size()) return {};
  std::string out = fmt::format("\n{}:", place.name);
  const size_t first = place.line > kLinesAround ? place.line - kLinesAround : 1;
  const size_t last = std::min(place.line + kLinesAround, lines.size());
  for (size_t number = first; number <= last; ++number) {
    out +=
        fmt::format("\n{} {:5} | {}", number == place.line ? '>' : ' ', number, lines[number - 1]);
  }
  return out;
}

}  // namespace

bool names_ptx(std::string_view log) { return log.find(kPtxName) != std::string_view::npos; }

std::string excerpts(std::string_view log, std::span<const NamedText> texts) {
  constexpr size_t kMaxExcerpts = 8;
  std::set<std::pair<std::string_view, size_t>> seen;
  std::string out;
  for (const std::string_view line : lines_of(log)) {
    const std::optional<Place> place = place_of(line);
    if (!place || seen.size() == kMaxExcerpts) continue;
    if (!seen.emplace(place->name, place->line).second) continue;
    for (const NamedText& named : texts) {
      if (named.name == place->name) out += excerpt(*place, named.text);
    }
  }
  return out;
}

}  // namespace internal
}  // namespace anybit::vm::cuda

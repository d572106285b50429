#include "anybit/layout/register_layout_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "anybit/layout/internal/digits.h"
#include "anybit/layout/internal/text_cursor.h"
#include "anybit/layout/register_layout_ops.h"

namespace anybit::layout {
namespace {

using internal::Digits;
using internal::TextCursor;

// Enough for every layout in normal form, and short enough that parsing stays quick.
constexpr size_t kMaxListed = 128;
constexpr int kMaxFactors = 128;

struct Atom {
  std::string_view name;
  RegisterLayout (*make)(const Dims&);
};
constexpr Atom kAtoms[] = {
    {"spatial", spatial},
    {"local", local},
    {"column_spatial", column_spatial},
    {"column_local", column_local},
};

/// Parsing, factor by factor.

Result<std::vector<Mode>> parse_modes(TextCursor& cursor) {
  std::vector<Mode> modes;
  ANYBIT_TRY(cursor.expect("["));
  if (cursor.accept("]")) return modes;
  do {
    if (modes.size() == kMaxListed) return cursor.failure(cursor.column(), "']'");
    ANYBIT_ASSIGN(const int64_t extent, cursor.number());
    ANYBIT_TRY(cursor.expect("x"));
    const int column = cursor.column();
    ANYBIT_ASSIGN(const int64_t dim, cursor.number());
    if (dim >= kMaxRank) return cursor.failure(column, fmt::format("less than {}", kMaxRank));
    modes.push_back({extent, static_cast<int>(dim)});
  } while (cursor.accept(","));
  ANYBIT_TRY(cursor.expect("]"));
  return modes;
}

Result<std::vector<int64_t>> parse_entries(TextCursor& cursor) {
  std::vector<int64_t> entries;
  ANYBIT_TRY(cursor.expect("["));
  if (cursor.accept("]")) return entries;
  do {
    if (entries.size() == kMaxListed) return cursor.failure(cursor.column(), "']'");
    const bool is_replication = cursor.accept("*");
    const int column = cursor.column();
    ANYBIT_ASSIGN(const int64_t value, cursor.number());
    if (is_replication && value == 0) return cursor.failure(column, "at least one copy");
    entries.push_back(is_replication ? -value : value);
  } while (cursor.accept(","));
  ANYBIT_TRY(cursor.expect("]"));
  return entries;
}

Result<RegisterLayout> parse_lists(TextCursor& cursor) {
  ANYBIT_TRY(cursor.expect("shape"));
  ANYBIT_TRY(cursor.expect("="));
  ANYBIT_ASSIGN(const std::vector<int64_t> shape, cursor.numbers("[", "]", kMaxRank));
  ANYBIT_TRY(cursor.expect("modes"));
  ANYBIT_TRY(cursor.expect("="));
  ANYBIT_ASSIGN(const std::vector<Mode> modes, parse_modes(cursor));
  ANYBIT_TRY(cursor.expect("threads"));
  ANYBIT_TRY(cursor.expect("="));
  ANYBIT_ASSIGN(const std::vector<int64_t> threads, parse_entries(cursor));
  ANYBIT_TRY(cursor.expect("local"));
  ANYBIT_TRY(cursor.expect("="));
  ANYBIT_ASSIGN(const std::vector<int64_t> locals, parse_entries(cursor));
  ANYBIT_TRY(cursor.expect("}"));
  return RegisterLayout::make(shape, modes, threads, locals);
}

Result<RegisterLayout> parse_atom(TextCursor& cursor) {
  const int column = cursor.column();
  const std::string_view name = cursor.word();
  if (name == "replicated") {
    ANYBIT_ASSIGN(const std::vector<int64_t> counts, cursor.numbers("(", ")", 1));
    if (counts.size() != 1 || counts[0] < 1) {
      return cursor.failure(column, "replicated with a number of copies");
    }
    return replicated(counts[0]);
  }
  for (const Atom& atom : kAtoms) {
    if (atom.name != name) continue;
    ANYBIT_ASSIGN(const std::vector<int64_t> extents, cursor.numbers("(", ")", kMaxRank));
    ANYBIT_ASSIGN(const Dims shape, checked_shape(extents));
    return atom.make(shape);
  }
  return cursor.failure(column, "spatial, local, column_spatial, column_local, replicated or '{'");
}

/// Adds the column of the factor to errors that do not know theirs.
Result<RegisterLayout> parse_factor(TextCursor& cursor, const RegisterLayout& before) {
  const int column = cursor.column();
  auto factor = cursor.accept("{") ? parse_lists(cursor) : parse_atom(cursor);
  if (factor) factor = compose(before, *factor);
  if (factor || factor.error().message.starts_with("column ")) return factor;
  return with_context(std::move(factor).error(), fmt::format("column {}", column));
}

/// Printing: atoms are peeled off from the right.

/// What is left of a layout from which inner factors were divided: digits in units of `tile`.
struct Rest {
  Digits threads;
  Digits locals;
  Dims tile;

  /// Whether the last digit of `list` is the innermost of its dimension, and so can be peeled.
  bool can_peel(const Digits& list, const Dims& peeled) const {
    return !list.empty() && !list.back().is_replicated() && peeled[list.back().dim] == 1 &&
           list.back().stride == tile[list.back().dim];
  }
};

/// Takes from the end of `list` the longest run of innermost digits whose dimensions fall
/// (row-major) or rise (column-major) from the right, as an atom; nothing if there is none.
std::optional<std::string> peel_atom(Rest& rest, Digits& list, std::string_view name) {
  Dims extents = Dims::filled(rest.tile.size(), 1);
  int previous = -1;
  int direction = 0;  // -1: dimensions fall from the right.
  while (rest.can_peel(list, extents)) {
    const int dim = list.back().dim;
    const int step = previous < 0 ? 0 : (dim < previous ? -1 : 1);
    if (direction != 0 && step != direction) break;
    if (step != 0) direction = step;
    extents[dim] = list.back().extent;
    previous = dim;
    list.pop_back();
  }
  if (previous < 0) return std::nullopt;
  for (int d = 0; d < extents.size(); ++d) rest.tile[d] *= extents[d];
  return fmt::format("{}{}({})", direction > 0 ? "column_" : "", name,
                     fmt::join(extents.begin(), extents.end(), ","));
}

/// The atoms whose product is `layout`, outermost first; nothing if no product of atoms is.
std::optional<std::vector<std::string>> atoms_of(const RegisterLayout& layout) {
  Rest rest{{layout.thread_digits().begin(), layout.thread_digits().end()},
            {layout.local_digits().begin(), layout.local_digits().end()},
            Dims::filled(layout.rank(), 1)};
  std::vector<std::string> atoms;
  while (!rest.threads.empty() || !rest.locals.empty()) {
    if (auto atom = peel_atom(rest, rest.locals, "local")) {
      atoms.push_back(*std::move(atom));
    } else if (!rest.threads.empty() && rest.threads.back().is_replicated()) {
      atoms.push_back(fmt::format("replicated({})", rest.threads.back().extent));
      rest.threads.pop_back();
    } else if (auto spread = peel_atom(rest, rest.threads, "spatial")) {
      atoms.push_back(*std::move(spread));
    } else {
      return std::nullopt;
    }
  }
  // Atoms of extents name the rank; without one, say it.
  const bool has_extents = std::ranges::any_of(
      atoms, [](const std::string& atom) { return !atom.starts_with("replicated"); });
  if (!has_extents && (layout.rank() > 0 || atoms.empty())) {
    atoms.insert(atoms.begin(), fmt::format("local({})", fmt::join(layout.shape().begin(),
                                                                   layout.shape().end(), ",")));
  }
  std::ranges::reverse(atoms);
  return atoms;
}

std::string entries_text(const std::vector<int64_t>& entries) {
  std::vector<std::string> parts;
  for (const int64_t entry : entries) {
    parts.push_back(entry < 0 ? fmt::format("*{}", -entry) : fmt::format("{}", entry));
  }
  return fmt::format("[{}]", fmt::join(parts, ","));
}

}  // namespace

Result<RegisterLayout> parse_register_layout(std::string_view text) {
  TextCursor cursor(text);
  RegisterLayout layout;
  for (int i = 0; i < kMaxFactors; ++i) {
    ANYBIT_ASSIGN(layout, parse_factor(cursor, layout));
    if (cursor.at_end()) return layout;
    ANYBIT_TRY(cursor.expect("."));
  }
  return cursor.failure(cursor.column(), fmt::format("at most {} factors", kMaxFactors));
}

std::string to_string(const RegisterLayout& layout) {
  if (const auto atoms = atoms_of(layout)) return fmt::format("{}", fmt::join(*atoms, "."));
  const ModeLists lists = layout.mode_lists();
  std::vector<std::string> modes;
  for (const Mode& mode : lists.modes) modes.push_back(fmt::format("{}x{}", mode.extent, mode.dim));
  return fmt::format("{{shape={} modes=[{}] threads={} local={}}}", to_string(layout.shape()),
                     fmt::join(modes, ","), entries_text(lists.threads),
                     entries_text(lists.locals));
}

}  // namespace anybit::layout

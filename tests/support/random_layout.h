// Random register layouts, small enough to enumerate.
#pragma once

#include <algorithm>
#include <vector>

#include "anybit/layout/register_layout.h"
#include "tests/support/property.h"

namespace anybit::testing {

/// A layout of `rank` dimensions, at most 4 modes of extent 1 to 4 and 2 replications of 1 to 3.
/// Notes it. Its modes come in any order in the lists and may merge.
inline layout::RegisterLayout random_layout(Choices& choices, int rank) {
  layout::ModeLists lists;
  layout::Dims shape = layout::Dims::filled(rank, 1);
  const int num_modes = rank == 0 ? 0 : choices.between(0, 4);
  for (int i = 0; i < num_modes; ++i) {
    lists.modes.push_back({choices.between(1, 4), choices.below(rank)});
    shape[lists.modes.back().dim] *= lists.modes.back().extent;
  }
  const auto insert = [&choices](std::vector<int64_t>& list, int64_t entry) {
    list.insert(list.end() - choices.between(0, static_cast<int>(list.size())), entry);
  };
  for (int i = 0; i < num_modes; ++i) insert(choices.flip() ? lists.locals : lists.threads, i);
  const int num_replications = choices.below(3);
  for (int i = 0; i < num_replications; ++i) insert(lists.threads, -choices.between(1, 3));
  auto layout = layout::RegisterLayout::make(shape, lists);
  choices.note("layout of shape " + layout::to_string(shape));
  return layout.value();
}

inline layout::RegisterLayout random_layout(Choices& choices) {
  const int pick = choices.below(10);
  return random_layout(choices, pick == 9 ? 0 : 1 + pick % 3);
}

}  // namespace anybit::testing

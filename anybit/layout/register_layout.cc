#include "anybit/layout/register_layout.h"

#include <algorithm>
#include <string_view>

#include "anybit/layout/internal/digits.h"

namespace anybit::layout {
namespace {

using internal::append_digit;
using internal::Digits;

/// Fails unless the digits of dimension `dim` produce each of its coordinates once.
Status check_dimension(int dim, int64_t extent, std::span<const Digit> threads,
                       std::span<const Digit> locals) {
  Digits digits;
  for (const std::span<const Digit> list : {threads, locals}) {
    std::ranges::copy_if(list, std::back_inserter(digits),
                         [dim](const Digit& digit) { return digit.dim == dim; });
  }
  std::ranges::sort(digits, {}, &Digit::stride);
  int64_t covered = 1;
  for (const Digit& digit : digits) {
    if (digit.stride != covered) {
      return fail(ErrorCode::kInvalidArgument,
                  "dimension {}: expected a digit of stride {}, found stride {}", dim, covered,
                  digit.stride);
    }
    covered *= digit.extent;  // At most the square of kMaxElements; refused if beyond `extent`.
    if (covered > extent) break;
  }
  if (covered != extent) {
    return fail(ErrorCode::kInvalidArgument, "dimension {}: its digits cover {} of {} coordinates",
                dim, covered, extent);
  }
  return {};
}

/// Fails on digits that no layout of `rank` dimensions has, or too many threads or local places.
Status check_list(std::span<const Digit> digits, int rank, bool may_replicate,
                  std::string_view list) {
  int64_t count = 1;
  for (const Digit& digit : digits) {
    if (digit.extent < 1) {
      return fail(ErrorCode::kInvalidArgument, "{} list: extents are at least 1, found {}", list,
                  digit.extent);
    }
    if (digit.is_replicated() ? !may_replicate : digit.dim < 0 || digit.dim >= rank) {
      return fail(ErrorCode::kInvalidArgument, "{} list: {}", list,
                  digit.is_replicated() ? std::string("only threads can be replicated")
                                        : fmt::format("there is no dimension {}", digit.dim));
    }
    const bool has_no_stride = digit.is_replicated() || digit.extent == 1;
    if (!has_no_stride && (digit.stride < 1 || digit.stride > kMaxElements)) {
      return fail(ErrorCode::kInvalidArgument, "{} list: found stride {}, expected 1 or more", list,
                  digit.stride);
    }
    if (digit.extent > kMaxElements / count) {
      return fail(ErrorCode::kInvalidArgument, "{} list: its extents exceed {}", list,
                  kMaxElements);
    }
    count *= digit.extent;
  }
  return {};
}

int64_t product_of(std::span<const Digit> digits) {
  int64_t product = 1;
  for (const Digit& digit : digits) product *= digit.extent;
  return product;
}

/// The stride of each mode: the product of the later modes of its dimension.
Result<std::vector<int64_t>> mode_strides(const Dims& shape, std::span<const Mode> modes) {
  Dims products = Dims::filled(shape.size(), 1);
  std::vector<int64_t> strides(modes.size());
  for (size_t i = modes.size(); i-- > 0;) {
    const Mode& mode = modes[i];
    if (mode.dim < 0 || mode.dim >= shape.size()) {
      return fail(ErrorCode::kInvalidArgument, "mode {} is of dimension {}, the shape has {}", i,
                  mode.dim, shape.size());
    }
    if (mode.extent < 1 || mode.extent > shape[mode.dim] / products[mode.dim]) {
      return fail(ErrorCode::kInvalidArgument,
                  "mode {} has extent {}, which dimension {} of extent {} has no room for", i,
                  mode.extent, mode.dim, shape[mode.dim]);
    }
    strides[i] = products[mode.dim];
    products[mode.dim] *= mode.extent;
  }
  for (int d = 0; d < shape.size(); ++d) {
    if (products[d] != shape[d]) {
      return fail(ErrorCode::kInvalidArgument,
                  "the modes of dimension {} have product {}, the shape says {}", d, products[d],
                  shape[d]);
    }
  }
  return strides;
}

/// The digits of one list of mode ids and replications; counts in `uses` how often each mode comes.
Result<Digits> digits_of_list(std::span<const int64_t> list, std::span<const Mode> modes,
                              std::span<const int64_t> strides, std::vector<int>& uses) {
  Digits digits;
  for (const int64_t entry : list) {
    if (entry >= static_cast<int64_t>(modes.size())) {
      return fail(ErrorCode::kInvalidArgument, "there is no mode {}: there are {}", entry,
                  modes.size());
    }
    if (entry < 0) {
      if (entry < -kMaxElements) {
        return fail(ErrorCode::kInvalidArgument, "replication is at most {}", kMaxElements);
      }
      digits.push_back({.extent = -entry});
      continue;
    }
    const auto id = static_cast<size_t>(entry);
    if (++uses[id] > 1) {
      return fail(ErrorCode::kInvalidArgument, "mode {} is listed more than once", id);
    }
    digits.push_back({modes[id].extent, modes[id].dim, strides[id]});
  }
  return digits;
}

Digits row_major_digits(const Dims& shape) {
  Digits digits;
  for (int d = 0; d < shape.size(); ++d) append_digit(digits, {shape[d], d, 1});
  return digits;
}

Digits column_major_digits(const Dims& shape) {
  Digits digits;
  for (int d = shape.size() - 1; d >= 0; --d) append_digit(digits, {shape[d], d, 1});
  return digits;
}

}  // namespace

Result<RegisterLayout> RegisterLayout::make(std::span<const int64_t> shape,
                                            std::span<const Mode> modes,
                                            std::span<const int64_t> threads,
                                            std::span<const int64_t> locals) {
  ANYBIT_ASSIGN(const Dims dims, checked_shape(shape));
  ANYBIT_ASSIGN(const std::vector<int64_t> strides, mode_strides(dims, modes));
  std::vector<int> uses(modes.size(), 0);
  ANYBIT_ASSIGN(const Digits thread_digits, digits_of_list(threads, modes, strides, uses));
  ANYBIT_ASSIGN(const Digits local_digits, digits_of_list(locals, modes, strides, uses));
  for (size_t i = 0; i < modes.size(); ++i) {
    if (uses[i] == 0) {
      return fail(ErrorCode::kInvalidArgument, "mode {} is in neither list", i);
    }
  }
  return from_digits(shape, thread_digits, local_digits);
}

Result<RegisterLayout> RegisterLayout::from_digits(std::span<const int64_t> shape,
                                                   std::span<const Digit> threads,
                                                   std::span<const Digit> locals) {
  RegisterLayout layout;
  ANYBIT_ASSIGN(layout.shape_, checked_shape(shape));
  ANYBIT_TRY(check_list(threads, layout.rank(), true, "thread"));
  ANYBIT_TRY(check_list(locals, layout.rank(), false, "local"));
  for (Digit digit : threads) {
    if (digit.is_replicated()) digit.stride = 0;
    append_digit(layout.threads_, digit);
  }
  for (const Digit& digit : locals) append_digit(layout.locals_, digit);
  for (int d = 0; d < layout.rank(); ++d) {
    ANYBIT_TRY(check_dimension(d, layout.shape_[d], layout.threads_, layout.locals_));
  }
  layout.size_ = num_elements(layout.shape_);
  layout.num_threads_ = product_of(layout.threads_);
  layout.local_size_ = product_of(layout.locals_);
  layout.replication_ = layout.num_threads_ * layout.local_size_ / layout.size_;
  return layout;
}

ModeLists RegisterLayout::mode_lists() const {
  struct Entry {
    Digit digit;
    bool is_thread;
    size_t position;
  };
  std::vector<Entry> entries;
  ModeLists lists;
  lists.threads.resize(threads_.size());
  lists.locals.resize(locals_.size());
  for (size_t i = 0; i < threads_.size(); ++i) {
    lists.threads[i] = -threads_[i].extent;
    if (!threads_[i].is_replicated()) entries.push_back({threads_[i], true, i});
  }
  for (size_t i = 0; i < locals_.size(); ++i) entries.push_back({locals_[i], false, i});
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return a.digit.dim != b.digit.dim ? a.digit.dim < b.digit.dim : a.digit.stride > b.digit.stride;
  });
  for (const Entry& entry : entries) {
    auto& list = entry.is_thread ? lists.threads : lists.locals;
    list[entry.position] = static_cast<int64_t>(lists.modes.size());
    lists.modes.push_back({entry.digit.extent, entry.digit.dim});
  }
  return lists;
}

Dims RegisterLayout::coordinates(int64_t thread, int64_t local) const {
  Dims coords = Dims::filled(rank(), 0);
  const auto add = [&coords](std::span<const Digit> digits, int64_t index) {
    for (size_t i = digits.size(); i-- > 0;) {
      const Digit& digit = digits[i];
      if (!digit.is_replicated()) coords[digit.dim] += index % digit.extent * digit.stride;
      index /= digit.extent;
    }
  };
  add(threads_, thread);
  add(locals_, local);
  return coords;
}

int64_t RegisterLayout::thread_offset(int64_t thread) const {
  return internal::linear_offset(threads_, row_major_strides(shape_), thread);
}

int64_t RegisterLayout::local_offset(int64_t local) const {
  return internal::linear_offset(locals_, row_major_strides(shape_), local);
}

std::vector<int64_t> RegisterLayout::thread_offsets() const {
  return internal::linear_offsets(threads_, row_major_strides(shape_));
}

std::vector<int64_t> RegisterLayout::local_offsets() const {
  return internal::linear_offsets(locals_, row_major_strides(shape_));
}

Place RegisterLayout::locate(int64_t linear) const {
  const Dims coords = unravel(linear, shape_);
  const auto encode = [&coords](std::span<const Digit> digits) {
    int64_t index = 0;
    for (const Digit& digit : digits) {
      index *= digit.extent;
      if (!digit.is_replicated()) index += coords[digit.dim] / digit.stride % digit.extent;
    }
    return index;
  };
  return {encode(threads_), encode(locals_)};
}

std::vector<int64_t> RegisterLayout::replica_offsets() const {
  std::vector<int64_t> offsets = {0};
  int64_t weight = num_threads_;
  for (const Digit& digit : threads_) {
    weight /= digit.extent;
    if (!digit.is_replicated()) continue;
    std::vector<int64_t> finer;
    finer.reserve(offsets.size() * static_cast<size_t>(digit.extent));
    for (const int64_t offset : offsets) {
      for (int64_t i = 0; i < digit.extent; ++i) finer.push_back(offset + i * weight);
    }
    offsets = std::move(finer);
  }
  return offsets;
}

std::vector<int64_t> RegisterLayout::holders(const Dims& coords) const {
  const int64_t first = locate(ravel(coords, shape_)).thread;
  std::vector<int64_t> threads = replica_offsets();
  for (int64_t& thread : threads) thread += first;
  return threads;
}

bool RegisterLayout::holds(int64_t thread, int64_t linear) const {
  const Dims coords = unravel(linear, shape_);
  for (size_t i = threads_.size(); i-- > 0;) {
    const Digit& digit = threads_[i];
    if (!digit.is_replicated() &&
        coords[digit.dim] / digit.stride % digit.extent != thread % digit.extent) {
      return false;
    }
    thread /= digit.extent;
  }
  return true;
}

RegisterLayout spatial(const Dims& shape) {
  return RegisterLayout::from_digits(shape, row_major_digits(shape), {}).value();
}

RegisterLayout local(const Dims& shape) {
  return RegisterLayout::from_digits(shape, {}, row_major_digits(shape)).value();
}

RegisterLayout column_spatial(const Dims& shape) {
  return RegisterLayout::from_digits(shape, column_major_digits(shape), {}).value();
}

RegisterLayout column_local(const Dims& shape) {
  return RegisterLayout::from_digits(shape, {}, column_major_digits(shape)).value();
}

RegisterLayout replicated(int64_t count, int rank) {
  return RegisterLayout::from_digits(Dims::filled(rank, 1), Digits{{.extent = count}}, {}).value();
}

}  // namespace anybit::layout

#include "anybit/vm/backend/reference/internal/register_tile.h"

#include "anybit/base/check.h"

namespace anybit::vm::reference {

LayoutTables::LayoutTables(const layout::RegisterLayout& from)
    : layout(from),
      thread_offsets(from.thread_offsets()),
      local_offsets(from.local_offsets()),
      local_of(static_cast<size_t>(from.size())),
      thread_of(static_cast<size_t>(from.size())) {
  for (int64_t t = num_threads(); t-- > 0;) {  // Downwards, so that the least holder stays.
    for (int64_t e = 0; e < local_size(); ++e) {
      local_of[linear(t, e)] = e;
      thread_of[linear(t, e)] = t;
    }
  }
}

RegisterTile::RegisterTile(const ElementFormat& element, std::shared_ptr<const LayoutTables> tables)
    : element_(element),
      tables_(std::move(tables)),
      words_per_thread_((tables_->local_size() * element.bits + 63) / 64),
      bits_(static_cast<size_t>(tables_->num_threads() * words_per_thread_)),
      written_(bits_.size()) {}

RegisterTile RegisterTile::view(const ElementFormat& element,
                                std::shared_ptr<const LayoutTables> tables) const {
  RegisterTile result(element, std::move(tables));
  ANYBIT_CHECK(result.tables_->num_threads() == tables_->num_threads());
  ANYBIT_CHECK(result.tables_->local_size() * element.bits ==
               tables_->local_size() * element_.bits);
  result.bits_ = bits_;
  result.written_ = written_;
  return result;
}

bool RegisterTile::is_written(int64_t thread, int64_t local) const {
  return field(written_, thread, local) == static_cast<Code>((uint64_t{1} << element_.bits) - 1);
}

void RegisterTile::set(int64_t thread, int64_t local, Code code) {
  set_field(bits_, thread, local, code);
  set_field(written_, thread, local, ~Code{0});
}

Code RegisterTile::field(const std::vector<uint64_t>& strings, int64_t thread,
                         int64_t local) const {
  const int64_t bit = local * element_.bits;
  const size_t word = static_cast<size_t>(thread * words_per_thread_ + bit / 64);
  const int shift = static_cast<int>(bit % 64);
  uint64_t value = strings[word] >> shift;
  if (shift + element_.bits > 64) value |= strings[word + 1] << (64 - shift);
  return static_cast<Code>(value & ((uint64_t{1} << element_.bits) - 1));
}

void RegisterTile::set_field(std::vector<uint64_t>& strings, int64_t thread, int64_t local,
                             Code code) const {
  const int64_t bit = local * element_.bits;
  const size_t word = static_cast<size_t>(thread * words_per_thread_ + bit / 64);
  const int shift = static_cast<int>(bit % 64);
  const uint64_t mask = (uint64_t{1} << element_.bits) - 1, value = code & mask;
  strings[word] = (strings[word] & ~(mask << shift)) | value << shift;
  if (shift + element_.bits > 64) {
    const int done = 64 - shift;
    strings[word + 1] = (strings[word + 1] & ~(mask >> done)) | value >> done;
  }
}

}  // namespace anybit::vm::reference

// A register tile at run time: for every thread the string of bits that it holds, element e being
// bits [e * b, (e + 1) * b), exactly as the layout says; copies of an element are separate.
#pragma once

#include <memory>
#include <vector>

#include "anybit/layout/register_layout.h"
#include "anybit/vm/backend/reference/internal/arithmetic.h"

namespace anybit::vm::reference {

/// A layout as tables.
struct LayoutTables {
  explicit LayoutTables(const layout::RegisterLayout& from);

  /// The row-major number of the element at (thread, local).
  int64_t linear(int64_t thread, int64_t local) const {
    return thread_offsets[thread] + local_offsets[local];
  }
  /// Whether `thread` holds element `linear`: then at local_of[linear].
  bool holds(int64_t thread, int64_t linear_index) const {
    return linear(thread, local_of[linear_index]) == linear_index;
  }
  int64_t num_threads() const { return static_cast<int64_t>(thread_offsets.size()); }
  int64_t local_size() const { return static_cast<int64_t>(local_offsets.size()); }
  int64_t size() const { return static_cast<int64_t>(local_of.size()); }

  layout::RegisterLayout layout;
  std::vector<int64_t> thread_offsets;  // [num_threads]
  std::vector<int64_t> local_offsets;   // [local_size]
  std::vector<int64_t> local_of;        // [size] The local place of an element in its holders.
  std::vector<int64_t> thread_of;       // [size] Its least holder.
};

class RegisterTile {
 public:
  /// A tile of which nothing is written yet.
  RegisterTile(const ElementFormat& element, std::shared_ptr<const LayoutTables> tables);

  /// The same bits of each thread under another element and layout.
  /// Pre: as many threads, and as many bits a thread.
  RegisterTile view(const ElementFormat& element, std::shared_ptr<const LayoutTables> tables) const;

  const ElementFormat& element() const { return element_; }
  const LayoutTables& tables() const { return *tables_; }

  /// Pre, for all: thread and local lie inside.
  bool is_written(int64_t thread, int64_t local) const;
  Code get(int64_t thread, int64_t local) const { return field(bits_, thread, local); }
  void set(int64_t thread, int64_t local, Code code);

 private:
  Code field(const std::vector<uint64_t>& strings, int64_t thread, int64_t local) const;
  void set_field(std::vector<uint64_t>& strings, int64_t thread, int64_t local, Code code) const;

  ElementFormat element_;
  std::shared_ptr<const LayoutTables> tables_;
  int64_t words_per_thread_;
  std::vector<uint64_t> bits_;     // [num_threads, words_per_thread]
  std::vector<uint64_t> written_;  // Of each bit, whether it has a value.
};

}  // namespace anybit::vm::reference

// RegisterLayout: which thread holds which element of a tile, and at which of its local places.
// It is a function f from (thread, local) onto the elements of the tile, made of digits: the thread
// index and the local index are mixed-radix numbers, most significant digit first, and each digit
// steps along one dimension or, replicated, nowhere.
// Operations on layouts: register_layout_ops.h. Text form: layout_text.h. Pictures: draw.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/dims.h"

namespace anybit::layout {

/// A factor of one dimension's extent. A dimension is the mixed-radix number of its modes, the most
/// significant first.
struct Mode {
  int64_t extent = 1;
  int dim = 0;
  friend constexpr bool operator==(const Mode&, const Mode&) = default;
};

/// One digit of a thread index or of a local index: it adds value * stride to coordinate `dim`.
struct Digit {
  static constexpr int kReplicated = -1;

  int64_t extent = 1;  // The digit counts 0 .. extent - 1.
  int dim = kReplicated;
  int64_t stride = 0;  // In elements along `dim`; 0 if replicated.

  constexpr bool is_replicated() const { return dim == kReplicated; }
  friend constexpr bool operator==(const Digit&, const Digit&) = default;
};

/// Where an element lives: in a thread, at one of its local places.
struct Place {
  int64_t thread = 0;
  int64_t local = 0;
  friend constexpr bool operator==(const Place&, const Place&) = default;
};

/// A layout as modes and two lists over them, the form of the literature and of the text.
/// An entry v >= 0 of a list names modes[v]; v < 0 replicates |v|-fold (thread list only).
struct ModeLists {
  std::vector<Mode> modes;  // Sorted by dimension, within one the most significant first.
  std::vector<int64_t> threads;
  std::vector<int64_t> locals;
};

/// Which thread holds which element. Always in normal form: no digit of extent 1, and no two
/// neighbours in a list that one digit could express; so two layouts compare equal iff they have
/// equal shapes, thread counts, local sizes and the same f.
/// num_threads() * local_size() == size() * replication(); every element is held.
class RegisterLayout {
 public:
  /// The scalar: shape [], one thread, one local place. The unit of compose().
  RegisterLayout() = default;

  /// The layout of `shape` whose dimension d is the mixed-radix number of the modes of d, in order.
  /// threads, locals: see ModeLists; both lists are most significant first.
  /// Example: make({16,8}, {{2,0},{8,0},{4,1},{2,1}}, {1,2}, {0,3}) is mma's accumulator.
  /// Errors: kInvalidArgument if a mode is in no list or in several places, if the modes of a
  /// dimension do not multiply to its extent, on unknown modes, local replication, and sizes beyond
  /// kMaxRank or kMaxElements (elements, threads).
  static Result<RegisterLayout> make(std::span<const int64_t> shape, std::span<const Mode> modes,
                                     std::span<const int64_t> threads,
                                     std::span<const int64_t> locals);
  static Result<RegisterLayout> make(const Dims& shape, const ModeLists& lists) {
    return make(shape, lists.modes, lists.threads, lists.locals);
  }

  /// The layout with these digits, most significant first; digits of extent 1 are dropped.
  /// Errors: kInvalidArgument unless the strides of each dimension's digits, sorted, are 1, n0,
  /// n0*n1, ... up to its extent: each coordinate exactly once. Limits as make().
  static Result<RegisterLayout> from_digits(std::span<const int64_t> shape,
                                            std::span<const Digit> threads,
                                            std::span<const Digit> locals);

  const Dims& shape() const { return shape_; }
  int rank() const { return shape_.size(); }
  int64_t size() const { return size_; }                // Elements of the tile.
  int64_t num_threads() const { return num_threads_; }  // T
  int64_t local_size() const { return local_size_; }    // E: elements a thread holds.
  int64_t replication() const { return replication_; }  // R: threads that hold each element.

  /// The digits of a thread index and of a local index, most significant first.
  std::span<const Digit> thread_digits() const { return threads_; }
  std::span<const Digit> local_digits() const { return locals_; }
  /// The same as modes and lists. Post: make(shape(), mode_lists()) is this layout.
  ModeLists mode_lists() const;

  /// f: the coordinates of the element at (thread, local).
  /// Pre: 0 <= thread < num_threads(), 0 <= local < local_size().
  Dims coordinates(int64_t thread, int64_t local) const;

  /// f as a row-major element number. It is a sum, so a loop over a whole tile needs only the two
  /// tables thread_offsets() and local_offsets(), of T and E numbers.
  /// Post: linear_index(t, e) == ravel(coordinates(t, e), shape()).
  int64_t linear_index(int64_t thread, int64_t local) const {
    return thread_offset(thread) + local_offset(local);
  }
  int64_t thread_offset(int64_t thread) const;
  int64_t local_offset(int64_t local) const;
  std::vector<int64_t> thread_offsets() const;  // [num_threads]
  std::vector<int64_t> local_offsets() const;   // [local_size]

  /// The inverse of linear_index: the least thread that holds row-major element `linear`, and its
  /// local place, which is the same in every holder. Pre: 0 <= linear < size().
  Place locate(int64_t linear) const;

  /// The local place of the element at `coords`, in every thread that holds it.
  int64_t local_index(const Dims& coords) const { return locate(ravel(coords, shape_)).local; }
  /// The threads that hold the element at `coords`, ascending. [replication]
  std::vector<int64_t> holders(const Dims& coords) const;
  /// What to add to locate(x).thread to get the holders of x, ascending; 0 first. [replication]
  std::vector<int64_t> replica_offsets() const;
  /// Whether `thread` holds row-major element `linear`.
  bool holds(int64_t thread, int64_t linear) const;

  friend bool operator==(const RegisterLayout& a, const RegisterLayout& b) {
    return a.shape_ == b.shape_ && a.threads_ == b.threads_ && a.locals_ == b.locals_;
  }

 private:
  Dims shape_;
  int64_t size_ = 1;
  int64_t num_threads_ = 1;
  int64_t local_size_ = 1;
  int64_t replication_ = 1;
  std::vector<Digit> threads_;
  std::vector<Digit> locals_;
};

/// One element a thread, threads in row-major order: spatial({2,4}) has 8 threads.
/// Pre: extents >= 1, within kMaxElements; so for all atoms.
RegisterLayout spatial(const Dims& shape);
/// One thread that holds the whole tile in row-major order.
RegisterLayout local(const Dims& shape);
/// One element a thread, threads in column-major order (the first dimension fastest).
RegisterLayout column_spatial(const Dims& shape);
/// One thread that holds the whole tile in column-major order.
RegisterLayout column_local(const Dims& shape);
/// `count` threads that hold one and the same element, of shape [1, ..., 1].
/// Pre: 1 <= count <= kMaxElements, 0 <= rank <= kMaxRank.
RegisterLayout replicated(int64_t count, int rank = 0);

}  // namespace anybit::layout

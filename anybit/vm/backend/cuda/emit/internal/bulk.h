// What the bulk copies of Hopper need: one thread that acts for all, tensor maps, boxes of shared
// memory.
#pragma once

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"

namespace anybit::vm::cuda {

/// Errors: kUnsupported below compute capability 9.0.
Status require_hopper(const Emitter& out);

/// What is written while one lives runs in the first thread of those that execute here.
class ElectedThread {
 public:
  explicit ElectedThread(Emitter& out) : out_(out), opens_(!out.is_elected()) {
    if (opens_) out_.elect();
  }
  ~ElectedThread() {
    if (opens_) out_.end_elect();
  }
  ElectedThread(const ElectedThread&) = delete;
  ElectedThread& operator=(const ElectedThread&) = delete;

 private:
  Emitter& out_;
  bool opens_;
};

/// The shared address of element 0 of a tile before its swizzle, as a u32 expression, and a number
/// of bytes that divides it (up to 1024).
struct SharedStart {
  std::string address;
  int64_t divisor = 1;
};
SharedStart shared_start(const Emitter& out, const SharedView& view, int bits);

/// A shared tile as the box of a tensor map.
struct BulkBox {
  std::string map;             // The kernel's parameter.
  std::string shared_address;  // A multiple of 128.
};

/// Of a bulk copy between the shared and the global operand; adds the map to the kernel.
/// Errors: kUnsupported below Hopper, for a tensor whose pointer, extents or strides are not known
/// at launch or whose rows have gaps, for shared tiles that are no box.
Result<BulkBox> bulk_box(Emitter& out, const InstructionView& view, size_t shared, size_t global);

/// The offset as coordinates, the fastest first: "(int)(k), (int)(row)".
std::string bulk_coordinates(const Emitter& out, const std::vector<Expr>& offset);

}  // namespace anybit::vm::cuda

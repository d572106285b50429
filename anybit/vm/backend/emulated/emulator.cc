// The scheduler of emulated blocks. Compiling kernels: emulated_kernel.cc.
#include "anybit/vm/backend/emulated/emulator.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "anybit/base/check.h"
#include "anybit/vm/backend/cuda/device/emulated_hopper.h"
#include "anybit/vm/backend/cuda/device/emulated_host.h"
#include "anybit/vm/backend/internal/fiber.h"

namespace anybit::vm {
namespace {

using ab::u32;
using ab::u64;
using ab::u8;

constexpr int kNumBarriers = 17;        // 16 named ones and the cluster's.
constexpr int kIdlePassesLimit = 2000;  // Rounds in which every thread only polls.

/// A copy of a thread that has been asked for and not yet waited for.
struct PendingCopy {
  u8* to;
  const void* from;  // Null: zeros.
  u32 bytes;
  u64 group;
};

struct EmulatedThread {
  internal::Fiber fiber;
  bool done = false;
  /// Null: can run. Otherwise what it waits for.
  bool (*ready)(const void*) = nullptr;
  const void* argument = nullptr;
  const char* what = nullptr;
  std::vector<PendingCopy> copies;
  u64 group = 0;  // Of copies, open now.
};

/// Where threads of a warp or warpgroup meet.
struct Meeting {
  u32 arrived = 0;
  const char* name = nullptr;
  void (*run)(void**, u32) = nullptr;
  u32 line = 0;  // Of the text; 0: not known.
  std::array<void*, 128> operands = {};
  std::array<u32, 128> members = {};  // Arrivals in order.
  u64 generation = 0;
};

struct Barrier {
  u32 arrived = 0;
  u32 threads = 0;
  u64 generation = 0;
};

struct GenerationWait {
  const u64* generation;
  u64 seen;
};
bool generation_passed(const void* argument) {
  const auto& wait = *static_cast<const GenerationWait*>(argument);
  return *wait.generation != wait.seen;
}

class Emulator {
 public:
  Emulator(const EmulatedLaunch& launch, const std::function<void()>& body,
           internal::FiberStacks stacks);

  Status run(const std::function<void(ab::EmulatedHost*)>& set_host);

 private:
  static Emulator*& running() {
    static thread_local Emulator* emulator = nullptr;
    return emulator;
  }
  EmulatedThread& current() { return threads_[host_.thread]; }

  Status run_block();
  void start_block();
  bool run_pass(bool& ran);
  Error failure(const std::string& message) const;
  std::string waiting_threads() const;
  std::string divergent_warps() const;
  /// Failing takes both, as two statements: abandon() never returns, so that nothing on the stack
  /// may own memory then.
  void set_failure(const std::string& message);
  [[noreturn]] void abandon() { current().fiber.finish(); }
  void wait(bool (*ready)(const void*), const void* argument, const char* what);
  void collective(u32 threads, const char* name, void (*run)(void**, u32), void* operands);
  void barrier(u32 id, u32 threads, bool wait_too);
  void finish_copies(u64 before_group);
  void check_global(const void* p, u32 bytes, const char* what);
  void set_callbacks();

  const EmulatedLaunch& launch_;
  const std::function<void()>& body_;
  internal::FiberStacks stacks_;
  ab::EmulatedHost host_ = {};
  std::vector<u8> shared_;
  std::vector<EmulatedThread> threads_;
  std::vector<Meeting> warps_, warpgroups_;
  std::array<Barrier, kNumBarriers> barriers_ = {};
  bool active_ = false;  // Something but polling happened in this pass.
  std::string failure_;
};

Emulator::Emulator(const EmulatedLaunch& launch, const std::function<void()>& body,
                   internal::FiberStacks stacks)
    : launch_(launch), body_(body), stacks_(std::move(stacks)) {
  // The block's memory starts at a multiple of 1024 of the host's, as of the shared window.
  shared_.resize(static_cast<size_t>(launch.shared_bytes) + 1024);
  const auto address = reinterpret_cast<uintptr_t>(shared_.data());
  host_.shared = shared_.data() + (1024 - address % 1024) % 1024;
  host_.shared_bytes = static_cast<u32>(launch.shared_bytes);
  host_.block_threads = static_cast<u32>(launch.block_threads);
  for (size_t i = 0; i < 3; ++i) {
    host_.grid[i] = static_cast<u32>(launch.grid[i]);
    host_.cluster[i] = static_cast<u32>(launch.cluster[i]);
  }
  threads_.resize(host_.block_threads);
  set_callbacks();
}

void Emulator::set_callbacks() {
  host_.fail = [](const char* message) {
    running()->set_failure(message);
    running()->abandon();
  };
  host_.collective = [](u32 threads, const char* name, void (*run)(void**, u32), void* operands) {
    running()->collective(threads, name, run, operands);
  };
  host_.barrier = [](u32 id, u32 threads, bool wait) { running()->barrier(id, threads, wait); };
  host_.wait_until = [](bool (*ready)(const void*), const void* argument, const char* what) {
    if (!ready(argument)) running()->wait(ready, argument, what);
  };
  host_.yield = [](const char* what) {
    Emulator& emulator = *running();
    emulator.current().what = what;
    emulator.current().fiber.suspend();
  };
  host_.cp_async = [](u8* to, const void* from, u32 bytes) {
    EmulatedThread& thread = running()->current();
    thread.copies.push_back({to, from, bytes, thread.group});
  };
  host_.cp_async_commit = [] { ++running()->current().group; };
  host_.cp_async_wait = [](u32 groups) {
    const u64 closed = running()->current().group;
    running()->finish_copies(closed > groups ? closed - groups : 0);
  };
  host_.check_global = [](const void* p, u32 bytes, const char* what) {
    running()->check_global(p, bytes, what);
  };
  host_.print = [](const char* text) {
    if (running()->launch_.printed != nullptr) *running()->launch_.printed += text;
  };
}

void Emulator::set_failure(const std::string& message) {
  failure_ = fmt::format("thread {}: {}", host_.thread, message);
}

void Emulator::wait(bool (*ready)(const void*), const void* argument, const char* what) {
  EmulatedThread& thread = current();
  thread.ready = ready;
  thread.argument = argument;
  thread.what = what;
  thread.fiber.suspend();
}

void Emulator::collective(u32 threads, const char* name, void (*run)(void**, u32), void* operands) {
  const u32 index = host_.thread / threads;
  std::vector<Meeting>& meetings = threads == 32 ? warps_ : warpgroups_;
  if (index >= meetings.size()) {
    set_failure(fmt::format("{} needs {} threads together, the block has {}", name, threads,
                            host_.block_threads));
    abandon();
  }
  Meeting& meeting = meetings[index];
  const u32 line = std::exchange(host_.line, 0);
  const auto at = [](u32 number) {
    return number == 0 ? std::string() : fmt::format(" in line {}", number);
  };
  if (meeting.arrived == 0) {
    meeting.name = name;
    meeting.run = run;
    meeting.line = line;
  } else if (meeting.run != run || std::strcmp(meeting.name, name) != 0 || meeting.line != line) {
    set_failure(fmt::format("divergent {}: this thread calls {}{}, thread {} calls {}{}",
                            threads == 32 ? "warp" : "warpgroup", name, at(line),
                            meeting.members[0], meeting.name, at(meeting.line)));
    abandon();
  }
  meeting.operands[host_.thread % threads] = operands;
  meeting.members[meeting.arrived++] = host_.thread;
  if (meeting.arrived == threads) {
    run(meeting.operands.data(), threads);
    meeting.arrived = 0;
    ++meeting.generation;
    active_ = true;
    return;
  }
  const GenerationWait passed = {&meeting.generation, meeting.generation};
  wait(generation_passed, &passed, name);
}

void Emulator::barrier(u32 id, u32 threads, bool wait_too) {
  if (id >= kNumBarriers || threads == 0 || threads % 32 != 0 || threads > host_.block_threads) {
    set_failure(fmt::format("barrier {} of {} threads: not a barrier of a block of {}", id, threads,
                            host_.block_threads));
    abandon();
  }
  Barrier& barrier = barriers_[id];
  if (barrier.arrived == 0) barrier.threads = threads;
  if (barrier.threads != threads) {
    set_failure(fmt::format("barrier {} is for {} threads here, for {} elsewhere", id, threads,
                            barrier.threads));
    abandon();
  }
  if (++barrier.arrived == threads) {
    barrier.arrived = 0;
    ++barrier.generation;
    active_ = true;
    return;
  }
  if (!wait_too) return;
  static constexpr std::array<const char*, kNumBarriers> kNames = {
      "sync_cta",   "barrier 1",  "barrier 2",  "barrier 3",  "barrier 4",   "barrier 5",
      "barrier 6",  "barrier 7",  "barrier 8",  "barrier 9",  "barrier 10",  "barrier 11",
      "barrier 12", "barrier 13", "barrier 14", "barrier 15", "cluster_sync"};
  const GenerationWait passed = {&barrier.generation, barrier.generation};
  wait(generation_passed, &passed, kNames[id]);
}

void Emulator::finish_copies(u64 before_group) {
  std::vector<PendingCopy>& copies = current().copies;
  std::erase_if(copies, [&](const PendingCopy& copy) {
    if (copy.group >= before_group) return false;
    if (copy.from == nullptr) {
      std::memset(copy.to, 0, copy.bytes);
    } else {
      std::memcpy(copy.to, copy.from, copy.bytes);
    }
    return true;
  });
}

void Emulator::check_global(const void* p, u32 bytes, const char* what) {
  if (launch_.global_memory.empty()) return;
  const auto* first = static_cast<const std::byte*>(p);
  for (const std::span<const std::byte>& range : launch_.global_memory) {
    if (first >= range.data() && first + bytes <= range.data() + range.size()) return;
  }
  set_failure(
      fmt::format("{} of {} bytes at global {} is outside the declared memory", what, bytes, p));
  abandon();
}

std::string Emulator::waiting_threads() const {
  std::string text;
  for (size_t first = 0; first < threads_.size();) {
    const auto state = [&](size_t i) {
      const EmulatedThread& thread = threads_[i];
      return std::string(thread.done              ? "finished"
                         : thread.what != nullptr ? thread.what
                                                  : "running");
    };
    size_t last = first;
    while (last + 1 < threads_.size() && state(last + 1) == state(first)) ++last;
    if (!text.empty()) text += "; ";
    text +=
        first == last ? fmt::format("thread {}", first) : fmt::format("threads {}-{}", first, last);
    text += threads_[first].done ? " finished" : fmt::format(" in {}", state(first));
    first = last + 1;
  }
  for (size_t id = 0; id < barriers_.size(); ++id) {
    if (barriers_[id].arrived > 0) {
      text += fmt::format("; barrier {} has {} of {} arrivals", id, barriers_[id].arrived,
                          barriers_[id].threads);
    }
  }
  return text;
}

/// The warps of which some lanes wait for the others, which will not come.
std::string Emulator::divergent_warps() const {
  std::string text;
  for (size_t w = 0; w < warps_.size(); ++w) {
    const Meeting& meeting = warps_[w];
    if (meeting.arrived == 0) continue;
    text += fmt::format("warp {} is divergent, {} of its 32 threads call {}; ", w, meeting.arrived,
                        meeting.name);
  }
  return text;
}

Error Emulator::failure(const std::string& message) const {
  return {ErrorCode::kDeviceError, fmt::format("emulated block ({}, {}, {}): {}", host_.block[0],
                                               host_.block[1], host_.block[2], message)};
}

void Emulator::start_block() {
  std::memset(host_.shared, 0xff, host_.shared_bytes);
  warps_.assign(host_.block_threads / 32, {});
  warpgroups_.assign(host_.block_threads / 128, {});
  barriers_ = {};
  for (size_t i = 0; i < threads_.size(); ++i) {
    threads_[i] = {};
    threads_[i].fiber.start(
        stacks_.stack(static_cast<int>(i)),
        [](void* emulator) {
          Emulator& self = *static_cast<Emulator*>(emulator);
          self.body_();
          self.current().done = true;
          self.active_ = true;
          self.current().fiber.finish();
        },
        this);
  }
}

bool Emulator::run_pass(bool& ran) {
  bool unfinished = false;
  ran = false;
  for (u32 i = 0; i < threads_.size(); ++i) {
    EmulatedThread& thread = threads_[i];
    if (thread.done) continue;
    unfinished = true;
    if (thread.ready != nullptr) {
      if (!thread.ready(thread.argument)) continue;
      thread.ready = nullptr;
      active_ = true;
    }
    thread.what = nullptr;
    host_.thread = i;
    ran = true;
    thread.fiber.resume();
    if (!failure_.empty()) return false;
  }
  return unfinished;
}

Status Emulator::run_block() {
  start_block();
  int idle_passes = 0;
  bool ran = false;
  for (active_ = false; run_pass(ran); active_ = false) {
    idle_passes = active_ ? 0 : idle_passes + 1;
    if (!ran) {
      return tl::make_unexpected(failure("deadlock: " + divergent_warps() + waiting_threads()));
    }
    if (idle_passes > kIdlePassesLimit) {
      return tl::make_unexpected(failure("stuck, only polling: " + waiting_threads()));
    }
  }
  if (!failure_.empty()) return tl::make_unexpected(failure(failure_));
  return {};
}

Status Emulator::run(const std::function<void(ab::EmulatedHost*)>& set_host) {
  Emulator* const outer = std::exchange(running(), this);
  set_host(&host_);
  Status status;
  for (u32 z = 0; z < host_.grid[2] && status; ++z) {
    for (u32 y = 0; y < host_.grid[1] && status; ++y) {
      for (u32 x = 0; x < host_.grid[0] && status; ++x) {
        host_.block[0] = x;
        host_.block[1] = y;
        host_.block[2] = z;
        status = run_block();
      }
    }
  }
  set_host(nullptr);
  running() = outer;
  return status;
}

}  // namespace

Status run_emulated(const EmulatedLaunch& launch,
                    const std::function<void(ab::EmulatedHost*)>& set_host,
                    const std::function<void()>& body) {
  if (launch.block_threads < 32 || launch.block_threads > 1024 || launch.block_threads % 32 != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "a block of {} threads: a multiple of 32 up to 1024 is expected",
                launch.block_threads);
  }
  if (launch.shared_bytes < 0 || launch.shared_bytes > 227 * 1024) {
    return fail(ErrorCode::kInvalidArgument, "{} bytes of shared memory: at most {} are there",
                launch.shared_bytes, 227 * 1024);
  }
  if (std::ranges::any_of(launch.grid, [](int size) { return size < 1; })) {
    return fail(ErrorCode::kInvalidArgument, "a grid of {} x {} x {} blocks", launch.grid[0],
                launch.grid[1], launch.grid[2]);
  }
  for (size_t d = 0; d < 3; ++d) {
    if (launch.cluster[d] >= 1 && launch.grid[d] % launch.cluster[d] == 0) continue;
    return fail(ErrorCode::kInvalidArgument, "{} blocks in clusters of {} in dimension {}",
                launch.grid[d], launch.cluster[d], d);
  }
  ANYBIT_ASSIGN(internal::FiberStacks stacks, internal::FiberStacks::create(launch.block_threads));
  return Emulator(launch, body, std::move(stacks)).run(set_host);
}

Result<ab::TensorMap> encode_emulated_tensor_map(const EmulatedTensorMap& map) {
  const size_t rank = map.extents.size();
  const auto refuse = [&](std::string_view what) {
    return fail(ErrorCode::kInvalidArgument, "tensor map of rank {}: {}", rank, what);
  };
  if (rank < 1 || rank > ab::kMaxTensorRank || map.stride_bytes.size() != rank ||
      map.box.size() != rank) {
    return refuse("expected 1 to 5 extents, as many strides and box sides");
  }
  if (reinterpret_cast<uintptr_t>(map.pointer) % 16 != 0) {
    return refuse("expected a pointer aligned to 16");
  }
  ab::TensorMap encoded = {};
  for (size_t d = 0; d < rank; ++d) {
    const size_t from = rank - 1 - d;  // The emulation counts from the fastest.
    if (map.extents[from] < 1) return refuse("expected positive extents");
    if (map.box[from] < 1 || map.box[from] > 256) return refuse("expected box sides of 1 to 256");
    encoded.words[ab::kMapExtent + d] = static_cast<u64>(map.extents[from]);
    encoded.words[ab::kMapBox] |= static_cast<u64>(map.box[from]) << (12 * d);
    if (d == 0) continue;
    if (map.stride_bytes[from] <= 0 || map.stride_bytes[from] % 16 != 0) {
      return refuse("expected strides of multiples of 16 bytes");
    }
    encoded.words[ab::kMapStride + d - 1] = static_cast<u64>(map.stride_bytes[from]);
  }
  const int64_t row_bytes = map.box.back() * map.element_bytes;
  if (row_bytes % 16 != 0) return refuse("expected box rows of a multiple of 16 bytes");
  if (map.swizzle_bytes != 0 && row_bytes > map.swizzle_bytes) {
    return refuse("box rows wider than the swizzle");
  }
  encoded.words[ab::kMapPointer] = reinterpret_cast<uintptr_t>(map.pointer);
  encoded.words[ab::kMapRank] = rank;
  encoded.words[ab::kMapElementBytes] = static_cast<u64>(map.element_bytes);
  encoded.words[ab::kMapSwizzle] = map.swizzle_bytes == 128  ? ab::kSwizzle128
                                   : map.swizzle_bytes == 64 ? ab::kSwizzle64
                                   : map.swizzle_bytes == 32 ? ab::kSwizzle32
                                                             : ab::kSwizzleNone;
  encoded.words[ab::kMapMagic] = ab::kTensorMapMagic;
  return encoded;
}

}  // namespace anybit::vm

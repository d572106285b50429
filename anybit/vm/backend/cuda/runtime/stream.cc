#include "anybit/vm/backend/cuda/runtime/stream.h"

#include <utility>

namespace anybit::vm::cuda {
namespace {

// CU_STREAM_NON_BLOCKING: the default stream, which other libraries use, neither waits nor is
// waited for.
constexpr unsigned int kStreamFlags = 1;
constexpr unsigned int kEventFlags = 0;  // With timing.
constexpr int kCaptureThreadLocal = 1;   // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL

}  // namespace

Result<Stream> Stream::create(const Device& device) {
  ANYBIT_TRY(device.make_current());
  StreamHandle handle = nullptr;
  ANYBIT_TRY(check_driver(device.api(), device.api().stream_create(&handle, kStreamFlags),
                          "creating a stream"));
  return Stream(device, handle);
}

Stream::Stream(Stream&& other) noexcept
    : device_(other.device_), handle_(std::exchange(other.handle_, nullptr)) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    release();
    device_ = other.device_;
    handle_ = std::exchange(other.handle_, nullptr);
  }
  return *this;
}

Stream::~Stream() { release(); }

void Stream::release() {
  if (handle_ != nullptr && device_.make_current()) device_.api().stream_destroy(handle_);
  handle_ = nullptr;
}

Status Stream::synchronize() const {
  ANYBIT_TRY(device_.make_current());
  return check_driver(device_.api(), device_.api().stream_synchronize(handle_),
                      "waiting for a stream");
}

Result<Event> Event::create(const Device& device) {
  ANYBIT_TRY(device.make_current());
  EventHandle handle = nullptr;
  ANYBIT_TRY(check_driver(device.api(), device.api().event_create(&handle, kEventFlags),
                          "creating an event"));
  return Event(device, handle);
}

Event::Event(Event&& other) noexcept
    : device_(other.device_), handle_(std::exchange(other.handle_, nullptr)) {}

Event& Event::operator=(Event&& other) noexcept {
  if (this != &other) {
    release();
    device_ = other.device_;
    handle_ = std::exchange(other.handle_, nullptr);
  }
  return *this;
}

Event::~Event() { release(); }

void Event::release() {
  if (handle_ != nullptr && device_.make_current()) device_.api().event_destroy(handle_);
  handle_ = nullptr;
}

Status Event::record(const Stream& stream) {
  ANYBIT_TRY(device_.make_current());
  return check_driver(device_.api(), device_.api().event_record(handle_, stream.handle()),
                      "recording an event");
}

Status Event::synchronize() const {
  ANYBIT_TRY(device_.make_current());
  return check_driver(device_.api(), device_.api().event_synchronize(handle_),
                      "waiting for an event");
}

Result<double> Event::microseconds_since(const Event& start) const {
  ANYBIT_TRY(device_.make_current());
  float milliseconds = 0;
  ANYBIT_TRY(check_driver(device_.api(),
                          device_.api().event_elapsed_time(&milliseconds, start.handle_, handle_),
                          "reading the time between two events"));
  return 1000.0 * milliseconds;
}

Result<Graph> Graph::capture(const Stream& stream, const std::function<Status()>& body) {
  const Device& device = stream.device();
  const DriverApi& api = device.api();
  ANYBIT_TRY(device.make_current());
  ANYBIT_TRY(check_driver(api, api.stream_begin_capture(stream.handle(), kCaptureThreadLocal),
                          "starting to record a graph"));
  const Status recorded = body();
  ANYBIT_TRY(device.make_current());
  GraphHandle graph = nullptr;
  const DriverResult ended = api.stream_end_capture(stream.handle(), &graph);
  GraphExecHandle executable = nullptr;
  DriverResult instantiated = 0;
  if (recorded && ended == 0 && graph != nullptr) {
    instantiated = api.graph_instantiate(&executable, graph, 0);
  }
  const bool is_empty = graph == nullptr;
  if (!is_empty) api.graph_destroy(graph);  // The executable graph is a copy.
  ANYBIT_TRY(recorded);
  ANYBIT_TRY(check_driver(api, ended, "recording a graph"));
  if (is_empty) return fail(ErrorCode::kInvalidArgument, "recording a graph: nothing was recorded");
  ANYBIT_TRY(check_driver(api, instantiated, "preparing a graph"));
  return Graph(device, executable);
}

Graph::Graph(Graph&& other) noexcept
    : device_(other.device_), handle_(std::exchange(other.handle_, nullptr)) {}

Graph& Graph::operator=(Graph&& other) noexcept {
  if (this != &other) {
    release();
    device_ = other.device_;
    handle_ = std::exchange(other.handle_, nullptr);
  }
  return *this;
}

Graph::~Graph() { release(); }

void Graph::release() {
  if (handle_ != nullptr && device_.make_current()) device_.api().graph_exec_destroy(handle_);
  handle_ = nullptr;
}

Status Graph::launch(const Stream& stream) const {
  ANYBIT_TRY(device_.make_current());
  return check_driver(device_.api(), device_.api().graph_launch(handle_, stream.handle()),
                      "launching a graph");
}

}  // namespace anybit::vm::cuda

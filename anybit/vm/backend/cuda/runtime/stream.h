// Streams of work on a device, points in time in them, and recorded graphs of launches.
#pragma once

#include <functional>

#include "anybit/base/result.h"
#include "anybit/vm/backend/cuda/runtime/device.h"

namespace anybit::vm::cuda {

/// Work on a stream runs in the order it was given; two streams, and the copies of DeviceBuffer,
/// are ordered only by waiting. Destroying a stream lets its work finish first.
class Stream {
 public:
  /// Errors: what the driver says.
  static Result<Stream> create(const Device& device);

  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  ~Stream();

  /// Waits for all work given so far. Errors: as Device::synchronize().
  Status synchronize() const;

  const Device& device() const { return device_; }
  StreamHandle handle() const { return handle_; }

 private:
  Stream(const Device& device, StreamHandle handle) : device_(device), handle_(handle) {}
  void release();

  Device device_;
  StreamHandle handle_ = nullptr;
};

/// A point in a stream, with its time.
class Event {
 public:
  /// Errors: what the driver says.
  static Result<Event> create(const Device& device);

  Event(Event&& other) noexcept;
  Event& operator=(Event&& other) noexcept;
  ~Event();

  /// Marks the end of the work given to `stream` so far. Errors: what the driver says.
  Status record(const Stream& stream);

  /// Waits until that work is done. Errors: as Device::synchronize().
  Status synchronize() const;

  /// Microseconds from `start` to this event; resolution about 0.5 µs.
  /// Pre: both were recorded and are done. Errors: what the driver says.
  Result<double> microseconds_since(const Event& start) const;

 private:
  Event(const Device& device, EventHandle handle) : device_(device), handle_(handle) {}
  void release();

  Device device_;
  EventHandle handle_ = nullptr;
};

/// Launches recorded once and started together: no host time between them.
class Graph {
 public:
  /// Records what `body` gives to `stream` instead of running it. `body` must not wait, allocate
  /// or copy. Errors: those of `body`, after which the stream is usable again; kInvalidArgument if
  /// `body` gave nothing that can be recorded; what the driver says.
  static Result<Graph> capture(const Stream& stream, const std::function<Status()>& body);

  Graph(Graph&& other) noexcept;
  Graph& operator=(Graph&& other) noexcept;
  ~Graph();

  /// Gives the whole graph to `stream`. Errors: what the driver says.
  Status launch(const Stream& stream) const;

 private:
  Graph(const Device& device, GraphExecHandle handle) : device_(device), handle_(handle) {}
  void release();

  Device device_;
  GraphExecHandle handle_ = nullptr;
};

}  // namespace anybit::vm::cuda

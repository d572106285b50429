#include "anybit/cli/progress_bar.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>

namespace anybit::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kQuietSeconds = 2, kSecondsBetweenDraws = 0.1;
constexpr int kBarWidth = 24;
constexpr size_t kNoteWidth = 36;

class Bar {
 public:
  void update(const Progress& progress) {
    const Clock::time_point now = Clock::now();
    if (progress.task != task_ || progress.total != total_) {
      wipe();
      task_ = progress.task;
      total_ = progress.total;
      start_ = now;
      first_done_ = progress.done;
    }
    if (progress.done >= progress.total) {
      wipe();
      return;
    }
    const double elapsed = seconds(now - start_);
    if (elapsed < kQuietSeconds || seconds(now - last_draw_) < kSecondsBetweenDraws) return;
    last_draw_ = now;
    draw(progress, elapsed);
  }

  ~Bar() { wipe(); }

 private:
  static double seconds(Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
  }

  void draw(const Progress& progress, double elapsed) {
    const double fraction =
        static_cast<double>(progress.done) / static_cast<double>(std::max<int64_t>(1, total_));
    const int filled = static_cast<int>(fraction * kBarWidth);
    const double rate = static_cast<double>(progress.done - first_done_) / elapsed;
    const std::string left =
        rate > 0 ? fmt::format(", {:.1f}/s, {} left", rate,
                               format_duration(static_cast<double>(total_ - progress.done) / rate))
                 : "";
    fmt::print(stderr, "\r\x1b[K{} {:3.0f}% [{:=>{}}>{:{}}] {}/{} {}{}  {}", progress.task,
               100 * fraction, "", filled, "", kBarWidth - filled, progress.done, total_,
               progress.unit, left, progress.note.substr(0, kNoteWidth));
    std::fflush(stderr);
    is_drawn_ = true;
  }

  void wipe() {
    if (is_drawn_) fmt::print(stderr, "\r\x1b[K");
    is_drawn_ = false;
  }

  std::string task_;
  int64_t total_ = -1, first_done_ = 0;
  Clock::time_point start_, last_draw_;
  bool is_drawn_ = false;
};

}  // namespace

ProgressSink progress_bar() {
  if (::isatty(STDERR_FILENO) == 0) return {};
  return [bar = std::make_shared<Bar>()](const Progress& progress) { bar->update(progress); };
}

std::string format_duration(double seconds) {
  const auto total = static_cast<int64_t>(std::ceil(seconds));
  const int64_t hours = total / 3600, minutes = total / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60);
  return fmt::format("{}:{:02}", minutes, total % 60);
}

}  // namespace anybit::cli

// Properties checked on random cases. A case is a string of small choices drawn by RapidCheck, from
// which a test builds what it needs; RapidCheck shrinks the choices, and the simplest choice is 0.
// The seed is fixed, so that a run can be repeated; RC_PARAMS="seed=N" names another.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace anybit::testing {

/// The choices of one case, consumed in order; zeros once they are used up.
class Choices {
 public:
  explicit Choices(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}

  /// A number in [0, count). Pre: 1 <= count <= 256.
  int below(int count) {
    const uint8_t byte = next_ < bytes_.size() ? bytes_[next_++] : uint8_t{0};
    return byte * count / 256;
  }
  /// A number in [low, high].
  int between(int low, int high) { return low + below(high - low + 1); }
  bool flip() { return below(2) == 1; }

  /// Remembers what was drawn, to be shown if the case fails.
  void note(std::string text) { notes_ += std::move(text) + "\n"; }
  const std::string& notes() const { return notes_; }

 private:
  std::vector<uint8_t> bytes_;
  size_t next_ = 0;
  std::string notes_;
};

/// Expects `body(choices)` to pass RC_ASSERT on `num_cases` cases.
template <class Body>
void check_property(int num_cases, Body body) {
  rc::detail::TestParams params;
  params.seed = 1;
  if (std::getenv("RC_PARAMS") != nullptr) params = rc::detail::configuration().testParams;
  params.maxSuccess = num_cases;
  const auto bytes = rc::gen::container<std::vector<uint8_t>>(
      64, rc::gen::resize(100, rc::gen::arbitrary<uint8_t>()));
  const auto property = [&] {
    Choices choices(*bytes);
    try {
      body(choices);
    } catch (...) {
      RC_LOG() << choices.notes();
      throw;
    }
  };
  const auto result = rc::detail::checkTestable(property, rc::detail::TestMetadata(), params);
  if (result.template is<rc::detail::SuccessResult>()) return;
  std::ostringstream message;
  rc::detail::printResultMessage(result, message);
  ADD_FAILURE() << message.str();
}

}  // namespace anybit::testing

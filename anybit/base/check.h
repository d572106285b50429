// ANYBIT_CHECK stops the process at a broken invariant of our own code. Nothing a user can supply
// may reach it: bad input is an Error (result.h).
#pragma once

namespace anybit::internal {
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
}  // namespace anybit::internal

#define ANYBIT_CHECK(condition)                                         \
  do {                                                                  \
    if (!(condition)) [[unlikely]]                                      \
      ::anybit::internal::check_failed(__FILE__, __LINE__, #condition); \
  } while (false)

#ifdef NDEBUG
#define ANYBIT_DCHECK(condition) \
  do {                           \
  } while (false && (condition))
#else
#define ANYBIT_DCHECK(condition) ANYBIT_CHECK(condition)
#endif

// The GIL, given up and taken. While the interpreter ends, Python 3.11 unwinds every other thread that asks
// for the GIL (pthread_exit), which C++ ends with an abort at the first noexcept frame: such a thread waits
// for the end instead, as Python 3.14 lets it.
#pragma once

#include <pybind11/pybind11.h>

#if defined(__GLIBCXX__) && defined(__unix__)
#include <unistd.h>
#endif

namespace conv2d {

template <typename Ask>
auto ask_for_gil(Ask ask) noexcept -> decltype(ask()) {
#if defined(__GLIBCXX__) && defined(__unix__)
  try {
    return ask();
  } catch (...) {  // C functions: it is the unwinding
    while (true) pause();
  }
#else
  return ask();
#endif
}

class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil() {
    ask_for_gil([this] { PyEval_RestoreThread(state_); });
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* const state_;
};

// Nests; for any thread.
class WithGil {
 public:
  WithGil() : state_(ask_for_gil([] { return PyGILState_Ensure(); })) {}
  ~WithGil() { PyGILState_Release(state_); }
  WithGil(const WithGil&) = delete;
  WithGil& operator=(const WithGil&) = delete;

 private:
  const PyGILState_STATE state_;
};

}  // namespace conv2d

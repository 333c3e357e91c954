// NumPy arrays at the border: checked, never converted; what is native keeps what is Python's alive.
#pragma once

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <vector>

#include "base/checked.h"
#include "bindings/gil.h"
#include "graph/graph.h"
#include "runtime/buffer.h"

namespace conv2d {

namespace py = pybind11;

using FloatArray = py::array_t<float, py::array::c_style>;

// A C-contiguous, 4-byte aligned float32 array of exactly `shape`, or ValueError that names it.
inline float* check_array(const py::array& array, const Shape& shape, const char* name,
                          bool writeable = false) {
  const bool plain =
      py::isinstance<FloatArray>(array) && reinterpret_cast<uintptr_t>(array.data()) % alignof(float) == 0;
  const bool same = static_cast<size_t>(array.ndim()) == shape.size() &&
                    std::equal(shape.begin(), shape.end(), array.shape());
  if (!plain || !same || (writeable && !array.writeable())) {
    const Shape got(array.shape(), array.shape() + array.ndim());
    throw py::value_error("`" + std::string(name) + "` must be a C-contiguous" +
                          (writeable ? ", writeable" : "") + " float32 array of shape " + to_string(shape) +
                          ". Received: " + name + " of dtype " + py::str(array.dtype()).cast<std::string>() +
                          " and shape " + to_string(got) + ".");
  }
  return static_cast<float*>(const_cast<void*>(array.data()));
}

// A new array. A large one begins with a line of the cache, so that no vector of a whole row spans two.
inline py::array new_array(const Shape& shape) {
  constexpr int64_t kLarge = 1 << 14;  // floats
  const int64_t count = element_count(shape);
  if (count < kLarge) return FloatArray(shape);
  const FloatArray memory(count + int64_t{kAlignment / sizeof(float)});
  const int64_t address = reinterpret_cast<intptr_t>(memory.data());
  return FloatArray(shape, memory.data() + (round_up(address, kAlignment) - address) / 4, memory);
}

inline std::shared_ptr<const void> keep_alive(const py::object& object) {
  return {object.inc_ref().ptr(), [](const void* pointer) {
            const WithGil held;
            py::handle(static_cast<PyObject*>(const_cast<void*>(pointer))).dec_ref();
          }};
}

// What py::init does, but the object is registered while exceptions are still caught: pybind11 does that
// after, where want of memory ends the process.
template <typename T>
void construct(py::detail::value_and_holder& self, std::unique_ptr<T> made) {
  self.value_ptr() = made.get();
  try {
    self.type->init_instance(self.inst, nullptr);
  } catch (...) {
    self.value_ptr() = nullptr;
    throw;
  }
  made.release();
}

void bind_conv(py::module_& m);
void bind_graph(py::module_& m);

}  // namespace conv2d

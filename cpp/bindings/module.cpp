// The native module. The files of this folder are the only ones that include pybind11: they check arrays,
// release the GIL and hold no logic.
#include "base/activation.h"
#include "bindings/arrays.h"
#include "runtime/isa.h"
#include "runtime/machine.h"
#include "runtime/parallel.h"
#include "runtime/quota.h"

namespace conv2d {
namespace {

void bind_runtime(py::module_& m) {
  m.def("activations", [] {
    py::dict formulas;
    for (const NamedActivation& named : named_activations()) formulas[named.name] = named.formula;
    return formulas;
  });
  m.def("isa_names", [] {
    std::vector<std::string> names;
    for (const Kernels* kernels : supported_isas()) names.push_back(kernels->name);
    return names;
  });
  m.def("active_isa", [] { return std::string(active_isa().name); });
  m.def("use_isa", &use_isa, py::arg("name"));
  m.def("isa_warning", &isa_warning);
  m.def("set_num_threads", &set_num_threads, py::arg("n"), py::arg("beyond_cpus") = false);
  m.def("quota_cpus", &quota_cpus, py::arg("memberships"), py::arg("root"));
  m.def("quota_memory", &quota_memory, py::arg("memberships"), py::arg("root"));
  m.def("get_num_threads", &num_threads);
  m.def("machine", [] {
    MeasuredMachine machine{};
    {
      const WithoutGil released;
      machine = measure_machine(active_isa(), num_threads());
    }
    py::dict measured;
    measured["fma_gflops"] = py::make_tuple(machine.fma_gflops_one, machine.fma_gflops_all);
    measured["memory_gbs"] = machine.memory_gbs;
    return measured;
  });
  m.def("config", [] {
    py::dict config;
    config["version"] = CONV2D_VERSION;
#if defined(__clang__)
    config["compiler"] = __VERSION__;
#else
    config["compiler"] = "GCC " __VERSION__;
#endif
    config["isa_built"] = built_isas();
    config["isa_active"] = active_isa().name;
    config["threads"] = num_threads();
    config["openmp"] = has_openmp();
    return config;
  });
}

}  // namespace
}  // namespace conv2d

PYBIND11_MODULE(_core, m) {
  m.doc() = "Native core of conv2d_native";
  conv2d::bind_conv(m);
  conv2d::bind_graph(m);
  conv2d::bind_runtime(m);
  // Objects that were never initialised end the process: Python's old pickle protocols would make one of
  // pybind11's base class, __new__ alone one of the class.
  const auto refuse = [](const pybind11::args&) {
    throw pybind11::type_error("cannot pickle native objects, nor make them by __new__ alone");
  };
  for (const char* name : {"ConvProblem", "ConvPlan", "Graph", "Executable"}) {
    const pybind11::object made = m.attr(name);
    PyTypeObject& type = *reinterpret_cast<PyTypeObject*>(made.ptr());
    const newfunc make = type.tp_new;
    for (const char* method : {"__reduce__", "__new__"}) made.attr(method) = pybind11::cpp_function(refuse);
    type.tp_new = make;  // what a call of the class takes
  }
}

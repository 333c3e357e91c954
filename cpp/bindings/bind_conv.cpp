// Single convolutions: problems, the table of algorithms, plans.
#include <algorithm>
#include <optional>

#include "bindings/arrays.h"
#include "ops/conv.h"
#include "runtime/isa.h"
#include "runtime/parallel.h"

namespace conv2d {
namespace {

std::shared_ptr<const ConvWeights> make_weights(const FloatArray& kernel,
                                                const std::optional<FloatArray>& bias) {
  std::vector<float> values;
  if (bias) values.assign(bias->data(), bias->data() + bias->size());
  return std::make_shared<const ConvWeights>(keep_alive(kernel), kernel.data(), std::vector<float>{}, values);
}

struct BoundPlan {
  std::unique_ptr<ConvPlan> plan;
  Shape x_shape, y_shape;
  WorkerScratch spare;  // of the last call; the GIL guards it

  BoundPlan(const ConvProblem& p, const FloatArray& kernel, const std::optional<FloatArray>& bias,
            const std::string& algorithm, bool exact)
      : x_shape{p.n, p.h, p.w, p.c}, y_shape{p.n, p.oh, p.ow, p.oc} {
    check_array(kernel, {p.kh, p.kw, p.group_c(), p.oc}, "kernel");
    if (bias) check_array(*bias, {p.oc}, "bias");
    plan = plan_conv(p, make_weights(kernel, bias), active_isa(), {algorithm, exact, false});
  }

  py::array operator()(const py::array& x, std::optional<py::array> out, std::optional<py::array> residual,
                       std::optional<float> scratch_value) {
    if (!out) out = new_array(y_shape);
    ConvIo io;
    io.x = check_array(x, x_shape, "x");
    io.x_stride = plan->problem.c;
    io.y = check_array(*out, y_shape, "out", true);
    io.y_stride = plan->problem.oc;
    if (residual) {
      io.residual = check_array(*residual, y_shape, "residual");
      io.residual_stride = plan->problem.oc;
    }
    const int threads = num_threads();
    WorkerScratch scratch;
    std::swap(scratch, spare);
    scratch.reserve(plan->worker_bytes, threads);
    const Buffer& all = scratch.memory();
    if (scratch_value) std::fill_n(all.floats(), all.bytes() / sizeof(float), *scratch_value);
    {
      const WithoutGil released;
      parallel_run(threads, [&](const Worker& worker) { plan->run(io, scratch.of(worker.index), worker); });
    }
    spare = std::move(scratch);
    return *out;
  }
};

}  // namespace

void bind_conv(py::module_& m) {
  py::class_<ConvProblem>(m, "ConvProblem")
      .def_static("parse", &parse_conv_problem, py::arg("text"))
      .def("__str__", [](const ConvProblem& p) { return to_string(p); })
      .def("__repr__", [](const ConvProblem& p) { return "ConvProblem('" + to_string(p) + "')"; })
      .def("__eq__", [](const ConvProblem& a, const ConvProblem& b) { return a == b; })
      .def("__hash__", [](const ConvProblem& p) { return std::hash<std::string>()(to_string(p)); })
      .def_property_readonly("x_shape",
                             [](const ConvProblem& p) { return py::make_tuple(p.n, p.h, p.w, p.c); })
      .def_property_readonly("y_shape",
                             [](const ConvProblem& p) { return py::make_tuple(p.n, p.oh, p.ow, p.oc); })
      .def_property_readonly(
          "kernel_shape", [](const ConvProblem& p) { return py::make_tuple(p.kh, p.kw, p.group_c(), p.oc); })
      .def_property_readonly("flops", &ConvProblem::flops);
  m.def(
      "explain",
      [](const ConvProblem& problem, bool exact) {
        py::list rows;
        for (const ConvChoice& row : explain_conv(problem, active_isa(), {"", exact, false})) {
          py::dict entry;
          entry["name"] = row.name;
          entry["reason"] = row.reason.empty() ? py::object(py::none()) : py::object(py::str(row.reason));
          entry["cost"] = row.reason.empty() ? py::object(py::float_(row.cost)) : py::object(py::none());
          entry["chosen"] = row.chosen;
          rows.append(entry);
        }
        return rows;
      },
      py::arg("problem"), py::arg("exact") = false);
  py::class_<BoundPlan>(m, "ConvPlan")
      .def(
          "__init__",
          [](py::detail::value_and_holder& self, const ConvProblem& problem, const FloatArray& kernel,
             const std::optional<FloatArray>& bias, const std::string& algorithm, bool exact) {
            construct(self, std::make_unique<BoundPlan>(problem, kernel, bias, algorithm, exact));
          },
          py::detail::is_new_style_constructor(), py::arg("problem"), py::arg("kernel").noconvert(),
          py::arg("bias").noconvert() = py::none(), py::arg("algorithm") = "", py::arg("exact") = false)
      .def("__call__", &BoundPlan::operator(), py::arg("x"), py::arg("out") = py::none(),
           py::arg("residual") = py::none(), py::arg("scratch_value") = py::none());
}

}  // namespace conv2d

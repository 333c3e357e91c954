// Graphs and what is compiled from them.
#include <algorithm>
#include <array>
#include <optional>

#include "bindings/arrays.h"
#include "graph/executable.h"
#include "runtime/isa.h"

namespace conv2d {
namespace {

using Pair = std::array<int64_t, 2>;
using Sides = std::array<Pair, 2>;  // ((top, bottom), (left, right))

Array as_array(const py::array& array, const char* name) {
  const Shape shape(array.shape(), array.shape() + array.ndim());
  return {keep_alive(array), check_array(array, shape, name), shape};
}

std::vector<float> as_vector(const std::optional<py::array>& array, const char* name) {
  if (!array) return {};
  const float* data = check_array(*array, {array->ndim() == 1 ? array->shape(0) : 0}, name);
  return std::vector<float>(data, data + array->size());
}

Padding as_padding(const Sides& sides) { return {sides[0][0], sides[0][1], sides[1][0], sides[1][1]}; }

void check_signals() {
  const WithGil held;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// In pieces that take some ms.
void copy_floats(const float* from, int64_t count, float* to) {
  constexpr int64_t kPiece = 1 << 22;
  for (int64_t at = 0; at < count; at += kPiece) {
    std::copy_n(from + at, std::min(kPiece, count - at), to + at);
    check_signals();
  }
}

// The Python function gets copies, which it may keep.
HostFunction as_host_function(const py::function& function) {
  const std::shared_ptr<const void> owner = keep_alive(function);
  return [owner](const std::vector<HostArray>& inputs, const HostArray& output) {
    const WithGil held;
    py::tuple arguments(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      FloatArray copy(inputs[i].shape);
      copy_floats(inputs[i].data, copy.size(), copy.mutable_data());
      arguments[i] = std::move(copy);
    }
    const py::handle callable(static_cast<PyObject*>(const_cast<void*>(owner.get())));
    const auto result =
        py::array_t<float, py::array::c_style | py::array::forcecast>::ensure(callable(*arguments));
    if (!result) throw py::type_error("a host step must return an array of real numbers.");
    copy_floats(check_array(result, output.shape, "result"), result.size(), output.data);
  };
}

template <typename Kind>
Kind kind_of(const std::string& text, std::initializer_list<const char*> names) {
  int i = 0;
  for (const char* name : names) {
    if (text == name) return static_cast<Kind>(i);
    ++i;
  }
  throw py::value_error("`kind` is unknown. Received: '" + text + "'.");
}

struct SharedGraph : Graph {
  std::shared_ptr<WeightStore> store = std::make_shared<WeightStore>();
};

py::list run_executable(const Executable& e, const std::vector<py::array>& inputs,
                        const std::optional<std::vector<py::array>>& outs,
                        std::vector<double>* seconds = nullptr) {
  const std::vector<Shape>&in_shapes = e.input_shapes(), &out_shapes = e.output_shapes();
  if (inputs.size() != in_shapes.size() || (outs && outs->size() != out_shapes.size()))
    throw py::value_error("`inputs` and `outs` must hold one array for each value of the graph.");
  std::vector<const float*> xs;
  std::vector<float*> ys;
  py::list results;
  for (size_t i = 0; i < inputs.size(); ++i) xs.push_back(check_array(inputs[i], in_shapes[i], "x"));
  for (size_t i = 0; i < out_shapes.size(); ++i) {
    const py::array y = outs ? (*outs)[i] : new_array(out_shapes[i]);
    ys.push_back(check_array(y, out_shapes[i], "out", true));
    results.append(y);
  }
  const WithoutGil released;
  e.run(xs, ys, seconds != nullptr ? seconds->data() : nullptr, check_signals);
  return results;
}

py::list describe(const Executable& e) {
  py::list rows;
  for (const Step& step : e.steps()) {
    const Node& node = e.graph().at(step.node);
    py::dict row;
    row["node"] = step.node;
    row["name"] = node.label;
    row["op"] = op_name(node);
    row["inputs"] = node.inputs;
    row["shape"] = py::tuple(py::cast(node.shape));
    row["problem"] = step.problem;
    row["algorithm"] = step.algorithm;
    row["flops"] = step.flops * e.passes();
    row["bytes"] = step.bytes * e.passes();
    rows.append(row);
  }
  return rows;
}

void bind_graph_images(py::class_<SharedGraph>& c) {
  c.def(
       "conv2d",
       [](SharedGraph& g, int x, const py::array& kernel, const std::optional<py::array>& bias, Pair strides,
          Sides padding, Pair dilation, int64_t groups, const std::string& activation) {
         ConvProblem p;
         p.sh = strides[0], p.sw = strides[1], p.dh = dilation[0], p.dw = dilation[1];
         p.pad = as_padding(padding);
         p.groups = groups;
         p.activation = parse_activation(activation);
         return g.add_conv(x, as_array(kernel, "kernel"), as_vector(bias, "bias"), p);
       },
       py::arg("x"), py::arg("kernel"), py::arg("bias") = py::none(), py::arg("strides") = Pair{1, 1},
       py::arg("padding") = Sides{}, py::arg("dilation") = Pair{1, 1}, py::arg("groups") = 1,
       py::arg("activation") = "linear")
      .def(
          "conv2d_transpose",
          [](SharedGraph& g, int x, const py::array& kernel, const std::optional<py::array>& bias,
             Pair strides, Pair cut, Pair dilation, Pair output_size, const std::string& activation) {
            TransposeProblem p;
            p.sh = strides[0], p.sw = strides[1], p.dh = dilation[0], p.dw = dilation[1];
            p.top = cut[0], p.left = cut[1], p.oh = output_size[0], p.ow = output_size[1];
            p.activation = parse_activation(activation);
            return g.add_conv_transpose(x, as_array(kernel, "kernel"), as_vector(bias, "bias"), p);
          },
          py::arg("x"), py::arg("kernel"), py::arg("bias"), py::arg("strides"), py::arg("cut"),
          py::arg("dilation"), py::arg("output_size"), py::arg("activation") = "linear")
      .def(
          "dense",
          [](SharedGraph& g, int x, const py::array& kernel, const std::optional<py::array>& bias,
             const std::string& activation) {
            return g.add_dense(x, as_array(kernel, "kernel"), as_vector(bias, "bias"),
                               parse_activation(activation));
          },
          py::arg("x"), py::arg("kernel"), py::arg("bias") = py::none(), py::arg("activation") = "linear")
      .def(
          "pool",
          [](SharedGraph& g, int x, const std::string& kind, Pair size, Pair strides, Sides padding) {
            PoolProblem p;
            p.kind = kind_of<PoolKind>(kind, {"max", "average"});
            p.kh = size[0], p.kw = size[1], p.sh = strides[0], p.sw = strides[1];
            p.pad = as_padding(padding);
            return g.add_pool(x, p);
          },
          py::arg("x"), py::arg("kind"), py::arg("size"), py::arg("strides"), py::arg("padding") = Sides{})
      .def(
          "resize",
          [](SharedGraph& g, int x, const std::string& kind, Pair size) {
            return g.add_resize(x, kind_of<ResizeKind>(kind, {"nearest", "bilinear"}), size[0], size[1]);
          },
          py::arg("x"), py::arg("kind"), py::arg("size"));
}

void bind_graph_values(py::class_<SharedGraph>& c) {
  c.def("input", &SharedGraph::add_input, py::arg("shape"))
      .def(
          "constant",
          [](SharedGraph& g, const py::array& array) { return g.add_constant(as_array(array, "array")); },
          py::arg("array"))
      .def(
          "reduce",
          [](SharedGraph& g, int x, const std::string& kind, const std::vector<int>& axes, bool keepdims) {
            return g.add_reduce(x, kind_of<ReduceKind>(kind, {"mean", "max", "sum"}), axes, keepdims);
          },
          py::arg("x"), py::arg("kind"), py::arg("axes"), py::arg("keepdims") = false)
      .def(
          "scale_shift",
          [](SharedGraph& g, int x, const std::optional<py::array>& scale,
             const std::optional<py::array>& shift) {
            return g.add_affine(x, as_vector(scale, "scale"), as_vector(shift, "shift"), {});
          },
          py::arg("x"), py::arg("scale"), py::arg("shift"))
      .def(
          "activation",
          [](SharedGraph& g, int x, const std::string& text) {
            return g.add_affine(x, {}, {}, parse_activation(text));
          },
          py::arg("x"), py::arg("text"))
      .def("softmax", &SharedGraph::add_softmax, py::arg("x"), py::arg("log") = false)
      .def(
          "binary",
          [](SharedGraph& g, const std::string& kind, int a, int b) {
            const auto found = kind_of<BinaryKind>(
                kind, {"add", "subtract", "multiply", "divide", "maximum", "minimum", "prelu"});
            return g.add_binary(found, a, b);
          },
          py::arg("kind"), py::arg("a"), py::arg("b"))
      .def("concat", &SharedGraph::add_concat, py::arg("xs"), py::arg("axis"))
      .def(
          "pad",
          [](SharedGraph& g, int x, const std::vector<Pair>& widths, float value) {
            Shape before, after;
            for (const Pair& pair : widths) before.push_back(pair[0]), after.push_back(pair[1]);
            return g.add_pad(x, before, after, value);
          },
          py::arg("x"), py::arg("widths"), py::arg("value") = 0.0f)
      .def("reshape", &SharedGraph::add_reshape, py::arg("x"), py::arg("shape"))
      .def("transpose", &SharedGraph::add_transpose, py::arg("x"), py::arg("axes"))
      .def(
          "normalize",
          [](SharedGraph& g, int x, float epsilon, const std::optional<py::array>& gamma,
             const std::optional<py::array>& beta) {
            return g.add_normalize(x, epsilon, as_vector(gamma, "gamma"), as_vector(beta, "beta"));
          },
          py::arg("x"), py::arg("epsilon"), py::arg("gamma") = py::none(), py::arg("beta") = py::none())
      .def(
          "host",
          [](SharedGraph& g, const std::vector<int>& xs, const py::function& function, const Shape& shape,
             bool whole_batch) { return g.add_host(xs, as_host_function(function), shape, whole_batch); },
          py::arg("xs"), py::arg("function"), py::arg("shape"), py::arg("whole_batch") = false)
      .def(
          "shape", [](const SharedGraph& g, int x) { return py::tuple(py::cast(g.at(x).shape)); },
          py::arg("value"))
      .def(
          "label",
          [](SharedGraph& g, int x, const std::string& text) {
            g.at(x);
            g.nodes()[static_cast<size_t>(x)].label = text;
          },
          py::arg("value"), py::arg("text"))
      .def("packed_bytes", [](const SharedGraph& g) { return g.store->packed_bytes(); });
}

}  // namespace

void bind_graph(py::module_& m) {
  py::class_<SharedGraph> graph(m, "Graph");
  graph.def(
      "__init__",
      [](py::detail::value_and_holder& self, const SharedGraph* share) {
        auto made = std::make_unique<SharedGraph>();
        if (share != nullptr) made->store = share->store;
        construct(self, std::move(made));
      },
      py::detail::is_new_style_constructor(), py::arg("share") = py::none());
  bind_graph_images(graph);
  bind_graph_values(graph);
  graph.def(
      "compile",
      [](const py::object& g, const py::object& outputs, int64_t n, bool exact, bool optimize,
         const py::object& choices) {
        return py::type::of<Executable>()(g, outputs, n, exact, optimize, choices);
      },
      py::arg("outputs"), py::arg("n"), py::arg("exact") = false, py::arg("optimize") = true,
      py::arg("choices") = py::dict());
  py::class_<Executable>(m, "Executable", py::dynamic_attr())
      .def(
          "__init__",
          [](py::detail::value_and_holder& self, const SharedGraph& g, const std::vector<int>& outputs,
             int64_t n, bool exact, bool optimize, const ConvChoices& choices) {
            for (int output : outputs) g.at(output);
            if (n < 0)
              throw py::value_error("`n` must not be negative. Received: n=" + std::to_string(n) + ".");
            Graph copy = g;  // other threads may add to g
            std::unique_ptr<Executable> made;
            {
              const WithoutGil released;
              made = std::make_unique<Executable>(std::move(copy), outputs, n, g.store, active_isa(),
                                                  CompileOptions{exact, optimize, choices}, check_signals);
            }
            construct(self, std::move(made));
          },
          py::detail::is_new_style_constructor())
      .def(
          "run",
          [](const Executable& e, const std::vector<py::array>& inputs,
             const std::optional<std::vector<py::array>>& outs) { return run_executable(e, inputs, outs); },
          py::arg("inputs"), py::arg("outs") = py::none())
      .def(
          "__call__",
          [](const Executable& e, const py::array& x) {
            const py::list results = run_executable(e, {x}, std::nullopt);
            return py::object(results[0]);
          },
          py::arg("x"))
      .def(
          "profile",
          [](const Executable& e, const std::vector<py::array>& inputs) {
            std::vector<double> seconds(e.steps().size(), 0.0);
            run_executable(e, inputs, std::nullopt, &seconds);
            py::list rows = describe(e);
            for (size_t i = 0; i < seconds.size(); ++i) rows[i]["ms"] = seconds[i] * 1e3;
            return rows;
          },
          py::arg("inputs"))
      .def_property_readonly("nodes", &describe)
      .def_property_readonly("input_shapes", [](const Executable& e) { return e.input_shapes(); })
      .def_property_readonly("flops", &Executable::flops)
      .def_property_readonly("arena_bytes", &Executable::arena_bytes);
}

}  // namespace conv2d

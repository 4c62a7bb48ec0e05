// The Python module: checks and unpacks the arrays, chooses the build, runs it on threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "buffers.h"
#include "instruction_sets.h"
#include "problem.h"
#include "threads.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace nestcast {
namespace {

using Strided = nb::ndarray<const float, nb::device::cpu>;
using Input = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using Lengths = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Tensor = nb::ndarray<nb::pytorch, float>;

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(std::string("the native kernel was given ") + what);
}

template <typename Array>
bool has_shape(const Array& array, std::initializer_list<Index> shape) {
  if (array.ndim() != shape.size()) return false;
  std::size_t axis = 0;
  for (const Index size : shape)
    if (static_cast<Index>(array.shape(axis++)) != size) return false;
  return true;
}

template <typename Array>
auto* pointer(const std::optional<Array>& array) {
  return array ? array->data() : nullptr;
}

Sequence sequence(const Strided& array) {
  require(array.ndim() == 3 && (array.stride(2) == 1 || array.shape(2) == 1),
          "a sequence whose features are not side by side");
  return {array.data(), static_cast<Index>(array.stride(0)), static_cast<Index>(array.stride(1))};
}

// A layer, its weights and the sequence it runs over.
struct Run {
  const Kernel& kernel;
  Problem problem;
  Arguments arguments;
  Index threads;

  Run(const std::string& name, int threads, const Strided& input, const Input& h, const Input& c,
      const std::vector<Input>& weights, const std::vector<Input>& biases,
      const std::optional<Input>& weight_hr, const std::optional<Lengths>& lengths,
      const std::optional<Input>& recurrent_mask, bool identity_candidate)
      : kernel(find_kernel(name)), arguments{}, threads(threads) {
    require(input.ndim() == 3 && h.ndim() == 2 && c.ndim() == 3, "too few or too many axes");
    const auto size = [](std::size_t value) { return static_cast<Index>(value); };
    const Index T = size(input.shape(0)), N = size(input.shape(1)), I = size(input.shape(2));
    const Index P = size(h.shape(1)), depth = size(c.shape(0)), H = size(c.shape(2));
    problem = {T, N, I, H, P, depth, weight_hr.has_value(), identity_candidate};
    require(T > 0 && N > 0 && I > 0 && H > 0 && P > 0, "an empty array");
    require(depth > 0 && depth <= kMaxDepth, "an unsupported depth");
    require(has_shape(h, {N, P}) && has_shape(c, {depth, N, H}), "states of the wrong shape");
    require(size(weights.size()) == 2 * depth, "the wrong number of weights");
    require(biases.empty() || size(biases.size()) == depth, "the wrong number of biases");
    require(weight_hr ? has_shape(*weight_hr, {P, H}) : P == H, "a projection of the wrong shape");
    require(!lengths || has_shape(*lengths, {N}), "lengths of the wrong shape");
    require(!recurrent_mask || has_shape(*recurrent_mask, {N, P}), "a mask of the wrong shape");
    arguments.input = sequence(input);
    arguments.h = h.data();
    arguments.c = c.data();
    for (Index level = 0; level < depth; ++level) {
      const Input &ih = weights[2 * level], &hh = weights[2 * level + 1];
      require(has_shape(ih, {4 * H, level == 0 ? I : H}), "an input weight of the wrong shape");
      require(has_shape(hh, {4 * H, level == 0 ? P : H}), "a state weight of the wrong shape");
      require(biases.empty() || has_shape(biases[level], {4 * H}), "a bias of the wrong shape");
      arguments.levels[level] = {ih.data(), hh.data(),
                                 biases.empty() ? nullptr : biases[level].data()};
    }
    arguments.weight_hr = pointer(weight_hr);
    arguments.lengths = pointer(lengths);
    arguments.recurrent_mask = pointer(recurrent_mask);
  }

  BufferSizes sizes() const { return kernel.measure(problem); }

  // Starting a thread takes some tens of microseconds; each must have more than that to do.
  Index useful_threads(Index turns) const {
    const Index H = problem.hidden_size;
    const double products = 8.0 * H * H * problem.depth * problem.batch * problem.steps;
    const double worthwhile = products / 4e6;
    Index most = threads < turns ? threads : turns;
    if (worthwhile < static_cast<double>(most)) most = static_cast<Index>(worthwhile);
    return most < 1 ? 1 : most;
  }

  void forward(const Results& results, float* saved) const {
    const BufferSizes size = sizes();
    const Division division = kernel.divide(problem);
    const Index workers = useful_threads(division.sets);
    const Buffer packed(size.packed_forward), scratch(size.forward_scratch * workers);
    kernel.pack_forward(problem, arguments, packed.data());
    share_turns(division.sets, workers, [&](Index set, Index worker) {
      kernel.forward_set(problem, arguments, results, packed.data(), saved, set,
                         scratch.data() + worker * size.forward_scratch);
    });
  }

  void backward(const Gradients& gradients, const float* output, const float* saved) const {
    const BufferSizes size = sizes();
    const Division division = kernel.divide(problem);
    const Index workers = useful_threads(division.groups);
    const Buffer packed(size.packed_backward), scratch(size.backward_scratch * workers);
    const Buffer accumulators(size.accumulator * division.groups);
    kernel.pack_backward(problem, arguments, packed.data());
    share_turns(division.groups, workers, [&](Index group, Index worker) {
      kernel.backward_group(problem, arguments, gradients, output, packed.data(), saved, group,
                            scratch.data() + worker * size.backward_scratch,
                            accumulators.data() + group * size.accumulator);
    });
    share_turns(workers, workers, [&](Index part, Index) {
      kernel.reduce(problem, gradients, accumulators.data(), part, workers);
    });
  }
};

// A tensor whose memory comes from the pool and goes back there.
Tensor empty(const std::vector<std::size_t>& shape) {
  std::size_t size = 1;
  for (const std::size_t axis : shape) size *= axis;
  auto* const buffer = new Buffer(static_cast<Index>(size));
  const nb::capsule owner(buffer,
                          [](void* memory) noexcept { delete static_cast<Buffer*>(memory); });
  return Tensor(buffer->data(), shape.size(), shape.data(), owner);
}

// Runs the layer, writes `output`, `h_n` and `c_n`, and returns what `backward` needs, or nothing.
std::optional<Tensor> forward(const std::string& kernel, int threads, const Strided& input,
                             const Input& h, const Input& c, const std::vector<Input>& weights,
                             const std::vector<Input>& biases,
                             const std::optional<Input>& weight_hr,
                             const std::optional<Lengths>& lengths,
                             const std::optional<Input>& recurrent_mask, bool identity_candidate,
                             bool save, const Output& output, const Output& h_n,
                             const Output& c_n) {
  const Run run(kernel, threads, input, h, c, weights, biases, weight_hr, lengths, recurrent_mask,
                identity_candidate);
  const Problem& p = run.problem;
  require(has_shape(output, {p.steps, p.batch, p.output_size}), "an output of the wrong shape");
  require(has_shape(h_n, {p.batch, p.output_size}), "a final state of the wrong shape");
  require(has_shape(c_n, {p.depth, p.batch, p.hidden_size}), "final cells of the wrong shape");
  const Results results{output.data(), h_n.data(), c_n.data()};
  if (!save) {
    const nb::gil_scoped_release release;
    run.forward(results, nullptr);
    return std::nullopt;
  }
  const Index size = run.sizes().saved;
  const Tensor saved = empty({static_cast<std::size_t>(size)});
  {
    const nb::gil_scoped_release release;
    run.forward(results, saved.data());
  }
  return saved;
}

// Writes every gradient: of the input where it is wanted, of the initial states and the weights.
void backward(const std::string& kernel, int threads, const Strided& input, const Input& h,
              const Input& c, const std::vector<Input>& weights, const std::vector<Input>& biases,
              const std::optional<Input>& weight_hr, const std::optional<Lengths>& lengths,
              const std::optional<Input>& recurrent_mask, bool identity_candidate,
              const Input& output, const Input& saved, const std::optional<Strided>& d_output,
              const std::optional<Input>& d_h_n, const std::optional<Input>& d_c_n,
              const std::optional<Output>& d_input, const Output& d_h, const Output& d_c,
              const std::vector<Output>& d_weights, const std::vector<Output>& d_biases,
              const std::optional<Output>& d_weight_hr) {
  const Run run(kernel, threads, input, h, c, weights, biases, weight_hr, lengths, recurrent_mask,
                identity_candidate);
  const Problem& p = run.problem;
  const Index T = p.steps, N = p.batch, H = p.hidden_size, P = p.output_size;
  require(has_shape(output, {T, N, P}), "an output of the wrong shape");
  require(has_shape(saved, {run.sizes().saved}), "nothing saved by the forward pass");
  require(!d_output || has_shape(*d_output, {T, N, P}), "a gradient of the wrong shape");
  require(!d_h_n || has_shape(*d_h_n, {N, P}), "a state's gradient of the wrong shape");
  require(!d_c_n || has_shape(*d_c_n, {p.depth, N, H}), "a cell's gradient of the wrong shape");
  require(!d_input || has_shape(*d_input, {T, N, p.input_size}), "no place for a gradient");
  require(has_shape(d_h, {N, P}) && has_shape(d_c, {p.depth, N, H}), "no place for a gradient");
  require(d_weights.size() == weights.size() && d_biases.size() == biases.size() &&
              d_weight_hr.has_value() == p.projected,
          "no place for a weight's gradient");
  Gradients gradients{};
  if (d_output) gradients.output = sequence(*d_output);
  gradients.h = pointer(d_h_n);
  gradients.c = pointer(d_c_n);
  gradients.input = pointer(d_input);
  gradients.initial_h = d_h.data();
  gradients.initial_c = d_c.data();
  for (Index level = 0; level < p.depth; ++level) {
    require(d_weights[2 * level].size() == weights[2 * level].size() &&
                d_weights[2 * level + 1].size() == weights[2 * level + 1].size(),
            "a weight's gradient of the wrong shape");
    gradients.weight_ih[level] = d_weights[2 * level].data();
    gradients.weight_hh[level] = d_weights[2 * level + 1].data();
    if (!biases.empty()) {
      require(has_shape(d_biases[level], {4 * H}), "a bias's gradient of the wrong shape");
      gradients.bias[level] = d_biases[level].data();
    }
  }
  if (d_weight_hr) {
    require(has_shape(*d_weight_hr, {P, H}), "a projection's gradient of the wrong shape");
    gradients.weight_hr = d_weight_hr->data();
  }
  const nb::gil_scoped_release release;
  run.backward(gradients, output.data(), saved.data());
}

void activate(const std::string& kernel, bool logistic, const Input& x, const Output& y) {
  require(x.size() == y.size(), "an output of the wrong shape");
  find_kernel(kernel).activate(x.data(), y.data(), static_cast<Index>(x.size()), logistic);
}

}  // namespace
}  // namespace nestcast

NB_MODULE(_native, module) {
  using namespace nestcast;
  module.doc() = "The Nested LSTM on the CPU.";
  module.attr("max_depth") = kMaxDepth;
  module.def("instruction_sets", &usable_kernels,
             "Instruction sets that this build has and this CPU can run, the fastest first.");
  module.def("bfloat16_kernel", &bfloat16_kernel, "kernel"_a,
             "Build that takes that one's place where products take bfloat16, if there is one.");
  module.def("pooled_bytes", &pooled_bytes, "Bytes of work buffers that wait for their next use.");
  module.def("empty", &empty, "shape"_a, "A tensor in a work buffer; its values are anything.");
  module.def("saved_size", [](const std::string& kernel, Index steps, Index batch,
                              Index hidden_size, Index depth) {
    const Problem p{steps, batch, 1, hidden_size, hidden_size, depth, false, false};
    return find_kernel(kernel).measure(p).saved;
  }, "kernel"_a, "steps"_a, "batch"_a, "hidden_size"_a, "depth"_a,
     "Floats that the forward pass saves for the backward pass.");
  module.def("activate", &activate, "kernel"_a, "logistic"_a, "x"_a, "y"_a,
             "Write the kernel's sigmoid (logistic) or tanh of x to y.");
  module.def("multiply_add", [](const std::string& kernel, Index rounds) {
    const nb::gil_scoped_release release;
    return find_kernel(kernel).multiply_add(rounds);
  }, "kernel"_a, "rounds"_a,
     "Do independent multiply-adds; return how many operations they were (for benchmarks).");
  module.def("forward", &forward, "kernel"_a, "threads"_a, "input"_a, "h"_a, "c"_a, "weights"_a,
             "biases"_a, "weight_hr"_a.none(), "lengths"_a.none(), "recurrent_mask"_a.none(),
             "identity_candidate"_a, "save"_a, "output"_a, "h_n"_a, "c_n"_a);
  module.def("backward", &backward, "kernel"_a, "threads"_a, "input"_a, "h"_a, "c"_a, "weights"_a,
             "biases"_a, "weight_hr"_a.none(), "lengths"_a.none(), "recurrent_mask"_a.none(),
             "identity_candidate"_a, "output"_a, "saved"_a, "d_output"_a.none(),
             "d_h_n"_a.none(), "d_c_n"_a.none(), "d_input"_a.none(), "d_h"_a, "d_c"_a,
             "d_weights"_a, "d_biases"_a, "d_weight_hr"_a.none());
}

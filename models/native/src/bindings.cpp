// The Python side: arrays are taken as they are or refused, and the interpreter is let go while samples are drawn.
#include "dispatch.hpp"
#include "mix.hpp"
#include "philox.hpp"
#include "pool.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using ostinato::Pool;
using ostinato::Request;

template <class T, class... Dimensions>
using Array = nb::ndarray<T, nb::shape<Dimensions::value...>, nb::c_contig, nb::device::cpu>;
using Any = std::integral_constant<nb::ssize_t, -1>;
template <class T>
using Vector = Array<T, Any>;
template <class T>
using Matrix2 = Array<T, Any, Any>;
template <class T>
using Cube = Array<T, Any, Any, Any>;

void require(bool met, const char* message) {
  if (!met) throw std::invalid_argument(message);
}

// A pool, and the requests of a call: preallocated, so that a call allocates nothing of its own.
class BoundPool {
 public:
  BoundPool(ostinato::Shape shape, const nb::dict& tensors, int slots, const std::string& isa,
            const std::string& precision, int threads)
      : pool_(shape, collect(tensors), slots, isa, precision, threads), requests_(static_cast<std::size_t>(slots)) {}

  Pool& pool() { return pool_; }

  std::size_t slot(std::int64_t slot) const {
    if (slot < 0 || slot >= pool_.slots())
      throw std::invalid_argument("slots: " + std::to_string(slot) + " is outside 0.." +
                                  std::to_string(pool_.slots() - 1));
    return static_cast<std::size_t>(slot);
  }

  void advance(Vector<const std::int64_t> slots, Cube<const float> controls, Matrix2<float> out) {
    take_requests(slots, controls, out);
    nb::gil_scoped_release let_go;
    pool_.advance({requests_.data(), slots.shape(0)}, static_cast<int>(controls.shape(1)));
  }

  void take_requests(Vector<const std::int64_t> slots, Cube<const float> controls, Matrix2<float> out) {
    const std::size_t count = slots.shape(0), frames = controls.shape(1), samples = frames * pool_.hop();
    require(count <= requests_.size(), "slots: more than the pool holds");
    require(controls.shape(0) == count, "controls: first dimension is not the number of slots");
    require(controls.shape(2) == ostinato::frame_channels, "controls: not 7 channels");
    require(out.shape(0) == count && out.shape(1) == samples, "out: shape is not [slots, frames * hop]");
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = slot(slots.data()[i]);
      for (std::size_t j = 0; j < i; ++j) require(requests_[j].slot != static_cast<int>(at), "slots: one named twice");
      requests_[i] = {static_cast<int>(at), controls.data() + i * frames * ostinato::frame_channels,
                      out.data() + i * samples, nullptr, nullptr};
    }
  }

  // -> windows, proposals, how many were taken, how many remainders were enumerated.
  std::vector<std::int64_t> speculate(BoundPool& draft, Vector<const std::int64_t> slots, Cube<const float> controls,
                                      Matrix2<float> out, int window) {
    require(draft.pool_.hop() == pool_.hop() && draft.pool_.parameters() == pool_.parameters() &&
                draft.pool_.model().head == pool_.model().head,
            "draft: another hop or head");
    take_requests(slots, controls, out);
    ostinato::Tally tally{};
    {
      nb::gil_scoped_release let_go;
      pool_.speculate(draft.pool_, {requests_.data(), slots.shape(0)}, static_cast<int>(controls.shape(1)), window,
                      tally);
    }
    return {tally.windows, tally.proposed, tally.accepted, tally.enumerated};
  }

  float judge(const BoundPool& draft, Vector<const float> parameters, Vector<const float> proposed, float temperature,
              std::uint64_t key, std::int64_t sample, int tries) const {
    const auto of_head = static_cast<std::size_t>(pool_.parameters());
    require(parameters.shape(0) == of_head && proposed.shape(0) == of_head, "parameters: wrong length");
    ostinato::Tally tally{};
    return pool_.kernel().judge(pool_.model(), parameters.data(), draft.pool_.model(), proposed.data(), temperature,
                                key, sample, tries, tally);
  }

  void probe(std::int64_t at, Matrix2<const float> controls, Vector<const float> forced, Vector<float> heard,
             Matrix2<float> parameters) {
    const std::size_t frames = controls.shape(0), samples = frames * pool_.hop();
    require(controls.shape(1) == ostinato::frame_channels, "controls: not 7 channels");
    require(forced.shape(0) == samples && heard.shape(0) == samples, "forced: shape is not [frames * hop]");
    require(parameters.shape(0) == samples && parameters.shape(1) == static_cast<std::size_t>(pool_.parameters()),
            "parameters: shape is not [frames * hop, head parameters]");
    const Request request{static_cast<int>(slot(at)), controls.data(), heard.data(), forced.data(), parameters.data()};
    nb::gil_scoped_release let_go;
    pool_.advance({&request, 1}, static_cast<int>(frames));
  }

  void save(std::int64_t at, Vector<std::uint8_t> to) const {
    require(to.shape(0) == pool_.state_bytes(), "state: not the size of a slot");
    pool_.save(static_cast<int>(slot(at)), {reinterpret_cast<std::byte*>(to.data()), to.shape(0)});
  }

  void restore(std::int64_t at, Vector<const std::uint8_t> from) {
    require(pool_.restore(static_cast<int>(slot(at)), {reinterpret_cast<const std::byte*>(from.data()), from.shape(0)}),
            "state: of another model's shape");
  }

  float sample(Vector<const float> parameters, Vector<const float> uniforms, float temperature) const {
    const ostinato::Model& m = pool_.model();
    require(parameters.shape(0) == static_cast<std::size_t>(m.parameters), "parameters: wrong length");
    require(uniforms.shape(0) == static_cast<std::size_t>(m.draws), "uniforms: wrong length");
    return pool_.kernel().sample(m, parameters.data(), uniforms.data(), temperature);
  }

 private:
  static ostinato::Tensors collect(const nb::dict& tensors) {
    ostinato::Tensors collected;
    for (auto [name, value] : tensors) {
      ostinato::Tensor tensor;
      require(take<float>(value, tensor) || take<std::int8_t>(value, tensor) || take<std::int16_t>(value, tensor) ||
                  take<std::int32_t>(value, tensor),
              "tensors: not a contiguous array of float32, int8, int16 or int32");
      collected[nb::cast<std::string>(name)] = tensor;
    }
    return collected;
  }

  template <class Number>
  static bool take(nb::handle value, ostinato::Tensor& tensor) {
    nb::ndarray<const Number, nb::c_contig, nb::device::cpu> array;
    if (!nb::try_cast(value, array, false)) return false;
    tensor = {array.data(), array.size()};
    return true;
  }

  Pool pool_;
  std::vector<Request> requests_;
};

void mix(Matrix2<const float> voices, nb::ndarray<const float, nb::c_contig, nb::device::cpu> gains,
         Vector<float> out) {
  const std::size_t count = voices.shape(0), samples = voices.shape(1);
  require(out.shape(0) == samples, "out: not as long as the voices");
  const bool each = gains.ndim() == 2;
  require(gains.ndim() == 1 || each, "gains: expected [n] or [n, T]");
  require(gains.shape(0) == count && (!each || gains.shape(1) == samples), "gains: shape does not fit the voices");
  nb::gil_scoped_release let_go;
  ostinato::mix(voices.data(), gains.data(), each ? samples : 1, each ? 1 : 0, out.data(), count, samples);
}

// Functions of functions.hpp by name, for tests.
void evaluate(const std::string& isa, const std::string& function, Vector<const float> in, Vector<float> out,
              const std::string& precision) {
  static const std::vector<std::string> names{"exp",    "log",  "tanh",            "sine",
                                              "cosine", "gate", "sine_of_radians", "cosine_of_radians"};
  const auto found = std::find(names.begin(), names.end(), function);
  require(found != names.end(), "function: not known");
  require(in.shape(0) == out.shape(0) && in.shape(0) % 16 == 0, "in, out: not the same multiple of 16 long");
  ostinato::choose_kernel(isa, precision).evaluate(static_cast<int>(found - names.begin()), in.data(), out.data(),
                                        static_cast<int>(in.shape(0)));
}

// Limits of the machine, per second. Other threads run on meanwhile.
double read_rate(std::int64_t bytes, const std::string& isa) {
  require(bytes > 0 && bytes <= std::int64_t{1} << 26, "bytes: outside 1..2^26");
  const ostinato::Kernel& kernel = ostinato::choose_kernel(isa, "float32");
  nb::gil_scoped_release let_go;
  return kernel.read_rate(static_cast<std::size_t>(bytes));
}

double multiply_rate(const std::string& precision, const std::string& isa) {
  const ostinato::Kernel& kernel = ostinato::choose_kernel(isa, precision);
  nb::gil_scoped_release let_go;
  return kernel.multiply_rate();
}

void philox(std::uint64_t key, std::uint64_t first, std::uint32_t block, std::uint32_t purpose,
            Matrix2<std::uint32_t> out) {
  require(out.shape(1) == 4, "out: not [n, 4]");
  for (std::size_t i = 0; i < out.shape(0); ++i) {
    const ostinato::Words words = ostinato::philox(key, first + i, block, static_cast<ostinato::Purpose>(purpose));
    std::copy(words.at, words.at + 4, out.data() + 4 * i);
  }
}

} // namespace

NB_MODULE(_kernel, m) {
  nb::set_leak_warnings(false);
  nb::class_<ostinato::BlocksShape>(m, "BlocksShape")
      .def(nb::init<>())
      .def_rw("block", &ostinato::BlocksShape::block)
      .def_rw("before", &ostinato::BlocksShape::before)
      .def_rw("width", &ostinato::BlocksShape::width)
      .def_rw("heads", &ostinato::BlocksShape::heads)
      .def_rw("kv_heads", &ostinato::BlocksShape::kv_heads)
      .def_rw("feed_forward", &ostinato::BlocksShape::feed_forward)
      .def_rw("layers", &ostinato::BlocksShape::layers)
      .def_rw("window", &ostinato::BlocksShape::window)
      .def_rw("units", &ostinato::BlocksShape::units)
      .def_rw("taps", &ostinato::BlocksShape::taps)
      .def_rw("inside", &ostinato::BlocksShape::inside);
  nb::class_<ostinato::Shape>(m, "Shape")
      .def(nb::init<>())
      .def_rw("sample_rate", &ostinato::Shape::sample_rate)
      .def_rw("hop", &ostinato::Shape::hop)
      .def_rw("residual", &ostinato::Shape::residual)
      .def_rw("skip", &ostinato::Shape::skip)
      .def_rw("kernel_size", &ostinato::Shape::kernel_size)
      .def_rw("dilations", &ostinato::Shape::dilations)
      .def_rw("bias", &ostinato::Shape::bias)
      .def_rw("head_widths", &ostinato::Shape::head_widths)
      .def_rw("head", &ostinato::Shape::head)
      .def_rw("log_scale_min", &ostinato::Shape::log_scale_min)
      .def_rw("amplitude", &ostinato::Shape::amplitude)
      .def_rw("pre_emphasis", &ostinato::Shape::pre_emphasis)
      .def_rw("harmonics", &ostinato::Shape::harmonics)
      .def_rw("tone_harmonics", &ostinato::Shape::tone_harmonics)
      .def_rw("local_widths", &ostinato::Shape::local_widths)
      .def_rw("global_entries", &ostinato::Shape::global_entries)
      .def_rw("global_channels", &ostinato::Shape::global_channels)
      .def_rw("window", &ostinato::Shape::window)
      .def_rw("strategy", &ostinato::Shape::strategy)
      .def_rw("units", &ostinato::Shape::units)
      .def_rw("bits", &ostinato::Shape::bits)
      .def_rw("moves_set", &ostinato::Shape::moves_set)
      .def_rw("coupling_units", &ostinato::Shape::coupling_units)
      .def_rw("coupling_lines", &ostinato::Shape::coupling_lines)
      .def_rw("parameters", &ostinato::Shape::parameters)
      .def_rw("blocks", &ostinato::Shape::blocks);
  nb::class_<BoundPool>(m, "Pool")
      .def(nb::init<ostinato::Shape, const nb::dict&, int, const std::string&, const std::string&, int>(), "shape"_a,
           "tensors"_a, "slots"_a, "isa"_a = "", "precision"_a = "float32", "threads"_a = 1)
      .def_prop_ro("isa", [](BoundPool& self) { return self.pool().isa(); })
      .def_prop_ro("precision", [](BoundPool& self) { return self.pool().precision(); })
      .def_prop_ro("threads", [](BoundPool& self) { return self.pool().threads(); })
      .def_prop_ro("state_bytes", [](BoundPool& self) { return self.pool().state_bytes(); })
      .def_prop_ro("weight_bytes", [](BoundPool& self) { return self.pool().weight_bytes(); })
      .def("reset", [](BoundPool& self, std::int64_t slot, std::uint64_t key) {
             self.pool().reset(static_cast<int>(self.slot(slot)), key);
           }, "slot"_a, "key"_a)
      .def("advance", &BoundPool::advance, "slots"_a.noconvert(), "controls"_a.noconvert(), "out"_a.noconvert())
      .def("speculate", &BoundPool::speculate, "draft"_a, "slots"_a.noconvert(), "controls"_a.noconvert(),
           "out"_a.noconvert(), "window"_a)
      .def("judge", &BoundPool::judge, "draft"_a, "parameters"_a.noconvert(), "proposed"_a.noconvert(),
           "temperature"_a, "key"_a, "sample"_a, "tries"_a)
      .def("probe", &BoundPool::probe, "slot"_a, "controls"_a.noconvert(), "forced"_a.noconvert(),
           "heard"_a.noconvert(), "parameters"_a.noconvert())
      .def("save", &BoundPool::save, "slot"_a, "to"_a.noconvert())
      .def("restore", &BoundPool::restore, "slot"_a, "state"_a.noconvert())
      .def("sample", &BoundPool::sample, "parameters"_a.noconvert(), "uniforms"_a.noconvert(), "temperature"_a);
  m.def("isas", &ostinato::available_kernels, "precision"_a = "float32");
  m.def("read_rate", &read_rate, "size"_a, "isa"_a = "");
  m.def("multiply_rate", &multiply_rate, "precision"_a, "isa"_a = "");
  m.def("mix", &mix, "voices"_a.noconvert(), "gains"_a.noconvert(), "out"_a.noconvert());
  m.def("evaluate", &evaluate, "isa"_a, "function"_a, "inputs"_a.noconvert(), "out"_a.noconvert(),
        "precision"_a = "float32");
  m.def("philox", &philox, "key"_a, "first_sample"_a, "block"_a, "purpose"_a, "out"_a.noconvert());
  m.def("uniform", [](std::uint32_t word) { return ostinato::uniform(word); }, "word"_a);
  m.def("phase_start", [](std::uint64_t key) {
    return ostinato::word_pair(key, 0, ostinato::Purpose::phase);
  }, "key"_a);
  m.def("voice_key", [](std::uint64_t seed, std::uint64_t ordinal) {
    return ostinato::word_pair(seed, ordinal, ostinato::Purpose::key);
  }, "seed"_a, "ordinal"_a);
}

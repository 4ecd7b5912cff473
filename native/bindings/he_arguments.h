// Checks the arguments that the bindings of both parties of the encryption share.
#pragma once
#include <pybind11/numpy.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "bindings/buffers.h"
#include "he/ciphertext.h"
#include "he/copies.h"
#include "he/response.h"
#include "he/transform.h"

namespace pi::python {

constexpr std::size_t kMaxPolys = std::size_t{1} << 20;

inline void require(bool good, const char* what) {
  if (!good) throw py::value_error(what);
}

inline int checked_threads(int threads) {
  require(threads >= 1 && threads <= 1024, "threads: need 1 to 1024");
  return threads;
}

// Holds the released coefficients of `count` responses. The constructor checks all of them.
class ReleasedView {
 public:
  ReleasedView(const py::object& positions, const py::object& starts)
      : positions_(positions, "positions"), starts_(starts, "starts") {
    require(starts_.size() >= 2 && starts_.size() <= kMaxPolys,
            "starts: need one item more than responses");
    for (std::size_t i = 0; i + 1 < starts_.size(); ++i) {
      const std::uint64_t begin = starts_.data()[i], end = starts_.data()[i + 1];
      require(begin <= end && end - begin <= he::kDegree,
              "starts: need ascending items, at most N apart");
    }
    require(starts_.data()[0] == 0 && starts_.data()[starts_.size() - 1] == positions_.size(),
            "starts: need 0 first and the number of positions last");
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      require(positions_.data()[i] < he::kDegree, "positions: need items below N");
    }
  }
  he::Released get() const { return {positions_.data(), starts_.data(), starts_.size() - 1}; }
  std::size_t size() const { return positions_.size(); }

 private:
  ReadView<std::uint16_t> positions_;
  ReadView<std::uint64_t> starts_;
};

inline bool valid_copies(std::size_t copies, std::size_t spread) {
  return copies >= 1 && copies <= he::kCopyOrder && std::has_single_bit(copies) && spread >= 1 &&
         spread <= he::kDegree && std::has_single_bit(spread) &&
         he::copies_have_keys(copies, spread);
}

// Holds weights (out, in, taps) and exponents (out_block, in_block, taps). The constructor checks
// them.
class LayoutView {
 public:
  LayoutView(const py::object& weights, const py::object& exponents, const py::tuple& shape,
             const py::tuple& block, const py::tuple& copies)
      : weights_(weights, "weights"), exponents_(exponents, "exponents") {
    require(shape.size() == 3 && block.size() == 3 && copies.size() == 2,
            "shape, block and copies: need (out, in, taps), (out, in, run) and (copies, spread)");
    layout_ = {weights_.data(),
               exponents_.data(),
               shape[0].cast<std::size_t>(),
               shape[1].cast<std::size_t>(),
               shape[2].cast<std::size_t>(),
               block[0].cast<std::size_t>(),
               block[1].cast<std::size_t>(),
               block[2].cast<std::size_t>(),
               copies[0].cast<std::size_t>(),
               copies[1].cast<std::size_t>()};
    require(valid_copies(layout_.copies, layout_.spread),
            "copies: need 1 to 8 copies that have keys, and a power of two for their spread");
    for (const std::size_t extent : {layout_.out_channels, layout_.in_channels, layout_.taps,
                                     layout_.out_block, layout_.in_block}) {
      require(extent >= 1 && extent <= kMaxPolys,
              "shape and block: need positive extents below 2^20");
    }
    require(weights_.size() == layout_.out_channels * layout_.in_channels * layout_.taps,
            "weights: size and shape differ");
    require(exponents_.size() == layout_.out_block * layout_.in_block * layout_.taps,
            "exponents: size and shape differ");
    const std::size_t run = layout_.run;
    require(run == 1 || (std::has_single_bit(run) && run >= he::kMinRun && run <= he::kDegree),
            "block: a run is 1, or a power of two from 64 to N");
    require(run == 1 || layout_.copies == 1, "copies: need 1 for runs");
    for (std::size_t i = 0; i < exponents_.size(); ++i) {
      require(exponents_.data()[i] < 2 * he::kDegree, "exponents: need items below 2N");
      require(exponents_.data()[i] % run == 0, "exponents: need multiples of the run");
    }
    require(layout_.operands() < he::kMaxProducts, "shape: too many input polynomials for one sum");
  }
  const he::WeightLayout& get() const { return layout_; }
  std::size_t prepared_words() const {
    return layout_.out_polys() * layout_.operands() * he::kPrimeCount * layout_.words();
  }

 private:
  ReadView<std::int16_t> weights_;
  ReadView<std::uint16_t> exponents_;
  he::WeightLayout layout_{};
};

// Holds a request. The constructor checks all of it.
class RequestView {
 public:
  RequestView(const py::object& weights, const py::object& exponents, const py::tuple& shape,
              const py::tuple& block, const py::object& prepared, const py::object& inputs,
              const py::object& public_key, const py::object& seeds, const py::object& masks,
              const py::object& positions, const py::object& starts, const py::tuple& copies)
      : layout_(weights, exponents, shape, block, copies),
        released_(positions, starts),
        tiles_(whole_tiles(layout_, released_)),
        inputs_(inputs, "inputs", tiles_ * layout_.get().operands() * he::kLoadedWords),
        key_(public_key, "public_key", he::kLoadedWords),
        seeds_(seeds, "seeds", released_.get().count * he::kSeedBytes),
        masks_(masks, "masks", released_.size()) {
    if (!prepared.is_none()) prepared_.emplace(prepared, "prepared", layout_.prepared_words());
  }
  he::Request get() const {
    return {layout_.get(),  prepared_ ? prepared_->data() : nullptr,
            inputs_.data(), tiles_,
            key_.data(),    seeds_.data(),
            masks_.data(),  released_.get()};
  }

 private:
  static std::size_t whole_tiles(const LayoutView& layout, const ReleasedView& released) {
    const std::size_t out_polys = layout.get().out_polys();
    require(released.get().count % out_polys == 0, "starts: need whole tiles");
    return released.get().count / out_polys;
  }

  LayoutView layout_;
  ReleasedView released_;
  std::size_t tiles_;
  ReadView<std::uint64_t> inputs_, key_;
  ReadView<std::uint8_t> seeds_;
  ReadView<std::uint32_t> masks_;
  std::optional<ReadView<std::uint64_t>> prepared_;
};

}  // namespace pi::python

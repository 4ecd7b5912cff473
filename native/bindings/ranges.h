// Holds the memory that a Prefetch reads.
#pragma once
#include <vector>

#include "base/prefetch.h"
#include "bindings/buffers.h"

namespace pi::python {

// Keeps its buffers exported while it lives.
class Ranges {
 public:
  explicit Ranges(const py::iterable& arrays) {
    for (const py::handle array : arrays) {
      views_.emplace_back(py::reinterpret_borrow<py::object>(array), false, "arrays");
      if (!PyBuffer_IsContiguous(&views_.back().view, 'C')) {
        throw py::type_error("arrays: need C-contiguous buffers");
      }
    }
  }

  std::vector<Prefetch::Range> ranges() const {
    std::vector<Prefetch::Range> found;
    for (const Buffer& buffer : views_) {
      found.push_back({static_cast<const std::uint8_t*>(buffer.view.buf),
                       static_cast<std::size_t>(buffer.view.len)});
    }
    return found;
  }

 private:
  std::vector<Buffer> views_;
};

}  // namespace pi::python

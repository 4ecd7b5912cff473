// Checked views of Python buffers: every size and type is tested here, before a kernel sees it.
//
// Bindings take buffers as py::object, not py::buffer: the message of a failed conversion would
// show all arguments, keys among them; these messages show none.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/isa.h"

namespace pi::python {

namespace py = pybind11;

// A C-contiguous buffer of `size` items of T, kept exported while the view lives. Views of bytes
// accept every item type of one byte. Errors: TypeError for another item type or a gap between
// items, ValueError for another size, BufferError for a write to a read-only buffer.
template <class T, bool kWritable>
class View {
 public:
  using Item = std::conditional_t<kWritable, T, const T>;

  View(const py::object& object, std::string_view name) : info_(request(object, name)) {
    const bool same_type =
        sizeof(T) == 1 ? info_.itemsize == 1 : info_.item_type_is_equivalent_to<T>();
    if (!same_type || !PyBuffer_IsContiguous(info_.view(), 'C')) {
      throw py::type_error(std::string(name) + ": need a C-contiguous buffer of " +
                           std::to_string(8 * sizeof(T)) +
                           (std::is_signed_v<T> ? "-bit signed items" : "-bit unsigned items"));
    }
  }
  View(const py::object& object, std::string_view name, std::size_t size) : View(object, name) {
    if (this->size() != size) {
      throw py::value_error(std::string(name) + ": need " + std::to_string(size) + " items, got " +
                            std::to_string(this->size()));
    }
  }

  Item* data() const { return static_cast<Item*>(info_.ptr); }
  std::size_t size() const { return static_cast<std::size_t>(info_.size); }

 private:
  static py::buffer_info request(const py::object& object, std::string_view name) {
    if (!PyObject_CheckBuffer(object.ptr())) {
      throw py::type_error(std::string(name) + ": need an object with the buffer protocol");
    }
    return py::reinterpret_borrow<py::buffer>(object).request(kWritable);
  }

  py::buffer_info info_;
};

template <class T>
using ReadView = View<T, false>;
template <class T>
using WriteView = View<T, true>;

// The instruction set named by `isa`; empty: the selected one.
inline Isa isa_of(std::string_view isa) { return isa.empty() ? selected_isa() : resolve_isa(isa); }

}  // namespace pi::python

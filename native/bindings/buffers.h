// Checks the arguments of a binding: every size, type and range is tested here, before a kernel
// sees it.
//
// Bindings take their arguments as py::object. If pybind11 fails to convert an argument, its
// message prints all arguments, and keys are among them. The messages of this file print sizes and
// ranges only.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/isa.h"

namespace pi::python {

namespace py = pybind11;

// Exports the memory of an object while it lives. py::buffer_info does the same, and copies formats
// and shapes, which takes longer than a call on a small slice.
struct Buffer {
  Py_buffer view;

  Buffer(const py::object& object, bool writable, std::string_view name) {
    if (!PyObject_CheckBuffer(object.ptr())) {
      throw py::type_error(std::string(name) + ": need an object with the buffer protocol");
    }
    const int flags = PyBUF_STRIDES | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object.ptr(), &view, flags) != 0) throw py::error_already_set();
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept : view(other.view) { other.view.obj = nullptr; }
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() { PyBuffer_Release(&view); }  // does nothing without an object
};

// Holds a C-contiguous buffer of `size` items of T, which stays exported while the view lives.
// Views of bytes accept every item type of one byte. Throws TypeError for another item type or a
// gap between items, ValueError for another size, and BufferError for a read-only buffer that the
// binding writes to.
template <class T, bool kWritable>
class View {
 public:
  using Item = std::conditional_t<kWritable, T, const T>;

  View(const py::object& object, std::string_view name) : buffer_(object, kWritable, name) {
    const Py_buffer& view = buffer_.view;
    if (!holds_items(view) || !PyBuffer_IsContiguous(&view, 'C')) {
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

  Item* data() const { return static_cast<Item*>(buffer_.view.buf); }
  std::size_t size() const { return static_cast<std::size_t>(buffer_.view.len) / sizeof(T); }

 private:
  // Format characters are those of Python's struct, in native order. A buffer without a format has
  // bytes.
  static bool holds_items(const Py_buffer& view) {
    if (sizeof(T) == 1 || view.itemsize != sizeof(T)) return view.itemsize == sizeof(T);
    constexpr std::string_view kFormats = std::is_signed_v<T> ? "hilqn" : "HILQN";
    const std::string_view format = view.format == nullptr ? "B" : view.format;
    return format.size() == 1 && kFormats.find(format[0]) != std::string_view::npos;
  }

  Buffer buffer_;
};

template <class T>
using ReadView = View<T, false>;
template <class T>
using WriteView = View<T, true>;

// Holds an integer argument. Its conversion throws TypeError if the argument is no integer, and
// ValueError if T cannot hold it.
template <class T>
struct Integer {
  T value;
  operator T() const { return value; }
};

// Holds a string argument. Its conversion throws TypeError if the argument is no string.
struct Text {
  std::string value;
};

// Returns the instruction set of that name, or the selected one if the name is empty.
inline Isa isa_of(std::string_view name) {
  return name.empty() ? selected_isa() : resolve_isa(name);
}
inline Isa isa_of(const Text& name) { return isa_of(name.value); }

}  // namespace pi::python

template <class T>
struct pybind11::detail::type_caster<pi::python::Integer<T>> {
  PYBIND11_TYPE_CASTER(pi::python::Integer<T>, const_name("int"));

  bool load(handle source, bool) {
    const auto index = reinterpret_steal<object>(PyNumber_Index(source.ptr()));
    if (!index) {
      PyErr_Clear();
      throw type_error(std::string("need an integer, got ") + Py_TYPE(source.ptr())->tp_name);
    }
    if constexpr (std::is_signed_v<T>) {
      set(PyLong_AsLongLong(index.ptr()));
    } else {
      set(PyLong_AsUnsignedLongLong(index.ptr()));
    }
    return true;
  }

 private:
  void set(auto number) {
    const bool overflow = PyErr_Occurred() != nullptr;
    PyErr_Clear();
    if (overflow || !std::in_range<T>(number)) {
      throw value_error("need an integer from " + std::to_string(std::numeric_limits<T>::min()) +
                        " to " + std::to_string(std::numeric_limits<T>::max()));
    }
    value = {static_cast<T>(number)};
  }
};

template <>
struct pybind11::detail::type_caster<pi::python::Text> {
  PYBIND11_TYPE_CASTER(pi::python::Text, const_name("str"));

  bool load(handle source, bool) {
    if (!PyUnicode_Check(source.ptr())) {
      throw type_error(std::string("need a string, got ") + Py_TYPE(source.ptr())->tp_name);
    }
    value = {source.cast<std::string>()};
    return true;
  }
};

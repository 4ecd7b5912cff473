#include "bindings/rooms.h"

void bind_symmetric(pybind11::module_& module) { module.def_submodule("symmetric"); }

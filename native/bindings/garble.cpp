#include "bindings/rooms.h"

void bind_garble(pybind11::module_& module) { module.def_submodule("garble"); }

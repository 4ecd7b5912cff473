#include "bindings/rooms.h"

void bind_ot(pybind11::module_& module) { module.def_submodule("ot"); }

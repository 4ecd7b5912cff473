#include "bindings/rooms.h"

void bind_he(pybind11::module_& module) { module.def_submodule("he"); }

// Declares the functions by which each source file adds its part of the Python module.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

void bind_symmetric(pybind11::module_& module);
void bind_checksum(pybind11::module_& module);
void bind_channel(pybind11::module_& module);
void bind_ot(pybind11::module_& module);
void bind_ferret(pybind11::module_& module);
void bind_garble(pybind11::module_& module);
void bind_fss(pybind11::module_& module);
void bind_he(pybind11::module_& module);
void bind_he_client(pybind11::module_& submodule);
void bind_he_server(pybind11::module_& submodule);
void bind_he_parts(pybind11::module_& submodule);
void bind_linear(pybind11::module_& module);
void bind_plain(pybind11::module_& module);
void bind_schedule(pybind11::module_& module);

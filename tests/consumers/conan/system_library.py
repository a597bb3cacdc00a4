# SPDX-License-Identifier: Apache-2.0
"""Stands in for the recipes of Conan's server: a package of the name that is given is the system's library.

usage: conan create system_library.py --name NAME --version VERSION
"""
import os

from conan import ConanFile

# What ConanCenter calls the package: (find_package(...), target, library).
LIBRARIES = {
    "xsimd": ("xsimd", "xsimd", None),
    "libzip": ("libzip", "libzip::zip", "zip"),
    "protozero": ("protozero", "protozero::protozero", None),
}


class SystemLibrary(ConanFile):
    package_type = "shared-library"

    def package_info(self):
        package, target, library = LIBRARIES[self.name]
        self.cpp_info.set_property("cmake_file_name", package)
        self.cpp_info.set_property("cmake_target_name", target)
        self.cpp_info.bindirs = self.cpp_info.libdirs = self.cpp_info.includedirs = []
        if self.name == "xsimd" and os.environ["XSIMD_INCLUDE_DIR"] != "/usr/include":
            self.cpp_info.includedirs = [os.environ["XSIMD_INCLUDE_DIR"]]
        self.cpp_info.system_libs = [library] if library else []

# SPDX-License-Identifier: Apache-2.0
"""mlgraph for Conan 2, from the checkout that this file lies in: `conan create cmake/conan --build=missing`.

find_package(mlgraph) then gives mlgraph::mlgraph, mlgraph_embed_model() and, with the option io, mlgraph::io.
"""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load

required_conan_version = ">=2.0"


class MlgraphConan(ConanFile):
    name = "mlgraph"
    description = "Learned cost models of compilers: graph neural networks without a framework, header-only"
    license = "Apache-2.0"
    topics = ("machine-learning", "compiler", "graph-neural-network", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"io": [True, False]}
    default_options = {"io": True}
    options_description = {"io": "The file formats: TpuGraphs npz, HLO, packs"}
    no_copy_source = True

    @property
    def _checkout(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        text = load(self, os.path.join(self._checkout, "include", "mlgraph", "core", "version.hpp"))
        self.version = ".".join(re.search(r"MLGRAPH_VERSION_%s (\d+)" % part, text)[1] for part in ("MAJOR", "MINOR", "PATCH"))

    def export_sources(self):
        for pattern in ("LICENSE", "include/*", "cmake/mlgraphEmbed.cmake", "cmake/mlgraph_embed.cpp"):
            copy(self, pattern, src=self._checkout, dst=self.export_sources_folder)

    def requirements(self):
        self.requires("xsimd/[>=8.1]", transitive_headers=True)
        if self.options.io:
            self.requires("libzip/[>=1.7]", transitive_headers=True, transitive_libs=True)
            self.requires("protozero/[>=1.7]", transitive_headers=True)

    def validate(self):
        if self.settings.get_safe("compiler.cppstd"):
            check_min_cppstd(self, 17)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        include = os.path.join(self.source_folder, "include")
        for pattern in ("*.hpp", "*.h", "*.inc"):
            copy(self, pattern, src=include, dst=os.path.join(self.package_folder, "include"))
        copy(self, "*", src=os.path.join(self.source_folder, "cmake"), dst=os.path.join(self.package_folder, "cmake"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "mlgraph")
        self.cpp_info.set_property("cmake_build_modules", [os.path.join("cmake", "mlgraphEmbed.cmake")])
        engine = self.cpp_info.components["mlgraph"]
        engine.set_property("cmake_target_name", "mlgraph::mlgraph")
        engine.set_property("pkg_config_name", "mlgraph")
        engine.requires = ["xsimd::xsimd"]
        if self.settings.os in ("Linux", "FreeBSD"):
            engine.system_libs = ["pthread"]
        parts = [engine]
        if self.options.io:
            io = self.cpp_info.components["io"]
            io.set_property("cmake_target_name", "mlgraph::io")
            io.set_property("pkg_config_name", "mlgraph-io")
            io.requires = ["mlgraph", "libzip::libzip", "protozero::protozero"]
            parts.append(io)
        for part in parts:
            part.bindirs = part.libdirs = []

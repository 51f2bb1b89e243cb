# Copyright 2026, The hiss authors. BSD-3-Clause.
#
# A package for Spack: copy this folder to REPO/packages/hiss of a repository of yours (spack repo create REPO). The
# archive is what `make dist` writes; Spack looks for it where it is started, or in a mirror.
import os

from spack.package import *


class Hiss(MakefilePackage):
    """Train representations from unlabelled data, data-parallel over MPI, on clusters of CPUs."""

    url = "file://{0}/hiss-0.1.0.tar.gz".format(os.getcwd())
    manual_download = True

    license("BSD-3-Clause")

    version("0.1.0")

    variant("archives", default=True, description="Read tar files compressed by zstd, xz and others")
    variant("shared", default=True, description="Build the shared library, too")

    depends_on("c", type="build")
    depends_on("gmake", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("openmpi@4:")
    depends_on("openblas threads=none")
    depends_on("hdf5")
    depends_on("libyaml")
    depends_on("libjpeg-turbo")
    depends_on("libpng")
    depends_on("zlib-api")
    depends_on("openssl")
    depends_on("libarchive", when="+archives")

    def settings(self):
        # Spack's compilers know the target by themselves.
        without = "" if self.spec.satisfies("+archives") else "ARCHIVE"
        return ["RELEASE=1", "OPT=-O3", "SMPICC=no-smpicc", "PREFIX=" + self.prefix, "DEPS_WITHOUT=" + without]

    def build(self, spec, prefix):
        make("all", *self.settings())
        if spec.satisfies("+shared"):
            make("shared", *self.settings())

    def install(self, spec, prefix):
        make("install", *self.settings())

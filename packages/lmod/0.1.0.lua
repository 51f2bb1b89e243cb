-- A modulefile for Lmod: copy it to MODULES/hiss/0.1.0.lua of a folder in MODULEPATH. HISS_PREFIX is where `make install
-- PREFIX=...` went, or replace it by the path here.
local prefix = os.getenv("HISS_PREFIX") or "/opt/hiss/0.1.0"

help([[Train representations from unlabelled data, data-parallel over MPI.
hiss --help lists the commands; configs and job scripts are in share/hiss.]])
whatis("Name: hiss")
whatis("Version: 0.1.0")
whatis("Description: representations from unlabelled data, data-parallel over MPI")

-- What it was built with: name these modules of your site, for example
-- depends_on("OpenMPI", "OpenBLAS", "HDF5", "libyaml")

conflict("hiss")
setenv("HISS_HOME", prefix)
prepend_path("PATH", pathJoin(prefix, "bin"))
prepend_path("LD_LIBRARY_PATH", pathJoin(prefix, "lib"))
prepend_path("LIBRARY_PATH", pathJoin(prefix, "lib"))
prepend_path("CPATH", pathJoin(prefix, "include"))
prepend_path("PKG_CONFIG_PATH", pathJoin(prefix, "lib/pkgconfig"))
prepend_path("CMAKE_PREFIX_PATH", prefix)
prepend_path("MANPATH", pathJoin(prefix, "share/man"))

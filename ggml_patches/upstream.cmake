# The llama.cpp that lookhere is built from: fetch, verify, trim, patch.
#
# Included by CMakeLists.txt, or run alone:
#   cmake -DLOOKHERE_LLAMA_INTO=FOLDER [-DLOOKHERE_LLAMA_PATCHES=OFF] [-DLOOKHERE_LLAMA_SOURCE=...] -P upstream.cmake

set(LOOKHERE_LLAMA_PACKAGE llama-cpp-python)
set(LOOKHERE_LLAMA_VERSION 0.3.36)
set(LOOKHERE_LLAMA_SHA256  832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e)
set(LOOKHERE_LLAMA_COMMIT  0c1e57098)

set(_lookhere_patches_dir "${CMAKE_CURRENT_LIST_DIR}")

# A message that CMake does not re-wrap: lines that begin with a space are printed as they are.
function(lookhere_stop text)
    string(REPLACE "\n" "\n  " text "${text}")
    message(FATAL_ERROR "\n  lookhere: ${text}\n")
endfunction()

# Where archives are kept between builds: LOOKHERE_CACHE_DIR (CMake, then environment), else the user's cache folder.
function(lookhere_cache_dir result)
    if(LOOKHERE_CACHE_DIR)
        set(dir "${LOOKHERE_CACHE_DIR}")
    elseif(NOT "$ENV{LOOKHERE_CACHE_DIR}" STREQUAL "")
        set(dir "$ENV{LOOKHERE_CACHE_DIR}")
    elseif(CMAKE_HOST_WIN32 AND NOT "$ENV{LOCALAPPDATA}" STREQUAL "")
        set(dir "$ENV{LOCALAPPDATA}/lookhere/cache")
    elseif(CMAKE_HOST_APPLE AND NOT "$ENV{HOME}" STREQUAL "")
        set(dir "$ENV{HOME}/Library/Caches/lookhere")
    elseif(NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
        set(dir "$ENV{XDG_CACHE_HOME}/lookhere")
    elseif(NOT "$ENV{HOME}" STREQUAL "")
        set(dir "$ENV{HOME}/.cache/lookhere")
    else()
        set(dir "${CMAKE_BINARY_DIR}/cache")
    endif()
    file(TO_CMAKE_PATH "${dir}" dir)
    get_filename_component(dir "${dir}" ABSOLUTE)
    set(${result} "${dir}" PARENT_SCOPE)
endfunction()

function(lookhere_download python archive)
    set(wanted "${LOOKHERE_LLAMA_PACKAGE}==${LOOKHERE_LLAMA_VERSION}")
    get_filename_component(dir "${archive}" DIRECTORY)
    string(RANDOM LENGTH 8 unique)
    set(scratch "${dir}/download-${unique}")
    file(MAKE_DIRECTORY "${scratch}")
    message(STATUS "Downloading the source package of ${wanted} through pip (77 MB, once)")
    execute_process(
        COMMAND "${python}" -m pip download --no-deps --no-binary ${LOOKHERE_LLAMA_PACKAGE} --no-build-isolation
                --disable-pip-version-check --dest "${scratch}" "${wanted}"
        RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
    file(GLOB found "${scratch}/*.tar.gz")
    if(code OR NOT found)
        file(REMOVE_RECURSE "${scratch}")
        string(STRIP "${output}" output)
        string(REPLACE "\n" "\n  | " output "${output}")
        lookhere_stop("the source package ${wanted} could not be downloaded.
pip said (exit status ${code}):
  | ${output}
What to do, one of:
  - make 'pip download --no-deps --no-binary ${LOOKHERE_LLAMA_PACKAGE} ${wanted}' work. pip's configuration and its
    environment variables (PIP_INDEX_URL, PIP_FIND_LINKS, PIP_CERT, ...) reach this build; flags such as --index-url on
    the command line of 'pip install' do not.
  - without build isolation: install pip and scikit-build-core beside the build.
  - get the archive elsewhere and name it: pip install . -C cmake.define.LOOKHERE_LLAMA_SOURCE=/path/to/archive.tar.gz")
    endif()
    file(SHA256 "${found}" sha256)
    if(NOT sha256 STREQUAL LOOKHERE_LLAMA_SHA256)
        get_filename_component(name "${found}" NAME)
        file(REMOVE_RECURSE "${scratch}")
        lookhere_stop("the downloaded ${name} is not the expected file.
  expected sha256 ${LOOKHERE_LLAMA_SHA256}
  got      sha256 ${sha256}
It was deleted and nothing was built from it.
What to do: check which package index pip uses ('pip config list'): it, or a mirror in between, serves another file.")
    endif()
    file(RENAME "${found}" "${archive}")
    file(REMOVE_RECURSE "${scratch}")
endfunction()

# Sets <result> to what to build from (a verified archive, or a folder) and <pinned> to whether it is the pinned one.
function(lookhere_locate python result pinned)
    set(source "${LOOKHERE_LLAMA_SOURCE}")
    if(NOT source AND NOT "$ENV{LOOKHERE_LLAMA_SOURCE}" STREQUAL "")
        set(source "$ENV{LOOKHERE_LLAMA_SOURCE}")
    endif()
    if(source)
        file(TO_CMAKE_PATH "${source}" source)
        get_filename_component(source "${source}" ABSOLUTE)
        if(NOT EXISTS "${source}")
            lookhere_stop("LOOKHERE_LLAMA_SOURCE is ${source}, which does not exist.
What to do: name the source package (.tar.gz) of ${LOOKHERE_LLAMA_PACKAGE} ${LOOKHERE_LLAMA_VERSION}, its unpacked folder, or a
llama.cpp folder; or leave the option out, and the package is downloaded through pip.")
        endif()
        set(${result} "${source}" PARENT_SCOPE)
        if(IS_DIRECTORY "${source}")
            message(STATUS "Building from the folder ${source}: not verified against a hash")
            set(${pinned} FALSE PARENT_SCOPE)
            return()
        endif()
        file(SHA256 "${source}" sha256)
        if(NOT sha256 STREQUAL LOOKHERE_LLAMA_SHA256)
            lookhere_stop("${source} (LOOKHERE_LLAMA_SOURCE) is not the expected file.
  expected sha256 ${LOOKHERE_LLAMA_SHA256}
  got      sha256 ${sha256}
What to do: use the source package of exactly ${LOOKHERE_LLAMA_PACKAGE} ${LOOKHERE_LLAMA_VERSION}. To build from another llama.cpp on
purpose, unpack it and name the folder; the patches must then apply to it.")
        endif()
        set(${pinned} TRUE PARENT_SCOPE)
        return()
    endif()

    lookhere_cache_dir(cache)
    set(archive "${cache}/${LOOKHERE_LLAMA_SHA256}/${LOOKHERE_LLAMA_PACKAGE}-${LOOKHERE_LLAMA_VERSION}.tar.gz")
    if(EXISTS "${archive}")
        file(SHA256 "${archive}" sha256)
        if(NOT sha256 STREQUAL LOOKHERE_LLAMA_SHA256)
            message(STATUS "${archive} is damaged; getting it again")
            file(REMOVE "${archive}")
        endif()
    endif()
    if(NOT EXISTS "${archive}")
        lookhere_download("${python}" "${archive}")
    endif()
    set(${result} "${archive}" PARENT_SCOPE)
    set(${pinned} TRUE PARENT_SCOPE)
endfunction()

# lookhere_prepare_llama(<folder> <python> <build name> [patch...])
# Makes <folder> hold the patched source and sets <build name> to a word that identifies it.
function(lookhere_prepare_llama into python build_name)
    set(patches ${ARGN})
    lookhere_locate("${python}" source pinned)

    # everything that decides what the tree holds
    set(key "${LOOKHERE_LLAMA_SHA256}")
    set(patch_key "")
    foreach(file IN LISTS patches)
        file(SHA256 "${file}" hash)
        get_filename_component(name "${file}" NAME)
        string(APPEND patch_key "${name} ${hash}\n")
    endforeach()
    foreach(file "${_lookhere_patches_dir}/source_tree.py" "${_lookhere_patches_dir}/unified_diff.py")
        file(SHA256 "${file}" hash)
        string(APPEND key "${hash}")
    endforeach()
    string(SHA256 key "${key}${patch_key}")
    string(SHA256 patch_hash "${patch_key}")
    string(SUBSTRING "${patch_hash}" 0 8 patch_hash)

    set(name "${LOOKHERE_LLAMA_COMMIT}")
    if(NOT pinned)
        set(name "${name}-unverified")
    endif()
    if(patches)
        set(name "${name}-lookhere.${patch_hash}")
    endif()
    set(${build_name} "${name}" PARENT_SCOPE)

    set(known "")
    if(pinned AND EXISTS "${into}/.lookhere-source.json")
        file(READ "${into}/.lookhere-source.json" stamp)
        string(JSON known ERROR_VARIABLE ignored GET "${stamp}" key)
    endif()
    if(NOT known STREQUAL key)
        execute_process(
            COMMAND "${python}" "${_lookhere_patches_dir}/source_tree.py"
                    --source "${source}" --into "${into}" --key "${key}" ${patches}
            RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE error)
        if(code)
            string(STRIP "${error}" error)
            lookhere_stop("${error}")
        endif()
        string(STRIP "${output}" output)
        message(STATUS "llama.cpp ${name}: ${output}")
    else()
        message(STATUS "llama.cpp ${name}: up to date in ${into}")
    endif()
endfunction()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
    if(NOT LOOKHERE_LLAMA_INTO)
        lookhere_stop("say where to: -DLOOKHERE_LLAMA_INTO=FOLDER")
    endif()
    get_filename_component(LOOKHERE_LLAMA_INTO "${LOOKHERE_LLAMA_INTO}" ABSOLUTE)
    if(NOT Python_EXECUTABLE)
        find_program(Python_EXECUTABLE NAMES python3 python REQUIRED)
    endif()
    if(NOT DEFINED LOOKHERE_LLAMA_PATCHES)
        set(LOOKHERE_LLAMA_PATCHES "${CMAKE_CURRENT_LIST_DIR}")
    endif()
    if(LOOKHERE_LLAMA_PATCHES)
        file(GLOB patches "${LOOKHERE_LLAMA_PATCHES}/*.patch")
    endif()
    lookhere_prepare_llama("${LOOKHERE_LLAMA_INTO}" "${Python_EXECUTABLE}" build_name ${patches})
endif()

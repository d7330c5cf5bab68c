# find_package(lookhere): the target lookhere::lookhere, which is the engine and llama.cpp with our patches.
# In the installed package: -Dlookhere_DIR="$(python -c 'import lookhere; print(lookhere.__path__[0])')/cmake"

get_filename_component(_lookhere_package "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
file(GLOB _lookhere_library "${_lookhere_package}/lib/*lookhere-llama${CMAKE_SHARED_LIBRARY_SUFFIX}")

if(_lookhere_library AND NOT TARGET lookhere::lookhere)
    add_library(lookhere::lookhere SHARED IMPORTED)
    target_compile_features(lookhere::lookhere INTERFACE cxx_std_17)
    set_target_properties(lookhere::lookhere PROPERTIES
        IMPORTED_LOCATION "${_lookhere_library}"
        INTERFACE_INCLUDE_DIRECTORIES "${_lookhere_package}/include")
elseif(NOT _lookhere_library)
    set(lookhere_FOUND FALSE)
    set(lookhere_NOT_FOUND_MESSAGE "${_lookhere_package}/lib has no lookhere library; install lookhere again: pip install .")
endif()

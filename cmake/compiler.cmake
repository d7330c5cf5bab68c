# A C++ compiler, or within a second what to install; CMake's own message does not say that.

function(lookhere_need_compiler)
    if(CMAKE_C_COMPILER AND CMAKE_CXX_COMPILER)
        return()
    endif()
    include(CheckLanguage)
    set(missing "")
    foreach(language C CXX)
        check_language(${language})
        if(NOT CMAKE_${language}_COMPILER)
            list(APPEND missing ${language})
        endif()
    endforeach()
    if(NOT missing)
        return()
    endif()
    string(REPLACE "CXX" "C++" missing "${missing}")
    list(JOIN missing " and " missing)
    set(asked "")
    foreach(name CC CXX)
        if(NOT "$ENV{${name}}" STREQUAL "")
            string(APPEND asked "\n  The environment variable ${name} is '$ENV{${name}}': does that work?")
        endif()
    endforeach()
    message(FATAL_ERROR "
  lookhere: no working compiler for ${missing} was found, and llama.cpp is compiled on this machine.${asked}
  What to do: install one, then run the same command again.
    Debian, Ubuntu:  sudo apt install build-essential python3-dev
    Fedora, RHEL:    sudo dnf install gcc-c++ python3-devel
    Arch:            sudo pacman -S base-devel
    Alpine:          sudo apk add build-base python3-dev linux-headers
    macOS:           xcode-select --install
    Windows:         winget install Microsoft.VisualStudio.2022.BuildTools --override \"--add Microsoft.VisualStudio.Workload.VCTools --includeRecommended\"
")
endfunction()

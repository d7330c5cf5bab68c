#!/bin/bash
# Builds lookhere for arm64 Linux on x86-64 Debian 12, and runs tests with it under qemu's user-mode emulation.
#
#   bash tools/arm64.sh [TESTS and options of pytest]      without any: tests/engine tests/patches
#
# Needs Debian's g++-aarch64-linux-gnu, qemu-user, python3 and python3-venv. All else lies in build/arm64: tools of this
# machine (host), an arm64 Python from this machine's package sources (sysroot) with wheels from pip's index, and the build (site).
# Stock llama.cpp, which the tests compare with, is kept in the user's cache folder as always. Nothing is installed.
#
# LOOKHERE_ARM64_MARCH  processor to compile for, default armv8.2-a+dotprod
# PYTHON                Python 3.11 of this machine, default /usr/bin/python3.11
# CMAKE_BUILD_PARALLEL_LEVEL, CMAKE_CXX_COMPILER_LAUNCHER, LOOKHERE_CACHE_DIR, PIP_INDEX_URL: as for any build
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD/build/arm64
python=${PYTHON:-/usr/bin/python3.11}

missing=()
command -v aarch64-linux-gnu-g++ >/dev/null || missing+=(g++-aarch64-linux-gnu)
command -v qemu-aarch64 >/dev/null || missing+=(qemu-user)
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
    echo "arm64.sh: first, on Debian 12: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
mkdir -p "$top"

# --- tools of this machine --------------------------------------------------------------------------------------------
if [ ! -e "$top/host/done" ]; then
    "$python" -m venv --clear "$top/host"
    "$top/host/bin/pip" install --quiet 'cmake>=3.24' ninja 'pybind11>=3' 'scikit-build-core>=0.11'
    touch "$top/host/done"
fi
export PATH=$top/host/bin:$PATH

# --- an arm64 Python, unpacked, not installed -------------------------------------------------------------------------
if [ ! -e "$top/sysroot/done" ]; then
    rm -rf "$top/sysroot" "$top/apt"
    mkdir -p "$top/sysroot" "$top/apt/lists/partial" "$top/apt/archives/partial"
    : >"$top/apt/status" # of a machine without any package
    own=(-o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User= -o Dir::State="$top/apt"
        -o Dir::State::status="$top/apt/status" -o Dir::Cache="$top/apt")
    apt-get "${own[@]}" --quiet=2 update
    apt-get "${own[@]}" --quiet=2 --yes --no-install-recommends --download-only install python3.11 libstdc++6
    (cd "$top/apt/archives" && apt-get "${own[@]}" --quiet=2 download libpython3.11-dev)
    for package in "$top"/apt/archives/*.deb; do
        dpkg-deb --extract "$package" "$top/sysroot"
    done
    # only Python's headers: the C library's are the cross compiler's
    mv "$top/sysroot/usr/include" "$top/apt/include"
    mkdir "$top/sysroot/usr/include"
    mv "$top/apt/include/python3.11" "$top/sysroot/usr/include"
    mv "$top/apt/include/aarch64-linux-gnu/python3.11/pyconfig.h" "$top/sysroot/usr/include/python3.11"

    # The name that it is started by (-0) is sys.executable: so tests can start another one. It lies beside the real
    # one, since Python looks for its library from there.
    cat >"$top/sysroot/usr/bin/python" <<'SH'
#!/bin/sh
root=$(dirname "$0")/../..
exec qemu-aarch64 -cpu max -L "$root" -0 "$0" "$root/usr/bin/python3.11" "$@"
SH
    chmod +x "$top/sysroot/usr/bin/python"
    packages=$top/sysroot/usr/lib/python3/dist-packages
    "$top/host/bin/pip" install --quiet --target "$packages" --only-binary=:all: --implementation cp --python-version 3.11 \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
        'anyio>=4.11' 'click>=8.2' 'gguf>=0.17' 'huggingface_hub>=1' 'hypothesis>=6.100' 'jinja2>=3.1.6' 'numpy>=1.26' \
        'pillow>=10.1' 'pytest>=8' 'rich>=13'
    echo "$top/site" >"$packages/lookhere.pth"
    rm -r "$top/apt"
    touch "$top/sysroot/done"
fi
emulated=$top/sysroot/usr/bin/python

# --- the library and the module, then stock llama.cpp -----------------------------------------------------------------
flags=()
if [ -n "${LOOKHERE_ARM64_MARCH:-}" ]; then
    flags=(-DCMAKE_C_FLAGS="-march=$LOOKHERE_ARM64_MARCH" -DCMAKE_CXX_FLAGS="-march=$LOOKHERE_ARM64_MARCH")
fi
cmake --preset arm64 -DPython_EXECUTABLE="$top/host/bin/python" "${flags[@]}" --log-level=WARNING
cmake --build --preset arm64
CMAKE_TOOLCHAIN_FILE=$PWD/cmake/arm64.cmake LOOKHERE_PATCHED_LIBRARIES=$top/site/lookhere/lib \
    "$top/host/bin/python" tests/stock.py

# --- tests ------------------------------------------------------------------------------------------------------------
named=
for word in "$@"; do
    [ -e "${word%%::*}" ] && named=yes
done
[ -n "$named" ] || set -- tests/engine tests/patches "$@"
"$emulated" -c 'import platform; from lookhere import _engine; print(platform.machine(), _engine.build_info())'
exec "$emulated" -m pytest -p no:cacheprovider "$@"

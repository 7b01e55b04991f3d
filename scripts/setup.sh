#!/usr/bin/env bash
# Bring a bare Debian 12 or Ubuntu machine to where driftline builds, runs and tests.
# Quick when everything is there already. Needs root for the system packages.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  python3 python3-venv ca-certificates
  clang llvm libbpf-dev libbpf1 bpftool            # the eBPF object and its loader
  containerd runc                                   # real containers for demo and tests
  buildah busybox-static debootstrap                # real images, with no registry
  gcc libc6-dev                                     # payloads of the test images
  qemu-system-x86 cpio                              # a second kernel for the tests: with BPF LSM
  postgresql                                        # the other database of the server's state
  libcap2-bin mount procps util-linux               # programs that the test images are given
  zsh mksh ksh93u+m                                 # shells of the tests on code that a shell reads
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  if ((EUID)); then
    echo "setup: as root, install: ${missing[*]}" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # On Ubuntu bpftool is a virtual package of the kernel's tools.
  if ! apt-cache show bpftool >/dev/null 2>&1; then
    missing=("${missing[@]/#bpftool/linux-tools-common}" linux-tools-generic)
  fi
  apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

[[ -x .venv/bin/uv ]] || { python3 -m venv .venv && .venv/bin/python -m pip install --quiet uv; }
stamp=.venv/.synced
if [[ ! -f $stamp || requirements.lock -nt $stamp || pyproject.toml -nt $stamp || hatch_build.py -nt $stamp ]]; then
  .venv/bin/uv pip install --quiet --require-hashes --no-deps -r requirements.lock # it is complete; see [tool.uv]
  .venv/bin/uv pip install --quiet --no-deps --no-build-isolation -e .
  touch "$stamp"
fi

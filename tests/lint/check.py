#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that a program can check, one name each.

  check.py RULE...   (no RULE: all)   exit 0: kept; 1: broken, one line each

Looks at the files that git tracks, so that build trees never count.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What each part may include from here, besides itself (README of agent/).
LAYERS = {
    "base": set(),
    "model": {"base"},
    "plan": {"base", "model"},
    "netlink": {"base", "model"},
    "store": {"base", "model"},
    "dhcp": {"base", "model", "store"},
    "datapath": {"base", "model", "plan", "netlink"},
    "reconcile": {"base", "model", "plan", "datapath", "store"},
    "service": {"base", "model", "plan", "datapath", "store", "dhcp", "reconcile"},
    "metrics": {"base", "model", "datapath", "store", "reconcile"},
    "client": {"base"},
    "tapd": {"base"},
    "eoipctl": {"base", "client"},
    "daemon": {"base", "model", "plan", "netlink", "store", "dhcp", "datapath",
               "reconcile", "service", "metrics", "client", "tapd"},
}
# Abstract seams that a part further right may see though not what is behind.
SEAMS = {("reconcile", "netlink/links.h")}
# Parts that are pure: values in, values out.
PURE = {"model", "plan"}
IMPURE_INCLUDE = re.compile(
    r'["<](linux/|netlink/|grpc|google/protobuf|eoip/|net/if|sys/socket)')
# The only parts that may know the API's messages.
PROTO_PARTS = {"service", "client", "tapd", "eoipctl", "daemon"}

SPDX_SUFFIXES = {".cc", ".h", ".c", ".py", ".sh", ".proto", ".cmake", ".yaml", ".service"}
NO_README = {".ci", "kmod/include", "kmod/include/uapi", "kmod/include/uapi/linux",
             "proto/eoip", "proto/eoip/v1", "proto/eoip/tapd", "proto/eoip/tapd/v1",
             "agent/cmake", "LICENSES"}
# Written in parts so that this file keeps the rule itself. These are hosts of
# package registries and the paths of one machine.
FORBIDDEN = re.compile("|".join([
    r"deb\.debian" + r"\.org", r"security\.debian" + r"\.org", r"pypi" + r"\.org",
    r"crates" + r"\.io", r"proxy\.golang" + r"\.org", r"registry\.npmjs" + r"\.org",
    r"/work" + r"/(main|shared|\.library)", r"/root" + r"/\.", r"/tmp" + r"/brief"]))
MAX_LINES = 600


def tracked():
    out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout
    return [pathlib.Path(name) for name in out.split("\0")
            if name and (ROOT / name).is_file()]


def text(path):
    return (ROOT / path).read_text(errors="replace")


def is_script(path):
    return not path.suffix and text(path).startswith("#!")


def layering(files):
    """Left never includes right."""
    for path in files:
        if path.parts[0] != "agent" or path.suffix not in (".cc", ".h"):
            continue
        part, own_test = path.parts[1], path.name.endswith("_test.cc")
        for number, line in enumerate(text(path).splitlines(), 1):
            match = re.match(r'\s*#include "(([a-z]+)/[^"]+)"', line)
            other = match[2] if match and (part, match[1]) not in SEAMS else None
            if other in LAYERS and other != part and other not in LAYERS.get(part, ()):
                if not own_test:
                    yield f"{path}:{number}: {part} includes {other}"
            if not line.lstrip().startswith("#include") or own_test:
                continue
            if part in PURE and IMPURE_INCLUDE.search(line):
                yield f"{path}:{number}: {part} is pure, but: {line.strip()}"
            if part in LAYERS and part not in PROTO_PARTS and (
                    re.search(r'\.(pb|grpc\.pb)\.h', line)) and part != "datapath":
                yield f"{path}:{number}: {part} knows no API message: {line.strip()}"


def spdx(files):
    """Every source file names its licence in its first lines."""
    for path in files:
        if path.suffix in SPDX_SUFFIXES or path.name == "CMakeLists.txt" or is_script(path):
            head = "\n".join(text(path).splitlines()[:5])
            match = re.search(r"SPDX-License-Identifier: (.+?)\s*(\*/|-->)?$", head, re.M)
            if not match:
                yield f"{path}:1: no SPDX-License-Identifier in the first five lines"
            elif path.parts[0] == "kmod" and "GPL-2.0" not in match[1]:
                yield f"{path}:1: kmod/ is GPL-2.0, here: {match[1]}"
            elif path.parts[0] not in ("kmod", "tests") and "Apache-2.0" not in match[1]:
                yield f"{path}:1: Apache-2.0 outside kmod/, here: {match[1]}"


def forbidden(files):
    """No host of a package registry, no path of one machine."""
    for path in files:
        for number, line in enumerate(text(path).splitlines(), 1):
            if FORBIDDEN.search(line):
                yield f"{path}:{number}: {line.strip()[:120]}"


def guards(files):
    """A header is guarded by its own path."""
    for path in files:
        if path.suffix != ".h" or path.parts[0] == "kmod":
            continue
        inside = path.parts[1:] if path.parts[0] in ("agent", "cni-plugin") else path.parts
        if path.parts[0] == "cni-plugin":
            inside = ("cni", *inside)
        wanted = "EOIP_" + re.sub(r"[^A-Za-z0-9]", "_", "/".join(inside)).upper() + "_"
        if f"#ifndef {wanted}\n#define {wanted}\n" not in text(path):
            yield f"{path}:1: wants the guard {wanted}"


def readmes(files):
    """Every directory says what belongs into it."""
    folders = {path.parent for path in files if path.parts[0] != "."}
    for folder in sorted(folders):
        name = str(folder)
        if name == "." or name in NO_README:
            continue
        if not (ROOT / folder / "README.md").is_file():
            yield f"{folder}: no README.md"


def lengths(files):
    """A file has one subject: 600 lines are the end of patience."""
    for path in files:
        if path.suffix in {".cc", ".h", ".c", ".py", ".sh"} or is_script(path):
            count = text(path).count("\n")
            if count > MAX_LINES:
                yield f"{path}: {count} lines, {MAX_LINES} at most"


def style(files):
    """clang-format, Google style as .clang-format says (kmod/: kernel style)."""
    sources = [str(path) for path in files
               if path.suffix in (".cc", ".h") and path.parts[0] != "kmod"]
    if sources:
        done = subprocess.run(
            ["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", *sources],
            cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            for line in done.stderr.splitlines():
                if "error:" in line:
                    yield line


def shell(files):
    """shellcheck on every shell script."""
    scripts = [str(path) for path in files
               if path.suffix == ".sh" or (is_script(path) and re.match(
                   r"#!.*\b(ba)?sh\b", text(path).splitlines()[0]))]
    if scripts:
        done = subprocess.run(["shellcheck", "-x", "-S", "warning", "-f", "gcc", *scripts],
                              cwd=ROOT, capture_output=True, text=True)
        yield from done.stdout.splitlines()
        if done.returncode and not done.stdout:
            yield f"shellcheck: {done.stderr.strip()}"


RULES = {rule.__name__: rule for rule in (
    layering, spdx, forbidden, guards, readmes, lengths, style, shell)}


def main(argv):
    unknown = [name for name in argv if name not in RULES]
    if unknown:
        print(f"no such rule: {', '.join(unknown)}; there are: {', '.join(RULES)}")
        return 2
    files = tracked()
    broken = 0
    for name in argv or RULES:
        for finding in RULES[name](files):
            broken += 1
            print(f"{name}: {finding}")
    print(f"{len(files)} files, {broken} findings")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

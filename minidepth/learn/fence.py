"""What a Linux kernel can forbid to a process, asked for by the process itself before a stranger's code runs in it.

Neither needs rights, a container or a library: two facilities of the kernel, by plain system calls. Neither can be
undone by the process, and both hold for root, too.

* Landlock (Linux 5.13) forbids files: `folder` may be written, the Python installation may be read, and nothing else:
  not the lessons with their solutions, not the other submissions, not your home folder.
* A seccomp filter (Linux 3.5, on x86-64 and ARM64) forbids system calls: other processes and programs, sockets, signals
  to other processes, looking into them, and the rights and times of files, which Landlock leaves alone.

What they do not do: they share the kernel with you, so a hole in the kernel is a hole in them. Files that are open stay
open. The folder may be filled until the disk is full. Some hundred other system calls remain that nobody has gone
through. The numbers for ARM64 come from the kernel's table and were not tried on such a machine. On macOS and Windows
there is none of this. Who must be safe from a student that is an attacker grades in a container or a virtual machine
that is thrown away.

Sources: https://docs.kernel.org/userspace-api/landlock.html, https://docs.kernel.org/userspace-api/seccomp_filter.html.
"""

from __future__ import annotations

import ctypes
import os
import site
import struct
import sys
from pathlib import Path

import minidepth

FILES = "no files but its own folder"
CALLS = "no network, no other processes"

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""The kernel's number of the architecture, and the column of `_FORBIDDEN`."""

_FORBIDDEN = {
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "io_uring_setup": (425, 425),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "setpgid": (109, 154), "setsid": (112, 157), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "setrlimit": (160, 164),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88),
}  # fmt: skip
_CLONE, _CLONE3, _KILL, _TGKILL, _PRLIMIT = (56, 220), (435, 435), (62, 129), (234, 131), (302, 261)
_CLONE_THREAD = 0x10000

_EPERM, _ENOSYS = 1, 38
_ALLOW, _REFUSE, _END = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_READ_FILE, _READ_DIR, _EXECUTE = 1 << 2, 1 << 3, 1 << 0
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_ALL_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
"""Of files, by the version of Landlock that first knows them."""


def fence(folder: Path, file: Path, secret: Path) -> list[str]:
    """Put up what this machine has, and say what that is: of `FILES` and `CALLS`, both or one or none.

    Args:
        folder: to be read and written. file: to be read. secret: the lessons, hidden even inside the installation.
    """
    if not sys.platform.startswith("linux") or struct.calcsize("P") != 8:
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS: no program that it starts has more rights; both ask for it
        return []
    readable = [place for root in _installation() for place in around(root, secret.resolve())]
    held = [FILES] if _forbid_files(libc, [folder], [file, *readable]) else []
    return [*held, CALLS] if _forbid_calls(libc) else held


def _installation() -> list[Path]:
    """Where Python and its packages lie. Beside the package there may be all kinds of things, so only it is named."""
    package = Path(minidepth.__file__).resolve().parent
    shared = [sys.prefix, sys.base_prefix, sys.exec_prefix, site.getusersitepackages(), "/usr", "/lib", "/lib64"]
    named = {Path(place).resolve() for place in (*shared, *sys.path) if place}
    single = ("/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/dev/null", "/proc/cpuinfo", "/proc/meminfo")
    own = Path("/proc/self").resolve()  # where the library looks which BLAS it has
    kept = [place for place in sorted(named) if place not in (package.parent, Path("/"))]
    return [package, *kept, own, *map(Path, single)]


def around(root: Path, hole: Path) -> list[Path]:
    """`root`, or so many of the files and folders in it that all of it is covered but `hole`."""
    if root == hole or hole in root.parents:
        return []
    if root not in hole.parents:
        return [root]
    return [place for inside in sorted(root.iterdir()) for place in around(inside, hole)]


def _forbid_files(libc: ctypes.CDLL, writable: list[Path], readable: list[Path]) -> bool:
    version = libc.syscall(444, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    rights = _ALL_RIGHTS[min(version, 3)]
    attributes = struct.pack("<Q", rights)
    rules = libc.syscall(444, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return False
    try:
        for place in (*writable, *readable):
            granted = rights if place in writable else _READ_FILE | _READ_DIR | _EXECUTE
            if str(place) == os.devnull:
                granted |= _WRITE_FILE
            try:
                opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
            except OSError:  # it is not there
                continue
            if not place.is_dir():
                granted &= _READ_FILE | _WRITE_FILE | _EXECUTE | _TRUNCATE & rights
            failed = libc.syscall(445, rules, 1, struct.pack("<Qi", granted, opened), 0)
            os.close(opened)
            if failed:
                return False
        return libc.syscall(446, rules, 0) == 0
    finally:
        os.close(rules)


def _forbid_calls(libc: ctypes.CDLL) -> bool:
    known = _ARCHITECTURES.get(os.uname().machine)
    if known is None:
        return False
    program = _filter(*known, os.getpid())
    steps = b"".join(struct.pack("<HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(steps, len(steps))
    header = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(buffer))
    return libc.prctl(22, 2, header, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def _filter(architecture: int, column: int, own: int) -> list[tuple[int, int, int, int]]:
    """The filter as steps (what, how far to jump if so, and if not, a number). Each rule loads the number again."""

    def rule(number: int | None, then: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
        return [] if number is None else [(_LOAD, 0, 0, _NUMBER), (_EQUAL, 0, len(then), number), *then]

    def refuse(error: int = _EPERM) -> tuple[int, int, int, int]:
        return (_RETURN, 0, 0, _REFUSE | error)

    allow = (_RETURN, 0, 0, _ALLOW)
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _END),  # 32 bit calls have other numbers
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, 0x40000000),
        refuse(),  # as have those of x32
    ]
    for numbers in _FORBIDDEN.values():
        program += rule(numbers[column], [refuse()])
    program += rule(_CLONE3[column], [refuse(_ENOSYS)])  # a filter cannot see its arguments; the C library takes clone
    threads = [(_LOAD, 0, 0, _ARGUMENTS), (_ANY_BIT, 1, 0, _CLONE_THREAD), refuse(), allow]
    program += rule(_CLONE[column], threads)
    for numbers in (_KILL, _TGKILL):  # to itself only, as abort() does
        program += rule(numbers[column], [(_LOAD, 0, 0, _ARGUMENTS), (_EQUAL, 1, 0, own), refuse(), allow])
    unset = [(_LOAD, 0, 0, _ARGUMENTS + 16), (_EQUAL, 0, 2, 0), (_LOAD, 0, 0, _ARGUMENTS + 20), (_EQUAL, 1, 0, 0)]
    program += rule(_PRLIMIT[column], [*unset, refuse(), allow])  # reading the limits is fine
    return [*program, allow]

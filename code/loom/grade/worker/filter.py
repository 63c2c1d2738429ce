"""Calls of the system that no answer needs, refused. Runs inside the worker.

They hold memory that no limit counts, reach into other processes, make new
namespaces and mounts, change files that only may be read, or are where holes in
kernels are found. A program of
a few instructions, which the kernel runs before every call (seccomp), answers
them with "not permitted". Imports nothing of ours.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

# Numbers on x86_64 and aarch64.
REFUSED = {
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
    "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "bpf": (321, 280), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438), "unshare": (272, 97),
    "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "chroot": (161, 51), "open_by_handle_at": (304, 265), "kexec_load": (246, 104),
    "init_module": (175, 105), "finit_module": (313, 273), "swapon": (167, 224),
    "quotactl": (179, 60), "acct": (163, 89), "vhangup": (153, 58),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
}
# Said to be done, and not: what a file's owner may do to it wherever it lies, the Python
# that runs here included. Programs that copy files do it in passing, and need no more.
PRETENDED = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88),
}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
CLONE, CLONE3 = (56, 220), (435, 435)
# What a clone may not ask for: a child of its parent's, whom nobody would count, or namespaces.
CLONE_REFUSED = 0x00008000 | 0x7E020000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # where they stand in what a filter sees
ALLOW, DONE, NOT_PERMITTED, NO_SUCH_CALL = 0x7FFF0000, 0x00050000, 0x00050001, 0x00050026
OTHER_NUMBERS = 0x40000000  # calls of x86_64's third set of numbers
PR_SET_SECCOMP, FILTER = 22, 2


def program() -> bytes:
    """The instructions for this machine; empty where its numbers are not known.

    ``clone3`` is said not to exist: its flags are out of a filter's sight, and
    the C library then asks for ``clone``.
    """
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in MACHINES:
        return b""
    column, architecture = MACHINES[machine]
    numbers = sorted(pair[column] for pair in REFUSED.values())
    pretended = sorted(n for pair in PRETENDED.values() if (n := pair[column]) is not None)
    end = 6 + len(numbers) + len(pretended)
    check, unknown, refused, done = end + 1, end + 4, end + 5, end + 6
    lines: list[tuple[int, int, int, int]] = []

    def jump(kind: int, value: int, true: int | None = None, false: int | None = None) -> None:
        here = len(lines) + 1
        lines.append((kind, 0 if true is None else true - here,
                      0 if false is None else false - here, value))

    lines.append((LOAD, 0, 0, ARCHITECTURE))
    jump(EQUAL, architecture, false=unknown)
    lines.append((LOAD, 0, 0, NUMBER))
    jump(AT_LEAST, OTHER_NUMBERS, true=unknown)
    jump(EQUAL, CLONE3[column], true=unknown)
    jump(EQUAL, CLONE[column], true=check)
    for number in numbers:
        jump(EQUAL, number, true=refused)
    for number in pretended:
        jump(EQUAL, number, true=done)
    lines += [(RETURN, 0, 0, ALLOW), (LOAD, 0, 0, FIRST_ARGUMENT)]
    jump(ANY_BIT, CLONE_REFUSED, true=refused)
    lines += [(RETURN, 0, 0, value) for value in (ALLOW, NO_SUCH_CALL, NOT_PERMITTED, DONE)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def refuse() -> bool:
    """Refuse them from now on, in this process and all it starts; False if that is impossible.

    The process must have given up gaining rights (``no_new_privs``).
    """
    code = program()
    if not code:
        return False
    held = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(FILTER), head, 0, 0)) == 0

"""Where a worker lives: namespaces, a small root, limits. Runs inside the worker.

On Linux a worker enters namespaces of its own. What it sees is a new root that
holds Python, its libraries and an empty folder, all of it read-only but the
folder; there is no network, and no process but its own. When the first process
of the namespace ends, the system ends every other. Imports nothing of ours.
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import stat
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

CLONE = {"mnt": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000,
         "pid": 0x20000000, "net": 0x40000000}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
CALLS = {"x86_64": {"clone": 56, "pivot_root": 155}, "aarch64": {"clone": 220, "pivot_root": 41}}
MOUNT_SETATTR = 442  # the same number on every machine
AT_RECURSIVE, AT_FDCWD = 0x8000, -100
CAP_SYS_ADMIN = 21
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store",
          "/gnu/store", "/home/linuxbrew/.linuxbrew", "/etc/ld.so.cache",
          "/etc/alternatives", "/etc/localtime")
WRITABLE, FOLDER = ("/tmp", "/dev/shm"), "/tmp/answer"
DEVICES = ("null", "zero", "full", "random", "urandom")
DISK, FILES = 64 << 20, 4096  # bytes and files an answer may write
HUGE, MADV_COLLAPSE = 2 << 20, 25
SLACK = 128  # MiB for messages on their way
LINUX = sys.platform == "linux"
_known = 1 << 30  # bytes
_libc = ctypes.CDLL(None, use_errno=True)


class Missing(OSError):
    """The system does not give what was asked."""


def _checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise Missing(code, f"{what}: {os.strerror(code)}")


def prctl(option: int, value: int) -> bool:
    """Set an attribute of this process; False where that is not possible."""
    return LINUX and _libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0),
                                 ctypes.c_ulong(0), ctypes.c_ulong(0)) == 0


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    _checked(_libc.mount(source.encode(), target.encode(), kind and kind.encode(),
                         ctypes.c_ulong(flags), data.encode()), f"mount {target}")


def fork_away() -> int:
    """Fork a process that is the first in new namespaces of each kind: 0 there, its number here.

    For a process with one thread that leaves forking to this: what the C
    library does around a fork is left out.

    Raises:
        Missing: the system refuses.
    """
    if not LINUX or os.uname().machine not in CALLS:
        raise Missing(0, "no namespaces on this system")
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    child = int(ctypes.PyDLL(None, use_errno=True).syscall(
        CALLS[os.uname().machine]["clone"], ctypes.c_ulong(sum(CLONE.values()) | signal.SIGCHLD),
        None, None, None, None))
    if child == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
        _checked(min(child, 0), "clone")
    return child


def be_known(user: int, group: int, as_user: int, as_group: int) -> None:
    """Say what this process's user and group are called in its new user namespace."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{as_user} {user} 1"),
                       ("gid_map", f"{as_group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def gain_rights() -> None:
    """Have the right to enter namespaces that children make: in a user namespace, if need be.

    Raises:
        Missing: the system refuses. This process is then what it was.
    """
    with suppress(OSError), open("/proc/self/status") as file:
        if any(line.startswith("CapEff:") and int(line.split()[1], 16) >> CAP_SYS_ADMIN & 1
               for line in file):
            return
    if not LINUX:
        raise Missing(0, "no namespaces on this system")
    child = os.fork()  # some systems grant the namespace, and then no name in it
    if child == 0:
        with suppress(OSError):
            _be_privileged()
            os._exit(0)
        os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise Missing(0, "no user namespaces")
    _be_privileged()


def _be_privileged() -> None:
    user, group = os.getuid(), os.getgid()
    _checked(_libc.unshare(ctypes.c_int(CLONE["user"])), "unshare")
    be_known(user, group, user, group)


def enter(namespace: int) -> None:
    """Enter a namespace that is open as this file; children do, if it is one of processes.

    Raises:
        Missing: the system refuses.
    """
    _checked(_libc.setns(ctypes.c_int(namespace), ctypes.c_int(0)), "setns")


def build_root(where: str, seen: Sequence[str]) -> str:
    """Make a small root and move into it. For the first process of the namespace.

    Args:
        where: an empty folder, where the new root is put together.
        seen: files and folders that are visible, read-only, at their own paths.

    Returns:
        What the system did not grant, in words; empty if it granted all.

    Raises:
        Missing: the system refuses what cannot be done without.
    """
    lacks = []
    with suppress(OSError), open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
    if _kernel() >= (6, 14):  # before, root would set it for the whole machine
        with suppress(OSError), open("/proc/sys/kernel/pid_max", "w") as file:
            file.write("400")
    for name in ("shmmax", "shmall", "shmmni", "msgmni"):  # this namespace's own
        with suppress(OSError), open(f"/proc/sys/kernel/{name}", "w") as file:
            file.write("0")
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", where, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    os.chdir(where)  # by its name it might be made anew, when it has been deleted meanwhile
    for folder in ("/proc", "/tmp", "/dev/shm"):
        os.makedirs("." + folder)
    for folder in WRITABLE:  # before anything that may stand below them
        mount("tmpfs", "." + folder, "tmpfs", MS_NOSUID | MS_NODEV,
              f"mode=700,size={DISK},nr_inodes={FILES}")
    for path in sorted({*filter(os.path.lexists, SYSTEM), *seen}):
        _show(path)
    for name in DEVICES:
        _show(f"/dev/{name}")
    for name, number in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{number}", f"./dev/{name}")
    os.mkdir("." + FOLDER)
    if not _set_attributes(".", AT_RECURSIVE, MS_RDONLY | MS_NOSUID, 0):
        lacks.append("its view of the system's folders is not read-only")
    for folder in WRITABLE:
        _set_attributes("." + folder, 0, 0, MS_RDONLY)
    try:
        mount("proc", "./proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except Missing:
        lacks.append("it has no /proc")
    _checked(_libc.syscall(CALLS[os.uname().machine]["pivot_root"], b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", MNT_DETACH), "umount of the old root")
    os.chdir(FOLDER)
    return "; ".join(lacks)


def _kernel() -> tuple[int, int]:
    """The kernel's version."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _set_attributes(path: str, how: int, on: int, off: int) -> bool:
    """Set and clear attributes of a mount, of those below it too if ``how`` says so."""
    attributes = struct.pack("QQQQ", on, off, 0, 0)
    return int(_libc.syscall(MOUNT_SETATTR, AT_FDCWD, path.encode(), how, attributes,
                             ctypes.c_size_t(len(attributes)))) == 0


def _show(path: str) -> None:
    """Bind one file or folder at the same path of the new root, the folder that this one is in."""
    target = "." + path
    if os.path.lexists(target):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.makedirs(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(path, target, None, MS_BIND | MS_REC)


def drop_rights() -> None:
    """Give up every capability, for good, and those of programs started later."""
    if not LINUX:
        return
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    for capability in range(64):
        if not prctl(PR_CAPBSET_DROP, capability):
            break
    header, nothing = struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *[0] * 6)
    _libc.capset(header, nothing)


def limit(megabytes: int, seconds: int, processes: int, files: int = 64) -> None:
    """Cap what this process and its children may take.

    Args:
        megabytes: memory above what the libraries took already.
        seconds: processor time.
        processes: how many more this user may have than now; 0 for no limit.
        files: how many may be open.
    """
    data = (_data_now() + ((megabytes + SLACK) << 20)) if megabytes else resource.RLIM_INFINITY
    for name, value in (("RLIMIT_DATA", data), ("RLIMIT_CPU", seconds), ("RLIMIT_CORE", 0),
                        ("RLIMIT_FSIZE", DISK), ("RLIMIT_NOFILE", files),
                        ("RLIMIT_NPROC", processes), ("RLIMIT_MEMLOCK", 1 << 20),
                        ("RLIMIT_MSGQUEUE", 1 << 16)):
        kind = getattr(resource, name, None)
        if kind is None or (name == "RLIMIT_NPROC" and not value):
            continue
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard) if value != resource.RLIM_INFINITY else hard
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (value, value))


@contextmanager
def less_memory(megabytes: int) -> Iterator[None]:
    """Cap what may be allocated in here at so much more than now (the code may lift it)."""
    now = _data_now()
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = now + (megabytes << 20)
    if LINUX and (hard == resource.RLIM_INFINITY or wanted < hard):
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def gather_pages() -> None:
    """Put this process's memory on huge pages, where the system can: a fork copies far less."""
    with suppress(OSError), open("/proc/self/maps") as file:
        for line in file:
            where, rights, _, _, inode, *_ = line.split()
            start, end = (int(text, 16) for text in where.split("-"))
            start, end = -(-start // HUGE) * HUGE, end // HUGE * HUGE
            if rights == "rw-p" and inode == "0" and start < end:
                _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start),
                              MADV_COLLAPSE)


def note_data() -> None:
    """Remember what has been allocated, for where there is no /proc to ask later."""
    global _known
    _known = _data_now() + (32 << 20)


def _data_now() -> int:
    with suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmData:"):
                return int(line.split()[1]) << 10
    return _known


def close_files(*kept: int) -> None:
    """Close every file of this process but these."""
    first = 0
    for file in (*sorted(kept), 4096):
        if first < file:  # an empty range would be taken for all that follow
            os.closerange(first, file)
        first = file + 1


def tasks_of_user() -> int:
    """How many processes and threads this user has (RLIMIT_NPROC counts them)."""
    count, user = 0, os.getuid()
    for name in os.listdir("/proc") if LINUX else ():
        with suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:
                count += len(os.listdir(f"/proc/{name}/task"))
    return count


def children() -> list[int]:
    """The processes whose parent is this one (Linux)."""
    me = os.getpid()
    with suppress(OSError), open(f"/proc/self/task/{me}/children") as file:
        return [int(child) for child in file.read().split()]
    found = []
    for name in os.listdir("/proc") if LINUX else ():
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == me:
                    found.append(int(name))
    return found


def end_strays(known: Sequence[int] = ()) -> None:
    """Kill and reap every child of this process except the known ones, and theirs.

    Orphans come to a process that has called ``PR_SET_CHILD_SUBREAPER``, so
    that this ends once nothing that a worker started is left.
    """
    for _ in range(2000):
        strays = [child for child in children() if child not in known]
        if not strays:
            return
        for child in strays:
            with suppress(OSError):
                os.kill(child, signal.SIGKILL)
        for child in strays:
            with suppress(OSError):
                os.waitpid(child, 0)


def remove(folder: str) -> None:
    """Delete a folder, however deep it is and whatever its modes.

    ``shutil.rmtree`` recurses, and gives up a thousand folders down. Here one
    folder is open at a time, and ``..`` leads back. What cannot be deleted stays.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        here = os.open(folder, flags)
    except OSError:
        return
    above: list[tuple[str, list[str]]] = []  # the way here, and what is left on it
    left = os.listdir(here)
    try:
        while True:
            if left:
                name = left.pop()
                with suppress(OSError):
                    os.unlink(name, dir_fd=here)
                    continue
                with suppress(OSError):
                    os.rmdir(name, dir_fd=here)
                    continue
                with suppress(OSError):
                    if not stat.S_ISDIR(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
                        continue
                    os.chmod(name, 0o700, dir_fd=here)
                    inner = os.open(name, flags, dir_fd=here)
                    os.close(here)
                    here = inner
                    above.append((name, left))
                    left = os.listdir(here)
            elif above:
                outer = os.open("..", flags, dir_fd=here)
                os.close(here)
                here = outer
                name, left = above.pop()
                with suppress(OSError):
                    os.rmdir(name, dir_fd=here)
            else:
                break
    except OSError:
        pass
    finally:
        os.close(here)
    with suppress(OSError):
        os.rmdir(folder)

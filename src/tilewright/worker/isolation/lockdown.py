"""How does a process give up, for itself and all that it will start, what the kernel would let it do?

Landlock (files, TCP, abstract sockets, signals), seccomp (system calls), capabilities and namespaces, by raw system
calls: numbers and structures from the kernel's uapi headers linux/landlock.h, linux/seccomp.h, linux/filter.h,
linux/audit.h, linux/capability.h, linux/sched.h and asm/unistd_64.h. What the kernel refuses is an `OSError`.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import struct
from collections.abc import Iterable
from pathlib import Path

NEW_MOUNTS = 0x00020000
NEW_PIDS = 0x20000000
NEW_NETWORK = 0x40000000
_NEW_USER = 0x10000000

_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4

_CAPABILITY_VERSION_3 = 0x20080522
_CAP_SYS_ADMIN = 21

# What Landlock calls the rights to files, by bit; the number of them that an ABI knows follows below.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1

_PRIVATE = 1 << 18 | 1 << 14  # MS_PRIVATE | MS_REC
_NO_SETUID_NODEV_NOEXEC = 2 | 4 | 8

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000 | errno.EPERM
_NOT_THERE = 0x00050000 | errno.ENOSYS
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little endian
_X32 = 0x40000000
_NAMESPACES = 0x7E020000  # the CLONE_NEW* flags that clone can have

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_REFUSED: dict[str, tuple[int, int]] = {  # number on x86_64, on aarch64
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    # the kernel's larger attack surfaces
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "bpf": (321, 280),
    "userfaultfd": (323, 282), "perf_event_open": (298, 241), "fanotify_init": (300, 262),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "lookup_dcookie": (212, 18),
    # the file system and its namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265), "quotactl": (179, 60), "quotactl_fd": (443, 443), "swapon": (167, 224),
    "swapoff": (168, 225), "acct": (163, 89),
    # the machine: its kernel, clock and name
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "syslog": (103, 116),
    # memory and queues that outlive the processes which made them
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
}  # fmt: skip
_REFUSED_ON_X86_64 = {"iopl": 172, "ioperm": 173, "modify_ldt": 154}
_SOCKET, _CLONE, _CLONE3 = {"x86_64": 41, "aarch64": 198}, {"x86_64": 56, "aarch64": 220}, 435
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
_SPEC_ALLOW = 1 << 2


def landlock_abi() -> int:
    """The version of Landlock that the kernel speaks, 0 for none."""
    version: int = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(0, version)


def confine(writable: Iterable[str | Path], usable: Iterable[str | Path], readable: Iterable[str | Path]) -> None:
    """Landlock: all may be done beneath `writable`, files and devices be read and written beneath `usable` (but none
    be made), and beneath `readable` be read and executed; nothing else. What isn't there is left out.

    Also, as far as the kernel knows it: no TCP, no signal and no abstract socket to a process outside.
    """
    abi = landlock_abi()
    if abi < 1:
        raise OSError(errno.ENOSYS, "the kernel has no Landlock")
    everything = (1 << (13 + (abi >= 2) + (abi >= 3) + (abi >= 5))) - 1
    # struct landlock_ruleset_attr: files; bind and connect (ABI 4); abstract sockets and signals (ABI 6)
    attributes = struct.pack("<QQQ", everything, 3, 3)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = _system_call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    try:
        for paths, rights in (
            (writable, everything),
            (usable, _READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV),
            (readable, _READ_FILE | _READ_DIR | _EXECUTE),
        ):
            for path in paths:
                _allow(ruleset, os.fspath(path), rights & everything)
        _no_new_privileges()
        _system_call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def filter_system_calls(unix_sockets: bool) -> None:
    """seccomp: what no kernel and no compiler needs is refused with EPERM, sockets among it (socket pairs are not).

    A system call of another architecture ends the process, since its numbers would mean something else.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no list of system calls for {machine}")
    column = list(_ARCHITECTURES).index(machine)
    refused = [numbers[column] for numbers in _REFUSED.values()]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE), (_IF_EQUAL, 1, 0, _ARCHITECTURES[machine]), (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]  # fmt: skip
    if machine == "x86_64":
        refused += _REFUSED_ON_X86_64.values()
        program += [(_IF_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    for number in refused:
        program += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    # clone3 takes its flags from memory, where a filter can't see them; without it the C library takes clone
    program += [(_IF_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _NOT_THERE)]
    program += [
        (_IF_EQUAL, 0, 4, _CLONE[machine]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_IF_ANY_BIT, 0, 1, _NAMESPACES),
        (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW),
    ]  # fmt: skip
    if unix_sockets:
        program += [(_IF_EQUAL, 0, 4, _SOCKET[machine]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_IF_EQUAL, 1, 0, 1)]
        program += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    else:
        program += [(_IF_EQUAL, 0, 1, _SOCKET[machine]), (_RETURN, 0, 0, _REFUSE)]
    program += [(_RETURN, 0, 0, _ALLOW)]
    instructions = b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
    held = ctypes.create_string_buffer(instructions)
    header = struct.pack("@HP", len(program), ctypes.addressof(held))  # struct sock_fprog
    _no_new_privileges()
    # The flag: kernels before 5.16 would otherwise slow the process down against attacks by speculation.
    _system_call(_SECCOMP[machine], ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(_SPEC_ALLOW), header)


def drop_capabilities() -> None:
    """All of them, for ever: also a program with the set-user-id bit gives none back. root is then a user."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except PermissionError:
            break  # a plain user's can't be, and needn't: without new privileges none is ever given
    _no_new_privileges()
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0)
    _checked(_libc().capset(header, bytes(24)), "capset")


def is_admin() -> bool:
    """Whether this process may make namespaces and mount."""
    effective = Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0]
    return bool(int(effective, 16) & 1 << _CAP_SYS_ADMIN)


def enter_user_namespace() -> None:
    """A new one, in which this process is the same user, with all rights over what belongs to that namespace."""
    user, group = os.geteuid(), os.getegid()
    unshare(_NEW_USER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def fork_into_pid_namespace() -> int:
    """As `os.fork`; the child is the init of a new PID namespace."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    unshare(NEW_PIDS)
    pid = -1
    try:
        pid = os.fork()
    finally:
        if pid:  # back to its own: no other namespace could be made, and no thread be started, otherwise
            _checked(_libc().setns(own, NEW_PIDS), "setns")
        os.close(own)
    return pid


def unshare(kinds: int) -> None:
    _checked(_libc().unshare(ctypes.c_int(kinds)), "unshare")


def mount_own(proc: bool) -> None:
    """In a new mount namespace: an empty /dev/shm and, where wanted, a /proc of the PID namespace it is in."""
    _mount("none", "/", None, _PRIVATE, "")
    if proc:
        _mount("proc", "/proc", "proc", _NO_SETUID_NODEV_NOEXEC, "")
    _mount("tmpfs", "/dev/shm", "tmpfs", _NO_SETUID_NODEV_NOEXEC, "size=1g,mode=1777")


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _ON_FILES
        rule = struct.pack("<Qi", rights, place)
        _system_call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(place)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str) -> None:
    arguments = (source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), options.encode())
    _checked(_libc().mount(*arguments), f"mount {target}")


def _no_new_privileges() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, argument: int) -> None:
    nothing = ctypes.c_ulong(0)
    _checked(_libc().prctl(option, ctypes.c_ulong(argument), nothing, nothing, nothing), f"prctl({option})")


def _system_call(number: int, *arguments: object) -> int:
    return _checked(_libc().syscall(ctypes.c_long(number), *arguments), f"system call {number}")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)

"""Runs a program under a seccomp filter that denies it some system calls, as a container's profile does.

Usage: deny.py io_uring|splice PROGRAM ARGUMENT...
"""

import ctypes
import errno
import os
import platform
import struct
import sys

# <linux/prctl.h>, <linux/seccomp.h>, <linux/bpf_common.h>
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_ALLOW = 0x7FFF0000
LOAD_WORD = 0x20
JUMP_IF_GREATER_OR_EQUAL = 0x35
JUMP_IF_GREATER = 0x25
RETURN = 0x06
# The first and the last number of what is denied.
CALLS = {
    # io_uring_setup to io_uring_register, the same on every architecture.
    "io_uring": (425, 427),
    "splice": (275, 275) if platform.machine() == "x86_64" else (76, 76),
}


def instruction(code, k, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, k)


first, last = CALLS[sys.argv[1]]
# seccomp_data begins with the number of the system call.
FILTER = b"".join(
    [
        instruction(LOAD_WORD, 0),
        instruction(JUMP_IF_GREATER_OR_EQUAL, first, 0, 2),
        instruction(JUMP_IF_GREATER, last, 1, 0),
        instruction(RETURN, SECCOMP_RET_ERRNO | errno.EPERM),
        instruction(RETURN, SECCOMP_RET_ALLOW),
    ]
)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def call(libc, *arguments):
    if libc.prctl(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


libc = ctypes.CDLL(None, use_errno=True)
program = Program(len(FILTER) // 8, FILTER)
call(libc, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
call(libc, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
os.execv(sys.argv[2], sys.argv[2:])

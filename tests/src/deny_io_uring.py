"""Runs a program under a seccomp filter that denies io_uring, as a container's default profile does.

Usage: deny_io_uring.py PROGRAM ARGUMENT...
"""

import ctypes
import errno
import os
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
# The same on every architecture.
IO_URING_SETUP = 425
IO_URING_REGISTER = 427


def instruction(code, k, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, k)


# seccomp_data begins with the number of the system call.
FILTER = b"".join(
    [
        instruction(LOAD_WORD, 0),
        instruction(JUMP_IF_GREATER_OR_EQUAL, IO_URING_SETUP, 0, 2),
        instruction(JUMP_IF_GREATER, IO_URING_REGISTER, 1, 0),
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
os.execv(sys.argv[1], sys.argv[1:])

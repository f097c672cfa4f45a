"""Runs a command in a user namespace in which no further ones may be made: a host that does not allow them."""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000


def main():
    there, made = os.pipe()
    mapped, map_done = os.pipe()
    target = os.getpid()
    if os.fork() == 0:
        os.close(made)
        os.read(there, 1)
        for kind in ("uid_map", "gid_map"):
            with open(f"/proc/{target}/{kind}", "w") as file:
                file.write("0 0 65536\n")
        os.write(map_done, b"x")
        os._exit(0)
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    os.write(made, b"x")
    if os.read(mapped, 1) != b"x":
        raise RuntimeError("the user ids were not mapped")
    os.wait()
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
    os.execvp(sys.argv[1], sys.argv[1:])


main()

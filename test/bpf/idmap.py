# python3 idmap.py FROM TO: mounts what is at FROM at TO, where user 0 looks like 100000, 1 like 100001, and so on.
import ctypes, os, struct, sys

call = ctypes.CDLL(None, use_errno=True).syscall
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, CLONE_NEWUSER = -100, 0x10000000
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH, AT_EMPTY_PATH, MOUNT_ATTR_IDMAP = 1, 4, 0x1000, 0x00100000


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def namespace():
    """A descriptor of a user namespace with that map."""
    made, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        check(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER))
        os.write(made[1], b"1")
        os.read(go[0], 1)
        os._exit(0)
    os.read(made[0], 1)
    for ids in "uid_map", "gid_map":
        with open(f"/proc/{child}/{ids}", "w") as file:
            file.write("0 100000 65536")
    descriptor = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
    os.write(go[1], b"1")
    os.waitpid(child, 0)
    return descriptor


tree = check(call(OPEN_TREE, AT_FDCWD, sys.argv[1].encode(), OPEN_TREE_CLONE))
attributes = struct.pack("QQQQ", MOUNT_ATTR_IDMAP, 0, 0, namespace())
check(call(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, attributes, len(attributes)))
check(call(MOVE_MOUNT, tree, b"", AT_FDCWD, sys.argv[2].encode(), MOVE_MOUNT_F_EMPTY_PATH))

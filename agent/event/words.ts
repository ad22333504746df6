/** How a number reads: some of its bits are one value, which has a word, and the others words of their own. */
interface Words {
  /** Bits of the value; 0: there is none. */
  mask: number;
  values: Readonly<Record<number, string>>;
  bits: Readonly<Record<number, string>>;
}

/**
 * The words for numbers among the arguments of system calls (Linux, include/uapi; asm-generic/fcntl.h as x86-64 has it), by the kinds
 * of syscall-table.ts.
 */
const sets: Readonly<Record<string, Words>> = {
  open: {
    mask: 3,
    values: { 0: 'O_RDONLY', 1: 'O_WRONLY', 2: 'O_RDWR' },
    bits: {
      64: 'O_CREAT',
      128: 'O_EXCL',
      256: 'O_NOCTTY',
      512: 'O_TRUNC',
      1024: 'O_APPEND',
      2048: 'O_NONBLOCK',
      4096: 'O_DSYNC',
      8192: 'O_ASYNC',
      16384: 'O_DIRECT',
      32768: 'O_LARGEFILE',
      65536: 'O_DIRECTORY',
      131072: 'O_NOFOLLOW',
      262144: 'O_NOATIME',
      524288: 'O_CLOEXEC',
      1048576: 'O_SYNC',
      2097152: 'O_PATH',
      4194304: 'O_TMPFILE',
    },
  },
  descriptor: {
    mask: 0,
    values: {},
    bits: { 2048: 'O_NONBLOCK', 16384: 'O_DIRECT', 128: 'O_NOTIFICATION_PIPE', 524288: 'O_CLOEXEC' },
  },
  unlink: { mask: 0, values: {}, bits: { 512: 'AT_REMOVEDIR' } },
  lookup: {
    mask: 0,
    values: {},
    bits: {
      256: 'AT_SYMLINK_NOFOLLOW',
      512: 'AT_EACCESS',
      1024: 'AT_SYMLINK_FOLLOW',
      2048: 'AT_NO_AUTOMOUNT',
      4096: 'AT_EMPTY_PATH',
      8192: 'AT_STATX_FORCE_SYNC',
      16384: 'AT_STATX_DONT_SYNC',
    },
  },
  access: { mask: 7, values: { 0: 'F_OK' }, bits: { 4: 'R_OK', 2: 'W_OK', 1: 'X_OK' } },
  prot: { mask: 7, values: { 0: 'PROT_NONE' }, bits: { 1: 'PROT_READ', 2: 'PROT_WRITE', 4: 'PROT_EXEC' } },
  map: {
    mask: 3,
    values: { 1: 'MAP_SHARED', 2: 'MAP_PRIVATE', 3: 'MAP_SHARED_VALIDATE' },
    bits: {
      16: 'MAP_FIXED',
      32: 'MAP_ANONYMOUS',
      64: 'MAP_32BIT',
      256: 'MAP_GROWSDOWN',
      2048: 'MAP_DENYWRITE',
      4096: 'MAP_EXECUTABLE',
      8192: 'MAP_LOCKED',
      16384: 'MAP_NORESERVE',
      32768: 'MAP_POPULATE',
      65536: 'MAP_NONBLOCK',
      131072: 'MAP_STACK',
      262144: 'MAP_HUGETLB',
      524288: 'MAP_SYNC',
      1048576: 'MAP_FIXED_NOREPLACE',
    },
  },
  whence: {
    mask: 7,
    values: { 0: 'SEEK_SET', 1: 'SEEK_CUR', 2: 'SEEK_END', 3: 'SEEK_DATA', 4: 'SEEK_HOLE' },
    bits: {},
  },
  family: {
    mask: 0xffff,
    values: {
      0: 'AF_UNSPEC',
      1: 'AF_UNIX',
      2: 'AF_INET',
      10: 'AF_INET6',
      15: 'AF_KEY',
      16: 'AF_NETLINK',
      17: 'AF_PACKET',
      29: 'AF_CAN',
      31: 'AF_BLUETOOTH',
      38: 'AF_ALG',
      40: 'AF_VSOCK',
      44: 'AF_XDP',
    },
    bits: {},
  },
  socket: {
    mask: 15,
    values: {
      1: 'SOCK_STREAM',
      2: 'SOCK_DGRAM',
      3: 'SOCK_RAW',
      4: 'SOCK_RDM',
      5: 'SOCK_SEQPACKET',
      6: 'SOCK_DCCP',
      10: 'SOCK_PACKET',
    },
    bits: { 2048: 'SOCK_NONBLOCK', 524288: 'SOCK_CLOEXEC' },
  },
  mount: {
    mask: 0,
    values: {},
    bits: {
      1: 'MS_RDONLY',
      2: 'MS_NOSUID',
      4: 'MS_NODEV',
      8: 'MS_NOEXEC',
      16: 'MS_SYNCHRONOUS',
      32: 'MS_REMOUNT',
      64: 'MS_MANDLOCK',
      128: 'MS_DIRSYNC',
      1024: 'MS_NOATIME',
      2048: 'MS_NODIRATIME',
      4096: 'MS_BIND',
      8192: 'MS_MOVE',
      16384: 'MS_REC',
      32768: 'MS_SILENT',
      65536: 'MS_POSIXACL',
      131072: 'MS_UNBINDABLE',
      262144: 'MS_PRIVATE',
      524288: 'MS_SLAVE',
      1048576: 'MS_SHARED',
      2097152: 'MS_RELATIME',
    },
  },
  umount: { mask: 0, values: {}, bits: { 1: 'MNT_FORCE', 2: 'MNT_DETACH', 4: 'MNT_EXPIRE', 8: 'UMOUNT_NOFOLLOW' } },
};

/** A number in words, joined by `|`; bits without a word stand at the end, hexadecimal. Empty: nothing to be said. */
export function inWords(set: string, number: number): string {
  const words = sets[set];
  if (words === undefined) return `0x${number.toString(16)}`;
  const value = words.values[(number & words.mask) >>> 0];
  const parts = value === undefined ? [] : [value];
  let rest = value === undefined ? number : (number & ~words.mask) >>> 0;
  for (const [bit, word] of Object.entries(words.bits)) {
    if ((rest & Number(bit)) === 0) continue;
    parts.push(word);
    rest = (rest & ~Number(bit)) >>> 0;
  }
  if (rest !== 0) parts.push(`0x${rest.toString(16)}`);
  return parts.join('|');
}

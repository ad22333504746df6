/**
 * The x86-64 system calls with their arguments, in order of their numbers: 0 to 334, then from `firstNewer` on, where numbers are the
 * same on all architectures. Source: Linux, arch/x86/entry/syscalls/syscall_64.tbl and include/linux/syscalls.h (5.1 to 6.19 for
 * the newer ones). A call without colon is in the table of numbers and does nothing any more.
 *
 * An argument is `NAME/KIND`; the kinds:
 *
 * ```
 * fd    a descriptor whose file is an object of the call      path  a path, an object of the call
 *                                                             name  the same; a link in its last place is the object
 * at    the directory that the path after it begins in        -     not told in alerts (a pointer, a length)
 * d u x signed, unsigned, hexadecimal number                  o     octal: permissions
 * ```
 *
 * or the name of a set of words (agent/event/words.ts).
 */
export const firstNewer = 424;

export const schemaCalls = `
read: fd/fd - count/u
write: fd/fd - count/u
open: path/path flags/open mode/o
close: fd/fd
stat: path/path
fstat: fd/fd
lstat: path/name
poll: - nfds/u timeout/d
lseek: fd/fd offset/d whence/whence
mmap: addr/x length/u prot/prot flags/map fd/fd
mprotect: addr/x length/u prot/prot
munmap: addr/x length/u
brk: addr/x
rt_sigaction: signum/d
rt_sigprocmask: how/d
rt_sigreturn:
ioctl: fd/fd request/x
pread64: fd/fd - count/u offset/d
pwrite64: fd/fd - count/u offset/d
readv: fd/fd - iovcnt/u
writev: fd/fd - iovcnt/u
access: path/path mode/access
pipe:
select: nfds/d
sched_yield:
mremap: addr/x oldsize/u newsize/u flags/x
msync: addr/x length/u flags/x
mincore: addr/x length/u
madvise: addr/x length/u advice/d
shmget: key/d size/u flags/x
shmat: shmid/d addr/x flags/x
shmctl: shmid/d cmd/d
dup: fd/fd
dup2: fd/fd newfd/d
pause:
nanosleep:
getitimer: which/d
alarm: seconds/u
setitimer: which/d
getpid:
sendfile: outfd/fd infd/fd - count/u
socket: domain/family type/socket protocol/d
connect: fd/fd
accept: fd/fd
sendto: fd/fd - length/u flags/x
recvfrom: fd/fd - length/u flags/x
sendmsg: fd/fd - flags/x
recvmsg: fd/fd - flags/x
shutdown: fd/fd how/d
bind: fd/fd
listen: fd/fd backlog/d
getsockname: fd/fd
getpeername: fd/fd
socketpair: domain/family type/socket protocol/d
setsockopt: fd/fd level/d option/d
getsockopt: fd/fd level/d option/d
clone: flags/x
fork:
vfork:
execve: path/path
exit: status/d
wait4: pid/d - options/x
kill: pid/d signal/d
uname:
semget: key/d nsems/d flags/x
semop: semid/d - nsops/u
semctl: semid/d semnum/d cmd/d
shmdt: addr/x
msgget: key/d flags/x
msgsnd: msqid/d - size/u flags/x
msgrcv: msqid/d - size/u type/d
msgctl: msqid/d cmd/d
fcntl: fd/fd cmd/d arg/x
flock: fd/fd operation/d
fsync: fd/fd
fdatasync: fd/fd
truncate: path/path length/d
ftruncate: fd/fd length/d
getdents: fd/fd - count/u
getcwd: - size/u
chdir: path/path
fchdir: fd/fd
rename: oldpath/name newpath/name
mkdir: path/name mode/o
rmdir: path/name
creat: path/path mode/o
link: oldpath/name newpath/name
unlink: path/name
symlink: - path/name
readlink: path/name - size/u
chmod: path/path mode/o
fchmod: fd/fd mode/o
chown: path/path userid/d groupid/d
fchown: fd/fd userid/d groupid/d
lchown: path/name userid/d groupid/d
umask: mask/o
gettimeofday:
getrlimit: resource/d
getrusage: who/d
sysinfo:
times:
ptrace: request/d pid/d addr/x data/x
getuid:
syslog: type/d - length/d
getgid:
setuid: userid/d
setgid: groupid/d
geteuid:
getegid:
setpgid: pid/d pgid/d
getppid:
getpgrp:
setsid:
setreuid: ruid/d euid/d
setregid: rgid/d egid/d
getgroups: size/d
setgroups: size/d
setresuid: ruid/d euid/d suid/d
getresuid:
setresgid: rgid/d egid/d sgid/d
getresgid:
getpgid: pid/d
setfsuid: userid/d
setfsgid: groupid/d
getsid: pid/d
capget:
capset:
rt_sigpending:
rt_sigtimedwait:
rt_sigqueueinfo: pid/d signal/d
rt_sigsuspend:
sigaltstack:
utime: path/path
mknod: path/name mode/o dev/x
uselib: path/path
personality: persona/x
ustat: dev/x
statfs: path/path
fstatfs: fd/fd
sysfs: option/d
getpriority: which/d who/d
setpriority: which/d who/d priority/d
sched_setparam: pid/d
sched_getparam: pid/d
sched_setscheduler: pid/d policy/d
sched_getscheduler: pid/d
sched_get_priority_max: policy/d
sched_get_priority_min: policy/d
sched_rr_get_interval: pid/d
mlock: addr/x length/u
munlock: addr/x length/u
mlockall: flags/x
munlockall:
vhangup:
modify_ldt: func/d - size/u
pivot_root: newroot/path putold/path
_sysctl
prctl: option/d arg2/x arg3/x arg4/x
arch_prctl: option/x addr/x
adjtimex:
setrlimit: resource/d
chroot: path/path
sync:
acct: path/path
settimeofday:
mount: - path/path - flags/mount
umount2: path/path flags/umount
swapon: path/path flags/x
swapoff: path/path
reboot: magic/x magic2/x cmd/x
sethostname: - length/d
setdomainname: - length/d
iopl: level/d
ioperm: from/x count/u on/d
create_module
init_module: - length/u
delete_module: - flags/x
get_kernel_syms
query_module
quotactl: cmd/x path/path id/d
nfsservctl
getpmsg
putpmsg
afs_syscall
tuxcall
security
gettid:
readahead: fd/fd offset/d count/u
setxattr: path/path - - size/u
lsetxattr: path/name - - size/u
fsetxattr: fd/fd - - size/u
getxattr: path/path - - size/u
lgetxattr: path/name - - size/u
fgetxattr: fd/fd - - size/u
listxattr: path/path - size/u
llistxattr: path/name - size/u
flistxattr: fd/fd - size/u
removexattr: path/path
lremovexattr: path/name
fremovexattr: fd/fd
tkill: tid/d signal/d
time:
futex: - op/x value/d
sched_setaffinity: pid/d size/u
sched_getaffinity: pid/d size/u
set_thread_area
io_setup: nrevents/u
io_destroy:
io_getevents: - minevents/d nrevents/d
io_submit: - count/d
io_cancel:
get_thread_area
lookup_dcookie: - - length/u
epoll_create: size/d
epoll_ctl_old
epoll_wait_old
remap_file_pages: addr/x size/u prot/x pgoff/u
getdents64: fd/fd - count/u
set_tid_address:
restart_syscall:
semtimedop: semid/d - nsops/u
fadvise64: fd/fd offset/d length/u advice/d
timer_create: clockid/d
timer_settime: timerid/d flags/x
timer_gettime: timerid/d
timer_getoverrun: timerid/d
timer_delete: timerid/d
clock_settime: clockid/d
clock_gettime: clockid/d
clock_getres: clockid/d
clock_nanosleep: clockid/d flags/x
exit_group: status/d
epoll_wait: epfd/fd - maxevents/d timeout/d
epoll_ctl: epfd/fd op/d fd/fd
tgkill: tgid/d tid/d signal/d
utimes: path/path
vserver
mbind: addr/x length/u mode/d
set_mempolicy: mode/d
get_mempolicy:
mq_open: - flags/open mode/o
mq_unlink:
mq_timedsend: fd/fd - length/u priority/u
mq_timedreceive: fd/fd - length/u
mq_notify: fd/fd
mq_getsetattr: fd/fd
kexec_load: entry/x segments/u - flags/x
waitid: which/d pid/d - options/x
add_key:
request_key:
keyctl: operation/d arg2/x arg3/x arg4/x
ioprio_set: which/d who/d ioprio/x
ioprio_get: which/d who/d
inotify_init:
inotify_add_watch: fd/fd path/path mask/x
inotify_rm_watch: fd/fd wd/d
migrate_pages: pid/d
openat: fd/at path/path flags/open mode/o
mkdirat: fd/at path/name mode/o
mknodat: fd/at path/name mode/o dev/x
fchownat: fd/at path/path userid/d groupid/d flags/lookup
futimesat: fd/at path/path
newfstatat: fd/at path/path - flags/lookup
unlinkat: fd/at path/name flags/unlink
renameat: oldfd/at oldpath/name newfd/at newpath/name
linkat: oldfd/at oldpath/name newfd/at newpath/name flags/lookup
symlinkat: - fd/at path/name
readlinkat: fd/at path/name - size/u
fchmodat: fd/at path/path mode/o
faccessat: fd/at path/path mode/access
pselect6: nfds/d
ppoll: - nfds/u
unshare: flags/x
set_robust_list:
get_robust_list: pid/d
splice: infd/fd - outfd/fd
tee: infd/fd outfd/fd length/u flags/x
sync_file_range: fd/fd offset/d count/d flags/x
vmsplice: fd/fd - segments/u flags/x
move_pages: pid/d pages/u
utimensat: fd/at path/path - flags/lookup
epoll_pwait: epfd/fd - maxevents/d timeout/d
signalfd: fd/fd
timerfd_create: clockid/d flags/x
eventfd: count/u
fallocate: fd/fd mode/x offset/d length/d
timerfd_settime: fd/fd flags/x
timerfd_gettime: fd/fd
accept4: fd/fd - - flags/x
signalfd4: fd/fd - - flags/x
eventfd2: count/u flags/x
epoll_create1: flags/x
dup3: fd/fd newfd/d flags/descriptor
pipe2: - flags/descriptor
inotify_init1: flags/x
preadv: fd/fd - iovcnt/u
pwritev: fd/fd - iovcnt/u
rt_tgsigqueueinfo: tgid/d tid/d signal/d
perf_event_open: - pid/d cpu/d groupfd/d
recvmmsg: fd/fd - count/u flags/x
fanotify_init: flags/x eventflags/open
fanotify_mark: fanotifyfd/fd flags/x mask/x fd/at path/path
prlimit64: pid/d resource/d
name_to_handle_at: fd/at path/name - - flags/lookup
open_by_handle_at: mountfd/d - flags/open
clock_adjtime: clockid/d
syncfs: fd/fd
sendmmsg: fd/fd - count/u flags/x
setns: fd/fd type/x
getcpu:
process_vm_readv: pid/d
process_vm_writev: pid/d
kcmp: pid1/d pid2/d type/d
finit_module: fd/fd - flags/x
sched_setattr: pid/d
sched_getattr: pid/d
renameat2: oldfd/at oldpath/name newfd/at newpath/name flags/x
seccomp: operation/d flags/x
getrandom: - count/u flags/x
memfd_create: - flags/x
kexec_file_load: kernelfd/fd initrdfd/fd
bpf: cmd/d
execveat: fd/at path/path - - flags/lookup
userfaultfd: flags/x
membarrier: cmd/d flags/x
mlock2: addr/x length/u flags/x
copy_file_range: infd/fd - outfd/fd
preadv2: fd/fd - iovcnt/u
pwritev2: fd/fd - iovcnt/u
pkey_mprotect: addr/x length/u prot/prot pkey/d
pkey_alloc: flags/x rights/x
pkey_free: pkey/d
statx: fd/at path/path flags/lookup mask/x
io_pgetevents: - minevents/d nrevents/d
rseq: - length/u flags/x
`;

export const newerCalls = `
pidfd_send_signal: pidfd/fd signal/d
io_uring_setup: entries/u
io_uring_enter: fd/fd submit/u complete/u flags/x
io_uring_register: fd/fd opcode/d
open_tree: fd/at path/path flags/x
move_mount: fromfd/at frompath/path tofd/at topath/path flags/x
fsopen: - flags/x
fsconfig: fd/fd cmd/d
fsmount: fd/fd flags/x attributes/x
fspick: fd/at path/path flags/x
pidfd_open: pid/d flags/x
clone3: - size/u
close_range: first/u last/u flags/x
openat2: fd/at path/path - size/u
pidfd_getfd: pidfd/fd targetfd/d flags/x
faccessat2: fd/at path/path mode/access flags/lookup
process_madvise: pidfd/fd - count/u advice/d
epoll_pwait2: epfd/fd - maxevents/d
mount_setattr: fd/at path/path flags/x
quotactl_fd: fd/fd cmd/x id/d
landlock_create_ruleset: - size/u flags/x
landlock_add_rule: fd/fd type/d
landlock_restrict_self: fd/fd flags/x
memfd_secret: flags/x
process_mrelease: pidfd/fd flags/x
futex_waitv: - count/u flags/x
set_mempolicy_home_node: addr/x length/u node/u
cachestat: fd/fd
fchmodat2: fd/at path/path mode/o flags/lookup
map_shadow_stack: addr/x size/u flags/x
futex_wake: - mask/x count/d flags/x
futex_wait: - value/x mask/x flags/x
futex_requeue: - flags/x
statmount: - - size/u flags/x
listmount: - - count/u flags/x
lsm_get_self_attr: attribute/u - - flags/x
lsm_set_self_attr: attribute/u - size/u flags/x
lsm_list_modules: - - flags/x
mseal: addr/x length/u flags/x
setxattrat: fd/at path/path flags/lookup
getxattrat: fd/at path/path flags/lookup
listxattrat: fd/at path/path flags/lookup
removexattrat: fd/at path/path flags/lookup
open_tree_attr: fd/at path/path flags/x
file_getattr: fd/at path/path - size/u
file_setattr: fd/at path/path - size/u
listns: - - count/u flags/x
`;

/**
 * The calls of 32-bit programs on x86-64: what each number means by the names of the 64-bit calls, `-` for none. Source: Linux 6.1,
 * arch/x86/entry/syscalls/syscall_32.tbl. A name is followed by its function in the kernel where that is not the one of the 64-bit
 * call with another beginning: `/c:NAME` is __ia32_compat_sys_NAME, `/s:NAME` __ia32_sys_NAME, `/d:NAME` __do_compat_sys_NAME.
 *
 * From 424 on the numbers are those of the 64-bit calls. `socketcall` and `ipc` are several calls in one. Left out is the oldest
 * mmap, which passes its arguments in memory.
 */
export const compatCalls = `
  restart_syscall exit fork read write open close wait4/s:waitpid creat link unlink execve chdir time/s:time32 mknod
  chmod lchown/s:lchown16 - stat/s:stat lseek getpid mount umount2/s:oldumount setuid/s:setuid16 getuid/s:getuid16 -
  ptrace alarm fstat/s:fstat pause utime/s:utime32 - - access - - sync kill rename mkdir rmdir dup pipe times - brk
  setgid/s:setgid16 getgid/s:getgid16 rt_sigaction/s:signal geteuid/s:geteuid16 getegid/s:getegid16 acct umount2 -
  ioctl fcntl/c:fcntl64 - setpgid - uname/s:olduname umask chroot ustat dup2 getppid getpgrp setsid
  rt_sigaction/c:sigaction rt_sigprocmask/s:sgetmask rt_sigprocmask/s:ssetmask setreuid/s:setreuid16
  setregid/s:setregid16 rt_sigsuspend/s:sigsuspend rt_sigpending/c:sigpending sethostname setrlimit
  getrlimit/c:old_getrlimit getrusage gettimeofday settimeofday getgroups/s:getgroups16 setgroups/s:setgroups16
  select/c:old_select symlink lstat/s:lstat readlink uselib swapon reboot getdents/c:old_readdir - munmap truncate
  ftruncate fchmod fchown/s:fchown16 getpriority setpriority - statfs fstatfs ioperm socketcall syslog setitimer
  getitimer stat lstat fstat uname/s:uname iopl vhangup - - wait4 swapoff sysinfo ipc fsync rt_sigreturn/d:sigreturn
  clone/c:ia32_clone setdomainname uname modify_ldt adjtimex/s:adjtimex_time32 mprotect rt_sigprocmask/c:sigprocmask
  create_module init_module delete_module get_kernel_syms quotactl getpgid fchdir - sysfs personality afs_syscall
  setfsuid/s:setfsuid16 setfsgid/s:setfsgid16 lseek/s:llseek getdents select flock msync readv writev getsid fdatasync
  _sysctl mlock munlock mlockall munlockall sched_setparam sched_getparam sched_setscheduler sched_getscheduler
  sched_yield sched_get_priority_max sched_get_priority_min sched_rr_get_interval/s:sched_rr_get_interval_time32
  nanosleep/s:nanosleep_time32 mremap setresuid/s:setresuid16 getresuid/s:getresuid16 - query_module poll nfsservctl
  setresgid/s:setresgid16 getresgid/s:getresgid16 prctl rt_sigreturn/d:rt_sigreturn rt_sigaction rt_sigprocmask
  rt_sigpending rt_sigtimedwait/c:rt_sigtimedwait_time32 rt_sigqueueinfo rt_sigsuspend pread64/s:ia32_pread64
  pwrite64/s:ia32_pwrite64 chown/s:chown16 getcwd capget capset sigaltstack sendfile/c:sendfile getpmsg putpmsg vfork
  getrlimit mmap/s:mmap_pgoff truncate/s:ia32_truncate64 ftruncate/s:ia32_ftruncate64 stat/c:ia32_stat64
  lstat/c:ia32_lstat64 fstat/c:ia32_fstat64 lchown getuid getgid geteuid getegid setreuid setregid getgroups setgroups
  fchown setresuid getresuid setresgid getresgid chown setuid setgid setfsuid setfsgid pivot_root mincore madvise
  getdents64 fcntl/c:fcntl64 - - gettid readahead/s:ia32_readahead setxattr lsetxattr fsetxattr getxattr lgetxattr
  fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr tkill sendfile/s:sendfile64
  futex/s:futex_time32 sched_setaffinity sched_getaffinity set_thread_area get_thread_area io_setup io_destroy
  io_getevents/s:io_getevents_time32 io_submit io_cancel fadvise64/s:ia32_fadvise64 - exit_group lookup_dcookie
  epoll_create epoll_ctl epoll_wait remap_file_pages set_tid_address timer_create timer_settime/s:timer_settime32
  timer_gettime/s:timer_gettime32 timer_getoverrun timer_delete clock_settime/s:clock_settime32
  clock_gettime/s:clock_gettime32 clock_getres/s:clock_getres_time32 clock_nanosleep/s:clock_nanosleep_time32
  statfs/c:statfs64 fstatfs/c:fstatfs64 tgkill utimes/s:utimes_time32 fadvise64/s:ia32_fadvise64_64 vserver mbind
  get_mempolicy set_mempolicy mq_open mq_unlink mq_timedsend/s:mq_timedsend_time32
  mq_timedreceive/s:mq_timedreceive_time32 mq_notify mq_getsetattr kexec_load waitid - add_key request_key keyctl
  ioprio_set ioprio_get inotify_init inotify_add_watch inotify_rm_watch migrate_pages openat mkdirat mknodat fchownat
  futimesat/s:futimesat_time32 newfstatat/c:ia32_fstatat64 unlinkat renameat linkat symlinkat readlinkat fchmodat
  faccessat pselect6/c:pselect6_time32 ppoll/c:ppoll_time32 unshare set_robust_list get_robust_list splice
  sync_file_range/s:ia32_sync_file_range tee vmsplice move_pages getcpu epoll_pwait utimensat/s:utimensat_time32
  signalfd timerfd_create eventfd fallocate/s:ia32_fallocate timerfd_settime/s:timerfd_settime32
  timerfd_gettime/s:timerfd_gettime32 signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev
  rt_tgsigqueueinfo perf_event_open recvmmsg/c:recvmmsg_time32 fanotify_init fanotify_mark prlimit64 name_to_handle_at
  open_by_handle_at clock_adjtime/s:clock_adjtime32 syncfs sendmmsg setns process_vm_readv process_vm_writev kcmp
  finit_module sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create bpf execveat socket socketpair
  bind connect listen accept4 getsockopt/s:getsockopt setsockopt/s:setsockopt getsockname getpeername sendto sendmsg
  recvfrom recvmsg shutdown userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc
  pkey_free statx arch_prctl io_pgetevents rseq
`;

/** From `firstCompatWide` on: variants with 64-bit times. */
export const firstCompatWide = 393;
export const compatWideCalls = `
  semget semctl shmget shmctl shmat shmdt msgget msgsnd msgrcv msgctl clock_gettime clock_settime clock_adjtime
  clock_getres clock_nanosleep timer_gettime timer_settime timerfd_gettime timerfd_settime utimensat
  pselect6/c:pselect6_time64 ppoll/c:ppoll_time64 - io_pgetevents recvmmsg/c:recvmmsg_time64 mq_timedsend
  mq_timedreceive semtimedop rt_sigtimedwait/c:rt_sigtimedwait_time64 futex sched_rr_get_interval
`;

/** By the first argument of socketcall and of ipc (include/uapi/linux/net.h, ipc.h). */
export const socketcalls = `
  - socket bind connect listen accept getsockname getpeername socketpair sendto recvfrom sendto recvfrom shutdown
  setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg
`;
export const ipcCalls = `
  - semop semget semctl semtimedop - - - - - - msgsnd msgrcv msgget msgctl - - - - - - shmat shmdt shmget shmctl
`;

/*
 * Makes system calls, each in a process of its own, and says what became of it:
 *
 *     calls FOLDER NAME...     for each name a line: NAME NUMBER PID SINCE UNTIL RESULT PATH
 *
 * SINCE, UNTIL: nanoseconds since boot, just before and after the call; 0: it did not come back. RESULT: what it returned, or a negative errno; "ends" for one that does not
 * return. PATH: of its object, "-" for none. Each is made in a folder of its own below FOLDER. A name that has no line in
 * calls.h is left out.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Newer than the C library. */
enum { SYS_cachestat = 451, SYS_fchmodat2, SYS_map_shadow_stack, SYS_futex_wake, SYS_futex_wait,
       SYS_futex_requeue, SYS_statmount, SYS_listmount, SYS_lsm_get_self_attr, SYS_lsm_set_self_attr, SYS_lsm_list_modules,
       SYS_mseal, SYS_setxattrat, SYS_getxattrat, SYS_listxattrat, SYS_removexattrat, SYS_open_tree_attr, SYS_file_getattr,
       SYS_file_setattr, SYS_listns };

static char buf[4096], big[8192], queue_name[64];
static int fd, dir, pair[2], other[2], id, timer, word;
static socklen_t len;
static void *mem;
static unsigned long context;
static char *none[] = {"x", NULL};
static struct timespec tick = {0, 1};
static struct timeval zero;
static struct stat st;
static sigset_t set;
static struct iovec iov = {buf, 1};
static struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
static struct mmsghdr many;
static struct sockaddr_in loopback = {.sin_family = AF_INET};
static struct sockaddr_un nameless = {.sun_family = AF_UNIX};
static struct sembuf up = {0, 1, 0};
static struct { long type; char text[1]; } letter_ = {1, "x"};
#define letter ((void *)&letter_)
static struct sigevent quiet = {.sigev_notify = SIGEV_NONE};
static unsigned int cap[2] = {0x20080522, 0};

static void nothing(int number) { (void)number; }
static void map(void) { mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void shared_map(void) { mem = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0); }
static void shared(void)
{
	id = shmget(IPC_PRIVATE, 4096, 0600 | IPC_CREAT);
	mem = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL); /* it goes with the process, which has it attached */
}
static void remove_semaphore(void) { semctl(id, 0, IPC_RMID); }
static void semaphore(void) { id = semget(IPC_PRIVATE, 1, 0600 | IPC_CREAT); atexit(remove_semaphore); }
static void remove_queue(void) { msgctl(id, IPC_RMID, NULL); }
static void queue(void) { id = msgget(IPC_PRIVATE, 0600 | IPC_CREAT); atexit(remove_queue); }
static void soon(void)
{
	struct itimerval often = {{0, 20000}, {0, 20000}};

	signal(SIGALRM, nothing);
	setitimer(ITIMER_REAL, &often, NULL); /* it may be late */
}
static void pairs(void) { if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || send(pair[0], "x", 1, 0) != 1) exit(3); }
static void filled(void) { if (write(pair[1], "x", 1) != 1 || pipe(other)) exit(3); }
static void messages(void) { many.msg_hdr = msg; }
static void listener(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(name);

	id = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(id, (void *)&name, sizeof(name.sun_family));
	getsockname(id, (void *)&name, &size);
	listen(id, 1);
	if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, size))
		exit(3);
}
static void child(void) { id = fork(); if (!id) _exit(0); }
static long ended(long pid) { if (!pid) _exit(0); return pid; }
static long vforked(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	return pid;
}
static void pending(void) { sigemptyset(&set); sigaddset(&set, SIGUSR1); sigprocmask(SIG_BLOCK, &set, NULL); raise(SIGUSR1); }
static void info(void) { memset(buf, 0, 128); ((siginfo_t *)buf)->si_code = SI_QUEUE; }
static void nobody(void) { setsid(); if (setgid(65534) || setuid(65534)) exit(3); }
static void attribute(void) { syscall(SYS_fsetxattr, fd, "trusted.a", "v", 1, 0); }
static void aio(void) { syscall(SYS_io_setup, 1, &context); }
static void clock_timer(void) { syscall(SYS_timer_create, CLOCK_MONOTONIC, &quiet, &timer); }
static void mq(void) { id = syscall(SYS_mq_open, queue_name, O_CREAT | O_RDWR, 0600, NULL); syscall(SYS_mq_unlink, queue_name); }
static void handle(void) { *(int *)buf = 128; }
static void landlock(void)
{
	*(long *)buf = 1;
	id = syscall(SYS_landlock_create_ruleset, buf, 8, 0);
	*(long *)buf = 1;
	*(int *)(buf + 8) = dir;
}
static void waiters(void)
{
	memset(big, 0, 64);
	for (int i = 0; i < 2; i++) {
		*(long *)(big + 24 * i + 8) = (long)&word;
		*(int *)(big + 24 * i + 16) = 2;
	}
}
static void mount_id(void)
{
	struct statx found;

	statx(dir, ".", 0, 0x4000 /* STATX_MNT_ID_UNIQUE */, &found);
	memset(big, 0, 64);
	*(int *)big = 24;
	*(uint64_t *)(big + 8) = found.stx_mnt_id;
	*(uint64_t *)(big + 16) = 1;
}
static void arguments(void) { memset(big, 0, 16); *(long *)big = (long)buf; *(int *)(big + 8) = 1; }

#define CALL(name, path, before, call)                                                                                   \
	static void before_##name(void) { before; }                                                                      \
	static long call_##name(void) { return ({ call; }); }
#include "calls.h"
#undef CALL

static const struct {
	const char *name, *path;
	long number;
	void (*before)(void);
	long (*call)(void);
} calls[] = {
#define CALL(name, path, before, call) {#name, path, SYS_##name, before_##name, call_##name},
#include "calls.h"
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* Copies this program, whose name it then has, so that execve has something to execute: without arguments it does nothing. */
static void copy(const char *name)
{
	int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_WRONLY | O_CREAT, 0755);

	for (ssize_t got; (got = read(from, big, sizeof(big))) > 0;)
		if (write(to, big, got) != got)
			exit(3);
	close(from);
	close(to);
}

static void prepare(const char *folder, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(queue_name, sizeof(queue_name), "picket-%s", name);
	umask(0);
	if (mkdir(path, 0777) || chdir(path) || mkdir("d", 0777) || symlink("f", "l"))
		exit(3);
	fd = open("g", O_RDWR | O_CREAT, 0666);
	if (write(fd, "12345678", 8) != 8)
		exit(3);
	close(fd);
	fd = open("f", O_RDWR | O_CREAT, 0666);
	if (write(fd, "12345678", 8) != 8)
		exit(3);
	lseek(fd, 0, SEEK_SET);
	dir = open(".", O_RDONLY);
	if (!strncmp(name, "execve", 6))
		copy("x");
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 4096);
	for (int i = 2; i < argc; i++)
		for (unsigned int n = 0; n < sizeof(calls) / sizeof(calls[0]); n++) {
			char object[4096];
			uint64_t since, until;
			long result;

			if (strcmp(argv[i], calls[n].name) || (fflush(stdout), fork()))
				continue;
			prepare(argv[1], argv[i]);
			snprintf(object, sizeof(object), "%s/%s/%s", argv[1], argv[i], calls[n].path);
			if (calls[n].path[0] == '/')
				snprintf(object, sizeof(object), "%s", calls[n].path);
			calls[n].before();
			if (!strncmp(argv[i], "exit", 4) || !strncmp(argv[i], "execve", 6))
				printf("%s %ld %d %lu 0 ends %s\n", argv[i], calls[n].number, getpid(), now(), calls[n].path[0] ? object : "-");
			since = now();
			errno = 0;
			result = calls[n].call();
			until = now();
			if (result == -1 && errno)
				result = -errno;
			printf("%s %ld %d %lu %lu %ld %s\n", argv[i], calls[n].number, getpid(), since, until, result,
			       calls[n].path[0] ? object : "-");
			exit(0);
		}
	while (wait(NULL) > 0)
		;
	return 0;
}

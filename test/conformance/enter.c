/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enter [-t] -c CGROUP [-p PID] -u UID [NAME=VALUE]... -- PROGRAM [ARG]...
 *
 * Starts PROGRAM as an exec session does: a process from outside enters the cgroup and the namespaces of PID, takes uid,
 * gid and groups, keeps the fixture's capabilities and executes the program. Without -p the session is one of the machine
 * itself, which keeps all capabilities. With -t it has a terminal out of the /dev/pts of PID, and what is written to that
 * goes to our standard output. Exits with the program's status, 128 + signal, or 126 with "PROGRAM: MESSAGE" when the
 * program cannot be executed.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "terminal.h"

#define BIT(capability) (UINT64_C(1) << (capability))

static const uint64_t kept = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |
	BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_RAW) |
	BIT(CAP_SYS_CHROOT) | BIT(CAP_MKNOD) | BIT(CAP_AUDIT_WRITE) | BIT(CAP_SETFCAP);

/* A descriptor of a file below /proc/PID. */
static int open_of(const char *pid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		err(125, "%s", path);
	return fd;
}

static void drop_capabilities(void)
{
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (!(kept & BIT(capability)))
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static void keep_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	for (int half = 0; half < 2; half++)
		data[half].permitted = data[half].effective = (uint32_t)(kept >> (32 * half));
	if (syscall(SYS_capset, &header, data))
		err(125, "capset");
}

static void take_ids(unsigned int uid)
{
	if (uid ? setgroups(1, &uid) : setgroups(0, NULL))
		err(125, "setgroups");
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		err(125, "setresuid");
}

/* The master of a new terminal; its slave, which belongs to the user, in `slave`. */
static int open_terminal(const char *pid, unsigned int uid, int *slave)
{
	int master = open_of(pid ? pid : "self", "root/dev/pts/ptmx", O_RDWR | O_NOCTTY), unlock = 0;

	if (ioctl(master, TIOCSPTLCK, &unlock))
		err(125, "unlock the terminal");
	*slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0 || fchown(*slave, uid, -1))
		err(125, "the other end of the terminal");
	return master;
}

static void take_terminal(int slave)
{
	if (ioctl(slave, TIOCSCTTY, 0))
		err(125, "take the terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			err(125, "terminal");
}

int main(int argc, char **argv)
{
	static const char usage[] = "enter [-t] -c CGROUP [-p PID] -u UID [NAME=VALUE]... -- PROGRAM [ARG]...";
	static const char *const names[] = { "ns/ipc", "ns/uts", "ns/net", "ns/mnt" };
	const char *cgroup = NULL, *pid = NULL, *user = NULL;
	int namespaces[4], procs, status, option, terminal = 0, master = -1, slave = -1;
	char path[4096], **program;
	unsigned int uid;
	pid_t child;

	while ((option = getopt(argc, argv, "+tc:p:u:")) != -1) {
		if (option == 't')
			terminal = 1;
		else if (option == 'c')
			cgroup = optarg;
		else if (option == 'p')
			pid = optarg;
		else if (option == 'u')
			user = optarg;
		else
			errx(125, "usage: %s", usage);
	}
	for (program = argv + optind; *program && strcmp(*program, "--"); program++)
		;
	if (!cgroup || !user || !program[0] || !program[1])
		errx(125, "usage: %s", usage);
	*program++ = NULL;
	uid = atoi(user);

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	procs = open(path, O_WRONLY | O_CLOEXEC);
	if (procs < 0)
		err(125, "%s", path);
	for (int i = 0; pid && i < 4; i++)
		namespaces[i] = open_of(pid, names[i], O_RDONLY);
	if (terminal)
		master = open_terminal(pid, uid, &slave);
	if (pid && setns(open_of(pid, "ns/pid", O_RDONLY), CLONE_NEWPID))
		err(125, "setns pid");

	/* the child is the first process in the pid namespace */
	child = fork();
	if (child < 0)
		err(125, "fork");
	if (!child) {
		if (write(procs, "0", 1) != 1)
			err(125, "%s", path);
		for (int i = 0; pid && i < 4; i++)
			if (setns(namespaces[i], 0))
				err(125, "setns %s", names[i]);
		if (chdir("/") || setsid() < 0)
			err(125, "session");
		if (terminal)
			take_terminal(slave);
		if (pid)
			drop_capabilities();
		take_ids(uid);
		if (pid && !uid)
			keep_capabilities();
		close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
		environ = argv + optind;
		execvp(program[0], program);
		fprintf(stderr, "%s: %s\n", program[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (terminal) {
		close(slave);
		terminal__copy(master);
	}
	if (waitpid(child, &status, 0) < 0)
		err(125, "wait");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

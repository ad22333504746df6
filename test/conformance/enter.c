/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enter CGROUP PID UID [NAME=VALUE]... -- PROGRAM [ARG]...
 *
 * Starts PROGRAM as an exec session does: a process from outside enters the cgroup and the namespaces of PID, takes uid,
 * gid and groups, keeps the fixture's capabilities and executes the program. For machines on which a container runtime
 * does not know the v2 hierarchy and so cannot place its sessions there. Exits with the program's status, 128 + signal,
 * or 126 with "PROGRAM: MESSAGE" when the program cannot be executed.
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
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))

static const uint64_t kept = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |
	BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_RAW) |
	BIT(CAP_SYS_CHROOT) | BIT(CAP_MKNOD) | BIT(CAP_AUDIT_WRITE) | BIT(CAP_SETFCAP);

static int open_of(const char *pid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		err(125, "%s", path);
	return fd;
}

static void take_rights(unsigned int uid)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (!(kept & BIT(capability)))
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	if (uid ? setgroups(1, &uid) : setgroups(0, NULL))
		err(125, "setgroups");
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		err(125, "setresuid");
	if (uid)
		return;
	for (int half = 0; half < 2; half++)
		data[half].permitted = data[half].effective = (uint32_t)(kept >> (32 * half));
	if (syscall(SYS_capset, &header, data))
		err(125, "capset");
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "ipc", "uts", "net", "mnt" };
	int namespaces[4], procs, status, program = 4;
	char path[4096];
	pid_t child;

	while (program < argc && strcmp(argv[program], "--"))
		program++;
	if (program + 1 >= argc)
		errx(125, "usage: enter CGROUP PID UID [NAME=VALUE]... -- PROGRAM [ARG]...");
	argv[program++] = NULL;

	snprintf(path, sizeof(path), "%s/cgroup.procs", argv[1]);
	procs = open(path, O_WRONLY | O_CLOEXEC);
	if (procs < 0)
		err(125, "%s", path);
	for (int i = 0; i < 4; i++)
		namespaces[i] = open_of(argv[2], names[i], O_RDONLY);
	if (setns(open_of(argv[2], "pid", O_RDONLY), CLONE_NEWPID))
		err(125, "setns pid");

	/* the child is the first process in the pid namespace */
	child = fork();
	if (child < 0)
		err(125, "fork");
	if (!child) {
		if (write(procs, "0", 1) != 1)
			err(125, "%s", path);
		for (int i = 0; i < 4; i++)
			if (setns(namespaces[i], 0))
				err(125, "setns %s", names[i]);
		if (chdir("/") || setsid() < 0)
			err(125, "session");
		take_rights(atoi(argv[3]));
		close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
		environ = argv + 4;
		execvp(argv[program], argv + program);
		fprintf(stderr, "%s: %s\n", argv[program], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (waitpid(child, &status, 0) < 0)
		err(125, "wait");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

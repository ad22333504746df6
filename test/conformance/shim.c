/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim [-t SOCKET] PIDFILE RUNTIME [ARG]...
 *
 * Starts a detached exec session (`runc exec --detach --pid-file PIDFILE ...`) and stays until its program ends, as the
 * shim of a container engine does: the session has our own streams, not pipes of the runtime, and what its program
 * leaves in the background is not waited for. With -t the session has a terminal (`--tty --console-socket SOCKET`), which
 * the runtime hands over on a Unix socket that we make; what is written to it goes to our standard output. Exits with the
 * program's status, 128 + signal, or the runtime's own status when that fails.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "terminal.h"

static int wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		err(125, "wait for %d", pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int listen_on(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(125, "%s: too long for a socket", path);
	strcpy(address.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1))
		err(125, "%s", path);
	return fd;
}

/* One message with the terminal's name and, beside it, the descriptor of its master. */
static int receive_terminal(int listener)
{
	char name[4096];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { .iov_base = name, .iov_len = sizeof(name) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), master;
	struct cmsghdr *header;

	if (fd < 0 || recvmsg(fd, &message, MSG_CMSG_CLOEXEC) < 0)
		err(125, "receive the terminal");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		errx(125, "the runtime sent no terminal");
	memcpy(&master, CMSG_DATA(header), sizeof(master));
	close(fd);
	return master;
}

int main(int argc, char **argv)
{
	pid_t runtime, program;
	int status, listener = -1;
	FILE *file;

	if (argc > 3 && !strcmp(argv[1], "-t")) {
		listener = listen_on(argv[2]);
		argv += 2;
		argc -= 2;
	}
	if (argc < 3)
		errx(125, "usage: shim [-t SOCKET] PIDFILE RUNTIME [ARG]...");
	/* the program becomes our child when the runtime ends */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		err(125, "subreaper");
	runtime = fork();
	if (runtime < 0)
		err(125, "fork");
	if (!runtime) {
		execvp(argv[2], argv + 2);
		err(125, "%s", argv[2]);
	}
	status = wait_for(runtime);
	if (status)
		return status;
	file = fopen(argv[1], "r");
	if (!file || fscanf(file, "%d", &program) != 1)
		err(125, "%s", argv[1]);
	if (listener >= 0)
		terminal__copy(receive_terminal(listener));
	return wait_for(program);
}

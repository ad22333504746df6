/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim PIDFILE RUNTIME [ARG]...
 *
 * Starts a detached exec session (`runc exec --detach --pid-file PIDFILE ...`) and stays until its program ends, as the
 * shim of a container engine does: the session has our own streams, not pipes of the runtime, and what its program
 * leaves in the background is not waited for. Exits with the program's status, 128 + signal, or the runtime's own
 * status when that fails.
 */
#include <err.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		err(125, "wait for %d", pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	pid_t runtime, program;
	int status;
	FILE *file;

	if (argc < 3)
		errx(125, "usage: shim PIDFILE RUNTIME [ARG]...");
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
	return wait_for(program);
}

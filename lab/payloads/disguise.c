// disguise NAME PROGRAM [ARG...]: take NAME as comm and argv[0], then run PROGRAM as a child under
// that argv[0] too; ends with the child's status.
#include <err.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int status;

	if (argc < 3)
		errx(2, "usage: disguise NAME PROGRAM [ARG...]");
	char *name = strdup(argv[1]), *program = argv[2];
	prctl(PR_SET_NAME, name);
	strncpy(argv[0], name, strlen(argv[0]));
	pid_t child = fork();
	if (child == 0) {
		argv[2] = name;
		execv(program, argv + 2);
		err(127, "%s", program);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		err(1, "fork");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

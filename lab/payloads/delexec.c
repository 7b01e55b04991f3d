// delexec PROGRAM [ARG...]: open PROGRAM, remove its name, execute what is left.
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "usage: delexec PROGRAM [ARG...]");
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || unlink(argv[1]))
		err(1, "%s", argv[1]);
	fexecve(fd, argv + 1, environ);
	err(1, "fexecve");
}

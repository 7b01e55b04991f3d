// memexec PROGRAM [NAME [ARG...]]: copy PROGRAM into a memfd called NAME and execute that.
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	char buffer[65536];
	ssize_t count;

	if (argc < 2)
		errx(2, "usage: memexec PROGRAM [NAME [ARG...]]");
	char *name = argc > 2 ? argv[2] : "payload";
	int from = open(argv[1], O_RDONLY);
	int to = memfd_create(name, MFD_CLOEXEC);
	if (from < 0 || to < 0)
		err(1, "%s", argv[1]);
	while ((count = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, count) != count)
			err(1, "write");
	char *plain[] = {name, 0};
	fexecve(to, argc > 2 ? argv + 2 : plain, environ);
	err(1, "fexecve");
}

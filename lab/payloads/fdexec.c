// fdexec PROGRAM [ARG...]: execute PROGRAM by the name /proc/self/fd/N, its own name still there.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[64];

	if (argc < 2)
		errx(2, "usage: fdexec PROGRAM [ARG...]");
	int fd = open(argv[1], O_RDONLY);
	if (fd < 0)
		err(1, "%s", argv[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	execv(path, argv + 1);
	err(1, "%s", path);
}

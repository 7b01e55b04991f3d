// mark FILE: append one byte to FILE as early as a program can (a constructor), and one more from main.
// An empty FILE afterwards proves that not one instruction of ours ran.
#include <fcntl.h>
#include <unistd.h>

static void append(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0644);

	if (fd >= 0 && write(fd, "x", 1) == 1)
		close(fd);
}

// glibc hands constructors the arguments of main.
__attribute__((constructor)) static void early(int argc, char **argv)
{
	if (argc > 1)
		append(argv[1]);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		append(argv[1]);
	return 0;
}

// spawn COUNT PROGRAM [ARG...]: posix_spawn PROGRAM and wait for it, COUNT times; print the
// nanoseconds of each on a line of its own. Used to compare exec latency. With PAUSE_US in the
// environment it rests that long before each.
#include <err.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: spawn COUNT PROGRAM [ARG...]");
	int count = atoi(argv[1]);
	int pause = getenv("PAUSE_US") ? atoi(getenv("PAUSE_US")) : 0;
	long long *took = calloc(count, sizeof(*took));
	for (int i = 0; i < count; i++) {
		if (pause)
			usleep(pause);
		long long start = now();
		pid_t child;
		if (posix_spawn(&child, argv[2], 0, 0, argv + 2, environ))
			err(1, "%s", argv[2]);
		waitpid(child, 0, 0);
		took[i] = now() - start;
	}
	for (int i = 0; i < count; i++)
		printf("%lld\n", took[i]);
	return 0;
}

// A shared library: its constructor speaks when LIBGREET is set, so that a test sees it was loaded.
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void greet(void)
{
	if (getenv("LIBGREET"))
		puts("greet: loaded");
}

int greeting(void)
{
	return 42;
}

// Print real and effective user id: made setuid or given capabilities by a test.
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	printf("%d %d\n", (int)getuid(), (int)geteuid());
	return 0;
}

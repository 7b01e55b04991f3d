// A dynamically linked program that prints its effective user id, and what its library answers.
#include <stdio.h>
#include <unistd.h>

int greeting(void);

int main(void)
{
	printf("%d %d\n", (int)geteuid(), greeting());
	return 0;
}

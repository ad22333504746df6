/* A program that does nothing, for whether it may be started at all. */
int main(void)
{
	return 0;
}

/* plait-host - a program that does nothing but run functions of shared objects, for plug-ins in programs that do not call
 * plait_init: see plait_set_executable. */
#include <stdio.h>

#include <plait/error.h>
#include <plait/init.h>

int main(int argc, char **argv)
{
    int error = plait_init(&argc, &argv);
    if (error) fprintf(stderr, "plait-host: %s: %s\n", plait_strerror(error), plait_error_detail());
    else fputs("plait-host runs functions for programs that use libplait: see plait_set_executable\n", stderr);
    return 2;
}

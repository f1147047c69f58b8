/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The program that bench-start spawns itself: it loads the libraries named as arguments, as the dynamic
 * linker loads those of a program, and sends back the byte that it is sent.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

int
main (int argc, char **argv)
{
  char byte;

  for (int i = 1; i < argc; i++)
    if (dlopen (argv[i], RTLD_LAZY | RTLD_GLOBAL) == NULL)
      {
        fprintf (stderr, "%s\n", dlerror ());
        return 1;
      }
  return read (STDIN_FILENO, &byte, 1) == 1 && write (STDOUT_FILENO, &byte, 1) == 1 ? 0 : 1;
}

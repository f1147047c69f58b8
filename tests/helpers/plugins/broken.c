/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Plugins that are wrong in one way each, chosen by a macro: the descriptor lies, a symbol is
 * missing, or the constructor does not return.
 */
#include <coproc.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef BROKEN_WRONG_MAGIC
#define MAGIC 0x12345678u
#else
#define MAGIC COPROC_PLUGIN_MAGIC
#endif
#ifdef BROKEN_WRONG_ABI
#define ABI (COPROC_PLUGIN_ABI + 1)
#else
#define ABI COPROC_PLUGIN_ABI
#endif
#ifdef BROKEN_WRONG_SIZE
#define DESCRIPTOR_SIZE (sizeof (CoprocPluginDescriptor) - 8)
#else
#define DESCRIPTOR_SIZE sizeof (CoprocPluginDescriptor)
#endif
#ifdef BROKEN_NO_NAME
#define NAME NULL
#else
#define NAME "broken"
#endif
#ifdef BROKEN_NO_FUNCTION
#define FUNCTION NULL
#else
#define FUNCTION broken
#endif
#ifdef BROKEN_SAME_NAMES
#define SECOND_NAME "broken"
#else
#define SECOND_NAME "other"
#endif

G_GNUC_UNUSED static gboolean
broken (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  abort (); /* nothing of a broken plugin may ever be called */
}

#ifndef BROKEN_NO_SYMBOL
static const CoprocPluginEntry entries[] = {
  COPROC_ENTRY_POINT ("broken", FUNCTION, "is never called"),
  COPROC_ENTRY_POINT (SECOND_NAME, broken, "is never called"),
};

extern G_MODULE_EXPORT const CoprocPluginDescriptor coproc_plugin_entry;
const CoprocPluginDescriptor coproc_plugin_entry = {
  MAGIC, ABI, DESCRIPTOR_SIZE, sizeof (CoprocPluginEntry),
  NAME, "1.0", "A plugin that is wrong", entries, G_N_ELEMENTS (entries),
};
#endif

#ifdef BROKEN_UNDEFINED_SYMBOL
extern void nowhere_to_be_found (void);
extern G_MODULE_EXPORT void broken_call (void);

void
broken_call (void)
{
  nowhere_to_be_found ();
}
#endif

#if defined(BROKEN_CTOR_SEGV) || defined(BROKEN_CTOR_ABORT)
static void __attribute__ ((constructor))
broken_load (void)
{
#ifdef BROKEN_CTOR_SEGV
  int signum = SIGSEGV;
#else
  int signum = SIGABRT;
#endif

  g_printerr ("the constructor is about to crash\n");
  signal (signum, SIG_DFL);
  raise (signum);
}
#elif defined(BROKEN_CTOR_EXIT)
static void __attribute__ ((constructor))
broken_load (void)
{
  exit (0);
}
#elif defined(BROKEN_CTOR_HANG)
static void __attribute__ ((constructor))
broken_load (void)
{
  while (TRUE)
    pause ();
}
#endif

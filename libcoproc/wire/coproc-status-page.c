/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * With priorities requests are not taken up in the order of their serials: beside the highest one the
 * page has a bit for each of the COPROC_STATUS_WINDOW serials up to it, at the place of its remainder.
 *
 * The worker may be killed between any two stores. Each order of them errs on the safe side: `highest`
 * rises first, which only makes older serials count as taken up; then the words that it has gone past are
 * cleared; then the bit is set, and only after it the request is given away.
 */
#include "wire/coproc-status-page-private.h"

#define BEGUN 1u
#define WORD_BITS 64u
#define N_WORDS (COPROC_STATUS_WINDOW / WORD_BITS)

typedef struct
{
  guint32 begun;           /* BEGUN: the worker keeps the page */
  guint32 unused;
  guint64 highest;         /* the highest serial taken up */
  guint64 taken[N_WORDS];  /* bit serial % COPROC_STATUS_WINDOW */
} StatusPage;

G_STATIC_ASSERT (sizeof (StatusPage) <= COPROC_STATUS_PAGE_SIZE);
G_STATIC_ASSERT ((COPROC_STATUS_WINDOW & (COPROC_STATUS_WINDOW - 1)) == 0);

static StatusPage *
get_page (CoprocSharedMemory *memory)
{
  return (StatusPage *) (gpointer) memory->data;
}

/* The number of the word of @serial, in an endless row of them. */
static guint64
word_of (guint64 serial)
{
  return serial / WORD_BITS;
}

static guint64 *
place_of (StatusPage *page, guint64 word)
{
  return &page->taken[word % N_WORDS];
}

void
coproc_status_page_begin (CoprocSharedMemory *memory)
{
  __atomic_store_n (&get_page (memory)->begun, BEGUN, __ATOMIC_RELEASE);
}

void
coproc_status_page_take_up (CoprocSharedMemory *memory, guint64 serial)
{
  StatusPage *page = get_page (memory);
  const guint64 highest = page->highest;
  guint64 *place = place_of (page, word_of (serial));

  if (serial > highest)
    {
      const guint64 first = word_of (highest) + 1, last = word_of (serial);

      __atomic_store_n (&page->highest, serial, __ATOMIC_RELEASE);
      for (guint64 word = last - first >= N_WORDS && last >= first ? last - N_WORDS + 1 : first;
           word <= last; word++)
        __atomic_store_n (place_of (page, word), 0, __ATOMIC_RELEASE);
    }
  else if (word_of (highest) - word_of (serial) >= N_WORDS)
    return; /* too old to be told: it counts as taken up */

  __atomic_store_n (place, *place | G_GUINT64_CONSTANT (1) << (serial % WORD_BITS), __ATOMIC_RELEASE);
}

gboolean
coproc_status_page_may_have (CoprocSharedMemory *memory, guint64 serial)
{
  StatusPage *page = get_page (memory);
  const guint64 highest = __atomic_load_n (&page->highest, __ATOMIC_ACQUIRE);

  if (__atomic_load_n (&page->begun, __ATOMIC_ACQUIRE) != BEGUN)
    return TRUE;
  if (serial > highest)
    return FALSE;
  if (word_of (highest) - word_of (serial) >= N_WORDS)
    return TRUE;

  return (__atomic_load_n (place_of (page, word_of (serial)), __ATOMIC_ACQUIRE) >> (serial % WORD_BITS)) & 1;
}

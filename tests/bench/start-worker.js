/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker that is a JavaScript program, as short as one can be: answers each request with its payload.
 */
import Coproc from 'gi://Coproc?version=1';

const [messenger] = Coproc.worker_connect();
await Coproc.using(messenger, () => Coproc.serve(payload => payload, messenger));

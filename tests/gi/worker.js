/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker that is a JavaScript program: answers each request with its payload.
 */
import Coproc from 'gi://Coproc?version=1';
import System from 'system';

import {unpack} from './tap.js';

const [messenger, args] = Coproc.worker_connect(Coproc.PriorityMessenger.$gtype);
try {
    for (;;) {
        const request = messenger.receive_any(-1, null);
        messenger.reply(request, request.get_payload());
    }
} catch (error) {
    if (!error.matches(Coproc.Error, Coproc.Error.CLOSE_REQUESTED))
        throw error;
}
messenger.close();
System.exit(unpack(args)?.code ?? 0);

/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker process that runs what an ES module exports:
 *
 *   gjs -m coproc-worker.js MODULE.js [NAME]
 *
 * is a command for Coproc.WorkerResource.new_for_command(), in any language; a JavaScript host lets
 * Coproc.WorkerResource.for_module() make it. What becomes of the export is told there.
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import System from 'system';

/** The names of the parameters of a function, or of what a class is made with. */
function getFirstParameter(callable) {
    const text = Function.prototype.toString.call(callable);
    const list = isClass(callable) ? /constructor\s*\(([^),]*)/.exec(text) : /^[^(=]*(?:\(([^),]*)|)/.exec(text);
    return (list?.[1] ?? /^\s*(?:async\s+)?(\w+)\s*=>/.exec(text)?.[1] ?? '').trim();
}

function isClass(callable) {
    return /^class\b/.test(Function.prototype.toString.call(callable));
}

async function load(path, name) {
    imports.overrides.Coproc.loading = path;
    const module = await import(Gio.File.new_for_commandline_arg(path).get_uri());
    imports.overrides.Coproc.loading = null;
    if (typeof module[name] !== 'function')
        throw new TypeError(`${path} exports no function or class '${name}'`);
    return module[name];
}

async function work(callable, messenger, args) {
    if (getFirstParameter(callable) === 'messenger')
        await (isClass(callable) ? new callable(messenger, args).run() : callable(messenger, args));
    else if (isClass(callable))
        await serveObject(new callable(args), messenger);
    else
        await Coproc.serve(payload => callable(payload, args), messenger);
}

function serveObject(object, messenger) {
    return Coproc.serve(payload => object.handle(payload), messenger);
}

const [messenger, args] = Coproc.worker_connect();
let status = 0;
try {
    await work(await load(ARGV[0], ARGV[1] ?? 'default'), messenger, args);
} catch (error) {
    if (!(error instanceof Coproc.CloseRequested)) {
        status = 1;
        try {
            messenger.send_error(error);
        } catch (_) {
            // The host has gone, or does not listen any more.
        }
    }
}
messenger.close();
System.exit(status);

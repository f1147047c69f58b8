/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The Coproc namespace as JavaScript programs like it: payloads are values, asynchronous methods give promises
 * when they get no callback, messages can be iterated over. Nothing is kept here: the objects are the
 * library's own, and a method that is not mentioned is the one of introspection.
 */
/* exported _init, loading */

const {GLib} = imports.gi;
const {asBytes, bytesOf, fromVariant, isOwned, toVariant, view} = imports.overrides._coprocPayload;

const TRACE = '\n\nTraceback (most recent call last):\n';

// The module that this worker imports just now.
var loading = null;

function _init() {
    const Coproc = this;

    addErrors(Coproc);
    addMessage(Coproc);
    addMessenger(Coproc);
    addWorker(Coproc);
    addPool(Coproc);
    addFunctions(Coproc);
}

/* --- what the parts share --- */

/** Replaces methods of a class by functions that get the original as their first argument. */
function replace(kind, methods) {
    for (const [name, body] of Object.entries(methods)) {
        const original = kind.prototype[name];
        kind.prototype[name] = function (...args) {
            return body.call(this, original, ...args);
        };
    }
}

/** An asynchronous method that takes a callback as its last argument, or gives a promise of its result. The
 * arguments are what `prepare` makes of them. */
function promise(kind, name, n, prepare, convert = value => value) {
    const begin = kind.prototype[`${name}_async`];
    const finish = kind.prototype[`${name}_finish`];

    kind.prototype[`${name}_async`] = function (...args) {
        const prepared = prepare.apply(this, args.slice(0, n));
        if (typeof args[n] === 'function')
            return begin.call(this, ...prepared, args[n]);
        return new Promise((resolve, reject) => {
            begin.call(this, ...prepared, (source, result) => {
                try {
                    resolve(convert(finish.call(source, result)));
                } catch (error) {
                    reject(error);
                }
            });
        });
    };
    kind.prototype[`${name}_finish`] = function (result) {
        return convert(finish.call(this, result));
    };
}

function addGetters(kind, getters) {
    for (const [name, get] of Object.entries(getters))
        Object.defineProperty(kind.prototype, name, {get, configurable: true});
}

/* --- errors --- */

/** A class for each code: `error instanceof Coproc.TimedOut`. */
function addErrors(Coproc) {
    for (const name of Object.keys(Coproc.Error).filter(key => /^[A-Z_]+$/.test(key))) {
        const code = Coproc.Error[name];
        const title = name.toLowerCase().replace(/(?:^|_)(.)/g, (_, letter) => letter.toUpperCase());
        Coproc[title] = class {
            constructor(message) {
                return new GLib.Error(Coproc.Error, code, message);
            }

            static [Symbol.hasInstance](error) {
                return error instanceof GLib.Error && error.matches(Coproc.Error, code);
            }
        };
    }
}

/** What an exception is sent as: with its type, its message and where it came from. */
function toError(Coproc, error) {
    if (error instanceof GLib.Error)
        return error;
    const trace = (error?.stack ?? '').split('\n').filter(line => line).map(line => `  ${line}`);
    return new GLib.Error(Coproc.Error, Coproc.Error.HANDLER, `${error}${TRACE}${trace.join('\n')}`);
}

function isEnd(Coproc, error) {
    return error instanceof Coproc.Closed || error instanceof Coproc.CloseRequested;
}

/* --- messages --- */

function addMessage(Coproc) {
    const make = Coproc.Message.new_full;

    addGetters(Coproc.Message, {
        payload() {
            return fromVariant(this.get_payload());
        },
        bytes() {
            const bytes = this.get_bytes();
            return bytes && view(bytes);
        },
        channel() {
            return this.get_channel();
        },
        priority() {
            return this.get_priority();
        },
        kind() {
            return this.get_kind();
        },
        serial() {
            return this.get_serial();
        },
        reply_serial() {
            return this.get_reply_serial();
        },
    });
    Coproc.Message.new_full = (payload, channel = null, priority = Infinity) =>
        make(toVariant(payload), channel, priority);
}

/** A handler of the signal `message`. Who has asked is told when it fails, at once or later, and does not wait. */
function guard(Coproc, handler) {
    const tell = (messenger, message, error) => {
        if (message.get_kind() === Coproc.MessageKind.REQUEST) {
            try {
                messenger.reply_error(message, error);
            } catch (_) {
                // It has been answered before, or nobody waits any more.
            }
        }
    };
    return (messenger, message) => {
        try {
            const result = handler(messenger, message);
            if (result instanceof Promise) {
                result.catch(error => {
                    tell(messenger, message, error);
                    logError(error);
                });
            }
        } catch (error) {
            tell(messenger, message, error);
            throw error;
        }
    };
}

/** The messages of a channel until the peer has ended, or asks to: for `for` and `for await`. */
class Messages {
    constructor(Coproc, messenger, channel) {
        this._Coproc = Coproc;
        this._messenger = messenger;
        this._channel = channel;
    }

    * [Symbol.iterator]() {
        try {
            for (;;)
                yield this._messenger.receive_message(this._channel);
        } catch (error) {
            if (!isEnd(this._Coproc, error))
                throw error;
        }
    }

    async * [Symbol.asyncIterator]() {
        try {
            for (;;)
                yield await this._messenger.receive_message_async(this._channel);
        } catch (error) {
            if (!isEnd(this._Coproc, error))
                throw error;
        }
    }
}

/** The replies that are outstanding. An error that a request was answered with is thrown in its place; the next
 * ones can be iterated over afterwards. */
class Replies {
    constructor(receive) {
        this._receive = receive;
    }

    [Symbol.iterator]() {
        return this;
    }

    next() {
        const reply = this._receive();
        return reply === null ? {done: true, value: undefined} : {done: false, value: fromVariant(reply)};
    }
}

/* --- messengers --- */

function addMessenger(Coproc) {
    const {Messenger, MessageKind, MultiMessenger, PriorityMessenger} = Coproc;
    const send = kind => function (original, payload, channel = null, priority = null) {
        // Where bytes have no priority of their own no payload is made of them.
        const bytes = [MultiMessenger, PriorityMessenger].includes(this.constructor) ? asBytes(payload) : null;
        if (bytes !== null && !isOwned(bytes))
            return this.send_bytes_full(bytes, channel, kind, priority ?? Infinity)[0];
        if (priority === null)
            return original.call(this, toVariant(payload), channel);
        return this.send_message(Coproc.Message.new_full(payload, channel, priority), kind)[0];
    };

    replace(Messenger, {
        connect(original, name, handler) {
            return original.call(this, name, /^message(::|$)/.test(name) ? guard(Coproc, handler) : handler);
        },
        send_norequest: send(MessageKind.NOREQUEST),
        send_request: send(MessageKind.REQUEST),
        send_request_multiple(original, payloads, channel = null) {
            return original.call(this, Array.from(payloads, toVariant), channel);
        },
        send_reply: send(MessageKind.REPLY),
        send_bytes(original, data, channel = null) {
            const bytes = bytesOf(data);
            return isOwned(bytes) ? this.send_norequest(bytes, channel) : original.call(this, bytes, channel);
        },
        alloc_bytes(original, size) {
            return view(original.call(this, size));
        },
        send_error(original, error) {
            return original.call(this, toError(Coproc, error));
        },
        reply(original, request, payload) {
            return original.call(this, request, toVariant(payload));
        },
        reply_multiple(original, requests, payloads) {
            return original.call(this, Array.from(requests), Array.from(payloads, toVariant));
        },
        reply_error(original, request, error) {
            return original.call(this, request, toError(Coproc, error));
        },
        available(original, channel = null) {
            return original.call(this, channel);
        },
        receive_available(original, channel = null) {
            return original.call(this, channel).map(fromVariant);
        },
        try_receive(original, channel = null, nothing = null) {
            const payload = original.call(this, channel);
            return payload === null ? nothing : fromVariant(payload);
        },
        try_receive_message(original, channel = null) {
            return original.call(this, channel);
        },
        receive_blocking(original, channel = null, cancellable = null) {
            return fromVariant(original.call(this, channel, cancellable));
        },
        receive_remaining(original, channel = null, cancellable = null) {
            return new Replies(() => original.call(this, channel, cancellable));
        },
        receive_any(original, timeout = -1, cancellable = null) {
            return original.call(this, timeout, cancellable);
        },
        receive_message(original, channel = null, timeout = -1, cancellable = null) {
            return original.call(this, channel, timeout, cancellable);
        },
        receive_messages(original, channel = null, n = 0, timeout = -1, cancellable = null) {
            return original.call(this, channel, n, timeout, cancellable);
        },
        await_available(original, timeout = -1, cancellable = null) {
            return original.call(this, timeout, cancellable);
        },
        call(original, payload, channel = null, timeout = -1, cancellable = null) {
            return fromVariant(original.call(this, toVariant(payload), channel, timeout, cancellable));
        },
    });
    promise(Messenger, 'call', 4, (payload, channel = null, timeout = -1, cancellable = null) =>
        [toVariant(payload), channel, timeout, cancellable], fromVariant);
    promise(Messenger, 'receive', 2, (channel = null, cancellable = null) => [channel, cancellable], fromVariant);
    promise(Messenger, 'receive_message', 3, (channel = null, timeout = -1, cancellable = null) =>
        [channel, timeout, cancellable]);
    promise(Messenger, 'send_message', 3, (message, kind = MessageKind.NOREQUEST, cancellable = null) =>
        [message, kind, cancellable]);

    Messenger.prototype.messages = function (channel = null) {
        return new Messages(Coproc, this, channel);
    };
    for (const name of ['remaining', 'requests_sent', 'replies_received', 'messages_sent', 'messages_received',
        'queue_size', 'listen', 'unlisten']) {
        replace(Messenger, {
            [name](original, channel = null) {
                return original.call(this, channel);
            },
        });
    }
}

/* --- workers --- */

/** The command of a worker that runs what a module exports. */
function getCommand(path, name) {
    if (loading !== null) { // each worker would have one in its turn
        throw new Error(`${loading} starts a worker where it is imported by one: what a worker runs belongs into a \
module of its own`);
    }
    const runner = imports.overrides.Coproc.__file__.replace(/Coproc\.js$/, 'coproc-worker.js');
    return ['gjs', '-m', runner, path.replace(/^file:\/\//, ''), name];
}

function addWorker(Coproc) {
    const {WorkerResource} = Coproc;
    const pack = args => args === null ? null : toVariant(args);

    replace(WorkerResource, {
        start(original, args = null, cancellable = null) {
            return original.call(this, pack(args), cancellable);
        },
        join(original, timeout = -1, cancellable = null) {
            return original.call(this, timeout, cancellable);
        },
        stop(original, grace = this.grace_period) {
            return original.call(this, grace);
        },
    });
    promise(WorkerResource, 'start', 2, (args = null, cancellable = null) => [pack(args), cancellable]);
    promise(WorkerResource, 'join', 2, (timeout = -1, cancellable = null) => [timeout, cancellable]);
    promise(WorkerResource, 'stop', 2, function (grace = this.grace_period, cancellable = null) {
        return [grace, cancellable];
    });
    addGetters(WorkerResource, {
        messenger() {
            return this.get_messenger();
        },
        pid() {
            return this.get_pid();
        },
        exit_status() {
            return this.get_exit_status();
        },
        term_signal() {
            return this.get_term_signal();
        },
    });

    /**
     * A worker process that runs what a module exports. A function whose first parameter is called `messenger`
     * gets the worker's end of the connection and the arguments of the start; any other is called with the
     * payload of each request, and what it returns is the reply, or a promise of it. A class is called with
     * the arguments first, and is then used through its method `handle`.
     */
    WorkerResource.for_module = (path, name = 'default') =>
        WorkerResource.new_for_command(getCommand(path, name));
}

/* --- pools --- */

function addPool(Coproc) {
    const {MapOperation, WorkerPool} = Coproc;
    const pack = args => args === null ? null : toVariant(args);
    const map = function (original, inputs, chunkSize = 0) {
        return original.call(this, Array.from(inputs, toVariant), chunkSize);
    };

    replace(WorkerPool, {
        start(original, args = null, cancellable = null) {
            return original.call(this, pack(args), cancellable);
        },
        stop(original, grace = this.get_model().grace_period) {
            return original.call(this, grace);
        },
        map(original, inputs, chunkSize = 0, cancellable = null) {
            return original.call(this, Array.from(inputs, toVariant), chunkSize, cancellable).map(fromVariant);
        },
        map_ordered: map,
        map_unordered: map,
        broadcast(original, payload = null) {
            return original.call(this, toVariant(payload));
        },
        map_lazy(original, inputs, ordered = true, chunkSize = 0) {
            const items = inputs[Symbol.iterator]();
            const failures = [];
            const operation = original.call(this, () => {
                try {
                    const {done, value} = items.next();
                    return done ? null : toVariant(value);
                } catch (error) {
                    failures.push(error);
                    return null;
                }
            }, ordered, chunkSize);
            operation.failures = failures;
            return operation;
        },
    });
    promise(WorkerPool, 'start', 2, (args = null, cancellable = null) => [pack(args), cancellable]);
    promise(WorkerPool, 'stop', 2, function (grace = this.get_model().grace_period, cancellable = null) {
        return [grace, cancellable];
    });
    promise(WorkerPool, 'submit', 4, (payload, priority = Infinity, timeout = -1, cancellable = null) =>
        [toVariant(payload), priority, timeout, cancellable], fromVariant);
    promise(MapOperation, 'next', 1, (cancellable = null) => [cancellable]);

    // An error is thrown in the place of a result, and the next results come afterwards: no generators.
    const step = (operation, [result]) => {
        if (result !== null)
            return {done: false, value: fromVariant(result)};
        // The inputs of a lazy map may have failed, which looks like their end to the library.
        if (operation.failures?.length)
            throw operation.failures.pop();
        return {done: true, value: undefined};
    };
    MapOperation.prototype[Symbol.iterator] = function () {
        return {
            next: () => step(this, this.next(null)),
            [Symbol.iterator]() {
                return this;
            },
        };
    };
    MapOperation.prototype[Symbol.asyncIterator] = function () {
        return {next: async () => step(this, await this.next_async())};
    };

    addGetters(WorkerPool, {
        workers() {
            return [...this.get_workers()];
        },
    });

    /** A pool of processes that run what a module exports; see WorkerResource.for_module(). */
    WorkerPool.for_module = (path, name = 'default', n = 0) =>
        WorkerPool.new_for_command(getCommand(path, name), n);
}

/* --- functions --- */

function* receiveAll(Coproc, messenger) {
    try {
        for (;;)
            yield messenger.receive_any();
    } catch (error) {
        if (!isEnd(Coproc, error))
            throw error;
    }
}

function addFunctions(Coproc) {
    const connect = Coproc.worker_connect;
    const {Messenger, WorkerPool, WorkerResource, MessageKind} = Coproc;

    Coproc.worker_connect = (type = Coproc.PriorityMessenger) => {
        const [messenger, args] = connect(type.$gtype ?? type);
        return [messenger, args === null ? {} : fromVariant(args)];
    };

    /** Answers all requests with what a function makes of their payloads, until the host ends it. */
    Coproc.serve = async (handler, messenger) => {
        for (const request of receiveAll(Coproc, messenger)) {
            if (request.kind !== MessageKind.REQUEST)
                continue;
            let reply;
            try {
                reply = handler(request.payload);
                if (reply instanceof Promise)
                    reply = await reply;
                reply = toVariant(reply);
            } catch (error) {
                messenger.reply_error(request, error);
                continue;
            }
            messenger.reply(request, reply);
        }
    };
    /** Calls a function with a worker or a pool, which is started and stopped, or a messenger, which is closed. A
     * promise of the function is waited for. */
    Coproc.using = (resource, callback) => {
        const end = () => resource instanceof Messenger ? resource.close() : resource.stop();
        if (resource instanceof WorkerPool || resource instanceof WorkerResource && !resource.is_alive())
            resource.start();
        let result;
        try {
            result = callback(resource);
        } catch (error) {
            end();
            throw error;
        }
        if (result instanceof Promise)
            return result.finally(end);
        end();
        return result;
    };

    // As `using` will have it, where the engine has the symbols.
    Messenger.prototype[Symbol.dispose ?? Symbol.for('dispose')] = Messenger.prototype.close;
    for (const kind of [WorkerResource, WorkerPool]) {
        kind.prototype[Symbol.dispose ?? Symbol.for('dispose')] = function () {
            this.stop();
        };
        kind.prototype[Symbol.asyncDispose ?? Symbol.for('asyncDispose')] = function () {
            return this.stop_async();
        };
    }
}

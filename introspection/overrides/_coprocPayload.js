/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * JavaScript values as GVariants, and back.
 *
 *   null, undefined   mv (nothing)        Uint8Array, ArrayBuffer   ay
 *   boolean           b                   other typed arrays        an, aq, ai, au, ax, at, ad
 *   number            x if it is whole, else d     array of numbers or of strings   ax, ad, as
 *   bigint            x, or t             any other array           av
 *   string            s                   object, Map of strings    a{sv}
 *
 * The serialised form is written and read here: a call of GLib for each value inside costs much more. A
 * GLib.Variant may stand anywhere in a value, and says its type itself. A whole number beyond 2^53 comes back
 * as a bigint.
 */
/* exported asBytes, bytesOf, fromVariant, isOwned, toVariant, view */

const GLib = imports.gi.GLib;

const EMPTY = new Uint8Array(0);
const ALIGNMENTS = {b: 1, y: 1, n: 2, q: 2, i: 4, u: 4, h: 4, x: 8, t: 8, d: 8, s: 1, o: 1, g: 1, v: 8};
const SIZES = {b: 1, y: 1, n: 2, q: 2, i: 4, u: 4, h: 4, x: 8, t: 8, d: 8};
const SMALL = 16384; // bytes that may as well be copied
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const types = new Map();

function getType(code) {
    let type = types.get(code);
    if (type === undefined)
        types.set(code, type = new GLib.VariantType(code));
    return type;
}

/* --- bytes --- */

// Whose memory an array shows, where that is the library's: it is sent without a copy.
const owners = new WeakMap();

/** Bytes of the library as an array, which is no copy. */
function view(bytes) {
    const array = bytes.toArray();
    if (array.length >= SMALL)
        owners.set(array.buffer, bytes);
    return array;
}

/** Whether an array shows memory of the library's. */
function isOwned(array) {
    return owners.has(array.buffer);
}

function toBytes(array) {
    const owner = owners.get(array.buffer);
    return owner ? owner.new_from_bytes(array.byteOffset, array.byteLength) : new GLib.Bytes(array);
}

/** The bytes of whatever has a buffer, not copied; anything else as it is. */
function bytesOf(value) {
    if (ArrayBuffer.isView(value))
        return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}

const BYTES = [Uint8Array, Uint8ClampedArray, Int8Array, ArrayBuffer];

/** The bytes of a value that becomes a payload `ay`, not copied; null for any other. */
function asBytes(value) {
    return typeof value === 'object' && BYTES.some(kind => value instanceof kind) ? bytesOf(value) : null;
}

/* --- writing --- */

const up = (size, alignment) => size + alignment - 1 & -alignment;

/** Bytes for each of `count` framing offsets behind `size` bytes. */
function offsetSize(size, count) {
    if (size + count < 0x100)
        return 1;
    return size + 2 * count < 0x10000 ? 2 : 4;
}

/** Puts serialised items at multiples of their alignments, and `offsets`, if any, behind them. */
function join(items, alignments, offsets, end = 1) {
    let size = 0;
    const starts = items.map((item, i) => {
        const start = up(size, alignments[i] ?? alignments);
        size = start + item.length;
        return start;
    });
    const ends = offsets.map(i => starts[i] + items[i].length);
    const width = offsetSize(size, ends.length);
    const result = new Uint8Array(ends.length ? size + width * ends.length : up(size, end));
    items.forEach((item, i) => result.set(item, starts[i]));
    const view = new DataView(result.buffer);
    ends.forEach((offset, i) => {
        const at = size + width * i;
        if (width === 1)
            view.setUint8(at, offset);
        else if (width === 2)
            view.setUint16(at, offset, true);
        else
            view.setUint32(at, offset, true);
    });
    return result;
}

const joinArray = (items, alignment) => join(items, alignment, [...items.keys()]);

function writeString(value) {
    const text = encoder.encode(value);
    if (value.includes('\0'))
        throw new RangeError('A string of a payload cannot have a NUL in it');
    const result = new Uint8Array(text.length + 1);
    result.set(text);
    return result;
}

function writeBig(value) {
    if (value === BigInt.asIntN(64, value))
        return ['x', bytesOf(BigInt64Array.of(value))];
    if (value === BigInt.asUintN(64, value))
        return ['t', bytesOf(BigUint64Array.of(value))];
    throw new RangeError('An integer of a payload has at most 64 bits');
}

function writeNumber(value) {
    if (Number.isSafeInteger(value))
        return ['x', bytesOf(BigInt64Array.of(BigInt(value)))];
    return ['d', bytesOf(Float64Array.of(value))];
}

/** As a variant: a value, a zero, its type. */
function writeVariant(value) {
    const [code, data] = serialise(value);
    const result = new Uint8Array(data.length + 1 + code.length);
    result.set(data);
    for (let i = 0; i < code.length; i++)
        result[data.length + 1 + i] = code.charCodeAt(i);
    return result;
}

function writeArray(value) {
    if (value.length > 0) {
        if (value.every(Number.isSafeInteger))
            return ['ax', bytesOf(BigInt64Array.from(value, BigInt))];
        if (value.every(item => typeof item === 'number'))
            return ['ad', bytesOf(Float64Array.from(value))];
        if (value.every(item => typeof item === 'string'))
            return ['as', joinArray(value.map(writeString), 1)];
    }
    return ['av', joinArray(value.map(writeVariant), 8)];
}

function writeEntries(entries) {
    return ['a{sv}', joinArray(entries.map(([key, item]) => {
        if (typeof key !== 'string')
            throw new TypeError('The keys of a Map in a payload are strings');
        return join([writeString(key), writeVariant(item)], [1, 8], [0]);
    }), 8)];
}

const BUFFERS = [
    [Int16Array, 'an'], [Uint16Array, 'aq'], [Int32Array, 'ai'], [Uint32Array, 'au'], [BigInt64Array, 'ax'],
    [BigUint64Array, 'at'], [Float64Array, 'ad'],
];

function writeObject(value) {
    if (Array.isArray(value))
        return writeArray(value);
    if (value instanceof GLib.Variant) {
        const normal = value.get_normal_form();
        return [normal.get_type_string(), normal.get_data_as_bytes().toArray()];
    }
    const bytes = asBytes(value);
    if (bytes !== null)
        return ['ay', bytes];
    if (value instanceof Float32Array)
        return ['ad', bytesOf(Float64Array.from(value))];
    for (const [kind, code] of BUFFERS) {
        if (value instanceof kind)
            return [code, bytesOf(value)];
    }
    if (value instanceof Map)
        return writeEntries([...value]);
    const prototype = Object.getPrototypeOf(value);
    if (prototype === null || Object.getPrototypeOf(prototype) === null)
        return writeEntries(Object.entries(value));
    throw new TypeError(`${value} cannot be (part of) a payload`);
}

/** The type of a value as a payload, and its serialised form. */
function serialise(value) {
    switch (typeof value) {
    case 'undefined':
        return ['mv', EMPTY];
    case 'boolean':
        return ['b', Uint8Array.of(value)];
    case 'number':
        return writeNumber(value);
    case 'bigint':
        return writeBig(value);
    case 'string':
        return ['s', writeString(value)];
    case 'object':
        return value === null ? ['mv', EMPTY] : writeObject(value);
    default:
        throw new TypeError(`A ${typeof value} cannot be (part of) a payload`);
    }
}

function toVariant(value) {
    if (value instanceof GLib.Variant)
        return value;
    const [code, data] = serialise(value);
    return GLib.Variant.new_from_bytes(getType(code), toBytes(data), true);
}

/* --- reading --- */

const members = new Map();

/** The codes of the members of a tuple or a dictionary entry. */
function split(code) {
    let result = members.get(code);
    if (result !== undefined)
        return result;
    result = [];
    for (let i = 1; i < code.length - 1;) {
        let end = i;
        while ('am'.includes(code[end]))
            end++;
        for (let depth = 0; ; end++) {
            depth += '({'.includes(code[end]) - ')}'.includes(code[end]);
            if (depth === 0)
                break;
        }
        result.push(code.slice(i, end + 1));
        i = end + 1;
    }
    members.set(code, result);
    return result;
}

function getAlignment(code) {
    if ('am'.includes(code[0]))
        return getAlignment(code.slice(1));
    return ALIGNMENTS[code[0]] ?? Math.max(1, ...split(code).map(getAlignment));
}

/** The size of a value of that type, or 0 if it differs. */
function getSize(code) {
    if (SIZES[code[0]])
        return SIZES[code[0]];
    if (!'({'.includes(code[0]))
        return 0;
    if (code === '()')
        return 1;
    let size = 0;
    for (const member of split(code)) {
        const length = getSize(member);
        if (length === 0)
            return 0;
        size = up(size, getAlignment(member)) + length;
    }
    return up(size, getAlignment(code));
}

const toNumber = big => big >= Number.MIN_SAFE_INTEGER && big <= Number.MAX_SAFE_INTEGER ? Number(big) : big;

const READERS = {
    b: (view, at) => view.getUint8(at) !== 0,
    y: (view, at) => view.getUint8(at),
    n: (view, at) => view.getInt16(at, true),
    q: (view, at) => view.getUint16(at, true),
    i: (view, at) => view.getInt32(at, true),
    h: (view, at) => view.getInt32(at, true),
    u: (view, at) => view.getUint32(at, true),
    x: (view, at) => toNumber(view.getBigInt64(at, true)),
    t: (view, at) => toNumber(view.getBigUint64(at, true)),
    d: (view, at) => view.getFloat64(at, true),
};

/** A value in normal form, which is what the library receives. */
class Reader {
    constructor(bytes) {
        this._bytes = bytes;
        this._view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }

    read(code, start, end) {
        const first = code[0];
        if (READERS[first])
            return READERS[first](this._view, start);
        switch (first) {
        case 's':
        case 'o':
        case 'g':
            return decoder.decode(this._bytes.subarray(start, end - 1));
        case 'v':
            return this._readVariant(start, end);
        case 'a':
            return this._readArray(code, start, end);
        case 'm':
            if (start === end)
                return null;
            return this.read(code.slice(1), start, getSize(code.slice(1)) ? end : end - 1);
        default:
            return this._readMembers(code, start, end);
        }
    }

    _offset(at, width) {
        if (width === 1)
            return this._view.getUint8(at);
        return width === 2 ? this._view.getUint16(at, true) : this._view.getUint32(at, true);
    }

    _readVariant(start, end) {
        const mark = this._bytes.lastIndexOf(0, end - 1);
        return this.read(decoder.decode(this._bytes.subarray(mark + 1, end)), start, mark);
    }

    _readArray(code, start, end) {
        const item = code.slice(1);
        if (item === 'y')
            return this._bytes.subarray(start, end);
        const result = [];
        const size = getSize(item);
        if (size) {
            for (let at = start; at < end; at += size)
                result.push(this.read(item, at, at + size));
        } else if (start < end) {
            const width = offsetSize(end - start, 0);
            const alignment = getAlignment(item);
            let at = start;
            for (let table = start + this._offset(end - width, width); table < end; table += width) {
                const stop = start + this._offset(table, width);
                result.push(this.read(item, start + up(at - start, alignment), stop));
                at = stop;
            }
        }
        return item[0] === '{' ? Object.fromEntries(result) : result;
    }

    _readMembers(code, start, end) {
        const width = offsetSize(end - start, 0);
        const codes = split(code);
        let at = start, table = end;
        return codes.map((member, i) => {
            const size = getSize(member);
            let stop = table;
            at = start + up(at - start, getAlignment(member));
            if (size)
                stop = at + size;
            else if (i < codes.length - 1)
                stop = start + this._offset(table -= width, width);
            const value = this.read(member, at, stop);
            at = stop;
            return value;
        });
    }
}

function fromVariant(variant) {
    const code = variant.get_type_string();
    if (code === 's')
        return variant.get_string()[0];
    if (code === 'd')
        return variant.get_double();
    const bytes = view(variant.get_data_as_bytes());
    return code === 'ay' ? bytes : new Reader(bytes).read(code, 0, bytes.length);
}

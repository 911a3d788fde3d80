#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Verifies an exported audit log (spec/audit-export.md) from the file alone; made from spec/ and nothing else.

Needs Python 3.11 and `cryptography`. Rules are cited by id. Exit codes: 0 it verifies, 1 it does not, 2 wrong use."""

import argparse, base64, datetime, hashlib, json, os, sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LINE_MAX, HEAD_MAX, STATEMENT_MAX, EVENT_MAX, NOTE_MAX = 9_000_000, 4 << 20, 65536, 4096, 16384
DEPTH_MAX, FEEDS_MAX, DEVICES_MAX, NOTE_LINES_MAX, SIGNATURES_MAX, TURNS = 16, 65536, 4096, 64, 8, 64
NO_HASH = bytes(32)
ACTIONS = ("create unlock failed-unlock lock read search write delete import export slot-add slot-remove rotate anomaly rebuild "
           "read-audit unlock-second failed-unlock-second lock-second device-add device-confirm device-revoke compact device-retire "
           "grant ungrant count connect disconnect").split()
CATEGORIES = ("calendar contacts mail messages notes tasks files memory health finance location credentials web profile").split()
OUTCOMES = ("done", "refused", "failed")


class Bad(Exception):
    """What does not verify. The text names rules, ids and numbers."""


def need(holds, why):
    if not holds:
        raise Bad(why)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---------------------------------------------------------------- codec.md

def decode(data):
    value, end = _item(data, 0, 0)
    need(end == len(data), "CBR-1")
    return value


def _item(data, at, depth):
    need(at < len(data), "CBR-1")
    major, number = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        need(number in (20, 21, 22), "CBR-4")
        return (False, True, None)[number - 20], at
    need(major != 6, "CBR-4")
    if number >= 24:
        need(number <= 27, "CBR-2")
        size, least = 1 << number - 24, (24, 1 << 8, 1 << 16, 1 << 32)[number - 24]
        need(at + size <= len(data), "CBR-1")
        number, at = int.from_bytes(data[at:at + size], "big"), at + size
        need(number >= least, "CBR-2")
    if major < 2:
        return (number if major == 0 else -1 - number), at
    need(number <= len(data) - at, "CBR-6")
    if major < 4:
        piece = data[at:at + number]
        try:
            return (piece if major == 2 else piece.decode("utf-8")), at + number
        except UnicodeDecodeError:
            raise Bad("CBR-4") from None
    need(depth < DEPTH_MAX, "CBR-5")
    items, last = [], b""
    for _ in range(number):
        start = at
        key, at = _item(data, at, depth + 1)
        if major == 5:
            need(data[start] >> 5 in (0, 3) and last < data[start:at], "CBR-3")
            last = data[start:at]
            value, at = _item(data, at, depth + 1)
            key = (key, value)
        items.append(key)
    return (items if major == 4 else dict(items)), at


# Shapes: functions that say whether a decoded value is of a form.
uint = lambda v: type(v) is int and 0 <= v < 1 << 64
text = lambda v: type(v) is str
octets = lambda size: lambda v: type(v) is bytes and len(v) == size
row = lambda *shapes: lambda v: type(v) is list and len(v) == len(shapes) and all(s(x) for s, x in zip(shapes, v))
many = lambda shape, most, least=0: lambda v: type(v) is list and least <= len(v) <= most and all(map(shape, v))


def rising(v, width=None):
    keys = [x[:width] if width else x for x in v]
    return all(a < b for a, b in zip(keys, keys[1:]))


def members(data, required, optional, rule):
    """CBR-7: a map with integer keys; those from 128 on are kept and not looked at."""
    value = decode(data)
    need(type(value) is dict and all(type(k) is int for k in value), "CBR-7")
    shapes = {**required, **optional}
    need(set(required) <= set(value) and all(k >= 128 or k in shapes and shapes[k](v) for k, v in value.items()), rule)
    return value


# ---------------------------------------------------------------- signatures.md

P = 2**255 - 19
_EIGHT = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL = {0, 1, P - 1, _EIGHT, P - _EIGHT}           # the y of all eight points of small order


def _is_sound(encoded):
    y = int.from_bytes(encoded, "little") & (1 << 255) - 1
    return y < P and y not in SMALL


def verified(key, message, signature):
    """SIG-2: the library refuses a large S and compares R as bytes."""
    if len(key) != 32 or len(signature) != 64 or not (_is_sound(key) and _is_sound(signature[:32])):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def signed_by(key, label, payload, signature):
    return verified(key, label.encode() + b"\0" + len(payload).to_bytes(8, "big") + payload, signature)     # SIG-1


# ---------------------------------------------------------------- authority.md: who the devices are

ed, kem, dev, inc, hash32 = octets(32), octets(1216), octets(16), octets(8), octets(32)
device_keys, identity_keys = row(ed, kem, ed, ed, ed), row(ed, kem)


place = lambda number, hash_: (number == 0) == (hash_ == NO_HASH)                             # HED-4
epoch = lambda v: row(uint, octets(16))(v) and 1 <= v[0] < 1 << 32
lives = lambda v: many(row(inc, uint, hash32), FEEDS_MAX)(v) and rising(v, 1) and all(place(*x[1:]) for x in v)
factor = lambda v: row(uint, uint, uint, uint, octets(16))(v) and v[0] == 1
CLAIMS = {
    1: row(identity_keys, epoch, device_keys, octets(16)),
    2: device_keys,
    3: dev,
    4: row(dev, lives),
    5: lambda v: row(dev, inc, uint, hash32)(v) and place(*v[2:]),
    7: row(epoch, identity_keys),
    8: lambda v: row(octets(16), many(lambda x: True, 5, 5), ed, kem)(v) and v[1] == [2, 0, 0, 0, bytes(16)],
    9: octets(16),
    16: row(epoch, epoch, factor, ed, kem),
}


class Statement:
    """A signed statement whose signatures hold (AUT-1 to AUT-3)."""

    def __init__(self, encoded, vault):
        pair = decode(encoded)
        signature = row(octets(32), octets(64))
        need(row(lambda v: type(v) is bytes, many(signature, SIGNATURES_MAX, 1))(pair), "AUT-3: no signed statement")
        self.payload, signatures = pair
        need(len(self.payload) <= STATEMENT_MAX, "SIG-5")
        required = {1: lambda v: v == 1, 3: uint, 4: lambda v: True, 5: uint}
        value = members(self.payload, required, {2: hash32}, "AUT-1")
        self.kind, self.claim, self.clock, self.keys = value[3], value[4], value[5], [k for k, _ in signatures]
        need(self.kind in CLAIMS, f"AEX-3: a statement of type {self.kind} does not belong here")
        need((self.kind == 1) == (2 not in value), "AUT-1")
        need(self.kind == 1 or value[2] == vault, "AUT-6: a statement of another vault")
        need(CLAIMS[self.kind](self.claim), "AUT-15")
        label = "aura/v1/sig/genesis" if self.kind == 1 else "aura/v1/sig/statement"
        need(len(set(self.keys)) == len(self.keys), "AUT-3: a key signs twice")
        need(all(signed_by(k, label, self.payload, s) for k, s in signatures), "AUT-3: a signature does not hold")

    def order(self):
        return self.clock, sha256(self.payload)


class Roster:
    """The device list that statements come to (AUT-5 to AUT-22)."""

    def __init__(self, genesis):
        identity, generation, device, _ = genesis.claim
        need(len(genesis.keys) == 2 and set(genesis.keys) == {identity[0], device[0]}, "AUT-5")
        self.devices, self.identities = {}, {tuple(generation): identity}
        self.slots, self.gone, self.second, self.taken = {}, set(), None, set()
        self._list(device, True)

    def judge(self, statements):
        """AUT-21."""
        adds, ends, rest = [], [], []
        for s in sorted(statements, key=Statement.order):
            (adds if s.kind == 2 else ends if s.kind in (4, 5) else rest).append(s)
        for _ in range(TURNS):
            self._again(rest)
            before = len(self.devices)
            for add in list(adds):
                if self._lists(add, rest):
                    adds.remove(add)
            if len(self.devices) == before:
                break
        self._again(adds)
        self._again(rest)
        while counted := next((end for end in sorted(ends, key=self._rank) if self._take(end)), None):
            ends.remove(counted)

    def _again(self, left):
        for _ in range(TURNS):
            before = len(left)
            left[:] = [s for s in left if not self._take(s)]
            if len(left) == before:
                break

    def _lists(self, add, rest):
        if self.active(add.keys):
            return self._take(add)
        device = device_id(add.claim[0])
        confirm = next((s for s in rest if s.kind == 3 and s.claim == device and self._may_confirm(s.keys)), None)
        return confirm is not None and self._take(add) and self._take(confirm)

    def _rank(self, end):
        listed = [d["order"] for d in self.devices.values() if d["keys"][0] in end.keys]
        return not self._by_recovery(end.keys), min(listed, default=1 << 32), end.order()

    def active(self, keys):
        return [d for d in self.devices.values() if d["keys"][0] in keys and d["confirmed"] and d["revoke"] is None]

    def _by_recovery(self, keys):
        return any(key in keys for key in self.slots.values())

    def _may_confirm(self, keys):
        return self.active(keys) or self._by_recovery(keys) or self.second is not None and self.second[3] in keys

    def _list(self, keys, confirmed):
        need(len({keys[0], *keys[2:]}) == 4 and device_id(keys[0]) not in self.devices, "AUT-7, AUT-17")
        self.devices[device_id(keys[0])] = {"keys": keys, "confirmed": confirmed, "order": len(self.devices),
                                            "revoke": None, "by_recovery": False, "closed": {}}

    def _take(self, s):
        """Whether it counts; one that counted before changes nothing (AUT-13)."""
        name = sha256(s.payload)
        if name not in self.taken:
            try:
                self._claim(s.kind, s.claim, s.keys)
            except Bad:
                return False
            self.taken.add(name)
        return True

    def _claim(self, kind, claim, keys):
        active = self.active(keys)
        need(kind != 1, "AUT-5")
        if kind == 2:
            newest = self.identities[min(self.identities, key=lambda g: (-g[0], g[1]))]
            waiting = sum(not d["confirmed"] and d["revoke"] is None for d in self.devices.values())
            need(claim[0] in keys and (active or newest[0] in keys and waiting < 64), "AUT-7, AUT-22")
            return self._list(claim, bool(active))
        if kind == 3:
            need(self._may_confirm(keys) and claim in self.devices and self.devices[claim]["revoke"] is None, "AUT-8")
            self.devices[claim]["confirmed"] = True
            return None
        need(active, "AUT-9")
        if kind in (4, 5):
            need(claim[0] in self.devices, "AUT-9")
            device, by_recovery = self.devices[claim[0]], self._by_recovery(keys)
            if kind == 5:
                need(device["closed"].setdefault(claim[1], claim[2:]) == claim[2:], "AUT-18")
            else:                                   # a revoke by a recovery slot replaces one that is not
                need(device["revoke"] is None or by_recovery and not device["by_recovery"], "AUT-18")
                device["revoke"], device["by_recovery"] = {x[0]: x[1:] for x in claim[1]}, by_recovery
        elif kind == 7:
            need(claim[0][0] >= max(g[0] for g in self.identities), "AUT-10")
            need(self.identities.setdefault(tuple(claim[0]), claim[1]) == claim[1], "AUT-10")
        elif kind == 8:
            need(claim[2] in keys and claim[0] not in self.slots and claim[0] not in self.gone, "AUT-11, AUT-17")
            self.slots[claim[0]] = claim[2]
        elif kind == 9:
            need(self.slots.pop(claim, None) is not None, "AUT-9")
            self.gone.add(claim)
        else:
            need(claim[3] in keys and tuple(claim[1]) in self.identities, "AUT-19")
            need(claim[0][0] == (self.second[0][0] + 1 if self.second else 1), "AUT-20")
            need(self.second is None or self.second[3] in keys or self._by_recovery(keys), "AUT-20")
            self.second = claim

    def beyond(self, head):
        """AUT-18: what has ended there, if this head is not within what is accepted."""
        device = self.devices[head[3]]
        limits = [device["revoke"].get(head[4], [0, NO_HASH])] if device["revoke"] is not None else []
        limits += [device["closed"][head[4]]] if head[4] in device["closed"] else []
        return any(not (head[5] < n or (head[5], head["hash"]) == (n, h)) for n, h in limits)

    def has_ended(self, device, incarnation):
        listed = self.devices[device]
        return listed["revoke"] is not None or incarnation in listed["closed"]


def device_id(key):
    return sha256(b"aura/v1/device-id\0", key)[:16]                                           # IDS-3


# ---------------------------------------------------------------- head.md

def read_head(encoded, vault):
    pair = decode(encoded)
    need(row(lambda v: type(v) is bytes, octets(64))(pair), "HED: no signed head")
    payload, signature = pair
    need(len(payload) <= HEAD_MAX, "SIG-5")
    note = lambda v: type(v) is bytes and 1 <= len(v) <= NOTE_MAX
    h = members(payload, {1: lambda v: v == 1, 2: hash32, 3: dev, 4: inc, 5: uint, 6: hash32,
                          7: many(row(octets(16), uint, hash32), FEEDS_MAX), 12: uint},
                {8: many(row(dev, inc, uint, hash32, uint, hash32), DEVICES_MAX, 1), 9: many(octets(16), FEEDS_MAX, 1),
                 10: note, 11: many(row(dev, inc, note), DEVICES_MAX, 1)}, "HED-1")
    need(h[2] == vault, "HED-1: a head of another vault")
    need(h[5] >= 1 and (h[5] > 1 or h[6] == NO_HASH), "HED-2")
    need(rising(h[7], 1) and rising(h.get(8, []), 2) and rising(h.get(9, [])) and rising(h.get(11, []), 2), "HED-3")
    need(all(n > 0 and place(n, x) for _, n, x in h[7]), "HED-4, HED-5")
    for device, life, held, held_hash, applied, applied_hash in h.get(8, []):
        need(place(held, held_hash) and place(applied, applied_hash), "HED-4")
        need(applied <= held and [device, life] != [h[3], h[4]], "HED-5")
    h["hash"], h["payload"], h["signature"] = sha256(payload), payload, signature             # SIG-4
    return h


# ---------------------------------------------------------------- audit-log.md, audit-events.md

def tree_root(leaves):
    """LOG-1 to LOG-3: pairs level by level; what has no partner goes up as it is."""
    if not leaves:
        return sha256()
    level = leaves
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [sha256(b"\1", level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)] + odd
    return level[0]


def read_note(note, name, key):
    """LOG-7 to LOG-9: size and root of a checkpoint that the key signed."""
    need(note.endswith(b"\n") and note.count(b"\n") < NOTE_LINES_MAX, "LOG-9")
    ident, found = sha256(name.encode(), b"\n\1", key)[:4], 0                                 # LOG-8
    try:
        body, blank, lines = note.decode("utf-8").partition("\n\n")
        origin, size, root = body.split("\n")
        root_bytes = base64.b64decode(root, validate=True)
        need(blank and origin == name, "LOG-9: a checkpoint of another log")
        need(size.isascii() and size.isdigit() and str(int(size)) == size and int(size) < 1 << 64, "LOG-7")
        need(len(root_bytes) == 32 and base64.b64encode(root_bytes).decode() == root, "LOG-7")
        for line in lines.split("\n")[:-1]:
            dash, signer, code = line.split(" ")
            blob = base64.b64decode(code, validate=True)
            need(dash == "\u2014" and signer and len(blob) > 4, "LOG-9")
            if signer == name and blob[:4] == ident:
                need(verified(key, body.encode() + b"\n", blob[4:]), "LOG-9: a signature on the checkpoint does not hold")
                found += 1
    except ValueError:
        raise Bad("LOG-9: no checkpoint") from None
    need(found, "LOG-9: the checkpoint is not signed by the device's log key")
    return int(size), root_bytes


def read_event(data):
    """LOG-10; None for an event of another form or with codes that are not known here."""
    try:
        need(len(data) <= EVENT_MAX, "LOG-10")
        e = members(data, {1: lambda v: type(v) is int and -1 << 63 <= v < 1 << 63, 2: text, 3: uint, 4: uint,
                           5: many(uint, 64), 6: uint, 7: text}, {}, "LOG-10")
        need(rising(e[5]) and e[4] < 3 and 1 <= e[3] <= len(ACTIONS) and all(1 <= c <= len(CATEGORIES) for c in e[5]), "LOG-10")
    except Bad:
        return None
    return {"time": rfc3339(e[1]), "who": e[2], "action": ACTIONS[e[3] - 1], "outcome": OUTCOMES[e[4]],
            "categories": [CATEGORIES[c - 1] for c in e[5]], "count": e[6], "grant": e[7]}


def rfc3339(ms):
    days, rest = divmod(ms, 86_400_000)
    shift = days // 146_097 - 6                     # whole cycles of 400 years, so that Python's years suffice
    try:
        day = datetime.date(1970, 1, 1) + datetime.timedelta(days - shift * 146_097)
    except OverflowError:
        return ""
    year = day.year + 400 * shift
    if not 0 <= year <= 9999:
        return ""
    seconds, milli = divmod(rest, 1000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}" + (f".{milli:03}" if milli else "")
    return f"{year:04}-{day.month:02}-{day.day:02}T{clock}Z"


# ---------------------------------------------------------------- audit-export.md

def lines_of(path):
    """AEX-1: number and object of each line."""
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(LINE_MAX + 1):
            number += 1
            at = f"line {number}"
            need(len(line) <= LINE_MAX, f"{at}: AEX-1: too long")
            need(line.endswith(b"\n"), f"{at}: AEX-1: it is cut off")
            try:
                value = json.loads(line)
                one = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            except (ValueError, RecursionError):
                raise Bad(f"{at}: AEX-1: no JSON in UTF-8") from None
            need(type(value) is dict and one == line, f"{at}: AEX-1: not in its one form")
            yield at, value


def bytes_in(value, name, size=None):
    digits = value[name]
    need(text(digits) and len(digits) % 2 == 0 and not set(digits) - set("0123456789abcdef"), f"AEX-1: {name}")
    need(size is None or len(digits) == 2 * size, f"IDS-1: {name}")
    return bytes.fromhex(digits)


EVENT, WORDS = set("number device incarnation event hash".split()), set("time who action outcome categories count grant".split())


class Export:
    """An export, read from top to bottom; raises `Bad` at the first thing that is not as it must be."""

    def __init__(self, path):
        self.lines, self.logs, self.notes, self.last = lines_of(path), {}, [], None
        at, begin = next(self.lines, ("line 1", None))
        need(begin and set(begin) == {"aura_audit_export", "device", "incarnation", "statements", "vault"}, f"{at}: AEX-2: no audit export")
        need(begin["aura_audit_export"] == 1 and type(begin["aura_audit_export"]) is int, f"{at}: AEX-2: of another version")
        need(uint(begin["statements"]), f"{at}: AEX-2: statements")
        self.vault = bytes_in(begin, "vault", 32)
        self.own = bytes_in(begin, "device", 16), bytes_in(begin, "incarnation", 8)
        try:
            at, line = self._statements(begin["statements"])
            while "verdict" not in line:
                at, line = self._log(at, line)
        except StopIteration:
            raise Bad("AEX-2: the file is cut off: its last line is missing") from None
        need(self.own in self.logs, "AEX-2: the log of the device that exports is not there")
        self._seen()
        self._verdict(at, line)
        after = next(self.lines, None)
        need(after is None, f"{after and after[0]}: AEX-7: something follows the verdict")

    def _statements(self, count):
        found, last = [], b""
        at, line = next(self.lines)
        while set(line) == {"statement"}:
            encoded = bytes_in(line, "statement")
            try:
                statement = Statement(encoded, self.vault)
                if not found:
                    need(statement.kind == 1 and sha256(encoded) == self.vault, "AUT-2: it is not the genesis of this vault")
                else:
                    need(statement.kind != 1 and last < encoded, "AEX-3: statements stand in their order, each once")
            except Bad as bad:
                raise Bad(f"{at}: statement {len(found) + 1}: {bad}") from None
            last = encoded if found else b""
            found.append(statement)
            at, line = next(self.lines)
        need(found, f"{at}: AEX-3: the genesis is missing")
        need(len(found) == count, f"{at}: AEX-2: {count} statements are said, {len(found)} are there")
        self.roster = Roster(found[0])
        self.roster.judge(found[1:])
        return at, line

    def _log(self, at, line):
        """AEX-4, AEX-5: events, then the head."""
        leaves, whose, first = [], None, at
        while set(line) != {"head"}:
            number = len(leaves)
            try:
                need(set(line) in (EVENT, EVENT | WORDS), "AEX-4: neither an event nor a head")
                this = bytes_in(line, "device", 16), bytes_in(line, "incarnation", 8)
                whose = whose or this
                if this != whose and number == 1 and self._next_log() == this:
                    at, number = first, 0           # the head sides with this one: the one before is wrong
                need(this == whose, "AEX-4: an event of another log")
                need(type(line["number"]) is int and line["number"] == number, f"AEX-4: its number is {line['number']}")
                leaf = self._event(line)
            except Bad as bad:
                raise Bad(f"{at}: event {number} of the log {name(*whose) if whose else 'that begins here'}: {bad}") from None
            leaves.append(leaf)
            at, line = next(self.lines)
        try:
            head = read_head(bytes_in(line, "head"), self.vault)
            log = (head[3], head[4])
            self._head(head, leaves if whose in (None, log) else None)
            need(self.last is None or self.last < log, f"AEX-4: the log {name(*log)} does not stand in its order")
        except Bad as bad:
            raise Bad(f"{at}: {bad}") from None
        need(whose in (None, log), f"{first}: event 0: AEX-4: it stands in the log {name(*log)} and says another one")
        self.last = log
        return next(self.lines)

    def _next_log(self):
        """Whose the next head is, to tell which of two lines is wrong."""
        try:
            head = next(line for _, line in self.lines if set(line) == {"head"})
            return tuple(read_head(bytes_in(head, "head"), self.vault)[i] for i in (3, 4))
        except (Bad, StopIteration):
            return None

    @staticmethod
    def _event(line):
        data = bytes_in(line, "event")
        leaf = sha256(b"\0aura/v1/audit/event\0", data)                                       # LOG-1, LOG-10
        need(bytes_in(line, "hash", 32) == leaf, "LOG-10: its hash is not that of its bytes")
        said = read_event(data)
        need((said is None) == (set(line) == EVENT), "AEX-4: words where none belong, or none")
        for word in sorted(said or ()):
            same = type(line[word]) is type(said[word]) and line[word] == said[word]
            need(same, f"AEX-4: `{word}` is not what its bytes say")
        return leaf

    def _head(self, head, leaves):
        log, device = (head[3], head[4]), self.roster.devices.get(head[3])
        try:
            need(device is not None, "no statement lists the device (authority.md)")
            need(signed_by(device["keys"][0], "aura/v1/sig/head", head["payload"], head["signature"]), "the head is not signed by the device")
            if leaves is not None and 10 in head:
                size, root = read_note(head[10], f"aura/audit/{log[0].hex()}/{log[1].hex()}", device["keys"][3])
                need(size == len(leaves), f"LOG-14: the checkpoint covers {size} events, and {len(leaves)} are there")
                need(root == tree_root(leaves), "LOG-14: the events do not lead to the checkpoint's root: at least one is another, or stands in another place")
            need(10 in head or not leaves, "LOG-13: there are events and no checkpoint")
        except Bad as bad:
            raise Bad(f"the log {name(*log)}: {bad}") from None
        if not device["confirmed"]:
            self.notes.append(f"device {log[0].hex()} was never confirmed: its log proves nothing about the vault")
        elif self.roster.beyond(head):
            self.notes.append(f"the log {name(*log)} goes on after the device was revoked or the log closed")
        self.logs[log] = {"head": head, "leaves": leaves}

    def _seen(self):
        """AEX-6."""
        for log, found in self.logs.items():
            for device, life, number, hash_, *_ in found["head"].get(8, []):
                listed = self.roster.devices.get(device)
                if number == 0 or not listed or not listed["confirmed"] or self.roster.has_ended(device, life):
                    continue
                head = self.logs.get((device, life), {}).get("head")
                seen = f"AEX-6: {name(*log)} has seen head {number} of the log {name(device, life)}"
                need(head is not None, f"{seen}, which is not there")
                need(head[5] > number or (head[5], head["hash"]) == (number, hash_), f"{seen}, which ends at {head[5]} here")

    def _verdict(self, at, line):
        """AEX-7."""
        said = line["verdict"]
        need(set(line) == {"verdict"} and type(said) is dict and set(said) == {"first_bad", "ok", "root", "size"}, f"{at}: AEX-7")
        need(said["ok"] is True and said["first_bad"] is None, f"{at}: AEX-7: the vault itself says that its log does not verify: {said['first_bad']}")
        self.size = sum(len(log["leaves"]) for log in self.logs.values())
        self.root = tree_root(self.logs[self.own]["leaves"])
        need(type(said["size"]) is int and said["size"] == self.size, f"{at}: AEX-7: {said['size']} events are said, {self.size} are there")
        need(said["root"] == self.root.hex(), f"{at}: AEX-7: another root is said")

    def follows(self, earlier):
        """AEX-8."""
        need(earlier.vault == self.vault, "AEX-8: the earlier export is of another vault")
        for log, before in earlier.logs.items():
            now, where = self.logs.get(log), f"the log {name(*log)}"
            need(now is not None, f"AEX-8: {where} is not there any more")
            for number, (old, new) in enumerate(zip(before["leaves"], now["leaves"])):
                need(old == new, f"AEX-8: event {number} of {where} is another than before")
            need(len(now["leaves"]) >= len(before["leaves"]), f"AEX-8: event {len(now['leaves'])} of {where} is missing, and what came after it")
            need(now["head"][5] >= before["head"][5], f"AEX-8: {where} is older than before")


def name(device, incarnation):
    return f"{device.hex()}/{incarnation.hex()}"


def main():
    parser = argparse.ArgumentParser(description="Verifies an exported audit log. Exit codes: 0 it verifies, 1 it does not, 2 wrong use.")
    parser.add_argument("file", help="what `aura audit export FILE` wrote")
    parser.add_argument("--vault", metavar="ID", help="the vault's id, as known from elsewhere: `aura status` and the kit show it")
    parser.add_argument("--earlier", metavar="FILE", help="an earlier export of the same vault, which this one must go on from")
    options = parser.parse_args()
    try:
        export = Export(options.file)
        need(options.vault in (None, export.vault.hex()), f"it is the log of another vault: {export.vault.hex()}")
        if options.earlier:
            export.follows(Export(options.earlier))
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    except Bad as bad:
        # What a file says does not steer the terminal.
        print("does not verify: " + "".join(c if c.isprintable() else "?" for c in str(bad)))
        return 1
    for note in export.notes:
        print(f"note: {note}")
    if not options.vault:
        print("note: nothing was given to compare the vault with: --vault ID")
    for log in sorted(export.logs):
        print(f"log {name(*log)}: {len(export.logs[log]['leaves'])} events, root {tree_root(export.logs[log]['leaves']).hex()}")
    print(f"ok: vault {export.vault.hex()}, {export.size} events, root {export.root.hex()}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        os._exit(1)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads an Aura vault, from what spec/ says alone. It never writes into the vault; rules are cited by id."""

import argparse, base64, contextlib, hashlib, hmac, json, os, pathlib, shutil, sqlite3, sys, tempfile, unicodedata

import zstandard
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Refused(Exception):
    """A value that breaks a rule. Messages name rules and ids, never contents."""


class Newer(Refused):
    """CBR-8: a newer version may read this."""


class WrongSecret(Exception):
    """No slot opens, or not the second lock."""


def need(holds, rule):
    if not holds:
        raise Refused(rule)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def be(number, size):
    return number.to_bytes(size, "big")


# ---------------------------------------------------------------- limits.md, ids.md

DEPTH_MAX, ITEMS_MAX = 16, 1 << 20
ENTRY_BODY_MAX, ENTRY_HEADER_MAX, OPS_MAX, CHUNKS_MAX = 16 << 20, 1 << 20, 4096, 16384
HEAD_MAX, HEAD_FEEDS_MAX, DEVICES_MAX, NOTE_MAX, NOTE_LINES_MAX = 4 << 20, 65536, 4096, 16384, 64
STATEMENTS_MAX, STATEMENT_MAX, SIGNATURES_MAX = 1024, 65536, 8
CHUNK_MAX, CHUNK_PLAIN, BLOB_MAX, EVENT_MAX = 4259840, 4 << 20, 1 << 40, 4096
AUTHORITY, ROOT, NO_HASH, CLEAR = bytes(16), bytes(15) + b"\1", bytes(32), (0, bytes(16))
KINDS = ("event contact email message note task file memory observation transaction place login bookmark person "
         "conversation").split()
CATEGORIES = ("calendar contacts mail messages notes tasks files memory health finance location credentials web "
              "profile").split()
ACTIONS = ("create unlock failed-unlock lock read search write delete import export slot-add slot-remove rotate "
           "anomaly rebuild read-audit unlock-second failed-unlock-second lock-second "
           "device-add device-confirm device-revoke compact device-retire "
           "grant ungrant count connect disconnect").split()


# ---------------------------------------------------------------- codec.md

def decode(data):
    value, end = _item(data, 0, 0)
    need(end == len(data), "CBR-1")
    return value


def _item(data, at, depth):
    need(at < len(data), "CBR-1")
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        need(info in (20, 21, 22), "CBR-4")
        return (False, True, None)[info - 20], at
    need(major != 6, "CBR-4")
    number = info
    if info >= 24:
        need(info <= 27, "CBR-2")
        size = 1 << info - 24
        need(at + size <= len(data), "CBR-1")
        number = int.from_bytes(data[at:at + size], "big")
        need(number >= (24, 1 << 8, 1 << 16, 1 << 32)[info - 24], "CBR-2")
        at += size
    if major < 2:
        return (number if major == 0 else -1 - number), at
    need(number <= len(data) - at, "CBR-6")
    if major < 4:
        piece = bytes(data[at:at + number])
        try:
            return (piece if major == 2 else piece.decode("utf-8")), at + number
        except UnicodeDecodeError:
            raise Refused("CBR-4") from None
    need(depth < DEPTH_MAX, "CBR-5")
    need(number <= ITEMS_MAX, "LIM-2")
    if major == 4:
        items = []
        for _ in range(number):
            item, at = _item(data, at, depth + 1)
            items.append(item)
        return items, at
    pairs, last = {}, b""
    for _ in range(number):
        start = at
        need(at < len(data) and data[at] >> 5 in (0, 3), "CBR-3")
        key, at = _item(data, at, depth + 1)
        need(last < data[start:at], "CBR-3")
        last = data[start:at]
        pairs[key], at = _item(data, at, depth + 1)
    return pairs, at


def encode(value):
    if value is None or isinstance(value, bool):
        return bytes([0xF6 if value is None else 0xF4 + value])
    if isinstance(value, int):
        return _argument(0, value) if value >= 0 else _argument(1, -1 - value)
    if isinstance(value, bytes):
        return _argument(2, len(value)) + value
    if isinstance(value, str):
        return _argument(3, len(value.encode())) + value.encode()
    if isinstance(value, (list, tuple)):
        return _argument(4, len(value)) + b"".join(map(encode, value))
    return _argument(5, len(value)) + b"".join(sorted(encode(k) + encode(v) for k, v in value.items()))


def _argument(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    power = next(p for p in range(4) if number < 1 << (8 << p))
    return bytes([major << 5 | 24 + power]) + be(number, 1 << power)


# Shapes: functions that say whether a decoded value is of a form.

def uint(bits=64):
    return lambda v: type(v) is int and 0 <= v < 1 << bits


def sint(v):
    return type(v) is int and -1 << 63 <= v < 1 << 63


def octets(size=None):
    return lambda v: type(v) is bytes and size in (None, len(v))


def text(v):
    return type(v) is str


def row(*shapes):
    return lambda v: type(v) is list and len(v) == len(shapes) and all(s(x) for s, x in zip(shapes, v))


def many(shape, most, least=0):
    return lambda v: type(v) is list and least <= len(v) <= most and all(map(shape, v))


def rising(v, width=None):
    keys = [x[:width] if width else x for x in v]
    return all(a < b for a, b in zip(keys, keys[1:]))


def epoch_id(v):
    return row(uint(32), octets(16))(v) and (v[0] > 0 or v[1] == CLEAR[1])                     # IDS-4


def position(number, hash_):
    return (number == 0) == (hash_ == NO_HASH)                                                 # HED-4


def members(data, required, optional=None):
    """CBR-7, CBR-9: a versioned map with integer keys."""
    value = decode(data) if isinstance(data, bytes) else data
    need(type(value) is dict and all(type(k) is int for k in value), "CBR-7")
    shapes = {**required, **(optional or {})}
    if value.get(1) != 1 and 1 in value or any(k < 128 and k not in shapes for k in value):
        raise Newer("CBR-7, CBR-9")
    need(all(k in value for k in required), "a member is missing")
    need(all(k >= 128 or shapes[k](v) for k, v in value.items()), "a member is of another form")
    return value


device_id, incarnation_id, collection_id, hash_id = octets(16), octets(8), octets(16), octets(32)


# ---------------------------------------------------------------- signatures.md

P = 2**255 - 19
_EIGHT = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL = {0, 1, P - 1, _EIGHT, P - _EIGHT}           # the y of all eight points of small order


def _sound_point(encoded):
    y = int.from_bytes(encoded, "little") & (1 << 255) - 1
    return y < P and y not in SMALL


def verified(key, message, signature):
    """SIG-2. The library refuses a large S and compares R as bytes; x = 0 occurs with y = 1 and -1 only."""
    if len(key) != 32 or len(signature) != 64 or not (_sound_point(key) and _sound_point(signature[:32])):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def signed_by(key, label, payload, signature):
    return verified(key, label.encode() + b"\0" + be(len(payload), 8) + payload, signature)   # SIG-1


# ---------------------------------------------------------------- keys.md, sealed-object.md, padding.md

def hmac512(key, message):
    return hmac.digest(key, message, "sha512")


def expand(prk, info, length):
    out = block = b""
    counter = 1
    while len(out) < length:
        block = hmac512(prk, block + info + bytes([counter]))
        out, counter = out + block, counter + 1
    return out[:length]


def derive(secret, label, context=b"", length=32):
    return expand(hmac512(bytes(64), secret), label.encode() + b"\0" + context, length)       # KEY-5


def password_bytes(typed):
    """KEY-9, steps 1 and 2. What step 3 refuses was never set, so it opens no slot anyway."""
    spaces = {0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000}
    return unicodedata.normalize("NFC", typed.translate(dict.fromkeys(spaces, " "))).encode()


def password_hash(typed, salt, kib, passes, lanes):
    need(65536 <= kib <= 1048576 and 3 <= passes <= 16 and 4 <= lanes <= 16, "KEY-7")
    return hash_secret_raw(password_bytes(typed), salt, passes, kib, lanes, 32, Type.ID)      # KEY-8, version 0x13


def unseal(key, context, sealed):
    """SEA-1 to SEA-8; `context` is the array, label first."""
    need(len(sealed) >= 72 and (len(sealed) - 56) % 16400 >= 16, "SEA-6")
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + sealed[:24] + encode(context)
    okm = expand(key, info, 76)
    need(hmac.compare_digest(okm[44:], sealed[24:56]), "SEA-7")
    cipher, base, plain = AESGCM(okm[:32]), int.from_bytes(okm[32:44], "big"), []
    for i, at in enumerate(range(56, len(sealed), 16400)):
        try:
            plain.append(cipher.decrypt(be(base ^ i, 12), sealed[at:at + 16400], None))
        except InvalidTag:
            raise Refused("SEA-8") from None
    return b"".join(plain)


def padme(n):
    if n < 2:
        return n
    e = n.bit_length() - 1
    mask = (1 << max(0, e - e.bit_length())) - 1                                              # PAD-1
    return (n + mask) & ~mask


def unpad(padded):
    body = padded.rstrip(b"\0")                                                               # PAD-3
    need(body.endswith(b"\x80") and len(padded) == max(4096, padme(len(body))), "PAD-3")
    return body[:-1]


# ---------------------------------------------------------------- key-slots.md

class XWing:
    """KEM 0x647a from its 32-byte seed."""

    def __init__(self, seed):
        parts = hashlib.shake_256(seed).digest(96)
        self.m = MLKEM768PrivateKey.from_seed_bytes(parts[:64])
        self.x = X25519PrivateKey.from_private_bytes(parts[64:])
        self.x_public = self.x.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = self.m.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) + self.x_public

    def decapsulate(self, sent):
        shared_m = self.m.decapsulate(sent[:1088])
        shared_x = self.x.exchange(X25519PublicKey.from_public_bytes(sent[1088:]))
        return hashlib.sha3_256(shared_m + shared_x + sent[1088:] + self.x_public + rb"\.//^" + b"\\").digest()


def hpke_open(key, context, sealed, form=0):
    """SLT-1 to SLT-3: RFC 9180, base mode, one message."""
    need(len(sealed) >= 1136, "SLT-1")
    info = encode([context, form, sha256(key.public)])
    suite = b"HPKE" + be(0x647A, 2) + be(1, 2) + be(3, 2)

    def extract(salt, label, ikm):
        return hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")

    def one_block(prk, label, data, length):
        return hmac.digest(prk, be(length, 2) + b"HPKE-v1" + suite + label + data + b"\1", "sha256")[:length]

    try:
        schedule = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
        secret = extract(key.decapsulate(sealed[:1120]), b"secret", b"")
        cipher = ChaCha20Poly1305(one_block(secret, b"key", schedule, 32))
        return cipher.decrypt(one_block(secret, b"base_nonce", schedule, 12), sealed[1120:], None)
    except (InvalidTag, ValueError):
        raise Refused("SLT-4") from None


ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SKIPPED = set("-_.\u2212") | set(map(chr, range(0x2010, 0x2016)))


def typed_code(typed, size, words):
    """SLT-12 to SLT-15: bytes of a secret key (16, one check word) or a recovery code (20, two)."""
    kept = [c for c in typed[:256].upper() if not (c.isspace() or c in SKIPPED)]
    symbols = [ALPHABET.find({"O": "0", "I": "1", "L": "1"}.get(c, c)) for c in kept]
    data = (size * 8 + 4) // 5
    need(len(symbols) == data + 2 * words and -1 not in symbols, "SLT-12")
    for w in range(words):
        x, y = symbols[data + w], symbols[data + words + w]
        first, second, power = x ^ y, x ^ _gf_times(2, y), 4
        for d in symbols[w:data:words]:
            first, second, power = first ^ d, second ^ _gf_times(power, d), _gf_times(2, power)
        need(first == second == 0, "SLT-13")
    number = 0
    for s in symbols[:data]:
        number = number << 5 | s
    fill = data * 5 - size * 8
    need(number & (1 << fill) - 1 == 0, "SLT-14")
    return be(number >> fill, size)


def _gf_times(a, b):
    out = 0
    for _ in range(5):
        out ^= a if b & 1 else 0
        a, b = a << 1 ^ (0x25 if a & 16 else 0), b >> 1
    return out


def slot_keys(secret, vault, slot):
    context = encode([vault, slot])                                                           # SLT-8
    sign = Ed25519PrivateKey.from_private_bytes(derive(secret, "aura/v1/slot/sign", context))
    return (sign.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
            XWing(derive(secret, "aura/v1/slot/kem", context)))


def second_keys(root, vault, generation, factor, typed):
    """KEY-13: the seeds of the second lock's two key pairs. The file key is of no use to a reader."""
    base = derive(root, "aura/v1/second-lock/base", encode([vault, *generation]))             # KEY-10
    _, kib, passes, lanes, salt = factor
    joint = base + password_hash(typed, salt, kib, passes, lanes)
    return derive(joint, "aura/v1/second-lock/sign"), derive(joint, "aura/v1/second-lock/kem")


# ---------------------------------------------------------------- authority.md

ed, xwing = octets(32), octets(1216)
identity_keys, device_keys = row(ed, xwing), row(ed, xwing, ed, ed, ed)


def at_least_1(v):
    return epoch_id(v) and v[0] >= 1


def lives(v):
    return (many(row(incarnation_id, row(uint(), hash_id)), HEAD_FEEDS_MAX)(v) and rising(v, 1)
            and all(position(*p) for _, p in v))


def flat(shape):
    """A position stands as two members in the array around it; wrap them into one for `lives`."""
    return lambda v: type(v) is list and all(type(x) is list and len(x) > 2 for x in v) and shape(
        [[*x[:-2], x[-2:]] for x in v])


def slot_kind(v):
    return (row(uint(), uint(32), uint(32), uint(32), octets(16))(v) and v[0] in (1, 2)
            and (v[0] == 1 or v[1:] == [0, 0, 0, bytes(16)]))


feed_id = row(collection_id, device_id, incarnation_id)
CLAIMS = {
    1: row(identity_keys, at_least_1, device_keys, octets(16)),
    2: device_keys,
    3: device_id,
    4: row(device_id, flat(lives)),
    5: lambda v: row(device_id, incarnation_id, uint(), hash_id)(v) and position(*v[2:]),
    6: device_id,
    7: row(at_least_1, identity_keys),
    8: row(octets(16), slot_kind, ed, xwing),
    9: octets(16),
    10: lambda v: row(uint(), octets(16), at_least_1, octets())(v) and v[0] in (1, 2),
    11: lambda v: row(collection_id, at_least_1)(v) and v[0] != AUTHORITY,
    12: lambda v: (row(feed_id, uint(), uint(), many(row(feed_id, uint(), hash_id), HEAD_FEEDS_MAX))(v)
                   and 1 <= v[1] <= v[2] and rising(v[3], 1) and all(position(*p[1:]) for p in v[3])),
    13: lambda v: (row(octets(16), ed, xwing, many(collection_id, HEAD_FEEDS_MAX), sint, octets())(v)
                   and rising(v[3]) and AUTHORITY not in v[3] and ROOT not in v[3]),
    14: octets(16),
    15: row(uint(), uint()),
    16: row(at_least_1, at_least_1, lambda v: slot_kind(v) and v[0] == 1, ed, xwing),
    17: row(hash_id, hash_id),
}


def age(generation):
    """IDS-4: sorts generations and epochs, the newest first."""
    return -generation[0], generation[1]


class Roster:
    """What a vault's statements come to. `take` raises Refused for one that does not count."""

    def __init__(self, vault=None):
        self.vault, self.devices, self.identities, self.slots, self.grants = vault, {}, {}, {}, {}
        self.second = None                                                                    # the lock in force
        self.gone, self.wraps, self.epochs, self.floor, self.counted = set(), [], set(), (0, 0), set()
        self.snapshots, self.adopters = {}, set()

    def take(self, signed):
        payload, signatures = signed
        need(len(payload) <= STATEMENT_MAX and 1 <= len(signatures) <= SIGNATURES_MAX, "SIG-5, AUT-3")
        raw = decode(payload)
        genesis = type(raw) is dict and raw.get(3) == 1
        required = {1: uint(), 3: uint(), 4: lambda v: True, 5: uint()}
        value = members(raw, required if genesis else {**required, 2: hash_id})                # AUT-1
        label = "aura/v1/sig/genesis" if genesis else "aura/v1/sig/statement"
        keys = [k for k, _ in signatures]
        need(len(set(keys)) == len(keys) and all(signed_by(k, label, payload, s) for k, s in signatures), "AUT-3")
        kind, claim = value[3], value[4]
        if genesis:
            need(CLAIMS[1](claim), "AUT-15")
            return self._genesis(claim, keys, sha256(encode(signed)))
        need(self.devices, "AUT-5")
        need(value[2] == self.vault, "AUT-6")
        active = {i for i, d in self.devices.items() if d["keys"][0] in keys and d["confirmed"] and not d["revoke"]}
        if kind not in CLAIMS:
            raise Newer("AUT-4") if active else Refused("AUT-4")
        if kind == 16 and type(claim) is list and len(claim) == 5 and type(claim[2]) is list and claim[2][:1] not in ([1], []):
            raise Newer("AUT-19") if active else Refused("AUT-19")
        need(CLAIMS[kind](claim), "AUT-15")
        if sha256(payload) in self.counted:
            return None                                                                       # AUT-13
        recovery = any(s["kind"][0] == 2 and s["sign"] in keys for s in self.slots.values())
        by_second = self.second is not None and self.second["sign"] in keys
        need(active or kind == 2 or kind == 3 and (recovery or by_second), "AUT-9")
        if kind == 16:
            self._second(claim, keys, recovery or by_second)
        else:
            self._claim(kind, claim, keys, active, recovery)
        if kind == 12:
            self.snapshots[sha256(payload)] = claim
        self.counted.add(sha256(payload))
        return None

    def has_adopted(self, device, name, last):
        """AUT-27."""
        return device == self.snapshots[name][0][1] or (name, device, last) in self.adopters

    def _genesis(self, claim, keys, own_hash):
        identity, generation, device, _ = claim
        need(not self.devices and self.vault in (None, own_hash), "AUT-5")
        need(len(keys) == 2 and set(keys) == {identity[0], device[0]}, "AUT-5")
        self.vault = own_hash
        self.identities[tuple(generation)] = identity
        self._list(device, True)

    def _list(self, keys, confirmed):
        ident = sha256(b"aura/v1/device-id\0", keys[0])[:16]                                  # IDS-3
        need(ident not in self.devices, "AUT-17")
        need(len({keys[0], *keys[2:]}) == 4, "AUT-7")
        self.devices[ident] = {"keys": keys, "confirmed": confirmed, "revoke": None, "closed": {}, "retired": False}

    def _claim(self, kind, claim, keys, active, recovery):
        if kind == 2:
            newest = self.identities[min(self.identities, key=age)]
            need(claim[0] in keys and (active or newest[0] in keys), "AUT-7")
            self._list(claim, bool(active))
        elif kind in (3, 4, 5, 6) or kind == 10 and claim[0] == 2:
            self._of_device(kind, claim, recovery)
        elif kind == 7:
            generation = tuple(claim[0])
            need(generation[0] >= max(g[0] for g in self.identities), "AUT-10")
            need(self.identities.setdefault(generation, claim[1]) == claim[1], "AUT-10")
        elif kind == 8:
            need(claim[2] in keys, "AUT-11")
            need(claim[0] not in self.slots and claim[0] not in self.gone, "AUT-17")
            self.slots[claim[0]] = {"kind": claim[1], "sign": claim[2], "kem": claim[3]}
        elif kind in (9, 14):
            need((self.slots if kind == 9 else self.grants).pop(claim, None), "AUT-9")
            self.gone.add(claim)
        elif kind == 10:
            self.wraps.append(claim)
        elif kind == 11:
            self.epochs.add((claim[0], tuple(claim[1])))
        elif kind == 12:
            feed, first, _, covered = claim
            need(feed[1] in active, "AUT-14")
            need(feed[0] not in (AUTHORITY, ROOT), "AUT-26")
            need(all(f[0] == feed[0] and n > 0 for f, n, _ in covered), "AUT-26")
            need(first == 1 + next((n for f, n, _ in covered if f == feed), 0), "AUT-26")
        elif kind == 17:
            self.adopters.add((claim[0], next(i for i in self.devices if i in active), claim[1]))
        elif kind == 13:
            need(claim[0] not in self.grants and claim[0] not in self.gone, "AUT-17")
            self.grants[claim[0]] = claim
        elif kind == 15:
            need(claim[0] >= self.floor[0] and claim[1] >= self.floor[1], "AUT-12")
            self.floor = tuple(claim)

    def _second(self, claim, keys, may_replace):
        lock, generation, factor, sign, kem = claim
        need(sign in keys and tuple(generation) in self.identities, "AUT-19")
        need(lock[0] == (self.second["lock"][0] + 1 if self.second else 1), "AUT-20")
        need(self.second is None or may_replace, "AUT-20")
        self.second = {"lock": tuple(lock), "generation": tuple(generation), "factor": factor, "sign": sign, "kem": kem}

    def _of_device(self, kind, claim, recovery):
        device = self.devices.get(claim if kind in (3, 6) else claim[1 if kind == 10 else 0])
        need(device, "AUT-9")
        if kind == 3:
            need(not device["revoke"], "AUT-8")
            device["confirmed"] = True
        elif kind == 4:
            before = device["revoke"]
            need(not before or recovery and not before["recovery"], "AUT-18")
            device["revoke"] = {"lives": claim[1], "recovery": recovery}
        elif kind == 5:
            need(claim[1] not in device["closed"], "AUT-18")
            device["closed"][claim[1]] = claim[2:]
        elif kind == 6:
            device["retired"] = True
        else:
            self.wraps.append(claim)

    def accepts(self, device, incarnation, number, hash_):
        """AUT-18: whether a head is within what a revoke or a close leaves of its incarnation."""
        listed, limits = self.devices[device], []
        if listed["revoke"]:
            limits.append(next((x[1:] for x in listed["revoke"]["lives"] if x[0] == incarnation), [0, NO_HASH]))
        if incarnation in listed["closed"]:
            limits.append(listed["closed"][incarnation])
        return all(number < n or (number, hash_) == (n, h) for n, h in limits)


signed_statement = row(octets(), many(row(octets(32), octets(64)), SIGNATURES_MAX))


# ---------------------------------------------------------------- entry.md, head.md

def read_header(header, body_size):
    need(len(header) <= ENTRY_HEADER_MAX and body_size <= ENTRY_BODY_MAX, "LIM-2")
    added = row(octets(16), hash_id, lambda v: uint()(v) and v <= CHUNK_MAX)
    h = members(header, {1: uint(), 2: hash_id, 3: collection_id, 4: epoch_id, 5: device_id, 6: incarnation_id,
                         7: uint(), 8: hash_id, 9: uint()},
                {10: many(added, CHUNKS_MAX, 1), 11: many(octets(16), CHUNKS_MAX, 1)})
    need(h[7] >= 1 and (h[7] == 1) == (h[8] == NO_HASH), "ENT-2")
    need((tuple(h[4]) == CLEAR) == (h[3] == AUTHORITY), "ENT-3")
    need(h[9] == body_size, "ENT-5")
    names, dropped = [c[0] for c in h.get(10, [])], h.get(11, [])
    need(rising(names) and rising(dropped) and not set(names) & set(dropped), "ENT-8")
    return h


def place_of(header):
    return encode({k: v for k, v in header.items() if k not in (10, 11)})                     # ENT-4


def read_head(payload):
    need(len(payload) <= HEAD_MAX, "SIG-5")
    note = lambda v: octets()(v) and 1 <= len(v) <= NOTE_MAX
    h = members(payload, {1: uint(), 2: hash_id, 3: device_id, 4: incarnation_id, 5: uint(), 6: hash_id,
                          7: many(row(collection_id, uint(), hash_id), HEAD_FEEDS_MAX), 12: uint()},
                {8: many(row(device_id, incarnation_id, uint(), hash_id, uint(), hash_id), DEVICES_MAX, 1),
                 9: many(collection_id, HEAD_FEEDS_MAX, 1), 10: note,
                 11: many(row(device_id, incarnation_id, note), DEVICES_MAX, 1)})
    need(h[5] >= 1 and (h[5] > 1 or h[6] == NO_HASH), "HED-2")
    need(rising(h[7], 1) and rising(h.get(8, []), 2) and rising(h.get(9, [])) and rising(h.get(11, []), 2), "HED-3")
    need(all(position(*f[1:]) and f[1] for f in h[7]), "HED-4, HED-5")
    for device, life, held, held_hash, applied, applied_hash in h.get(8, []):
        need(position(held, held_hash) and position(applied, applied_hash), "HED-4")
        need(applied <= held and [device, life] != [h[3], h[4]], "HED-5")
    return h


# ---------------------------------------------------------------- audit-log.md, audit-events.md

def frontier_add(frontier, leaf_hash):
    """A list of (leaves, root), largest first (LOG-4)."""
    frontier.append((1, leaf_hash))
    while len(frontier) > 1 and frontier[-2][0] == frontier[-1][0]:
        (size, right), (_, left) = frontier.pop(), frontier.pop()
        frontier.append((2 * size, sha256(b"\1", left, right)))


def frontier_root(frontier):
    if not frontier:
        return sha256()
    root = frontier[-1][1]
    for _, left in reversed(frontier[:-1]):
        root = sha256(b"\1", left, root)                                                      # LOG-2
    return root


def read_note(note, name, key):
    """LOG-7 to LOG-9: size and root of a checkpoint that the key signed."""
    need(len(note) <= NOTE_MAX and note.endswith(b"\n") and note.count(b"\n") < NOTE_LINES_MAX, "LOG-9")
    try:
        body, _, lines = note.decode("utf-8").partition("\n\n")
        origin, size, root = body.split("\n")
        root_bytes, found = base64.b64decode(root, validate=True), 0
        need(origin == name and not set("+") & set(origin), "LOG-9")
        need(size.isascii() and size.isdigit() and str(int(size)) == size and int(size) < 1 << 64, "LOG-7")
        need(len(root_bytes) == 32 and base64.b64encode(root_bytes).decode() == root, "LOG-7")
        ident = sha256(name.encode(), b"\n\1", key)[:4]                                       # LOG-8
        for line in lines.split("\n")[:-1]:
            dash, signer, code = line.split(" ")
            blob = base64.b64decode(code, validate=True)
            need(dash == "\u2014" and signer and len(blob) > 4, "LOG-9")
            if signer == name and blob[:4] == ident:
                need(verified(key, body.encode() + b"\n", blob[4:]), "LOG-9")
                found += 1
    except ValueError:
        raise Refused("LOG-9") from None
    need(found, "LOG-9")
    return int(size), root_bytes


def read_event(data):
    need(len(data) <= EVENT_MAX, "LOG-10")
    value = decode(data)
    shapes = {1: sint, 2: text, 3: uint(), 4: uint(), 5: many(uint(), 64), 6: uint(), 7: text}
    need(type(value) is dict and set(shapes) <= set(value), "LOG-10")
    need(all(type(k) is int and (k >= 128 or k in shapes and shapes[k](v)) for k, v in value.items()), "LOG-10")
    need(value[4] < 3 and rising(value[5]), "LOG-10")
    return value


# ---------------------------------------------------------------- ops.md

def read_fields(value):
    if type(value) is bytes:
        value = decode(decompress(value))                                                     # OPS-5
    need(type(value) is dict and len(value) <= 65536, "OPS-7")
    need(all(text(k) and (v is None or text(v)) for k, v in value.items()), "OPS-7")
    return value


def decompress(frame):
    stream, out = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(), bytearray()
    try:
        for at in range(0, len(frame), 256):        # small steps: a step cannot swell beyond some MiB
            need(not stream.eof, "OPS-5")
            out += stream.decompress(frame[at:at + 256])
            need(len(out) <= ENTRY_BODY_MAX, "OPS-5")
    except zstandard.ZstdError:
        raise Refused("OPS-5") from None
    need(stream.eof and not stream.unused_data, "OPS-5")
    return bytes(out)


seen_list = many(row(uint(), uint(), uint(32)), 65536)
CHANGES = {
    1: row(octets(16), uint(8), lambda v: type(v) in (bytes, dict), seen_list),
    2: row(octets(16), seen_list),
    3: row(collection_id, epoch_id, octets()),
    4: row(collection_id, uint(8)),
    5: octets(),
    6: row(text, text),
    7: row(collection_id, epoch_id, at_least_1, octets()),
    9: row(lambda v: v is None or octets(16)(v), lambda v: v is None or octets(16)(v),
           many(row(row(uint(), uint(), uint(32)), lambda v: type(v) is bool, many(text, 65536), lambda v: True), 65536)),
}


def read_body(plain):
    """The ops of a body: (type, clock, change), where `seen` has become a list of places."""
    body = members(plain, {1: uint(), 2: many(row(device_id, incarnation_id), 65536),
                           3: many(row(uint(), uint(), text, lambda v: True), OPS_MAX)})
    def place(of):
        need(of[0] < len(body[2]), "OPS-7")
        return (*body[2][of[0]], *of[1:])

    def read_op(kind, clock, change):
        need(kind not in CHANGES or CHANGES[kind](change), "OPS-7")
        if kind in (1, 2):
            change[-1] = [place(of) for of in change[-1]]
        if kind == 1:
            change[2] = read_fields(change[2])
        return kind, clock, change

    ops = []
    for kind, clock, _, change in body[3]:
        kind, clock, change = read_op(kind, clock, change)
        if kind == 9:
            after, record, carried = change
            need(record is not None and (after is None or after <= record) or not carried, "SNP-1")
            for one in carried:
                need(row(uint(), uint(), text, lambda v: True)(one[3]) and one[3][0] in (1, 2), "SNP-1")
                one[0], one[3] = place(one[0]), read_op(one[3][0], one[3][1], one[3][3])
                need(one[3][2][0] == record, "SNP-1")
        ops.append((kind, clock, change))
    return ops


def op_of(kind, clock, change):
    """A write or a delete, as `record_of` takes it."""
    return (clock, *change[1:]) if kind == 1 else (clock, None, {}, change[1])


def read_snapshot(carries):
    """SNP-1: what is carried of each record: places, and whether each counts as named, its replaced paths, its op."""
    last, ended, records = None, False, {}
    for after, record, carried in carries:
        need(not ended and after == last and (record is None or last is None or last <= record), "SNP-1")
        ended = record is None
        if not ended:
            records.setdefault(record, {}).update({p: (named, paths, op_of(*op)) for p, named, paths, op in carried})
            last = record
    need(ended, "SNP-1")
    return records


def record_of(ops, named=(), replaced=(), dead=()):
    """OPS-11 to OPS-15: `ops` maps places to (clock, kind or None, fields, seen). Gives exists, kind, values. Dead ops,
    and what snapshots say of others that they do not carry, have done what they did (SNP-2, SNP-3)."""
    named, replaced = set(named), set(replaced)
    for _, _, fields, seen in ops.values():
        named.update(seen)
        replaced.update((place, path) for place in seen for path in fields)
    ops = {place: op for place, op in ops.items() if place not in dead}
    exists = any(place not in named and op[1] is not None for place, op in ops.items())
    winners = {}
    for place, (clock, _, fields, _) in ops.items():
        for path, value in fields.items():
            if (place, path) not in replaced:
                winners[path] = max(winners.get(path, ((-1,), None)), ((clock, place), value), key=lambda w: w[0])
    kind = max((op[1] for op in ops.values() if op[1] is not None), default=None)
    return exists, kind, {p: w[1] for p, w in winners.items() if w[1] is not None}


def parse(value):
    def no_constant(_):
        raise ValueError
    try:
        return json.loads(value, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return None                                                                           # OPS-10


def standard_form(values):
    def plain(name):
        return name.replace("~2", ":").replace("~1", "/").replace("~0", "~")
    out = {}
    for path in sorted(values, key=str.encode):
        if path.startswith("aura:"):
            continue
        name, slash, member = path.partition("/")
        if not slash:
            out[plain(name)] = parse(values[path])
            continue
        if not isinstance(out.get(plain(name)), dict):
            out[plain(name)] = {}
        out[plain(name)][plain(member)] = parse(values[path])
    return out


ATTACHMENT_MAX = CHUNKS_MAX // 2 * CHUNK_PLAIN


def attachment(value):
    """BLB-1: the members of an attachment's field, or None."""
    a = parse(value)
    if not isinstance(a, dict) or any(type(a.get(k)) is not str for k in ("key", "name", "sha256", "type")):
        return None
    hexes = all(len(a[k]) == 64 and not set(a[k]) - set("0123456789abcdef") for k in ("key", "sha256"))
    return a if hexes and type(a.get("size")) is int and 0 <= a["size"] <= ATTACHMENT_MAX else None


def leaf(record, kind, values):
    parts = [b"aura/v1/state/leaf\0", record, bytes([kind])]                                  # OPS-16
    for path, value in sorted((p.encode(), v) for p, v in values.items()):
        if path.startswith(b"aura:blobs/"):
            a = attachment(value)
            value = json.dumps([a["name"], a["type"], a["size"], a["sha256"]], ensure_ascii=False,
                               separators=(",", ":")) if a else ""
        parts += [be(len(path), 8), path, be(len(value.encode()), 8), value.encode()]
    return int.from_bytes(sha256(*parts), "big")


def state_hash(records):
    sums = {}
    for (_, record), (exists, kind, values, category) in records.items():
        if exists:
            count, total = sums.get(category, (0, 0))
            sums[category] = count + 1, (total + leaf(record, kind, values)) % (1 << 256)
    return sha256(*sorted(sha256(b"aura/v1/state/category\0", bytes([c]), be(n, 8), be(s, 32))
                          for c, (n, s) in sums.items()))                                     # OPS-17


# ---------------------------------------------------------------- vault-directory.md

class Vault:
    """Opens a directory as DIR-9 says and holds it against DIR-10; `faults` names what does not hold."""

    def __init__(self, home):
        self.home, self.faults, self.notes, self.feeds, self.chunks = pathlib.Path(home), [], [], {}, {}
        self.keys, self.purposes, self.records, self.logs = {}, {}, {}, []
        self.second_keys, self.shut, self.waiting = {}, set(), 0
        marker = self._file("aura-vault", 256).split(b"\n")
        need(len(marker) > 2 and marker[0] == b"aura vault 1" and len(marker[1]) == 64, "DIR-1")
        need(not set(marker[1].lower()) - set(b"0123456789abcdef"), "IDS-2")
        self.id = bytes.fromhex(marker[1].decode("ascii"))

    def _file(self, name, most):
        with open(self.home / name, "rb") as file:
            data = file.read(most + 1)
        need(len(data) <= most, name)
        return data

    def fault(self, what, error=None):
        self.faults.append(f"{what}: {error}" if error else what)

    @contextlib.contextmanager
    def _database(self):
        """Reads store.db as it is, or a copy of it and its write-ahead log where there is one."""
        source = self.home / "store" / "store.db"
        log = source.with_name("store.db-wal")
        with contextlib.ExitStack() as stack:
            if log.exists() and log.stat().st_size:
                folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
                shutil.copyfile(log, folder / log.name)
                source = pathlib.Path(shutil.copyfile(source, folder / source.name))
                address = source.as_uri()
            else:
                address = source.resolve().as_uri() + "?mode=ro&immutable=1"
            database = stack.enter_context(contextlib.closing(sqlite3.connect(address, uri=True)))
            self.version = database.execute("PRAGMA user_version").fetchone()[0]
            need(database.execute("PRAGMA application_id").fetchone()[0] == 0x41757261 and self.version in (1, 2), "STO-23")
            need(database.execute("SELECT id FROM vault").fetchall() == [(self.id,)], "DIR-2")
            yield database

    def open(self, password=None, secret_key=None, recovery=None, second=None):
        with self._database() as self.database:
            self._load_feeds()
            self._load_statements()
            self._load_heads()
            roots = self._root_keys(password, secret_key, recovery)
            self._load_keyring(roots)
            self._open_second(roots, second)
            self._load_collections()
        self._check_logs()

    # Step 1: chains, statements, heads.

    def _load_feeds(self):
        floor = "floor, floor_hash" if self.version > 1 else "0, zeroblob(32)"
        for row_id, *feed, kept, floor, hash_ in self.database.execute(
                f"SELECT id, collection, device, incarnation, kept, {floor} FROM feeds WHERE kept > 0"):
            # What was let go of is not there, and the first entry after it names its hash (STO-29).
            gone = [None] * (floor - 1) + [hash_] if floor else []
            self.feeds[tuple(feed)] = {"row": row_id, "kept": kept, "floor": floor, "hashes": gone}
        for feed_key, feed in self.feeds.items():
            for number, header, body in self._rows(feed):
                try:
                    h = read_header(header, len(body))
                    need((h[2], h[3], h[5], h[6], h[7]) == (self.id, *feed_key, number), "ENT-4")
                    need(number == len(feed["hashes"]) + 1, "ENT-7")
                    need(h[8] == (feed["hashes"][-1] if feed["hashes"] else NO_HASH), "ENT-7")
                except Refused as error:
                    self.fault(f"entry {feed_name(feed_key)} {number}", error)
                    break
                feed["hashes"].append(sha256(header, body))                                   # ENT-6
                self.chunks.update((name, (hash_, size)) for name, hash_, size in h.get(10, []))

    def _rows(self, feed, upto=None):
        return self.database.execute("SELECT number, header, body FROM entries WHERE feed = ? AND number BETWEEN 1 "
                                     "AND ? ORDER BY number", (feed["row"], feed["kept"] if upto is None else upto))

    def _load_statements(self):
        self.roster, waiting = Roster(self.id), []
        for key in sorted(k for k in self.feeds if k[0] == AUTHORITY):
            feed = self.feeds[key]
            for number, _, body in self._rows(feed, len(feed["hashes"])):
                try:
                    statements = decode(body)
                    need(many(signed_statement, STATEMENTS_MAX)(statements), "AUT-16")
                    waiting += [(f"statement in {feed_name(key)} {number}", s) for s in statements]
                except Refused as error:
                    self.fault(f"entry {feed_name(key)} {number}", error)
        # Each feed in its order, round after round while any statement finds its turn. For one device that is the order
        # of authority.md; of several it finds what counts in some order, and AUT-18 limits what a revoked one said.
        progress = True
        while waiting and progress:
            left, progress = [], False
            for where, statement in waiting:
                try:
                    self.roster.take(statement)
                    progress = True
                except Newer as error:
                    self.notes.append(f"{where}: of a newer version ({error})")
                except Refused as error:
                    left.append((where, statement, error))
            waiting = [(w, s) for w, s, _ in left]
        for where, _, error in left if waiting else []:
            self.fault(where, f"does not count ({error})")
        need(self.roster.devices, "AUT-5: there is no genesis of this vault")

    def _load_heads(self):
        self.heads, self.ends = {}, {}
        for device, incarnation, number, payload, signature in self.database.execute(
                "SELECT device, incarnation, number, payload, signature FROM heads ORDER BY number DESC"):
            if (device, incarnation) in self.heads:
                continue
            try:
                listed = self.roster.devices.get(device)
                need(listed, "a device that is not listed")
                need(signed_by(listed["keys"][0], "aura/v1/sig/head", payload, signature), "STO-3")
                head = read_head(payload)
                need((head[2], head[3], head[4], head[5]) == (self.id, device, incarnation, number), "HED-1")
            except Refused as error:
                self.fault(f"head {device.hex()} {incarnation.hex()} {number}", error)
                continue
            if self.roster.accepts(device, incarnation, number, sha256(payload)):
                self.heads[device, incarnation] = head
            else:
                self.notes.append(f"head {device.hex()} {incarnation.hex()} {number} is beyond what counts (AUT-18)")
        for (device, incarnation), head in self.heads.items():
            limited = self.roster.devices[device]["revoke"] or incarnation in self.roster.devices[device]["closed"]
            for collection, number, hash_ in head[7]:
                key = (collection, device, incarnation)
                hashes = self.feeds[key]["hashes"] if key in self.feeds else []
                self.ends[key] = min(number, len(hashes))
                if len(hashes) < number or hashes[number - 1] != hash_ or len(hashes) > number and not limited:
                    self.fault(f"feed {feed_name(key)} does not end where its head says")
        for key in self.feeds.keys() - self.ends.keys():
            if key[1] not in self.roster.devices or not self.roster.devices[key[1]]["revoke"]:
                self.fault(f"feed {feed_name(key)} is named by no head")

    # Steps 2 and 3: the root keys, one for each generation.

    def _root_keys(self, password, secret_key, recovery):
        for slot, listed in self.roster.slots.items():
            kind, kib, passes, lanes, salt = listed["kind"]
            if kind == 1 and password is not None:
                try:
                    secret = password_hash(password, salt, kib, passes, lanes) + secret_key
                except Refused as error:
                    self.fault(f"slot {slot.hex()}", error)
                    continue
                label, context = "aura/v1/slot/password", [self.id, slot, salt, kib, passes, lanes]    # SLT-5
            elif kind == 2 and recovery is not None:
                secret, label, context = recovery, "aura/v1/slot/recovery", [self.id, slot]            # SLT-7
            else:
                continue
            sign, kem = slot_keys(derive(secret, label, encode(context)), self.id, slot)
            if hmac.compare_digest(sign, listed["sign"]) and hmac.compare_digest(kem.public, listed["kem"]):
                return self._unwrap(slot, kem)
        raise WrongSecret

    def _unwrap(self, slot, kem):
        roots = {}
        for kind, recipient, generation, sealed in self.roster.wraps:
            if (kind, recipient) == (1, slot):
                try:
                    roots[tuple(generation)] = hpke_open(
                        kem, ["aura/v1/hpke/slot", self.id, slot, *generation], sealed)       # SLT-10
                    need(len(roots[tuple(generation)]) == 32, "SLT-10")
                except Refused as error:
                    roots.pop(tuple(generation), None)
                    self.fault(f"wrap to slot {slot.hex()}", error)
        need(roots, "the slot opens no root key")
        return roots

    # Steps 4 and 5: keys, then ops.

    def _bodies(self, key, key_of):
        """The entries of a feed that open: number, epoch, ops."""
        for number, header, body in self._rows(self.feeds[key], self.ends.get(key, 0)):
            try:
                h = read_header(header, len(body))
                epoch, place = tuple(h[4]), place_of(h)
                need(key_of(epoch), "KRG-5: no key of this epoch")
                entry_key = derive(key_of(epoch), "aura/v1/entry/key", place)                 # OPS-4
                ops = read_body(unpad(unseal(entry_key, ["aura/v1/object/entry", place], body)))
            except Refused as error:
                self.fault(f"entry {feed_name(key)} {number}", error)
                continue
            yield number, epoch, ops

    def _applied(self, wanted):
        """Feeds of devices that are confirmed: a quarantined one's are kept and not applied."""
        for key in sorted(self.feeds):
            if wanted(key[0]) and key in self.ends and self.roster.devices[key[1]]["confirmed"]:
                yield key

    def _load_keyring(self, roots):
        derived = {g: [derive(r, label, encode([self.id, *g])) for label in ("aura/v1/root-collection", "aura/v1/keyring")]
                   for g, r in roots.items()}                                                 # KEY-10
        for key in self._applied(lambda c: c == ROOT):
            for number, generation, ops in self._bodies(key, lambda g: derived.get(g, [None])[0]):
                for kind, _, change in ops:
                    if kind == 3:
                        collection, epoch, sealed = change
                        context = ["aura/v1/object/keyring-key", self.id, collection, *epoch]
                        try:
                            opened = unseal(derived[generation][1], context, sealed)          # KRG-2
                            need(len(opened) == 32, "KRG-2")
                            self.keys.setdefault((collection, tuple(epoch)), opened)          # KRG-3
                        except Refused as error:
                            self.fault(f"a key in {feed_name(key)} {number}", error)
                    elif kind == 4:
                        self.purposes.setdefault(*change)
                    elif kind == 7:
                        collection, epoch, lock, sealed = change
                        self.second_keys.setdefault((collection, tuple(epoch)), {}).setdefault(tuple(lock), sealed)

    def _open_second(self, roots, typed):
        """DIR-12, KRG-7, KRG-8: without the second password the collections behind the lock wait."""
        behind, lock = {collection for collection, _ in self.second_keys}, self.roster.second
        if typed is None:
            self.shut = behind
            return
        need(lock is not None, "AUT-20: there is no second lock")
        need(lock["generation"] in roots, "KEY-13: no root key of the lock's generation")
        sign, kem = second_keys(roots[lock["generation"]], self.id, lock["generation"], lock["factor"], typed)
        public = Ed25519PrivateKey.from_private_bytes(sign).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        kem = XWing(kem)
        if not (hmac.compare_digest(public, lock["sign"]) and hmac.compare_digest(kem.public, lock["kem"])):
            raise WrongSecret
        for (collection, epoch), sealed in self.second_keys.items():
            if lock["lock"] in sealed:
                try:
                    key = hpke_open(kem, ["aura/v1/hpke/second-lock", self.id, collection, *epoch], sealed[lock["lock"]])
                    need(len(key) == 32, "SLT-11")
                    self.keys[collection, epoch] = key
                except Refused as error:
                    self.fault(f"a second key of collection {collection.hex()}", error)

    def _load_snapshots(self, carries):
        """The snapshots under which something was let go of, but for those that another such one covers (SNP-3)."""
        def is_behind(base, later):
            upto = {tuple(f): n for f, n, _ in later[3]}
            return (base is not later and upto.get(tuple(base[0]), 0) >= base[2]
                    and all(upto.get(tuple(f), 0) >= n for f, n, _ in base[3]))
        taken = []
        for base in self.roster.snapshots.values():
            ends = ((self.feeds.get(tuple(f)), n, h) for f, n, h in base[3])
            own = self.feeds.get(tuple(base[0]))
            if own and own["floor"] < base[1] and any(
                    feed and feed["floor"] == n and feed["hashes"][n - 1] == h for feed, n, h in ends):
                taken.append(base)
        snapshots, covered = [], set()
        for base in [b for b in taken if not any(is_behind(b, later) for later in taken)]:
            key = tuple(base[0])
            try:
                records = read_snapshot([c for n, c in carries.get(key, []) if base[1] <= n <= base[2]])
            except Refused as error:
                self.fault(f"snapshot in {feed_name(key)} {base[1]} to {base[2]}", error)
                continue
            upto = {tuple(f): n for f, n, _ in base[3]}
            snapshots.append((key[0], upto, records))
            covered.update(f for f in upto if f in self.feeds and upto[f] >= self.feeds[f]["floor"])
        for key in sorted(k for k, feed in self.feeds.items() if feed["floor"] and k not in covered and k in self.ends):
            if key[0] not in self.shut:
                self.fault(f"feed {feed_name(key)} begins after entry {self.feeds[key]['floor']}, and no snapshot says what went")
        return snapshots

    def _adopt(self, snapshots, found):
        """SNP-2, SNP-3: what each record has after them: ops, what counts as named and as replaced, and what is dead."""
        states = {key: (ops, set(), set(), set()) for key, ops in found.items()}
        for collection, _, records in snapshots:
            for record, carried in records.items():
                ops, named, replaced, _ = states.setdefault((collection, record), ({}, set(), set(), set()))
                for place, (is_named, paths, op) in carried.items():
                    ops.setdefault(place, op)
                    named.update([place] if is_named else [])
                    replaced.update((place, path) for path in paths)
        for collection, upto, records in snapshots:
            for (of, record), (ops, _, _, dead) in states.items():
                if of == collection:
                    carried = records.get(record, {})
                    dead.update(p for p in ops if p not in carried and p[2] <= upto.get((of, *p[:2]), 0))
        return states

    def _load_collections(self):
        found, carries = {}, {}
        for key in self._applied(lambda c: c not in (AUTHORITY, ROOT)):
            collection, device, incarnation = key
            if collection in self.shut:
                self.waiting += self.ends[key]
                continue
            purpose = self.purposes.get(collection)
            if purpose == 0:
                self.logs.append({"feed": key, "events": []})
            for number, _, ops in self._bodies(key, lambda epoch: self.keys.get((collection, epoch))):
                for index, (kind, clock, change) in enumerate(ops):
                    if kind == 5 and purpose == 0:
                        self.logs[-1]["events"].append(change)
                    elif kind in (1, 2) and purpose in range(1, len(CATEGORIES) + 1):         # OPS-6
                        op = op_of(kind, clock, change)
                        found.setdefault((collection, change[0]), {})[device, incarnation, number, index] = op
                    elif kind == 9 and purpose in range(1, len(CATEGORIES) + 1):
                        carries.setdefault(key, []).append((number, change))
        for (collection, record), state in self._adopt(self._load_snapshots(carries), found).items():
            if state[0].keys() - state[3]:
                self.records[collection, record] = (*record_of(*state), self.purposes[collection])

    # DIR-10: logs and attachments.

    def _check_logs(self):
        logged = {log["feed"][1:] for log in self.logs}
        for device, incarnation in self.heads.keys() - logged:
            if 10 in self.heads[device, incarnation] and self.roster.devices[device]["confirmed"]:
                self.fault(f"log {device.hex()} {incarnation.hex()}", "a checkpoint without events")
        for log in self.logs:
            _, device, incarnation = log["feed"]
            log["origin"] = f"aura/audit/{device.hex()}/{incarnation.hex()}"                  # LOG-11
            frontier = []
            try:
                for event in log["events"]:
                    frontier_add(frontier, sha256(b"\0aura/v1/audit/event\0", event))         # LOG-10
                log["root"], log["whole"] = frontier_root(frontier), False
                for event in log["events"]:
                    read_event(event)
                note = self.heads[device, incarnation].get(10)
                need(note is not None or not log["events"], "LOG-13: no checkpoint")
                if note is not None:
                    size, root = read_note(note, log["origin"], self.roster.devices[device]["keys"][3])
                    need(size == len(log["events"]), "LOG-14: another size")
                    need(root == log["root"], "LOG-14: another root")
                log["whole"] = True
            except Refused as error:
                self.fault(f"log {log['origin']}", error)

    def attachments(self):
        """Opens every attachment (BLB-3 to BLB-7); gives how many are whole."""
        whole = 0
        for (_, record), (_, _, values, _) in sorted(self.records.items()):
            for path in sorted(p for p in values if p.startswith("aura:blobs/")):
                a = attachment(values[path])
                if a is None:
                    continue
                try:
                    self._attachment(bytes.fromhex(path[len("aura:blobs/"):]), a)
                    whole += 1
                except (Refused, OSError, ValueError) as error:
                    what = error if isinstance(error, Refused) else type(error).__name__
                    self.fault(f"attachment {path[len('aura:blobs/'):]} of {record.hex()}", what)
        return whole

    def _attachment(self, blob, a):
        key, size, whole = bytes.fromhex(a["key"]), a["size"], hashlib.sha256()
        need(len(blob) == 16 and size <= BLOB_MAX, "BLB-1")
        pieces = max(1, -(-size // CHUNK_PLAIN))
        for i in range(pieces):
            name = derive(key, "aura/v1/chunk/name", be(i, 8))[:16]                           # BLB-5
            need(name in self.chunks, "BLB-6: a chunk that no entry names")
            sealed = self._file(f"store/chunks/{name.hex()[:2]}/{name.hex()}", CHUNK_MAX)
            need((sha256(sealed), len(sealed)) == self.chunks[name], "BLB-6: other bytes")
            plain = unseal(key, ["aura/v1/object/chunk", blob, i, size], sealed)
            rest = min(CHUNK_PLAIN, size - i * CHUNK_PLAIN)
            need(len(plain) == min(CHUNK_PLAIN, padme(rest)), "BLB-4")
            whole.update(plain[:rest])
        need(whole.hexdigest() == a["sha256"], "BLB-7")


def feed_name(key):
    return "/".join(part.hex() for part in key)


# ---------------------------------------------------------------- the command line

def show_record(record, kind, values, category):
    time = parse(values.get("aura:time", "null"))
    out = {"id": record.hex(), "kind": named(KINDS, kind), "category": named(CATEGORIES, category),
           "time": time if sint(time) else int.from_bytes(record[:6], "big"), "fields": standard_form(values)}
    files = [a for a in (attachment(values[p]) for p in sorted(values) if p.startswith("aura:blobs/")) if a]
    if files:
        out["attachments"] = [{k: a[k] for k in ("name", "type", "size", "sha256")} for a in files]
    return json.dumps(out)


def named(names, code):
    return names[code - 1] if 1 <= code <= len(names) else code


def show_log(log):
    for data in log["events"]:
        with contextlib.suppress(Refused):
            e = read_event(data)
            print(json.dumps({"time": e[1], "principal": e[2], "action": named(ACTIONS, e[3]),
                              "outcome": ("done", "refused", "failed")[e[4]],
                              "categories": [named(CATEGORIES, c) for c in e[5]], "count": e[6], "grant": e[7]}))
    print(json.dumps({"log": log["origin"], "size": len(log["events"]), "root": log["root"].hex(),
                      "whole": log["whole"]}))


def first_line(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.readline(65536).rstrip("\r\n")


def run(options, code):
    vault = Vault(options.home)
    try:
        if options.recovery_file:
            secrets = {"recovery": recovery_code(code)}
        else:
            key = vault._file("secret.key", 1024).decode("utf-8")
            secrets = {"password": code, "secret_key": typed_code(key, 16, 1)}                # DIR-3
        vault.open(**secrets, second=first_line(options.second_password_file) if options.second_password_file else None)
        show(vault, options)
    except WrongSecret:
        if not vault.faults:
            raise
        vault.fault("a secret opens nothing, which may come of this damage")
    except Refused as error:
        vault.fault(str(error))
    for note in vault.notes:
        print(f"note: {note}", file=sys.stderr)
    for fault in vault.faults:
        print(f"damaged: {fault}", file=sys.stderr)
    return 5 if vault.faults else 0


def recovery_code(typed):
    try:
        return typed_code(typed, 20, 2)
    except Refused:
        raise WrongSecret from None


def show(vault, options):
    if vault.shut:
        print(f"waiting: {vault.waiting} entries behind the second lock", file=sys.stderr)
    whole = "null" if vault.shut else state_hash(vault.records).hex()                         # OPS-17
    if options.state_hash:
        print(whole)
    elif options.audit:
        for log in vault.logs:
            show_log(log)
    elif options.verify:
        files = vault.attachments()
        print(json.dumps({"records": sum(r[0] for r in vault.records.values()), "entries": sum(vault.ends.values()),
                          "heads": len(vault.heads), "statements": len(vault.roster.counted) + 1,
                          "events": sum(len(log["events"]) for log in vault.logs), "attachments": files,
                          "faults": len(vault.faults), "waiting": vault.waiting,
                          "state_hash": None if vault.shut else whole}))
    else:
        for (_, record), (exists, kind, values, category) in sorted(vault.records.items(), key=lambda r: r[0][1]):
            if exists:
                print(show_record(record, kind, values, category))
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description="Reads an Aura vault. Exit codes: 0 whole, 3 wrong secret, 5 damaged.")
    parser.add_argument("home", metavar="HOME", help="the vault's directory")
    secret = parser.add_mutually_exclusive_group(required=True)
    secret.add_argument("--password-file", metavar="F", help="a file whose first line is the password")
    secret.add_argument("--recovery-file", metavar="F", help="a file whose first line is the recovery code")
    parser.add_argument("--second-password-file", metavar="F", help="a file whose first line is the second password")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="the records, one JSON object a line (the default)")
    what.add_argument("--state-hash", action="store_true", help="the state hash")
    what.add_argument("--audit", action="store_true", help="the audit events and what each log comes to")
    what.add_argument("--verify", action="store_true", help="counts; also opens every attachment")
    options = parser.parse_args()
    try:
        code = first_line(options.recovery_file or options.password_file)
    except (OSError, UnicodeDecodeError):
        parser.error("the file with the secret cannot be read as UTF-8")
    try:
        return run(options, code)
    except WrongSecret:
        print("wrong secret: it opens no slot of this vault, or not its second lock", file=sys.stderr)
        return 3
    except BrokenPipeError:
        os._exit(1)
    except FileNotFoundError as error:
        print(f"damaged: {error.filename} is not there", file=sys.stderr)
    except Refused as error:
        print(f"damaged: {error}", file=sys.stderr)
    except Exception as error:                      # its text might hold what it was about
        print(f"damaged: {type(error).__name__}", file=sys.stderr)
    return 5


if __name__ == "__main__":
    sys.exit(main())

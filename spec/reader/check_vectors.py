#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Holds aura_reader.py against every case in vectors/: `check_vectors.py VECTORS`. Exit code 1 if one differs."""

import hashlib, json, pathlib, sys, tempfile

import aura_reader as reader

raw = bytes.fromhex
PLAIN = bytes(i % 251 for i in range(1 << 20))


def refused(call, *arguments):
    try:
        call(*arguments)
    except reader.Refused:
        return True
    return False


# Cases that say `accepted`: what a reader makes of `input`.

def entry(i, value):
    body, header = raw(i["body"]), raw(i["header"])
    h = reader.read_header(header, len(body))
    assert value.get("hash", reader.sha256(header, body).hex()) == reader.sha256(header, body).hex()
    assert value.get("number", h[7]) == h[7]


def head(i, value):
    signed = reader.decode(raw(i["bytes"]))
    reader.need(reader.row(reader.octets(), reader.octets(64))(signed), "SIG-1")
    reader.need(reader.signed_by(raw(i["key"]), "aura/v1/sig/head", *signed), "SIG-3")
    h = reader.read_head(signed[0])
    assert (value["number"], value["clock"], value["hash"]) == (h[5], h[12], reader.sha256(signed[0]).hex())


def statements(i, value):
    roster = reader.Roster()
    *before, last = [reader.decode(raw(s)) for s in i["statements"]]
    for signed in before:
        roster.take(signed)
    reader.need(reader.signed_statement(last), "AUT-16")
    roster.take(last)
    assert {d["device"] for d in value["devices"]} == {d.hex() for d in roster.devices}
    for d in value["devices"]:
        assert d["confirmed"] == roster.devices[raw(d["device"])]["confirmed"]
    assert {b["base"] for b in value["bases"]} == {name.hex() for name in roster.snapshots}
    for b in value["bases"]:
        adopted = {i.hex() for i in roster.devices if roster.has_adopted(i, raw(b["base"]), b"\x1a" * 32)}
        assert set(b["adopted"]) == adopted


def signature(i, _):
    key, payload, given = (raw(i[k]) for k in ("key", "payload", "signature"))
    reader.need(reader.signed_by(key, i["label"], payload, given), "SIG-2")


def root(i, value):
    frontier = []
    for leaf in i["leaves"]:
        reader.frontier_add(frontier, reader.sha256(b"\0", raw(leaf)))
    encoded = reader.encode([sum(n for n, _ in frontier), [h for _, h in frontier]])
    assert (value["root"], value["frontier"]) == (reader.frontier_root(frontier).hex(), encoded.hex())


def note(i, value):
    size, root_hash = reader.read_note(i["note"].encode(), i["name"], raw(i["key"]))
    assert (value["size"], value["root"]) == (size, root_hash.hex())


def device(i, value):
    made = reader.sha256(b"aura/v1/device-id\0", raw(i["key"]))[:16].hex()
    assert made in (value, value["device"] if isinstance(value, dict) else None)


def marker(i, value):
    with tempfile.TemporaryDirectory() as home:
        (pathlib.Path(home) / "aura-vault").write_text(i["file"])
        assert reader.Vault(home).id.hex() == value


def secret_key(i, value):
    assert reader.typed_code(i["file"].strip(), 16, 1).hex() == value


def entry_body(i, value):
    header, body = raw(i["header"]), raw(i["body"])
    h = reader.read_header(header, len(body))
    asked = [raw(i["vault"]), *map(raw, i["feed"]), i["number"]]
    reader.need([h[2], h[3], h[5], h[6], h[7]] == asked, "OPS-4")
    place = reader.place_of(h)
    key = reader.derive(raw(i["key"]), "aura/v1/entry/key", place)
    assert reader.unpad(reader.unseal(key, ["aura/v1/object/entry", place], body)).hex() == value["plain"]


def body(i, value):
    ops = reader.read_body(raw(i["bytes"]))
    assert len(ops) == len(value["ops"])
    for (kind, clock, change), told in zip(ops, value["ops"]):
        if "unknown" in told:
            continue
        assert (kind, clock) == (told["type"], told["clock"])
        if kind == 1:
            assert (change[0].hex(), change[1], change[2]) == tuple(told["change"][k] for k in ("record", "kind", "fields"))
        if kind in (1, 2):
            assert [[d.hex(), n.hex(), *rest] for d, n, *rest in change[-1]] == told["change"]["seen"]


def record(i, value):
    ops = {}
    for told in i["ops"]:
        (kind, clock, change), = reader.read_body(raw(told["body"]))
        device, life, *rest = told["place"]
        fields = change[2] if kind == 1 else {}
        ops[(raw(device), raw(life), *rest)] = clock, change[1] if kind == 1 else None, fields, change[-1]
    exists, kind, values = reader.record_of(ops)
    ident = raw(i["record"])
    assert (exists, kind or None, values) == (value["exists"], value["kind"], value["values"])
    assert reader.standard_form(values) == value["fields"]
    assert reader.leaf(ident, kind or 0, values) == int(value["leaf"], 16)
    assert json.loads(reader.show_record(ident, kind or 0, values, 5))["time"] == value["time_ms"]


def fields(i, value):
    assert reader.standard_form(i["paths"]) == value


def state_hash(i, value):
    made, whole = reader.leaf, {}
    reader.leaf = lambda record, kind, values: int(values["leaf"], 16)
    try:
        for n, told in enumerate(i["records"]):
            whole[told["category"], n] = True, 5, {"leaf": told["leaf"]}, told["category"]
        assert reader.state_hash(whole).hex() == value["state"]
    finally:
        reader.leaf = made


def words(i, value):
    assert [row[1] for row in value] == (reader.KINDS if i == "kind" else reader.CATEGORIES)
    assert [row[0] for row in value] == list(range(1, len(value) + 1))


class Keyring(reader.Vault):
    """A vault with a root collection and nothing else."""

    def __init__(self, i):
        self.id, self.faults, self.keys, self.purposes, self.input = raw(i["vault"]), [], {}, {}, i
        self.generation = (i["generation"][0], raw(i["generation"][1]))

    def _applied(self, wanted):
        return [(b"root",)]

    def _bodies(self, key, key_of):
        for number, told in enumerate(self.input["bodies"]):
            yield number, self.generation, reader.read_body(raw(told))


def keyring(i, value):
    made, root = Keyring(i), raw(i["root"])
    made._load_keyring({made.generation: root})
    reader.need(not made.faults, "KRG-2")
    context = reader.encode([made.id, *made.generation])
    made.keys[reader.ROOT, made.generation] = reader.derive(root, "aura/v1/root-collection", context)
    told = {(raw(k["collection"]), (k["epoch"][0], raw(k["epoch"][1]))): raw(k["key"]) for k in value["keys"]}
    assert made.keys == told
    newest = {}
    for collection, epoch in sorted(made.keys, key=lambda k: reader.age(k[1])):
        newest.setdefault(collection.hex(), [epoch[0], epoch[1].hex()])
    assert newest == value["newest"]
    written = {}
    has_epoch = {collection for collection, _ in made.keys}
    for collection, purpose in sorted(made.purposes.items(), key=lambda p: (p[0] not in has_epoch, p[0])):
        if purpose <= len(reader.CATEGORIES):
            written.setdefault(str(purpose), collection.hex())
    assert written == value["written"]


class Chunks(reader.Vault):
    """A vault with chunks and nothing else."""

    def __init__(self, i):
        self.given = {raw(name): raw(sealed) for name, sealed in i["chunks"].items()}
        self.chunks = {name: (reader.sha256(sealed), len(sealed)) for name, sealed in self.given.items()}

    def _file(self, name, most):
        return self.given[raw(name.rpartition("/")[2])]


def attached(i, value):
    a = reader.attachment(i["field"])
    reader.need(a is not None, "BLB-1")
    Chunks(i)._attachment(raw(i["blob"]), a)
    assert (a["size"], a["sha256"]) == (value["size"], value["sha256"])


def event(i, value):
    data = raw(i["bytes"])
    told = reader.read_event(data)
    names = ("time_ms", "principal", "action", "categories", "count", "grant")
    assert [told[k] for k in (1, 2, 3, 5, 6, 7)] == [value[n] for n in names]
    assert reader.sha256(b"\0aura/v1/audit/event\0", data).hex() == value["leaf_hash"]


def audit_log(i, value):
    frontier = []
    for told in map(raw, i["events"]):
        reader.read_event(told)
        reader.frontier_add(frontier, reader.sha256(b"\0aura/v1/audit/event\0", told))
    origin = f"aura/audit/{i['device']}/{i['incarnation']}"
    size, root_hash = reader.read_note(i["note"].encode(), origin, raw(i["key"]))
    reader.need((size, root_hash) == (len(i["events"]), reader.frontier_root(frontier)), "LOG-14")
    assert (size, root_hash.hex()) == (value["size"], value["root"])


def origin(i, value):
    source = i["source"].encode()
    assert reader.sha256(reader.be(len(source), 8), source, i["source_id"].encode())[:16].hex() == value


JUDGED = {"cbor": lambda i, _: reader.decode(raw(i["bytes"])), "device-id": device, "entry": entry, "head": head,
          "statements": statements, "signature": signature, "root": root, "note": note, "marker": marker,
          "secret-key-file": secret_key, "entry-body": entry_body, "body": body, "record": record, "fields": fields,
          "state-hash": state_hash, "words": words, "keyring": keyring, "attachment": attached, "event": event,
          "audit-log": audit_log, "origin": origin}


# The other cases, by their folders.

def sealed(case, name):
    key, context = raw(case["key"]), reader.decode(raw(case["context"]))
    assert context[0] == case["label"]
    if "refused" in name:
        assert refused(reader.unseal, key, context, raw(case["sealed"]))
        return
    plain = PLAIN[:case["plain_len"]]
    mixed = raw(case["random"]) + raw(case["context"]) + hashlib.sha256(plain).digest()
    made = seal(key, raw(case["context"]), reader.hmac512(raw(case["hedge_key"]), mixed)[:24], plain)
    assert made[:56].hex() == case["header"] and len(made) == case["sealed_len"]
    assert hashlib.sha256(made).hexdigest() == case["sealed_sha256"]
    assert reader.unseal(key, context, made) == plain


def seal(key, context, salt, plain):
    """SEA-1, SEA-2, SEA-5. A reader does not need it; some cases give only the hash of the object."""
    okm = reader.expand(key, b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context, 76)
    base, chunks = int.from_bytes(okm[32:44], "big"), []
    for i in range(len(plain) // 16384 + 1):
        piece = plain[i * 16384:(i + 1) * 16384]
        chunks.append(reader.AESGCM(okm[:32]).encrypt((base ^ i).to_bytes(12, "big"), piece, None))
    return salt + okm[44:] + b"".join(chunks)


def padding(case, name):
    if "cases" in case:
        assert all(reader.padme(c["len"]) == c["padme"] for c in case["cases"])
    elif "runs" in case:
        assert refused(reader.unpad, b"".join(bytes([r["byte"]]) * r["count"] for r in case["runs"]))
    else:
        body = PLAIN[:case["len"]]
        padded = (body + b"\x80").ljust(max(4096, reader.padme(len(body) + 1)), b"\0")
        assert (len(padded), hashlib.sha256(padded).hexdigest()) == (case["padded_len"], case["padded_sha256"])
        assert reader.unpad(padded) == body


def kdf(case, name):
    if case["rule"] == "KEY-10":
        context = reader.encode([raw(f) if isinstance(f, str) else f for f in case["context_fields"]])
        assert reader.derive(raw(case["root"]), case["label"], context).hex() == case["key"]
    elif case["rule"] in ("KEY-5", "KEY-6"):
        secret = raw(case["from"]) if "from" in case else raw(case["first"]) + raw(case["second"])
        assert reader.derive(secret, case["label"], raw(case["context"])).hex() == case["key"]
    elif case["rule"] == "KEY-9" and case["normal"]:
        assert reader.password_bytes(raw(case["typed"]).decode()) == raw(case["normal"])
    elif case["rule"] == "KEY-8" and "secret" not in case:
        password = raw(case["password"]).decode()
        assert reader.password_hash(password, raw(case["salt"]), case["m_kib"], case["t"], case["p"]).hex() == case["hash"]
    elif case["rule"] == "KEY-13":
        generation, factor = [case["generation"][0], raw(case["generation"][1])], [1, case["m_kib"], case["t"], case["p"], raw(case["salt"])]
        sign, kem = reader.second_keys(raw(case["root"]), raw(case["vault"]), generation, factor, case["password"])
        assert (sign.hex(), kem.hex()) == (case["sign_seed"], case["kem_seed"])
        assert reader.XWing(kem).public.hex() == case["kem_public"]
    else:
        return False
    return True


def slot(case, name):
    if case["rule"] == "SLT-12":
        words = 1 if "secret-key" in name else 2
        assert reader.typed_code(case["text"], len(raw(case["bytes"])), words) == raw(case["bytes"])
        return True
    if case["rule"] == "SLT-11":
        epoch = [case["epoch"][0], raw(case["epoch"][1])]
        context = ["aura/v1/hpke/second-lock", raw(case["vault"]), raw(case["collection"]), *epoch]
        assert reader.hpke_open(reader.XWing(raw(case["kem_seed"])), context, raw(case["wrapped"])).hex() == case["key"]
        return True
    if case["rule"] == "SLT-4":
        key, context, given = reader.XWing(raw(case["kem_seed"])), reader.decode(raw(case["context"])), raw(case["sealed"])
        opened = reader.hpke_open(key, context, given, form=1)
        info = reader.encode([context, 1, reader.sha256(key.public)])
        statement = reader.encode([key.public, info, reader.sha256(opened[64:])])
        assert reader.signed_by(raw(case["sender"]), "aura/v1/sig/sealed", statement, opened[:64])
        assert opened[64:] == raw(case["payload"])
        return True
    vault, ident = (raw(case[k]) for k in ("vault", "slot")) if "vault" in case else (None, raw(case["slot"]))
    if case["rule"] == "SLT-5":
        salt = raw(case["salt"])
        hashed = reader.password_hash(case["password"], salt, case["m_kib"], case["t"], case["p"])
        context = reader.encode([vault, ident, salt, case["m_kib"], case["t"], case["p"]])
        made = reader.derive(hashed + raw(case["secret_key"]), "aura/v1/slot/password", context)
        assert made.hex() == case["slot_secret"]
    elif case["rule"] == "SLT-7":
        made = reader.derive(raw(case["code"]), "aura/v1/slot/recovery", reader.encode([vault, ident]))
        assert made.hex() == case["slot_secret"]
    elif case["rule"] == "SLT-8":
        sign, kem = reader.slot_keys(raw(case["slot_secret"]), vault or b"\x11" * 32, ident)
        assert (sign.hex(), kem.public.hex()) == (case["sign_public"], case["kem_public"])
    elif case["rule"] == "SLT-10":
        generation = [case["generation"][0], raw(case["generation"][1])]
        context = ["aura/v1/hpke/slot", vault, ident, *generation]
        assert reader.hpke_open(reader.XWing(raw(case["kem_seed"])), context, raw(case["wrapped"])).hex() == case["root"]
    return True


def pairing(case, name):
    if case["rule"] == "PAI-4":
        code, before = raw(case["code"]), bytes(32)
        assert reader.typed_code(case["text"], 16, 1) == code
        assert case["picture"] == "AURA-PAIR-1 " + case["text"]
        box = reader.derive(code, "aura/v1/pairing/box", b"", 16)
        assert box.hex() == case["box"]
        for said in case["messages"]:
            assert before.hex() == said["transcript"]
            key = reader.derive(code, "aura/v1/pairing/key", reader.encode([said["step"], before]))
            opened = reader.unseal(key, ["aura/v1/object/pairing", box, said["step"]], raw(said["sealed"]))
            assert reader.unpad(opened).hex() == said["message"]
            before = reader.sha256(before, raw(said["sealed"]))
        return
    key, context = reader.XWing(raw(case["kem_seed"])), ["aura/v1/hpke/pairing", raw(case["box"]), raw(case["transcript"])]
    opened = reader.hpke_open(key, context, raw(case["sealed"]), form=1)
    statement = reader.encode([key.public, reader.encode([context, 1, reader.sha256(key.public)]), reader.sha256(opened[64:])])
    assert reader.signed_by(raw(case["sender"]), "aura/v1/sig/sealed", statement, opened[:64])
    generation, (incarnation, number, head) = [case["generation"][0], raw(case["generation"][1])], case["head"]
    servers = [[url, account, raw(pin)] for url, account, pin in case["servers"]]
    given = [[[*generation, raw(case["root"])]], raw(case["secret_key"]), [raw(incarnation), number, raw(head)], servers]
    assert opened[64:] == reader.encode(given)


def check(path):
    """True, or False for a case of something that the reader does not do."""
    case = json.loads(path.read_text())
    if "accepted" not in case:
        made = {"sealed-object": sealed, "padding": padding, "kdf": kdf, "slot": slot, "pairing": pairing}[path.parent.name](case, path.name)
        return made is not False
    if case["what"] not in JUDGED:
        return False
    try:
        JUDGED[case["what"]](case["input"], case.get("value"))
    except reader.Refused:
        assert not case["accepted"], "refused"
    else:
        assert case["accepted"], "accepted"
    return True


def main():
    done, passed_over, wrong = 0, [], 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*/*.json")):
        try:
            if check(path):
                done += 1
            else:
                passed_over.append(path.stem)
        except Exception as error:
            wrong += 1
            print(f"{path}: {type(error).__name__} {error}")
    print(f"{done} cases agree, {wrong} differ, {len(passed_over)} passed over: {', '.join(passed_over)}")
    return 1 if wrong or not done else 0


if __name__ == "__main__":
    sys.exit(main())

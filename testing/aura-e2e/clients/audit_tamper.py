#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Changes an exported audit log in every way named below and asks the verifier of spec/reader about each.

    audit_tamper.py READER EXPORT EARLIER OTHER

EXPORT is whole, EARLIER an earlier one of the same vault, OTHER one of another vault. Prints one JSON object: how often each kind of
change was tried, and each that was not found or not named. Nothing here is part of the verifier."""

import hashlib, importlib.util, json, pathlib, sys, tempfile

STEP = 7    # of the long encodings (statements, heads) every seventh digit is changed, of everything else every byte

spec = importlib.util.spec_from_file_location("audit_verify", pathlib.Path(sys.argv[1]) / "audit_verify.py")
verify = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify)
whole, earlier, other = (pathlib.Path(path).read_bytes().splitlines(keepends=True) for path in sys.argv[2:5])
place = pathlib.Path(tempfile.mkdtemp()) / "changed.jsonl"
tried, missed = {}, []


def says(lines, before=None):
    """What the verifier says of these lines; None where it finds nothing."""
    place.write_bytes(b"".join(lines))
    try:
        export = verify.Export(place)
        if before:
            export.follows(verify.Export(before))
    except verify.Bad as bad:
        return str(bad)
    return None


def attempt(kind, lines, *expected, before=None):
    tried[kind] = tried.get(kind, 0) + 1
    said = says(lines, before)
    if said is None or not any(word in said for word in expected or ("",)):
        missed.append({"kind": kind, "said": said, "expected": expected})


def line(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def put(at, *new, of=None):
    of = of or whole
    return [*of[:at], *new, *of[at + 1:]]


parsed = [json.loads(text) for text in whole]
events = [at for at, value in enumerate(parsed) if "number" in value]
heads = [at for at, value in enumerate(parsed) if "head" in value]
statements = [at for at, value in enumerate(parsed) if "statement" in value]
last = len(whole) - 1
named = lambda at: (f"line {at + 1}:",)
log_of = lambda value: f"{value['device']}/{value['incarnation']}"
if says(whole) is not None or says(whole, sys.argv[3]) is not None:
    sys.exit(f"the export does not verify as it is: {says(whole, sys.argv[3])}")

# Every byte, but for the long encodings.
for at, text in enumerate(whole):
    begin = text.index(b":") + 3 if at in heads + statements else len(text)
    for byte in (b for b in range(len(text)) if b < begin or b % STEP == 0 or b > len(text) - 8):
        digit = chr(text[byte]) in "0123456789abcdef"
        changed = bytes([ord("f" if text[byte] == ord("0") else "0") if digit else text[byte] ^ 1])
        # What `begin` says of the whole is found where it does not fit.
        attempt("byte", put(at, text[:byte] + changed + text[byte + 1:]), *(() if at == 0 else named(at)))

# Every field of every event: with another value of its kind, in the form of the file.
values = {"action": "create", "outcome": "failed", "who": "assistant:other", "grant": "00" * 16, "time": "2001-02-03T04:05:06Z",
          "categories": ["health"], "count": 12345, "number": 12345, "device": "ab" * 16, "incarnation": "cd" * 8, "hash": "ef" * 32,
          "event": "a0"}
for at in events:
    number = f"event {parsed[at]['number']}"
    for field in parsed[at]:
        new = "lock" if values[field] == parsed[at][field] else values[field]
        attempt("field", put(at, line({**parsed[at], field: new})), f"line {at + 1}: {number}")
        attempt("field left out", put(at, line({k: v for k, v in parsed[at].items() if k != field})), f"line {at + 1}: {number}")
    attempt("words left out", put(at, line({k: parsed[at][k] for k in verify.EVENT})), f"line {at + 1}: {number}")
for at in heads + statements + [0, last]:
    attempt("field left out", put(at, b"{}\n"))
    attempt("field added", put(at, line({**parsed[at], "note": 1})))

# The same in another form of JSON: one line has one form (AEX-1).
for at, value in enumerate(parsed):
    text, member = whole[at], next(iter(value))
    upper = text.replace(b"a", b"A") if at in heads + statements else text.upper()
    for other_form in (text.replace(b":", b": ", 1), text.replace(b"\n", b"\r\n"), text.replace(member.encode(), b"\\u%04x" % ord(member[0]) + member[1:].encode(), 1),
                       b"{" + text[1:-2] + b"," + text[1:-2] + b"}\n", json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode() + b"\n",
                       upper, b" " + text, b"\n" + text):
        if other_form != text:
            attempt("other form", put(at, other_form), *(() if at == 0 else named(at)))

    for member in {"vault", "device", "incarnation", "hash", "event", "head", "statement"} & set(value):
        attempt("capitals", put(at, line({**value, member: value[member].upper()})), "AEX-1")

# An event that a forger wrote anew, with everything that goes with it: the tree's root is another.
for at in events:
    data = bytearray.fromhex(parsed[at]["event"])
    data[8] ^= 1                                    # of its time
    said = verify.read_event(bytes(data))
    if said:
        hash_ = hashlib.sha256(b"\0aura/v1/audit/event\0" + data).hexdigest()
        forged = put(at, line({**parsed[at], **said, "event": data.hex(), "hash": hash_}))
        attempt("event forged", forged, f"the log {log_of(parsed[at])}: LOG-14: the events do not lead")
        if at < len(earlier) and parsed[at] == json.loads(earlier[at]):
            numbered = f"event {parsed[at]['number']} of the log {log_of(parsed[at])} is another"
            # With the later log as the earlier one: what differs has a number.
            export, old = verify.Export(sys.argv[2]), verify.Export(sys.argv[3])
            old.logs[tuple(map(bytes.fromhex, log_of(parsed[at]).split("/")))]["leaves"][parsed[at]["number"]] = bytes(32)
            tried["forged against an earlier one"] = tried.get("forged against an earlier one", 0) + 1
            try:
                export.follows(old)
                missed.append({"kind": "forged against an earlier one", "said": None})
            except verify.Bad as bad:
                if numbered not in str(bad):
                    missed.append({"kind": "forged against an earlier one", "said": str(bad), "expected": numbered})


def renumbered(lines):
    """As a forger would leave them: events numbered anew, and the counts made to fit."""
    counts, out, size, said = {}, [], 0, 0
    for text in lines:
        value = json.loads(text)
        if "number" in value:
            log = log_of(value)
            value["number"] = counts.get(log, 0)
            counts[log] = value["number"] + 1
            size += 1
        said += "statement" in value
        if "verdict" in value:
            value["verdict"]["size"] = size
        out.append(value)
    out[0]["statements"] = said if "statements" in out[0] else None
    return [line(value) for value in out]


# Lines taken out, doubled, changed in their order.
for at in range(len(whole)):
    attempt("removed", put(at))
    attempt("doubled", put(at, whole[at], whole[at]), *(() if at == 0 else named(at + 1)))
    for to in range(at + 1, min(at + 4, len(whole))):
        swapped = [*whole[:at], whole[to], *whole[at + 1:to], whole[at], *whole[to + 1:]]
        attempt("swapped", swapped)
for at in events:
    number = parsed[at]["number"]
    is_last = at + 1 in heads
    attempt("event removed", put(at), *(("LOG-14: the checkpoint covers",) if is_last else (f"line {at + 1}: event {number}",)))
    attempt("event doubled", put(at, whole[at], whole[at]), f"line {at + 2}: event {number + 1}")
    attempt("event removed, renumbered", renumbered(put(at)), "LOG-14: the checkpoint covers")
    attempt("event doubled, renumbered", renumbered(put(at, whole[at], whole[at])), "LOG-14: the checkpoint covers")
    if not is_last:
        swapped = [*whole[:at], whole[at + 1], whole[at], *whole[at + 2:]]
        attempt("events swapped", swapped, f"line {at + 1}: event {number}")
        attempt("events swapped, renumbered", renumbered(swapped), "LOG-14: the events do not lead")

for at in statements[1:]:
    kind = verify.Statement(bytes.fromhex(parsed[at]["statement"]), bytes.fromhex(parsed[0]["vault"])).kind
    if kind == 2:                                    # by which the other device belongs to the vault
        attempt("device not listed", renumbered(put(at)), "no statement lists the device")

# Cut off: after each line, in the middle of each, and at the end of a log whose counts were made to fit.
for at in range(len(whole)):
    attempt("cut off", whole[:at])
    attempt("cut off in a line", [*whole[:at], whole[at][:len(whole[at]) // 2]], *named(at))
for end in heads:
    count = next((n for n in range(end, 0, -1) if n - 1 not in events), end)
    for at in range(count, end):
        attempt("log cut off", renumbered([*whole[:at], *whole[end:]]), "LOG-14: the checkpoint covers")
    # A log with its head left out: another device has seen it, or it is the exporting one's.
    attempt("log left out", renumbered([*whole[:count], *whole[end + 1:]]), "AEX-6", "AEX-2: the log of the device")

if len(heads) > 1:
    start, middle = statements[-1] + 1, heads[0] + 1
    turned = [*whole[:start], *whole[middle:heads[1] + 1], *whole[start:middle], *whole[heads[1] + 1:]]
    attempt("logs swapped", turned, "does not stand in its order")

# Lines of another vault, in the place of each line and before it.
foreign = [json.loads(text) for text in other]
for wanted in ("aura_audit_export", "statement", "number", "head", "verdict"):
    theirs = next(text for text, value in zip(other, foreign) if wanted in value)
    for at in range(len(whole)):
        attempt("another vault's line instead", put(at, theirs))
        attempt("another vault's line before", put(at, theirs, whole[at]))
attempt("another vault's id", put(0, line({**parsed[0], "vault": foreign[0]["vault"]})), "AUT-2")

theirs = sorted([*statements[1:], *(-at - 1 for at, value in enumerate(foreign) if "statement" in value and at > 1)],
                key=lambda at: parsed[at]["statement"] if at > 0 else foreign[-at - 1]["statement"])
mixed = [whole[at] if at > 0 else other[-at - 1] for at in theirs]
attempt("another vault's statement", renumbered([whole[0], whole[statements[0]], *mixed, *whole[statements[-1] + 1:]]), "AUT-6")


def logs_of(lines):
    """The lines of each log, by its head's device and incarnation."""
    found, block = {}, []
    for text in lines:
        value = json.loads(text)
        block = [*block, text] if "number" in value or "head" in value else []
        if "head" in value:
            head = verify.read_head(bytes.fromhex(value["head"]), bytes.fromhex(parsed[0]["vault"]))
            found[head[3], head[4]], block = block, []
    return found


# A log as it was before, whole in itself: another device has seen more of it.
before = logs_of(earlier)
for log, block in logs_of(whole).items():
    if log in before and before[log] != block:
        start = whole.index(block[0])
        put_back = [*whole[:start], *before[log], *whole[start + len(block):]]
        attempt("log put back", renumbered(put_back), "has seen head")

# What is older: a head of before at the end of a log, and the whole file.
old = {json.loads(text)["head"] for text in earlier if b'"head"' in text}
for at in heads:
    mine = verify.read_head(bytes.fromhex(parsed[at]["head"]), bytes.fromhex(parsed[0]["vault"]))
    for head in old:
        theirs = verify.read_head(bytes.fromhex(head), bytes.fromhex(parsed[0]["vault"]))
        if (theirs[3], theirs[4]) == (mine[3], mine[4]) and theirs["payload"] != mine["payload"]:
            attempt("checkpoint of before", put(at, line({"head": head})), "LOG-14: the checkpoint covers", "AEX-6")
attempt("older export", earlier, "AEX-8", before=sys.argv[2])
attempt("another vault's export", whole, "AEX-8: the earlier export is of another vault", before=sys.argv[4])
for ok in (False, None, 1):
    attempt("verdict", put(last, line({"verdict": {**parsed[last]["verdict"], "ok": ok}})), f"line {last + 1}: AEX-7")

print(json.dumps({"tried": tried, "missed": missed[:20], "missed_in_all": len(missed), "events": len(events), "logs": len(heads)}))

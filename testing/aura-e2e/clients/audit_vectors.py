#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Holds what the verifier of exported audit logs is made of against the cases of vectors/ that speak of it.

    audit_vectors.py READER VECTORS

Prints how many cases of each kind it judged as the vectors do, and each that it did not. Of statements it passes over those of a
kind that an export does not carry."""

import importlib.util, json, pathlib, sys

spec = importlib.util.spec_from_file_location("audit_verify", pathlib.Path(sys.argv[1]) / "audit_verify.py")
verify = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify)
raw = bytes.fromhex


class PassedOver(Exception):
    """Not of what an export carries."""


def statements(i, value):
    genesis, roster = raw(i["statements"][0]), None
    vault = verify.sha256(genesis)
    for at, encoded in enumerate(i["statements"]):
        is_last = at == len(i["statements"]) - 1
        payload = verify.decode(raw(encoded))[0]
        try:
            kind = verify.decode(payload).get(3) if is_last or at else 1
        except (verify.Bad, AttributeError):
            kind = 2
        password = kind == 8 and verify.decode(payload)[4][1][0] != 2
        if kind not in verify.CLAIMS or password:
            if is_last:
                raise PassedOver
            continue
        statement = verify.Statement(raw(encoded), vault)
        if roster is None:
            verify.need(statement.kind == 1, "AUT-5")
            roster = verify.Roster(statement)
        elif not roster._take(statement):
            # One that rests on what an export does not carry cannot be judged.
            verify.need(not is_last, "it does not count")
    if value:
        found = {device.hex(): listed["confirmed"] for device, listed in roster.devices.items()}
        assert found == {device["device"]: device["confirmed"] for device in value["devices"]}


def event(i, value):
    said = verify.read_event(raw(i["bytes"]))
    verify.need(said is not None, "LOG-10")
    assert (said["who"], said["count"], said["grant"]) == (value["principal"], value["count"], value["grant"])
    assert said["action"] == verify.ACTIONS[value["action"] - 1]


def head(i, _):
    pair = verify.decode(raw(i["bytes"]))
    vault = verify.decode(pair[0])[2] if type(verify.decode(pair[0])) is dict else b""
    found = verify.read_head(raw(i["bytes"]), vault)
    verify.need(verify.signed_by(raw(i["key"]), "aura/v1/sig/head", found["payload"], found["signature"]), "SIG-1")


def note(i, value):
    size, root = verify.read_note(i["note"].encode(), i["name"], raw(i["key"]))
    assert (size, root.hex()) == (value["size"], value["root"])


def signature(i, _):
    verify.need(verify.signed_by(raw(i["key"]), i["label"], raw(i["payload"]), raw(i["signature"])), "SIG-1")


def root(i, value):
    assert verify.tree_root([verify.sha256(b"\0", raw(leaf)) for leaf in i["leaves"]]).hex() == value["root"]


def log(i, _):
    leaves = [verify.sha256(b"\0aura/v1/audit/event\0", raw(data)) for data in i["events"]]
    size, top = verify.read_note(i["note"].encode(), f"aura/audit/{i['device']}/{i['incarnation']}", raw(i["key"]))
    verify.need(size == len(leaves) and top == verify.tree_root(leaves), "LOG-14")


KINDS = {"cbor": lambda i, _: verify.decode(raw(i["bytes"])), "event": event, "head": head, "note": note,
         "signature": signature, "root": root, "audit-log": log, "statements": statements}
judged, wrong = {}, []
for path in sorted(pathlib.Path(sys.argv[2]).rglob("*.json")):
    case = json.loads(path.read_bytes())
    if case.get("what") not in KINDS:
        continue
    try:
        KINDS[case["what"]](case["input"], case.get("value"))
        accepted = True
    except PassedOver:
        continue
    except verify.Bad:
        accepted = False
    except Exception as error:
        accepted = f"{type(error).__name__}: {error}"
    judged[case["what"]] = judged.get(case["what"], 0) + 1
    if accepted is not case["accepted"]:
        wrong.append({"case": path.name, "accepted": accepted})
print(json.dumps({"judged": judged, "wrong": wrong}))

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads an export in standard forms with other people's programs, and tells how much they found.

usage: read_export.py FOLDER

Mail is read by Python's own `mailbox` and `email`, calendars by `icalendar` and
`recurring_ical_events`, contacts by `vobject`, notes by `frontmatter` (PyYAML), observations by
`fhir.resources`. Logins are checked against what Bitwarden says of its JSON. Every file is compared with the manifest. Prints one JSON
object; what is wrong goes to standard error, and the exit code is 1.
"""

import collections
import datetime
import email.policy
import hashlib
import json
import mailbox
import pathlib
import sys
import urllib.parse
import warnings
import zoneinfo

import frontmatter
import icalendar
import recurring_ical_events
import vobject
from fhir.resources.R4B.observation import Observation

# Names of time zones as old programs wrote them.
warnings.simplefilter("ignore")

problems = []
found = collections.Counter()


def wrong(where, what):
    problems.append(f"{where}: {what}")


def odd(where, what):
    """What came in like this and is kept, such as a rule that nobody can follow."""
    print(f"odd: {where}: {what}", file=sys.stderr)
    found["odd"] += 1


def check(where, is_true, what):
    if not is_true:
        wrong(where, what)


def read_mail(path):
    def parse(file):
        return email.message_from_binary_file(file, policy=email.policy.default)

    box = mailbox.mbox(path, factory=parse, create=False)
    for number, mail in enumerate(box):
        where = f"{path.name}, mail {number}"
        found["records"] += 1
        found["mails"] += 1
        for part in parts(mail):
            for defect in part.defects:
                wrong(where, f"defect: {defect!r}")
        for name in ("From", "To", "Subject", "Date", "Message-ID"):
            header = mail[name]
            if header is not None and name == "Date":
                check(where, header.datetime is not None, "its date is none")
        body = mail.get_body(("plain", "html"))
        check(where, body is not None and body.get_content() is not None, "it has no text")
        for part in mail.iter_attachments():
            found["attachments"] += 1
            check(where, part.is_multipart() or part.get_payload(decode=True) is not None, "no bytes")


def parts(mail):
    """What the mail is made of; a mail within it is as it came."""
    yield mail
    if mail.get_content_maintype() == "multipart":
        for part in mail.iter_parts():
            yield from parts(part)


def read_calendar(path):
    text = path.read_bytes()
    check(path.name, all(len(line) <= 75 for line in text.split(b"\r\n")), "a line is too long")
    check(path.name, b"\n" not in text.replace(b"\r\n", b""), "a line ends in LF")
    calendar = icalendar.Calendar.from_ical(text)
    check(path.name, not calendar.errors, f"errors: {calendar.errors[:5]}")
    for name in ("VERSION", "PRODID"):
        check(path.name, name in calendar, f"it has no {name}")
    zones = {zone["TZID"]: zone.to_tz(lookup_tzid=False) for zone in calendar.timezones}
    check(path.name, len(zones) == len(calendar.timezones), "a time zone is defined twice")
    for component in calendar.subcomponents:
        if component.name == "VTIMEZONE":
            continue
        read_times(path.name, component, zones)
        where = f"{path.name}, {component.name} {component.get('UID')}"
        found["records"] += 1
        found[component.name.lower()] += 1
        check(where, component.name in ("VEVENT", "VTODO"), "it is neither event nor task")
        for error in component.errors:
            odd(where, f"error: {error}")
        for name in ("UID", "DTSTAMP"):
            check(where, component.get(name), f"it has no {name}")
        if component.name == "VEVENT":
            check(where, isinstance(component.get("DTSTART"), icalendar.vDDDTypes), "it has no start")
        for name in ("ATTACH", "IMAGE"):
            values = component.get(name, [])
            for value in values if isinstance(values, list) else [values]:
                found["attachments"] += is_embedded(value)
        found["laid_out"] += is_laid_out(component)


def read_times(name, component, zones):
    """Whether the calendar's own definitions say the same of its times as the time zone database."""
    where = f"{name}, {component.name} {component.get('UID')}"
    for property_name in ("DTSTART", "DTEND", "DUE"):
        value = component.get(property_name)
        zone = value.params.get("TZID") if isinstance(value, icalendar.vDDDTypes) else None
        is_known = zone in zoneinfo.available_timezones()
        if zone is None or not is_known:
            continue
        check(where, zone in zones, f"{zone} is not defined")
        if zone in zones:
            time = value.dt.replace(tzinfo=None)
            own, true = zones[zone].utcoffset(time), zoneinfo.ZoneInfo(zone).utcoffset(time)
            check(where, own == true, f"its offset at {time} in {zone} is {own}, not {true}")
            found["offsets"] += 1


def is_laid_out(component):
    """Whether who shows calendars finds when it takes place. Rules that nobody can follow are kept."""
    calendar = icalendar.Calendar()
    calendar.add_component(component)
    try:
        start = component.decoded("DTSTART", component.decoded("DUE", datetime.date(2026, 1, 1)))
        events = recurring_ical_events.of(calendar, components=[component.name])
        events.between((start.year, 1, 1), (start.year, 12, 31))
        return 1
    except Exception as error:
        odd(f"{component.name} {component.get('UID')}", f"not laid out: {error!r}")
        return 0


def is_embedded(value):
    if isinstance(value, icalendar.vBinary):
        return 1
    return int(str(value).startswith("data:"))


def read_contacts(path):
    cards = path.read_bytes().decode().split("END:VCARD\r\n")
    for number, text in enumerate(cards[:-1]):
        where = f"{path.name}, card {number}"
        try:
            card = vobject.readOne(text + "END:VCARD\r\n")
        except Exception as error:
            wrong(where, repr(error))
            continue
        found["records"] += 1
        found["cards"] += 1
        check(where, card.name == "VCARD", f"it is a {card.name}")
        for name in ("version", "fn"):
            check(where, name in card.contents, f"it has no {name}")
        for name in ("photo", "logo", "sound", "key"):
            for line in card.contents.get(name, []):
                found["attachments"] += str(line.value).startswith("data:")


def read_notes(folder):
    notes = sorted(path for path in folder.rglob("*.md"))
    for path in notes:
        where = str(path.relative_to(folder))
        found["records"] += 1
        found["notes"] += 1
        note = frontmatter.load(path)
        check(where, isinstance(note.metadata, dict) and isinstance(note.content, str), "no note")
        check(where, isinstance(note.get("title", ""), str), "its title is no text")
        tags = note.get("tags", [])
        check(where, all(isinstance(tag, str) for tag in tags), f"its tags are {tags}")
    found["attachments"] += sum(path.is_file() for path in folder.rglob("*")) - len(notes)


# https://bitwarden.com/help/condition-bitwarden-import/
LOGIN_TYPES = {1: "login", 2: "secureNote", 3: "card", 4: "identity", 5: "sshKey"}


def read_logins(path):
    export = json.loads(path.read_text(encoding="utf-8"))
    check(path.name, export.get("encrypted") is False, "it does not say that it is in the clear")
    folders = {folder["id"] for folder in export["folders"]}
    check(path.name, all(isinstance(f["name"], str) for f in export["folders"]), "a folder has no name")
    for number, item in enumerate(export["items"]):
        where = f"{path.name}, item {number}"
        found["records"] += 1
        found["logins"] += 1
        check(where, isinstance(item.get("name"), str), "it has no name")
        check(where, item.get("type") in LOGIN_TYPES, f"its type is {item.get('type')}")
        check(where, item.get("folderId") is None or item["folderId"] in folders, "its folder is not there")
        check(where, "notes" in item and "favorite" in item, "it has no notes or no favorite")
        if item.get("type") == 1:
            login = item.get("login")
            check(where, isinstance(login, dict), "it has no login")
            for uri in (login or {}).get("uris") or []:
                check(where, urllib.parse.urlsplit(uri["uri"]) is not None, "its address is none")
        for field in item.get("fields") or []:
            check(where, field.get("type") in (0, 1, 2, 3), "a field has no type")


def read_lines(path):
    # What ends a line elsewhere may stand in a text here.
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1]):
        where = f"{path.name}, line {number + 1}"
        found["records"] += 1
        found[path.stem] += 1
        record = json.loads(line)
        check(where, record["kind"] == path.stem, f"its kind is {record['kind']}")
        for name in ("id", "category", "fields"):
            check(where, name in record, f"it has no {name}")
        if path.stem == "observation":
            read_observation(where, record["fields"])
        if "time" in record:
            datetime.datetime.fromisoformat(record["time"].replace("Z", "+00:00"))
        for attached in record.get("attachments", []):
            check(where, (path.parent / attached["path"]).is_file(), "an attachment is not there")
            found["attachments"] += 1


def read_observation(where, fields):
    """R4 and R4B have the same observations. What an import kept beside it, under `extra`, is ours."""
    fields = {name: value for name, value in fields.items() if name != "extra"}
    try:
        Observation.model_validate_json(json.dumps(fields))
        found["fhir"] += 1
    except ValueError as error:
        wrong(where, f"no FHIR observation: {error}")


def read_manifest(root):
    manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    listed = {file["path"]: file for file in manifest["files"]}
    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    check("manifest.json", set(listed) == there - {"manifest.json"}, "it lists other files")
    for name, file in listed.items():
        data = (root / name).read_bytes()
        check(name, len(data) == file["size"], "its size is another one")
        check(name, hashlib.sha256(data).hexdigest() == file["sha256"], "its bytes are other ones")


def main(root):
    read_manifest(root)
    for name, read in [
        ("mail.mbox", read_mail),
        ("calendar.ics", read_calendar),
        ("contacts.vcf", read_contacts),
        ("notes", read_notes),
        ("logins.json", read_logins),
    ]:
        if (root / name).exists():
            read(root / name)
    for path in sorted(root.glob("*.jsonl")):
        read_lines(path)
    for problem in problems[:200]:
        print(problem, file=sys.stderr)
    print(json.dumps(dict(found, problems=len(problems))))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

// SPDX-License-Identifier: MIT OR Apache-2.0
// Times in the reader's own zone, and keys: / searches, j and k go on and back. Without this the page works all the same.

const day = { year: "numeric", month: "short", day: "numeric" };
const clock = { hour: "2-digit", minute: "2-digit" };

// Times come in UTC and say so.
for (const one of document.querySelectorAll("time[datetime]")) {
  const at = new Date(one.dateTime);
  if (Number.isNaN(at.getTime())) continue;
  one.title = one.dateTime;
  one.textContent = at.toLocaleString("en-GB", { ...day, ...clock });
}

// Keys may be switched off, for those who speak to their machine (WCAG 2.1.4); the choice stays in this browser.
const KEYS = "aura-keys";
const keys = document.getElementById("keys");
const help = document.getElementById("keys-help");
const stored = () => {
  try {
    return localStorage.getItem(KEYS);
  } catch {
    return null;
  }
};
let isOn = stored() !== "off";

const tell = () => {
  keys.setAttribute("aria-pressed", String(isOn));
  keys.textContent = isOn ? "Keys are on" : "Keys are off";
  help.hidden = !isOn;
};
if (keys && help) {
  keys.hidden = false;
  tell();
  keys.addEventListener("click", () => {
    isOn = !isOn;
    try {
      localStorage.setItem(KEYS, isOn ? "on" : "off");
    } catch {
      // A browser that keeps nothing asks again.
    }
    tell();
  });
}

const isTyping = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

// The next hit, or the one before.
const step = (by) => {
  const hits = [...document.querySelectorAll("a.hit")];
  if (hits.length === 0) return false;
  const at = hits.indexOf(document.activeElement);
  const to = at < 0 ? (by > 0 ? 0 : hits.length - 1) : at + by;
  if (to < 0) {
    document.getElementById("q")?.focus();
    return true;
  }
  hits[Math.min(to, hits.length - 1)].focus();
  return true;
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const search = document.getElementById("q");
  const inSearch = event.target === search;
  if (inSearch && event.key === "ArrowDown" && step(1)) {
    event.preventDefault();
    return;
  }
  if (inSearch && event.key === "Escape") {
    document.getElementById("content")?.focus();
    return;
  }
  if (isTyping(event.target) || !isOn) return;
  if (event.key === "/") {
    event.preventDefault();
    if (search) {
      search.focus();
      search.select();
    } else {
      location.assign("/vault#q");
    }
  } else if (event.key === "j" || event.key === "k") {
    if (step(event.key === "j" ? 1 : -1)) event.preventDefault();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    // Only among hits: elsewhere they scroll.
    if (document.activeElement?.classList.contains("hit") && step(event.key === "ArrowDown" ? 1 : -1)) {
      event.preventDefault();
    }
  }
});

if (location.hash === "#q") document.getElementById("q")?.focus();

// SPDX-License-Identifier: MIT OR Apache-2.0
// Answers while somebody types. The browser itself makes a document of the answer, in which no script runs, and what was
// found is moved from there: no text is ever made into markup here.

const form = document.getElementById("search");
const field = document.getElementById("q");
const PAUSE_MS = 120;
let timer = 0;
let running = null;
let shown = field.value;

const words = () => {
  const query = new URLSearchParams(new FormData(form));
  if (!query.get("q")) query.delete("q");
  return query.toString();
};

const look = () => {
  if (field.value === shown) return;
  running?.abort();
  const asked = field.value;
  const request = new XMLHttpRequest();
  running = request;
  request.open("GET", `/vault/hits?${words()}`);
  request.responseType = "document";
  request.timeout = 20000;
  request.addEventListener("load", () => {
    const found = request.response?.getElementById("hits");
    if (request.status !== 200 || !found) {
      // The vault was locked, or this visit is over: the whole page says so.
      location.assign("/vault");
      return;
    }
    shown = asked;
    document.getElementById("hits").replaceWith(document.adoptNode(found));
  });
  request.send();
};

field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, PAUSE_MS);
});

// What was typed comes into no address, and so into no history of the browser.
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  look();
  document.querySelector("a.hit")?.focus();
});

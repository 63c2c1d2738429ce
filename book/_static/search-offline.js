/* Sphinx shows some lines of each page that a search finds, and fetches the
   page for them. Pages opened from disk may not fetch: the text of all pages
   comes with search-text.js (BOOK_TEXT, by page name) instead. */
"use strict";

const fetchFromNetwork = window.fetch;

window.fetch = (url, ...rest) => {
  const root = document.documentElement.dataset.content_root;
  const page = String(url).replace(root, "").replace(/\.html$/, "");
  const text = typeof BOOK_TEXT === "undefined" ? undefined : BOOK_TEXT[page];
  if (text === undefined) return fetchFromNetwork(url, ...rest);
  const html = `<div role="main">${text}</div>`;
  return Promise.resolve({ ok: true, text: () => Promise.resolve(html) });
};

/* What is looked for are stems ("entropi"); what stands in the text is not. */
document.addEventListener("DOMContentLoaded", () => {
  const summarize = Search.makeSearchSummary;
  Search.makeSearchSummary = (html, keywords, anchor) => {
    const text = Search.htmlToText(html, anchor).toLowerCase();
    const words = [...keywords].map((word) => {
      while (word.length > 3 && !text.includes(word)) word = word.slice(0, -1);
      return word;
    });
    return summarize(html, words, anchor);
  };
});

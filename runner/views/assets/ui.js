// What a page of `sync-run ui` does by itself: it waits for a job, and shows how far it is.
"use strict";
(() => {
  const waiting = document.querySelector("[data-job]");
  if (!waiting) return;
  const line = waiting.querySelector("span");
  const look = async () => {
    try {
      const job = await (await fetch(waiting.dataset.job)).json();
      if (job.done) { location.reload(); return; }
      if (job.line) line.textContent = job.line;
    } catch { line.textContent = "sync-run does not answer"; }
    setTimeout(look, 400);
  };
  setTimeout(look, 200);
})();

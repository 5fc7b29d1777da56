// One document at a time: upload, follow its events, show its text.
const at = (id) => document.getElementById(id);
let stop = () => {};

function show(id, text) {
  at(id).textContent = text ?? "";
  at(id).hidden = !text;
}

function fail(message) {
  at("progress").hidden = true;
  show("status", "");
  show("problem", message);
}

// What a person can be told of an answer that is not the one hoped for.
function reason(status, body) {
  try {
    const { title, detail, accepted, request_id } = JSON.parse(body);
    if (accepted?.length) return `${title}. It reads ${at("formats").textContent}.`;
    return `${title}: ${detail}.${status < 500 ? "" : ` (Request ${request_id})`}`;
  } catch {
    return status ? `The server answered ${status}.` : "The server cannot be reached. Is docmill running?";
  }
}

// The API key, where the server asks for one: for as long as the tab is open.
const key = () => sessionStorage.getItem("key");
const headers = () => (key() ? { Authorization: `Bearer ${key()}` } : {});

async function get(path) {
  const response = await fetch(path, { headers: headers() }).catch(() => null);
  if (response?.ok) return response;
  const body = response ? await response.text() : "";
  if (response?.status === 401) at("key").hidden = false;
  throw new Error(reason(response?.status, body));
}

const ask = async (path) => (await get(path)).text();

function take(file) {
  stop();
  for (const id of ["problem", "warnings", "links", "result"]) at(id).hidden = true;
  at("work").hidden = false;
  at("name").textContent = file.name;
  show("status", "Uploading…");
  at("progress").hidden = false;
  at("progress").removeAttribute("value");

  const form = new FormData();
  form.append("priority", "interactive");
  form.append("file", file);
  const upload = new XMLHttpRequest();
  stop = () => upload.abort();
  upload.upload.onprogress = ({ loaded, total }) => {
    if (total) at("progress").value = loaded / total;
  };
  upload.onerror = () => fail(reason(0, ""));
  upload.onload = () => {
    if (upload.status === 401) at("key").hidden = false;
    if (upload.status !== 202) return fail(reason(upload.status, upload.responseText));
    const receipt = JSON.parse(upload.responseText);
    if (key()) poll(receipt).catch((error) => fail(error.message));
    else follow(receipt);
  };
  upload.open("POST", "/v1/documents");
  if (key()) upload.setRequestHeader("Authorization", `Bearer ${key()}`);
  upload.send(form);
}

function follow({ document_id, job_id }) {
  let stage;
  const tell = (text) => show("status", (stage = text));
  tell("Waiting for its turn…");
  at("progress").removeAttribute("value");
  const events = new EventSource(`/v1/documents/${document_id}/events`);
  stop = () => events.close();
  const on = (kind, act) => events.addEventListener(kind, (event) => act(JSON.parse(event.data)));
  const end = (act) => () => {
    events.close();
    act().catch((error) => fail(error.message));
  };
  on("job.running", () => tell("Reading…"));
  on("job.retrying", () => tell("That did not work; trying again shortly…"));
  on("progress", ({ progress: { done, total } }) => {
    tell(total ? `Reading page ${done} of ${total}…` : `Reading; ${done} pages so far…`);
    if (total) at("progress").value = done / total;
  });
  on("job.succeeded", end(() => present(document_id, job_id, "Done.")));
  on("job.partial", end(() => present(document_id, job_id, "Done, but not all of it could be read.")));
  on("job.failed", end(async () => {
    const { failure } = JSON.parse(await ask(`/v1/jobs/${job_id}`));
    fail(`It could not be read: ${failure.message}.`);
  }));
  on("job.cancelled", end(async () => fail("The job was cancelled.")));
  on("document.deleted", end(async () => fail("The document was deleted.")));
  on("document.expired", end(async () => fail("The document has expired.")));
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) fail(reason(0, ""));
    else show("status", "Connection lost; connecting again…");
  };
  events.onopen = () => tell(stage);
}

// Browsers' streams of events carry no key.
async function poll({ document_id, job_id }) {
  let stopped = false;
  stop = () => (stopped = true);
  show("status", "Waiting for its turn…");
  at("progress").removeAttribute("value");
  while (!stopped) {
    const { state, failure, progress: { done, total } } = JSON.parse(await ask(`/v1/jobs/${job_id}`));
    if (stopped) return;
    if (state === "succeeded") return present(document_id, job_id, "Done.");
    if (state === "partial") return present(document_id, job_id, "Done, but not all of it could be read.");
    if (state === "failed") return fail(`It could not be read: ${failure.message}.`);
    if (state === "cancelled") return fail("The job was cancelled.");
    if (state === "running") show("status", total ? `Reading page ${done} of ${total}…` : "Reading…");
    if (total) at("progress").value = done / total;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function present(id, job_id, message) {
  const result = `/v1/documents/${id}/result`;
  const [html, job] = await Promise.all([ask(`${result}?as=html`), ask(`/v1/jobs/${job_id}`)]);
  at("progress").hidden = true;
  show("status", message);
  const warnings = JSON.parse(job).warnings ?? [];
  at("warnings").replaceChildren(...warnings.map(({ message, page }) => {
    const item = document.createElement("li");
    item.textContent = page ? `Page ${page}: ${message}` : message;
    return item;
  }));
  at("warnings").hidden = warnings.length === 0;
  at("markdown").href = `${result}?as=md`;
  at("text").href = `${result}?as=text`;
  at("json").href = `${result}?as=json`;
  at("original").href = `/v1/documents/${id}/original`;
  at("links").hidden = false;
  // Without scripts, and of no origin: whatever stands in the document stays in this frame.
  at("result").srcdoc = `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/reading.css">${html}`;
  at("result").hidden = false;
}

// Nor do links.
at("links").addEventListener("click", async (event) => {
  if (!key() || !event.target.href) return;
  event.preventDefault();
  const { href, id } = event.target;
  const save = document.createElement("a");
  try {
    save.href = URL.createObjectURL(await (await get(href)).blob());
  } catch (error) {
    return show("problem", error.message);
  }
  save.download = id === "original" ? at("name").textContent : `${at("name").textContent}.${{ markdown: "md", text: "txt" }[id] ?? id}`;
  save.click();
  setTimeout(() => URL.revokeObjectURL(save.href), 60_000);
});
at("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", event.target.elements.key.value.trim());
  at("key").hidden = true;
  show("problem", "");
  greet();
});
at("form").addEventListener("submit", (event) => event.preventDefault());
at("file").addEventListener("change", ({ target }) => target.files[0] && take(target.files[0]));
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.remove("over");
  });
}
document.addEventListener("drop", ({ dataTransfer }) => dataTransfer.files[0] && take(dataTransfer.files[0]));

function greet() {
  ask("/v1/formats").then((body) => {
    const { formats } = JSON.parse(body);
    at("formats").textContent = formats.map(({ title }) => title).join(", ");
    at("file").accept = formats.flatMap(({ extensions }) => extensions.map((extension) => `.${extension}`)).join(",");
  }).catch(() => {});
}
greet();

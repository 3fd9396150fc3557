(() => {
  const rows = JSON.parse(document.getElementById("rows").textContent);
  const body = document.getElementById("body"), find = document.getElementById("find");
  const order = document.getElementById("order"), said = document.getElementById("said"), more = document.getElementById("more");
  const words = rows.map((row) => (row[0] + " " + row[4]).toLowerCase());
  const PAGE = 100;
  let room = PAGE;
  const cell = (tag, text, name) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  const line = (row) => {
    const made = document.createElement("tr"), first = document.createElement("td"), link = cell("a", row[0]);
    link.href = "feature/" + row[0] + ".html";
    first.append(link);
    made.append(first, cell("td", row[4], "what"), cell("td", row[1].toLocaleString("en"), "n"), cell("td", row[2], "n"), cell("td", row[3].toLocaleString("en"), "n"), cell("td", row[5] === null ? "—" : row[5].toFixed(2), "n"));
    return made;
  };
  const draw = () => {
    const wanted = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = rows.filter((_, i) => wanted.every((w) => words[i].includes(w)));
    const column = { number: 0, count: 1, highest: 3, score: 5 }[order.value];
    if (column) hits.sort((a, b) => ((b[column] ?? -1) - (a[column] ?? -1)) || a[0] - b[0]);
    body.replaceChildren(...hits.slice(0, room).map(line));
    said.textContent = hits.length.toLocaleString("en") + " of " + rows.length.toLocaleString("en") + " features" + (hits.length > room ? ", the first " + room.toLocaleString("en") + " shown" : "");
    more.hidden = hits.length <= room;
  };
  find.addEventListener("input", () => { room = PAGE; draw(); });
  order.addEventListener("change", () => { room = PAGE; draw(); });
  more.addEventListener("click", () => { room += 1000; draw(); });
  document.getElementById("search").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("search").hidden = false;
  draw();
})();

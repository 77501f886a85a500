// On a phone the parts of a displayed formula stand below each other.
const phone = matchMedia("(max-width: 46em)").matches;
if (phone)
    for (const formula of document.querySelectorAll("div.math")) {
        const [, body, tag] = formula.textContent.match(/^\s*\\\[([^]*?)(\\tag\{\w+\})?\s*\\\]\s*$/) ?? [];
        if (!body?.includes("\\qquad") || /\\begin\{(?!gathered)/.test(body)) continue;
        const parts = body.replace(/\\(begin|end)\{gathered\}/g, "").replaceAll("\\qquad", "\\cr");
        formula.textContent = `\\[\\begin{gathered}${parts}\\end{gathered}${tag ?? ""}\\]`;
    }

// Punctuation stays on the line of the formula that it touches.
for (const formula of document.querySelectorAll("span.math")) {
    const [before, behind] = [formula.previousSibling, formula.nextSibling];
    const [opening] = before?.nodeType === Node.TEXT_NODE && before.data.match(/[(\[“]+$/) || [""];
    const [closing] = behind?.nodeType === Node.TEXT_NODE && behind.data.match(/^[.,;:?!)\]”]+/) || [""];
    if (!opening && !closing) continue;
    const tied = document.createElement("span");
    tied.className = "tied";
    formula.replaceWith(tied);
    tied.append(opening, formula, closing);
    if (opening) before.data = before.data.slice(0, -opening.length);
    if (closing) behind.data = behind.data.slice(closing.length);
}

for (const list of document.querySelectorAll("article ul"))
    if ([...list.children].every((item) => /^\s*[A-Da-d]\. /.test(item.textContent))) list.classList.add("lettered");

// A number and its deviation stay on one line, where there are not too many of them.
for (const cell of document.querySelectorAll("td"))
    if (cell.parentElement.children.length < 10 && /^[\d.]+ ± [\d.]+$/.test(cell.textContent.trim())) cell.style.whiteSpace = "nowrap";

// Long names break behind their punctuation: on a phone in titles and code, elsewhere in the code of a table that is wider than the page.
const title = document.querySelector("h1")?.firstChild;
if (phone && title?.nodeType === Node.TEXT_NODE)
    title.replaceWith(...title.data.split(/(?<=[_.\/=(])(?=\w)/).flatMap((part) => [document.createElement("wbr"), part]));

function breakNames() {
    for (const name of document.querySelectorAll(phone ? "code.literal:not(.breaks)" : "td code.literal:not(.breaks)")) {
        const table = name.closest(".table-wrapper");
        if (!phone && table.scrollWidth <= table.clientWidth + 1) continue;
        name.classList.add("breaks");
        for (const part of name.querySelectorAll(".pre")) part.innerHTML = part.innerHTML.replace(/[_.\/:=,(]+(?=[A-Za-z&"'])/g, "$&<wbr>");
    }
}

// What is still wider than the page gets smaller, and below three quarters it scrolls.
function fitDisplayedFormulas() {
    for (const formula of document.querySelectorAll("div.math")) {
        formula.style.fontSize = "";
        const share = formula.clientWidth / formula.scrollWidth, size = (e) => parseFloat(getComputedStyle(e).fontSize);
        if (share < 1) formula.style.fontSize = `${Math.max(0.75, share - 0.01) * size(formula) / size(formula.parentElement)}em`;
    }
}

// Formulas within a line cannot be broken: one that is wider than its column gets a box that scrolls.
function boxWideFormulas() {
    for (const formula of document.querySelectorAll("span.math mjx-container")) {
        formula.classList.remove("wide");
        const column = formula.closest("p, li, td, th, dd, dt, figcaption, summary");
        const box = formula.closest(".tied") ?? formula;
        if (column && box.getBoundingClientRect().width > column.clientWidth) formula.classList.add("wide");
    }
}

window.addEventListener("load", () => {
    const ready = window.MathJax?.startup ? MathJax.startup.promise : Promise.resolve();
    ready.then(breakNames).then(fitDisplayedFormulas).then(boxWideFormulas).then(() => { document.body.dataset.formulas = "fit"; });
    window.addEventListener("resize", () => { breakNames(); fitDisplayedFormulas(); boxWideFormulas(); });
});

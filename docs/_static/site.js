// On a phone the parts of a displayed formula stand below each other.
if (matchMedia("(max-width: 46em)").matches)
    for (const formula of document.querySelectorAll("div.math")) {
        const [, body, tag] = formula.textContent.match(/^\s*\\\[([^]*?)(\\tag\{\w+\})?\s*\\\]\s*$/) ?? [];
        if (!body?.includes("\\qquad") || /\\begin\{(?!gathered)/.test(body)) continue;
        const parts = body.replace(/\\(begin|end)\{gathered\}/g, "").replaceAll("\\qquad", "\\cr");
        formula.textContent = `\\[\\begin{gathered}${parts}\\end{gathered}${tag ?? ""}\\]`;
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
        if (column && formula.getBoundingClientRect().width > column.clientWidth) formula.classList.add("wide");
    }
}

window.addEventListener("load", () => {
    if (!window.MathJax || !MathJax.startup) return;
    MathJax.startup.promise.then(fitDisplayedFormulas).then(boxWideFormulas).then(() => { document.body.dataset.formulas = "fit"; });
    window.addEventListener("resize", () => { fitDisplayedFormulas(); boxWideFormulas(); });
});

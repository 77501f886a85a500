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
    MathJax.startup.promise.then(boxWideFormulas);
    window.addEventListener("resize", boxWideFormulas);
});

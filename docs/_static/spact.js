// Tables that are wider than the page can be reached with the Tab key and carry a hint; the sidebar shows the open page.
addEventListener("DOMContentLoaded", () => {
  const tables = [...document.querySelectorAll("article table")].filter(t => !t.closest(".spact-explorer"));
  for (const table of tables) {
    const box = document.createElement("div"), hint = document.createElement("p");
    box.className = "scrolls"; hint.className = "hint"; hint.textContent = "⟷ the table goes on to the right";
    table.replaceWith(box); box.append(table); box.after(hint);
  }
  function look() {
    for (const box of document.querySelectorAll(".scrolls")) {
      const wide = box.scrollWidth > box.clientWidth + 1;
      box.nextElementSibling.hidden = !wide;
      if (wide) { box.tabIndex = 0; box.setAttribute("role", "region"); box.setAttribute("aria-label", "table"); }
      else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
  addEventListener("resize", look); look();
  const open = document.querySelector(".sidebar-tree .current-page > .reference");
  const tree = document.querySelector(".sidebar-scroll");
  if (open && tree) tree.scrollTop = open.getBoundingClientRect().top - tree.getBoundingClientRect().top - tree.clientHeight / 3;
});

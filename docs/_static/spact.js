// Tables that are wider than the page can be reached with the Tab key and carry a hint, on a phone figures too; the sidebar shows the open page.
addEventListener("DOMContentLoaded", () => {
  function wrap(found, name) { // in a box that scrolls
    const box = document.createElement("div"), hint = document.createElement("p");
    box.className = "scrolls " + name; hint.className = "hint"; hint.textContent = `⟷ the ${name} goes on to the right`;
    box.dataset.what = name; found.replaceWith(box); box.append(found); box.after(hint);
  }
  const own = e => !e.closest(".spact-explorer, .spact-portable");
  for (const table of [...document.querySelectorAll("article table")].filter(own)) wrap(table, "table");
  if (innerWidth < 640) // letters of a figure made for a desk
    for (const img of [...document.querySelectorAll(".cell_output img")].filter(i => own(i) && !i.closest("table"))) wrap(img, "figure");
  function look() {
    for (const box of document.querySelectorAll(".scrolls")) {
      const wide = box.scrollWidth > box.clientWidth + 1;
      box.nextElementSibling.hidden = !wide;
      if (wide) { box.tabIndex = 0; box.setAttribute("role", "region"); box.setAttribute("aria-label", box.dataset.what); }
      else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
  addEventListener("resize", look); look();
  const open = document.querySelector(".sidebar-tree .current-page > .reference");
  const tree = document.querySelector(".sidebar-scroll");
  if (open && tree) tree.scrollTop = open.getBoundingClientRect().top - tree.getBoundingClientRect().top - tree.clientHeight / 3;
});

// Sphinx's own scores, and first the page that is named like the query: "sampler" finds 11_sampler, "omega" choose_omega
var Scorer = {
  score: ([docname, title, anchor, , score]) => {
    const asked = (new URLSearchParams(location.search).get("q") || "").trim().toLowerCase();
    const words = docname.split("/").pop().replace(/^\d+_/, "").toLowerCase();
    if (!asked || anchor) return score;
    if (words === asked.replace(/\s+/g, "_")) return score + 200;
    if (words.split("_").includes(asked)) return score + 100;
    return score + (title.toLowerCase().includes(asked) ? 50 : 0);
  },
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};

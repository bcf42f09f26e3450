// The switch between light and dark, and the arrow keys. Everything else works without this file.
(() => {
  const root = document.documentElement;
  const key = "minidepth-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");

  try {
    const chosen = localStorage.getItem(key);
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch {
    // The browser keeps nothing for this page: the switch holds until the next one.
  }

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      show();
      try {
        localStorage.setItem(key, root.dataset.theme);
      } catch {
        // As above.
      }
    });
    system.addEventListener("change", show);
    button.hidden = false;
    show();
    document.getElementById("keys").hidden = !document.querySelector("a[rel=prev], a[rel=next]");

    // What scrolls sideways must be reachable by keyboard, and only that: any other block would be a stop on the way.
    const reach = () => {
      for (const box of document.querySelectorAll("pre, .scroll")) {
        if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
        else box.removeAttribute("tabindex");
      }
    };
    reach();
    addEventListener("resize", reach);
    document.addEventListener("toggle", reach, true);
  });

  document.addEventListener("keydown", (event) => {
    const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    if (!rel || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.closest("pre, .scroll")) return; // there they scroll
    if (root.scrollWidth > root.clientWidth) return; // and here, where the page is wider than the window
    document.querySelector(`a[rel=${rel}]`)?.click();
  });
})();

// The little that pages cannot do by themselves. Everything works without it, only less smoothly.
(function () {
  "use strict";

  // Menus are <details>: close them on Escape, on a click elsewhere, and when another one opens.
  function closeMenus(except) {
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (menu !== except) menu.open = false;
    });
  }
  document.addEventListener("click", function (event) {
    closeMenus(event.target.closest("details.menu"));

    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      const dialog = document.querySelector(opener.dataset.dialog);
      if (dialog) {
        event.preventDefault();
        dialog.showModal();
      }
    }
    const closer = event.target.closest("[data-close]");
    if (closer && closer.closest("dialog")) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    const copier = event.target.closest("[data-copy]");
    if (copier && navigator.clipboard) {
      const source = document.querySelector(copier.dataset.copy);
      navigator.clipboard.writeText(source.value || source.textContent.trim()).then(function () {
        if (copier.dataset.copied) copier.textContent = copier.dataset.copied;
      });
    }
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // <form data-confirm="Sentence?"> asks first; <select data-autosubmit> sends its form when it changes.
  document.addEventListener("submit", function (event) {
    const asker = (event.submitter && event.submitter.dataset.confirm) || event.target.dataset.confirm;
    if (asker && !window.confirm(asker)) event.preventDefault();
  });
  document.addEventListener("change", function (event) {
    if (event.target.matches("[data-autosubmit]")) event.target.form.requestSubmit();
  });

  // A row of tabs that is wider than the screen begins where one is.
  document.querySelectorAll(".tabs [aria-current]").forEach(function (tab) {
    const row = tab.parentElement;
    row.scrollLeft += Math.max(0, tab.getBoundingClientRect().right - row.getBoundingClientRect().right);
  });

  // Times show in the time of this device unless the person chose a place: the server reads the cookie.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.split("; ").includes("timezone=" + zone)) {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = "timezone=" + zone + "; path=/; max-age=31536000; samesite=lax" + secure;
  }

  // The theme changes at once; the server writes it down and the next page comes with it.
  document.addEventListener("submit", function (event) {
    const chosen = event.submitter;
    if (!chosen || chosen.name !== "theme" || !event.target.matches(".theme-switch")) return;
    document.documentElement.dataset.theme = chosen.value;
    document.querySelectorAll(".theme-switch button").forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.value === chosen.value));
    });
  });

  // A fragment that brings <dialog data-open> shows it; one notice says when the server does not answer.
  document.addEventListener("htmx:afterSettle", function (event) {
    const dialog = event.target.querySelector && event.target.querySelector("dialog[data-open]:not([open])");
    if (dialog) dialog.showModal();
  });
  // A swap that takes the focused element away hands the focus on to what it brought: its notice, else its beginning.
  // What was scrolled in it stays where it was.
  let held, scrolled = {};
  document.addEventListener("htmx:beforeSwap", function (event) {
    const target = event.detail.target;
    if (!event.detail.shouldSwap) return;
    if (target.id && target.contains(document.activeElement)) held = target.id;
    scrolled = {};
    target.querySelectorAll("[role=region][id]").forEach(function (region) {
      scrolled[region.id] = region.scrollTop;
    });
  });
  document.addEventListener("htmx:afterSwap", function () {
    Object.keys(scrolled).forEach(function (id) {
      const region = document.getElementById(id);
      if (region) region.scrollTop = scrolled[id];
    });
    scrolled = {};
  });
  document.addEventListener("htmx:afterSettle", function () {
    const place = held && document.activeElement === document.body && document.getElementById(held);
    held = "";
    if (!place) return;
    const next = place.querySelector("[role=alert]") || place;
    next.tabIndex = -1;
    next.focus();
  });
  // What asks again every few seconds rests while nobody looks.
  document.addEventListener("htmx:beforeRequest", function (event) {
    const trigger = event.detail.elt.getAttribute("hx-trigger") || "";
    if (document.hidden && trigger.includes("every")) event.preventDefault();
  });
  function offline(shown) {
    const notice = document.getElementById("offline");
    if (notice) notice.hidden = !shown;
  }
  document.addEventListener("htmx:afterRequest", function (event) {
    offline(!event.detail.successful && event.detail.xhr.status !== 422);
  });
})();

// A text field over a list that the server searches (WAI-ARIA combobox with a listbox popup).
// <div data-combobox data-url data-create> holds the field, a hidden field for the chosen id and the list.
// Everything is delegated from the document, so fields that htmx swaps in work at once.
(function () {
  "use strict";
  const WAIT = 120; // ms of quiet before a search
  const OPTION = "[role=option]:not([aria-disabled])"; // the one that says that there is none cannot be chosen
  let timer, searching;

  function parts(node) {
    const box = node.closest && node.closest("[data-combobox]");
    return box && {
      box: box,
      field: box.querySelector("[role=combobox]"),
      id: box.querySelector("input[type=hidden]"),
      list: box.querySelector("[role=listbox]"),
    };
  }
  function folded(text) {
    return text.trim().toLocaleLowerCase();
  }
  function options(c) {
    return Array.from(c.list.querySelectorAll(OPTION));
  }
  function same(c) {
    return options(c).find(function (option) {
      return option.dataset.id && folded(option.dataset.name) === folded(c.field.value);
    });
  }

  function load(c, text) {
    if (searching) searching.abort();
    searching = new AbortController();
    const url = c.box.dataset.url + "?q=" + encodeURIComponent(text);
    fetch(url, { headers: { "HX-Request": "true" }, signal: searching.signal })
      .then(function (response) {
        if (!response.ok) throw new Error("status " + response.status);
        return response.text();
      })
      .then(function (html) {
        c.list.innerHTML = html;
        if (window.htmx) window.htmx.process(c.list);
        offerCreation(c, text);
        show(c);
        options(c).forEach(function (option) {
          option.setAttribute("aria-selected", String(Boolean(c.id.value) && option.dataset.id === c.id.value));
        });
      })
      .catch(function (error) {
        if (error.name !== "AbortError") hide(c);
      });
  }
  function offerCreation(c, text) {
    if (!text.trim() || same(c)) return;
    const item = document.createElement("li");
    item.id = c.list.id + "-create";
    item.setAttribute("role", "option");
    item.className = "create";
    item.textContent = c.box.dataset.create.split("%name%").join(text.trim());
    c.list.append(item);
  }

  function show(c) {
    c.list.hidden = false;
    c.field.setAttribute("aria-expanded", "true");
  }
  function hide(c) {
    clearTimeout(timer);
    if (searching) searching.abort();
    c.list.hidden = true;
    c.field.setAttribute("aria-expanded", "false");
    activate(c, null);
  }
  function activate(c, option) {
    options(c).forEach(function (other) {
      other.classList.toggle("active", other === option);
    });
    if (option) {
      c.field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      c.field.removeAttribute("aria-activedescendant");
    }
  }
  function choose(c, option) {
    c.id.value = option.dataset.id || "";
    if (option.dataset.id) c.field.value = option.dataset.name;
    hide(c);
    showCreate(c);
  }
  function showCreate(c) {
    const form = c.field.form;
    const row = form && form.querySelector("[data-combobox-create]");
    if (row) row.hidden = !c.field.value.trim() || Boolean(c.id.value);
  }
  function move(c, by) {
    const all = options(c);
    if (!all.length) return;
    const now = all.findIndex(function (option) {
      return option.classList.contains("active");
    });
    activate(c, all[now < 0 ? (by > 0 ? 0 : all.length - 1) : (now + by + all.length) % all.length]);
  }

  document.addEventListener("input", function (event) {
    if (!event.target.matches("[data-combobox] [role=combobox]")) return;
    const c = parts(event.target);
    c.id.value = "";
    showCreate(c);
    clearTimeout(timer);
    timer = setTimeout(function () {
      load(c, c.field.value);
    }, WAIT);
  });
  document.addEventListener("click", function (event) {
    const c = parts(event.target);
    if (c && event.target === c.field && c.list.hidden) load(c, c.id.value ? "" : c.field.value);
    const option = c && event.target.closest(OPTION);
    if (option) choose(c, option);
  });
  document.addEventListener("mousedown", function (event) {
    // The field keeps the focus while somebody points at the list.
    if (event.target.closest("[data-combobox] [role=listbox]")) event.preventDefault();
  });
  document.addEventListener("keydown", function (event) {
    if (!event.target.matches || !event.target.matches("[data-combobox] [role=combobox]")) return;
    const c = parts(event.target);
    const open = !c.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (open) move(c, event.key === "ArrowDown" ? 1 : -1);
      else load(c, c.id.value ? "" : c.field.value);
    } else if (event.key === "Enter") {
      // Enter never sends the form from here: a name that was only typed is not chosen yet.
      event.preventDefault();
      const active = open && c.list.querySelector("[role=option].active");
      if (active) choose(c, active);
      else if (same(c)) choose(c, same(c));
    } else if (event.key === "Escape" && open) {
      event.preventDefault(); // closes the list, not the dialog around it
      event.stopPropagation();
      hide(c);
    }
  });
  document.addEventListener("focusout", function (event) {
    if (!event.target.matches("[data-combobox] [role=combobox]")) return;
    const c = parts(event.target);
    if (!c.id.value && same(c)) c.id.value = same(c).dataset.id;
    hide(c);
    showCreate(c);
  });
})();

// The simulator's live pages: one part of them alone on the screen, and dots that move as lively as users do.
(function () {
  "use strict";

  // <button data-fullscreen="#part"> shows a part alone; browsers that cannot never show the button.
  if (document.fullscreenEnabled) {
    document.querySelectorAll("[data-fullscreen]").forEach(function (button) {
      button.hidden = false;
    });
  }
  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-fullscreen]");
    if (!button) return;
    if (document.fullscreenElement) document.exitFullscreen();
    else document.querySelector(button.dataset.fullscreen).requestFullscreen();
  });

  // The tracks stay where they are while numbers are swapped, or every dot would begin anew: only their level changes.
  document.addEventListener("htmx:afterSettle", function () {
    const live = document.getElementById("live");
    if (!live) return;
    document.querySelectorAll("[data-track]").forEach(function (track) {
      track.dataset.level = live.dataset[track.dataset.track];
    });
  });
})();

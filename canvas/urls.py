from django.urls import path

from canvas.views import api, canvases, states, steps

app_name = "canvas"
_canvas = "w/<slug:workspace>/canvas/<int:canvas>/"
urlpatterns = [
    path("w/<slug:workspace>/canvas/", canvases.canvases, name="list"),
    path("w/<slug:workspace>/canvas/new/", canvases.create, name="create"),
    path(_canvas, canvases.detail, name="detail"),
    path(f"{_canvas}edit/", canvases.edit, name="edit"),
    path(f"{_canvas}preview/", states.preview, name="preview"),
    *(path(f"{_canvas}{move}/", states.change_state, {"move": move}, name=move) for move in states.MOVES),
    path(f"{_canvas}steps/add/", steps.add, name="add_step"),
    path(f"{_canvas}steps/<int:step>/", steps.step, name="step"),
    path(f"{_canvas}steps/<int:step>/move/", steps.move, name="move_step"),
    path(f"{_canvas}steps/<int:step>/delete/", steps.delete, name="delete_step"),
    path("api/v1/canvases/<int:canvas>", api.canvas, name="api_canvas"),
    path("api/v1/canvases/<int:canvas>/enter", api.enter, name="api_enter"),
]

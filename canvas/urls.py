from django.urls import path

from canvas.views import analytics, analytics_users, api, canvases, retrying, simulator, states, steps

app_name = "canvas"
_canvas = "w/<slug:workspace>/canvas/<int:canvas>/"
_step = f"{_canvas}steps/<int:step>/"
_batch = "w/<slug:workspace>/canvas/batches/<int:batch>/"
_simulator = "w/<slug:workspace>/simulator/"
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
    path(f"{_canvas}analytics/", analytics.analytics, name="analytics"),
    path(f"{_canvas}analytics/live/", analytics.analytics_live, name="analytics_live"),
    path(f"{_canvas}analytics/cards/", analytics.cards_live, name="cards_live"),
    path(f"{_canvas}analytics/figures.<str:form>", analytics.download_figures, name="download_figures"),
    path(f"{_canvas}analytics/minutes.<str:form>", analytics.download_minutes, name="download_minutes"),
    path(f"{_step}analytics/", analytics.step_analytics, name="step_analytics"),
    path(f"{_step}analytics/live/", analytics.step_live, name="step_live"),
    path(f"{_step}users/", analytics_users.users, name="users"),
    path(f"{_step}retry/", retrying.retry_step, name="retry_step"),
    path(f"{_step}users/<int:delivery>/retry/", retrying.retry_user, name="retry_user"),
    path(_batch, analytics_users.batch, name="batch"),
    path(f"{_batch}retry/", retrying.retry_batch, name="retry_batch"),
    path(_simulator, simulator.simulator_page, name="simulator"),
    path(f"{_simulator}launch/", simulator.launch, name="simulator_launch"),
    path(f"{_simulator}traffic/", simulator.traffic, name="simulator_traffic"),
    path(f"{_simulator}faults/", simulator.faults, name="simulator_faults"),
    path(f"{_simulator}break/", simulator.break_it, name="simulator_break"),
    path(f"{_simulator}mend/", simulator.mend, name="simulator_mend"),
    path(f"{_simulator}<int:simulation>/", simulator.run_page, name="simulator_run"),
    path(f"{_simulator}<int:simulation>/live/", simulator.run_live, name="simulator_live"),
    path(f"{_simulator}<int:simulation>/stop/", simulator.stop, name="simulator_stop"),
    path("api/v1/canvases/<int:canvas>", api.canvas, name="api_canvas"),
    path("api/v1/canvases/<int:canvas>/enter", api.enter, name="api_enter"),
]

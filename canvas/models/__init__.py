from canvas.models.api_call import ApiCall
from canvas.models.canvas import Canvas
from canvas.models.entry import Entry, Move
from canvas.models.scenario import ScenarioRun
from canvas.models.simulator import SimulatorRun
from canvas.models.step import Step, StepTotals

__all__ = ["ApiCall", "Canvas", "Entry", "Move", "ScenarioRun", "SimulatorRun", "Step", "StepTotals"]

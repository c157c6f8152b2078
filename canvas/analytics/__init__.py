"""What happened in a Canvas: figures, their history, the users behind them, and another chance for the errored ones."""

from canvas.analytics.figures import METRICS, Metrics, StepFigures, figures_of, metrics

__all__ = ["METRICS", "Metrics", "StepFigures", "figures_of", "metrics"]

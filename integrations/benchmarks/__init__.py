"""Measuring instruments for delivery: each makes its own data, database, sandbox and workers, and sweeps up."""

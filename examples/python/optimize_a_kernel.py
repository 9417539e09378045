"""Makes a shipped kernel faster in a few steps, and asks the run what it did. Needs neither a GPU nor a key.

In a notebook, `result` as the last line of a cell is shown as a plot.
"""

import tilewright

result = tilewright.optimize("1_48", model="none", max_iterations=1, tune_budget=2, candidates=1, no_save=True)

print(f"run {result.run.id} stopped: {result.run.stop_reason}")
for attempt in result.run.attempts:
    outcome = attempt.evaluation.outcome if attempt.evaluation else "abandoned"
    print(f"#{attempt.index} {outcome}: {attempt.candidate.hypothesis or 'the kernel as it is'}")
if result.best is not None:
    print(f"the best is #{result.best.index}")

again = tilewright.load_run("last")
assert again.run == result.run

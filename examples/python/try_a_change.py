"""Asks why a kernel is slow, changes one line of it, and has the change judged: what an agent does in a loop."""

from pathlib import Path

import tilewright
from tilewright.records import Wrong

analysis = tilewright.analyze("1_48")
print(f"{analysis.problem} on {analysis.gpu}: {len(analysis.findings)} findings")
for finding in analysis.findings:
    print(f"- {finding.message}. {finding.action}")

source = Path(analysis.path).read_text(encoding="utf-8")
judged = tilewright.evaluate("1_48", source=source.replace("total[j] /= reduced", "total[j] /= reduced * 2"))
print(f"{judged.evaluation.outcome} (evaluation {judged.id})")
if isinstance(judged.evaluation, Wrong):
    print(judged.evaluation.mismatch.message)

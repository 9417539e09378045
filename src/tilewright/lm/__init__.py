"""The language-model room: who is asked, how an answer is read, what an interaction cost.

    specs = parse_models("openai/o3,openai/gpt-4o")         # () for "none"; ConfigError says what is wrong
    model = open_model(
        specs, temperature=0.7, temperature_is_explicit=False, api_base="", api_key="",
        budget=Budget(max_usd=5.0, max_tokens=None),
        recorded=lambda run: interactions_of(run),          # for replay:RUN
        on_interaction=[save, transcript.add],              # each takes a records.Interaction, from any thread
        on_note=watcher.note,
    )
    answer = model.ask(
        Rewrite,                                            # a dspy.Signature class, or a dspy.Module
        {"kernel": source, "feedback": fenced(feedback)},   # the signature's input fields
        purpose="rewrite turn 2",                           # for people: transcript, names of prompt files
        rollout_id=rollout_of(turn, candidate),             # also picks the model where there are several
        flaw=lambda fields: "" if extract_code(str(fields["kernel"])) else "`kernel` holds no Python module",
    )
    answer.text("kernel"), answer.fields, answer.model, answer.tokens, answer.usd
    code = extract_code(answer.text("kernel"))              # None when nothing usable is in it
    messages_for(Rewrite, inputs)                           # exactly what would be sent; asks nobody

`ask(..., constrained=True)` wants one JSON object that a server which can do so holds to the output fields' types
(`Literal[64, 128]`): knobs, from a model too small for the field format. `Model([scripted(answers)])` is a model
for tests: answers in order, or a function of a `Question`.

`ask` may be called from several threads at once. It raises
  ModelFailed        no usable answer to this question; another one may get one
  ModelUnavailable   no question would get one: no key, no credit, unknown model, no server, a recorded run at its end
  BudgetSpent        max_usd or max_tokens is used up
  AwaitingAnswers    file:DIR has no answer yet; its prompt lies there. Ask all there is to ask, then end the run.
The first three are `ModelError`s (BudgetSpent a ModelUnavailable); all are in `tilewright.errors`. Every exchange
with a model, failed ones too, is handed to `on_interaction` before `ask` returns or raises.

Fields of signatures are strings, which a parser of ours takes code out of. An output field with a default is
optional; an answer without field headers is taken as the one field that has none. Signatures are written like

    class Rewrite(dspy.Signature):
        __doc__ = text_from_data
        kernel: str = dspy.InputField()
        plan: str = dspy.OutputField(default="")
        module: str = dspy.OutputField(desc="the whole module in one fenced block")

DSPy is imported at the first `open_model` or `messages_for`, through `load_dspy()`: call that before `import dspy`
anywhere else, since it says what to install and keeps DSPy off the network and quiet.
"""

from tilewright.lm.answers import extract_code, fenced
from tilewright.lm.budget import Budget, spent_on
from tilewright.lm.calls import PATIENT, Answer, Flaw, Model, Patience, Program, messages_for, rollout_of
from tilewright.lm.keys import keys_in, without_keys
from tilewright.lm.loading import load_dspy
from tilewright.lm.models import DEFAULT_MODEL, ModelSpec, parse_models
from tilewright.lm.opening import open_model
from tilewright.lm.speakers import Question, Said, Speaker, scripted, speaker
from tilewright.lm.transcript import Transcript, transcript_path

__all__ = [
    "DEFAULT_MODEL",
    "PATIENT",
    "Answer",
    "Budget",
    "Flaw",
    "Model",
    "ModelSpec",
    "Patience",
    "Program",
    "Question",
    "Said",
    "Speaker",
    "Transcript",
    "extract_code",
    "fenced",
    "keys_in",
    "load_dspy",
    "messages_for",
    "open_model",
    "parse_models",
    "rollout_of",
    "scripted",
    "speaker",
    "spent_on",
    "transcript_path",
    "without_keys",
]

"""Who proposes candidates: the knob search, source rewrites, a language model. One file for each."""

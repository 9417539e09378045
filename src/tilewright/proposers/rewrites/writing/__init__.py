"""How is a kernel written anew: tiles, launches, knob defaults."""

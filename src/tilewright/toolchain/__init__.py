"""What knows TileLang and nvcc: harvest, lower, compile, resources, SASS, knobs."""
